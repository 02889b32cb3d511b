"""The objective, eq. (3): fused and auxiliary cross-entropies, each with its own weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from voxres_tf.config import TrainingConfig

BESIDE_KERNELS = ["bias", "gamma", "beta"]
"""Names of all weights but kernels, in convolutions and in batch normalisation."""


def voxel_cross_entropy(classes: Any, logits: Any) -> Any:
    """Cross-entropy of every voxel, in nats (eq. 3).

    Args:
        classes: integers [B, X, Y, Z].
        logits: float [B, X, Y, Z, K].

    Returns:
        float32 [B, X, Y, Z].
    """
    return keras.ops.sparse_categorical_crossentropy(
        keras.ops.cast(classes, "int32"), keras.ops.cast(logits, "float32"), from_logits=True
    )


class VoxelCrossEntropy(keras.losses.Loss):
    """Mean of `voxel_cross_entropy` over the voxels of non-zero sample weight, times `weight`.

    `weight` is a variable because a number in `compile(loss_weights=...)` is fixed when the step is
    traced. It can be assigned at any time; see `callbacks.AuxiliaryWeightDecay`.
    """

    def __init__(self, weight: float = 1.0, name: str = "voxel_cross_entropy") -> None:
        super().__init__(name=name, reduction="mean_with_sample_weight", dtype="float32")
        self.weight = keras.Variable(weight, trainable=False, dtype="float32", name="loss_weight")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Weighted cross-entropy of every voxel, float32 [B, X, Y, Z]."""
        return self.weight * voxel_cross_entropy(y_true, y_pred)


class MeanLoss(keras.metrics.Mean):
    """Mean of an output's loss over the steps of an epoch, as Keras logs it for several outputs.

    Args:
        loss: loss of the output.
        name: name of the column in the log.
    """

    def __init__(self, loss: VoxelCrossEntropy, name: str) -> None:
        super().__init__(name=name, dtype="float32")
        self._loss = loss

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add the loss of one batch."""
        # In a replica, Keras divides the loss by the number of replicas, since it sums over them.
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        super().update_state(self._loss(y_true, y_pred, sample_weight) * replicas)


def build_losses(config: TrainingConfig, outputs: Sequence[str]) -> dict[str, VoxelCrossEntropy]:
    """One loss per output: `main` weighs 1, the others start at `aux_start`."""
    return {
        name: VoxelCrossEntropy(1.0 if name == "main" else config.aux_start, name=f"{name}_loss")
        for name in outputs
    }


def build_metrics(losses: dict[str, VoxelCrossEntropy]) -> list[MeanLoss] | None:
    """Metrics that log `<output>_loss` for a single output; Keras does so only for several.

    Returns:
        None for several outputs, since Keras 3.13 does not accept an empty list.
    """
    if len(losses) > 1:
        return None
    return [MeanLoss(loss, f"{name}_loss") for name, loss in losses.items()]


def build_running_means(model: keras.Model) -> None:
    """Have Keras create the variables behind the losses' running means before the first step.

    Otherwise they are created while that step is traced, and TensorFlow then traces the same graph
    twice.

    Args:
        model: compiled, and not yet trained.
    """
    voxel = (1, 1, 1, 1)
    logits = {name: tf.zeros((*voxel, part.shape[-1])) for name, part in model.output.items()}
    classes = {name: tf.zeros(voxel, tf.uint8) for name in logits}
    # In a replica, because a mean over several devices cannot be added to from outside.
    model.distribute_strategy.run(lambda: model.compute_loss(y=classes, y_pred=logits))
    model.reset_metrics()


def build_optimizer(config: TrainingConfig) -> keras.optimizers.Optimizer:
    """The optimiser with its polynomial decay, wrapped for loss scaling under float16.

    It keeps the moving average of the weights if the config asks for one; see `averages`. AdamW
    applies lambda of eq. (3) as decoupled decay of the kernels (2 lambda, the factor in the
    gradient), so the network must then be built with `l2=0`; see `l2_in_loss`.
    """
    rate = keras.optimizers.schedules.PolynomialDecay(
        config.learning_rate, config.steps, end_learning_rate=0.0, power=config.decay_power
    )
    # Named here: Keras would number the names over the process, and a saved state holds them.
    shared = {
        "global_clipnorm": config.clip_norm or None,
        "use_ema": config.ema > 0,
        "ema_momentum": config.ema,
        "ema_overwrite_frequency": None,
        "name": config.optimizer,
    }
    optimizer: keras.optimizers.Optimizer
    if config.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(rate, momentum=config.momentum, **shared)
    elif config.optimizer == "adam":
        optimizer = keras.optimizers.Adam(rate, **shared)
    else:
        optimizer = keras.optimizers.AdamW(rate, weight_decay=2 * config.l2, **shared)
        optimizer.exclude_from_weight_decay(var_names=BESIDE_KERNELS)
    if config.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, name="loss_scale")
    return optimizer


def l2_in_loss(config: TrainingConfig) -> float:
    """Lambda of eq. (3) as part of the loss: 0 if the optimiser applies it instead."""
    return 0.0 if config.optimizer == "adamw" else config.l2

"""The network of a training with its objective and optimiser, ready for the first step."""

from __future__ import annotations

import keras
import tensorflow as tf

from voxres_tf.config import RunConfig
from voxres_tf.model.network import build_network, outputs_of
from voxres_tf.training.losses import (
    VoxelCrossEntropy,
    build_losses,
    build_metrics,
    build_optimizer,
    build_running_means,
    l2_in_loss,
)


def compiled(config: RunConfig) -> tuple[keras.Model, dict[str, VoxelCrossEntropy]]:
    """Build the network with random weights, by the seed, and compile it for training.

    Call it within the scope of the distribution strategy. Operations are deterministic from then
    on, in the whole process.

    Returns:
        The network, and the loss of each of its outputs.
    """
    training = config.training
    keras.utils.set_random_seed(training.seed)
    tf.config.experimental.enable_op_determinism()
    model = build_network(config.model, precision=training.precision, l2=l2_in_loss(training))
    if training.frozen_norm:
        _freeze_norm(model)
    losses = build_losses(training, outputs_of(config.model))
    model.compile(
        optimizer=build_optimizer(training),
        loss=losses,
        weighted_metrics=build_metrics(losses),
    )
    model.optimizer.build(model.trainable_variables)
    build_running_means(model)
    return model, losses


def _freeze_norm(model: keras.Model) -> None:
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False

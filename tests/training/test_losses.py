"""Eq. (3): cross-entropies by hand, weights of voxels and outputs, optimisers."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from voxres_tf.config import ModelConfig, TrainingConfig
from voxres_tf.model.network import build_network
from voxres_tf.training.losses import (
    VoxelCrossEntropy,
    build_losses,
    build_metrics,
    build_optimizer,
    build_running_means,
    l2_in_loss,
    voxel_cross_entropy,
)
from voxres_tf.training.schedules import auxiliary_weight

CLASSES = np.array([[[[0, 1]]]], np.uint8)
# Odds of 1 : 1 and 1 : 3 for the two voxels -> ln 2 and ln(4/3) for the right classes.
LOGITS = np.array([[[[[0.0, 0.0], [0.0, np.log(3.0)]]]]], np.float32)


def test_voxel_cross_entropy_by_hand() -> None:
    np.testing.assert_allclose(
        voxel_cross_entropy(CLASSES, LOGITS)[0, 0, 0], [np.log(2), np.log(4 / 3)], rtol=1e-6
    )


def test_loss_is_the_mean_over_voxels_with_weight() -> None:
    loss = VoxelCrossEntropy()
    assert float(loss(CLASSES, LOGITS)) == pytest.approx((np.log(2) + np.log(4 / 3)) / 2)
    only_second = np.array([[[[0.0, 1.0]]]], np.float32)
    assert float(loss(CLASSES, LOGITS, only_second)) == pytest.approx(np.log(4 / 3))


def test_unscored_crop_gives_zero_not_nan() -> None:
    assert float(VoxelCrossEntropy()(CLASSES, LOGITS, np.zeros((1, 1, 1, 2), np.float32))) == 0


def test_the_weight_counts_when_assigned_after_the_step_was_traced() -> None:
    inputs = keras.Input((1, 1, 2, 2))
    model = keras.Model(inputs, keras.layers.Identity()(inputs))
    loss = VoxelCrossEntropy()
    model.compile(loss=loss)
    before = model.evaluate(LOGITS, CLASSES, verbose=0)
    loss.weight.assign(0.25)
    assert model.evaluate(LOGITS, CLASSES, verbose=0) == pytest.approx(before / 4)


def test_main_weighs_one_and_the_others_their_start() -> None:
    losses = build_losses(TrainingConfig(aux_start=0.7), ("main", "aux1"))
    weights = {name: float(loss.weight) for name, loss in losses.items()}
    assert weights == pytest.approx({"main": 1, "aux1": 0.7})


def test_a_single_output_logs_the_mean_of_its_steps() -> None:
    assert build_metrics(build_losses(TrainingConfig(), ("main", "aux1"))) is None
    (metric,) = build_metrics(build_losses(TrainingConfig(), ("main",))) or ()
    assert metric.name == "main_loss"
    metric.update_state(CLASSES, LOGITS, np.array([[[[1.0, 0.0]]]], np.float32))
    metric.update_state(CLASSES, LOGITS, np.array([[[[0.0, 1.0]]]], np.float32))
    assert float(metric.result()) == pytest.approx((np.log(2) + np.log(4 / 3)) / 2)


def test_auxiliary_weights_by_hand() -> None:
    config = TrainingConfig(steps=400, steps_per_epoch=100)  # four epochs
    assert [auxiliary_weight(config, e) for e in range(4)] == pytest.approx([1, 0.1, 0.01, 1e-3])
    linear = config.model_copy(update={"aux_schedule": "linear", "aux_end": 0.1})
    assert [auxiliary_weight(linear, e) for e in range(4)] == pytest.approx([1, 0.7, 0.4, 0.1])
    constant = config.model_copy(update={"aux_schedule": "constant"})
    assert [auxiliary_weight(constant, e) for e in range(4)] == [1, 1, 1, 1]


def test_the_rate_falls_by_the_polynomial() -> None:
    config = TrainingConfig(steps=100, learning_rate=0.02, decay_power=0.9)
    rate = build_optimizer(config)._learning_rate
    assert [float(rate(s)) for s in (0, 50, 100)] == pytest.approx([0.02, 0.02 * 0.5**0.9, 0])


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_one_update_by_hand(name: str) -> None:
    config = TrainingConfig(optimizer=name, learning_rate=0.1, l2=0.05, steps=10)
    weight = keras.Variable([1.0])
    build_optimizer(config).apply_gradients([(np.array([0.5], np.float32), weight)])
    # SGD: 1 - .1 * .5; Adam's first step has the length of the rate; AdamW decays by
    # rate * 2 lambda * weight = .1 * .1 * 1 before it.
    expected = {"sgd": 0.95, "adam": 0.9, "adamw": 0.89}[name]
    assert float(weight[0]) == pytest.approx(expected, abs=1e-5)
    assert l2_in_loss(config) == (0 if name == "adamw" else 0.05)


@pytest.mark.parametrize("architecture", ["voxresnet", "unet3d"])
def test_adamw_decays_the_kernels_alone(architecture: str) -> None:
    weights = build_network(ModelConfig(architecture=architecture, width=2)).trainable_variables
    for weight in weights:
        weight.assign(np.ones(weight.shape))
    config = TrainingConfig(optimizer="adamw", learning_rate=0.1, l2=0.05, steps=10)
    still = [(np.zeros(weight.shape, np.float32), weight) for weight in weights]
    build_optimizer(config).apply_gradients(still)
    # Without a gradient the decay is all: rate * 2 lambda = .01 of a kernel.
    for weight in weights:
        expected = 0.99 if weight.path.endswith("/kernel") else 1.0
        np.testing.assert_allclose(weight.numpy(), expected, rtol=1e-6, err_msg=weight.path)


def test_gradients_are_clipped_by_their_global_norm() -> None:
    config = TrainingConfig(optimizer="sgd", learning_rate=1.0, clip_norm=1.0, steps=10)
    a, b = keras.Variable([0.0]), keras.Variable([0.0])
    build_optimizer(config).apply_gradients(
        [(np.array([3.0], np.float32), a), (np.array([4.0], np.float32), b)]
    )
    assert [float(a[0]), float(b[0])] == pytest.approx([-0.6, -0.8])


def test_a_step_is_traced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    traces = []
    step = keras.Model.train_step

    def counted(model: keras.Model, data: tuple[object, ...]) -> object:
        traces.append(model)
        return step(model, data)

    monkeypatch.setattr(keras.Model, "train_step", counted)
    config, outputs = TrainingConfig(steps=2), ("main", "aux1")
    scan = keras.Input((8, 8, 8, 1))
    model = keras.Model(scan, {name: keras.layers.Conv3D(2, 1)(scan) for name in outputs})
    model.compile(optimizer=build_optimizer(config), loss=build_losses(config, outputs))
    model.optimizer.build(model.trainable_variables)
    build_running_means(model)
    assert not any(np.any(variable) for variable in model.metrics_variables)
    image = np.ones((2, 8, 8, 8, 1), np.float32)
    classes = dict.fromkeys(outputs, np.ones((2, 8, 8, 8), np.uint8))
    for _ in range(2):
        told = model.train_on_batch(image, classes, return_dict=True)
    assert len(traces) == 1
    assert set(told) == {"loss", "main_loss", "aux1_loss"}

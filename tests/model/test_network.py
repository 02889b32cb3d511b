"""What every architecture keeps: outputs, sizes, names, the L2 term, precision."""

from __future__ import annotations

from typing import get_args

import keras
import numpy as np
import pytest

from voxres_tf.config import Architecture, ModelConfig
from voxres_tf.errors import ConfigError
from voxres_tf.model.network import ALL_OUTPUTS, build_network, outputs_of
from voxres_tf.model.unet3d import build_unet3d
from voxres_tf.model.voxresnet import build_voxresnet

KERNELS = {"voxresnet": 25 + 4, "unet3d": 14 + 3 + 1}


@pytest.fixture(params=get_args(Architecture))
def config(request: pytest.FixtureRequest) -> ModelConfig:
    return ModelConfig(architecture=request.param, in_channels=2, width=2)


@pytest.mark.parametrize("shape", [(8, 8, 8), (16, 8, 24)])
def test_outputs_have_the_size_of_the_input(
    config: ModelConfig, shape: tuple[int, int, int]
) -> None:
    outputs = build_network(config)(np.zeros((2, *shape, 2), np.float32))
    assert {name: tuple(o.shape) for name, o in outputs.items()} == dict.fromkeys(
        outputs_of(config), (2, *shape, 4)
    )


def test_names_are_the_same_however_often_it_is_built(config: ModelConfig) -> None:
    one, other = build_network(config), build_network(config)
    assert one.name == config.architecture
    assert [layer.name for layer in one.layers] == [layer.name for layer in other.layers]
    assert list(one.output) == list(outputs_of(config))
    assert one.input.name == "image"
    assert outputs_of(config)[0] == ALL_OUTPUTS[0] == "main"
    assert set(outputs_of(config)) <= set(ALL_OUTPUTS)


def test_every_weight_has_a_gradient(config: ModelConfig) -> None:
    import tensorflow as tf

    model = build_network(config)
    with tf.GradientTape() as tape:
        outputs = model(np.random.default_rng(0).normal(size=(2, 16, 8, 8, 2)), training=True)
        loss = sum(tf.reduce_sum(logits**2) for logits in outputs.values())
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    assert not [
        v.path for v, g in zip(model.trainable_variables, gradients, strict=True) if g is None
    ]


def test_the_l2_term_is_that_of_eq_3(config: ModelConfig) -> None:
    model = build_network(config, l2=0.5)
    kernels = [v for v in model.trainable_variables if v.path.endswith("kernel")]
    assert len(kernels) == KERNELS[config.architecture]
    expected = 0.5 * sum(float((np.asarray(k) ** 2).sum()) for k in kernels)
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_outputs_stay_in_float32_under_mixed_precision(config: ModelConfig, precision: str) -> None:
    model = build_network(config, precision=precision)
    convolutions = [la for la in model.layers if isinstance(la, keras.layers.Conv3D)]
    wide = {la.compute_dtype for la in convolutions if la.kernel_size != (1, 1, 1)}
    assert wide == {precision.removeprefix("mixed_")}
    assert {la.compute_dtype for la in convolutions if la.kernel_size == (1, 1, 1)} == {"float32"}
    outputs = model(np.random.default_rng(0).normal(size=(1, 8, 8, 8, 2)))
    assert {str(keras.backend.standardize_dtype(o.dtype)) for o in outputs.values()} == {"float32"}


def test_a_builder_refuses_another_architecture() -> None:
    with pytest.raises(ConfigError, match=r"builds voxresnet.*Received: unet3d.*build_network"):
        build_voxresnet(ModelConfig(architecture="unet3d"))
    with pytest.raises(ConfigError, match=r"builds unet3d.*Received: voxresnet"):
        build_unet3d(ModelConfig())

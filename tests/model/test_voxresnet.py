"""VoxResNet: the paper's counts and the wiring of its modules and branches."""

from __future__ import annotations

from math import prod
from pathlib import Path

import keras
import numpy as np
import pytest

from voxres_tf.config import ModelConfig
from voxres_tf.model.voxresnet import OUTPUTS, build_voxresnet
from voxres_tf.presets import PRESETS


def trainable(config: ModelConfig) -> int:
    return sum(prod(v.shape) for v in build_voxresnet(config).trainable_variables)


def count(model: keras.Model, kind: type[keras.layers.Layer]) -> int:
    return sum(type(layer) is kind for layer in model.layers)


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        (PRESETS["full"].model, 4_061_120),
        (ModelConfig(in_channels=10), 4_061_120 + 3_456),
        (PRESETS["half"].model, 1_017_840),
        # 3x3x1 instead of 3x3x3: 18 taps fewer in conv1b (32^2) and in six modules (64^2).
        (PRESETS["thin"].model, 4_061_120 - 18 * 32**2 - 6 * 18 * 64**2),
    ],
)
def test_parameters(config: ModelConfig, parameters: int) -> None:
    assert trainable(config) == parameters


@pytest.mark.parametrize("preset", PRESETS)
def test_layer_counts_of_the_paper(preset: str) -> None:
    model = build_voxresnet(PRESETS[preset].model)
    assert count(model, keras.layers.Conv3D) == 25
    assert count(model, keras.layers.Conv3DTranspose) == 4
    assert count(model, keras.layers.Add) == 6 + 1  # VoxRes modules and the fusion
    assert tuple(model.output) == OUTPUTS


def test_fused_logits_are_the_sum_of_the_shares() -> None:
    model = build_voxresnet(ModelConfig(in_channels=1, width=2))
    shares = keras.Model(
        model.input,
        [model.get_layer(f"branch{n}_share").output for n in (1, 2, 3, 4)] + [model.output["main"]],
    )
    *parts, main = shares(np.random.default_rng(0).normal(size=(1, 16, 16, 8, 1)))
    np.testing.assert_allclose(sum(np.asarray(p) for p in parts), main, rtol=1e-5, atol=1e-6)


def test_nothing_follows_the_addition_of_a_module() -> None:
    model = build_voxresnet(ModelConfig(width=2))
    # The next module adds the raw sum: its shortcut is the sum itself, not a normalised copy.
    inputs = model.get_layer("voxres3_sum").input
    assert inputs[0] is model.get_layer("voxres2_sum").output


def test_a_saved_network_answers_alike(tmp_path: Path) -> None:
    network = build_voxresnet(ModelConfig(in_channels=2, width=4), l2=1e-4)
    image = np.random.default_rng(0).standard_normal((1, 8, 16, 8, 2), np.float32)
    network.save(tmp_path / "net.keras")
    loaded = keras.models.load_model(tmp_path / "net.keras")
    before, after = network(image, training=False), loaded(image, training=False)
    assert set(after) == set(OUTPUTS)
    for name in OUTPUTS:
        np.testing.assert_array_equal(after[name], before[name])

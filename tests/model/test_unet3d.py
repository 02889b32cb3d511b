"""The 3D U-Net: the published count of parameters, channels of every level, skips, pooling."""

from __future__ import annotations

from math import prod

import keras
import numpy as np
import pytest

from voxres_tf.config import ModelConfig
from voxres_tf.model.unet3d import build_unet3d

CONVOLUTIONS = (keras.layers.Conv3D, keras.layers.Conv3DTranspose)


def unet(in_channels: int = 6, classes: int = 4, width: int = 32) -> keras.Model:
    return build_unet3d(
        ModelConfig(architecture="unet3d", in_channels=in_channels, classes=classes, width=width)
    )


def test_parameters_published() -> None:
    """Section 2: 19,069,955, of three channels and three classes, without batch normalisation."""
    layers = [layer for layer in unet(3, 3).layers if isinstance(layer, CONVOLUTIONS)]
    assert sum(prod(v.shape) for layer in layers for v in layer.weights) == 19_069_955


def test_trainable_parameters_of_six_channels_and_four_classes() -> None:
    # 3^3 * 32 weights for each of three channels more, 64 + 1 for the class; two of batch
    # normalisation for each of the channels that a 3^3 convolution gives.
    channels = 32 + 3 * 64 + 64 + 3 * 128 + 128 + 3 * 256 + 256 + 512
    expected = 19_069_955 + 3 * 27 * 32 + 65 + 2 * channels
    assert expected == 19_077_284
    assert sum(prod(v.shape) for v in unet().trainable_variables) == expected


def test_channels_are_those_of_figure_2() -> None:
    model = unet()
    found = {
        layer.name: (layer.input.shape[-1], layer.output.shape[-1])
        for layer in model.layers
        if isinstance(layer, CONVOLUTIONS)
    }
    assert found == {
        "down1_conv1": (6, 32),
        "down1_conv2": (32, 64),
        "down2_conv1": (64, 64),
        "down2_conv2": (64, 128),
        "down3_conv1": (128, 128),
        "down3_conv2": (128, 256),
        "bottom_conv1": (256, 256),
        "bottom_conv2": (256, 512),
        "up3_deconv": (512, 512),
        "up3_conv1": (768, 256),
        "up3_conv2": (256, 256),
        "up2_deconv": (256, 256),
        "up2_conv1": (384, 128),
        "up2_conv2": (128, 128),
        "up1_deconv": (128, 128),
        "up1_conv1": (192, 64),
        "up1_conv2": (64, 64),
        "main": (64, 4),
    }
    without_bias = {la.name for la in model.layers if getattr(la, "use_bias", True) is False}
    assert without_bias == {"up1_deconv", "up2_deconv", "up3_deconv"}


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_skip_is_what_is_pooled(level: int) -> None:
    model = unet(1, 2, 2)
    up, skip = model.get_layer(f"up{level}_join").input
    assert up is model.get_layer(f"up{level}_deconv").output
    assert skip is model.get_layer(f"down{level}_conv2_relu").output
    assert model.get_layer(f"down{level}_pool").input is skip


def test_pooling_takes_the_largest_of_eight_in_float32() -> None:
    model = build_unet3d(
        ModelConfig(architecture="unet3d", in_channels=1, width=1), precision="mixed_float16"
    )
    pool = model.get_layer("down1_pool")
    assert pool.compute_dtype == "float32"
    image = np.arange(64, dtype=np.float32).reshape(1, 4, 4, 4, 1)
    # Indices of the far corners: 16 x + 4 y + z with x, y and z of 1 or 3.
    expected = [[[21, 23], [29, 31]], [[53, 55], [61, 63]]]
    np.testing.assert_array_equal(np.asarray(pool(image))[0, ..., 0], expected)

"""The 3D U-Net of Cicek et al. 2016 (arXiv 1606.06650, section 2 and figure 2), as a baseline."""

from __future__ import annotations

import keras

from voxres_tf.config import ModelConfig, Precision
from voxres_tf.model.blocks import Blocks, require_architecture

OUTPUTS = ("main",)
"""Logits; the U-Net has no auxiliary outputs."""

LEVELS = 3
"""Number of poolings, and of up-convolutions."""


def build_unet3d(
    config: ModelConfig, *, precision: Precision = "float32", l2: float = 0.0
) -> keras.Model:
    """Build the network as a Keras functional model.

    Channels double before each pooling, batch normalisation precedes every ReLU, and the
    up-convolutions have no bias, which gives the paper's count of 19,069,955 parameters. Unlike
    the paper's, convolutions are zero-padded (`docs/decisions/0008-unet-baseline.md`).

    Args:
        config: the shape of the network; levels have 2, 4, 8 and 16 times `width` channels.
        precision: policy of all layers but pooling and classifier; these and the output are
            float32.
        l2: lambda of eq. (3) of the VoxResNet paper, on every convolution's kernel.

    Returns:
        A model with the input `image`, float32 [B, X, Y, Z, C] with X, Y, Z multiples of 8, and
        a dict with `main`, float32 logits [B, X, Y, Z, K].

    Raises:
        ConfigError: if the config names another architecture.
    """
    require_architecture(config, "unet3d")
    block = Blocks(precision, l2, config.norm_momentum)

    def pair(x: object, level: str, first: int, second: int) -> object:
        for number, filters in enumerate((first, second), 1):
            name = f"{level}_conv{number}"
            x = block.activate(block.conv(x, filters, name), name)
        return x

    image = keras.Input((None, None, None, config.in_channels), name="image")
    x: object = image
    skips = []
    for level in range(1, LEVELS + 1):
        filters = config.width * 2**level
        x = pair(x, f"down{level}", filters // 2, filters)
        skips.append((level, filters, x))
        x = block.pool(x, f"down{level}_pool")
    bottom = config.width * 2**LEVELS
    x = pair(x, "bottom", bottom, 2 * bottom)
    for level, filters, skip in reversed(skips):
        x = block.deconv(x, f"up{level}_deconv", kernel=2, stride=2, bias=False)
        x = pair(block.join(x, skip, f"up{level}_join"), f"up{level}", filters, filters)
    outputs = {"main": block.classifier(x, config.classes, "main")}
    return keras.Model(image, outputs, name="unet3d")

"""VoxResNet: 25 volumetric convolutions and 4 deconvolutions (Chen et al. 2016, figure 1)."""

from __future__ import annotations

import keras
from keras import layers

from voxres_tf.config import ModelConfig, Precision
from voxres_tf.model.blocks import Blocks, Kernel, require_architecture

OUTPUTS = ("main", "aux1", "aux2", "aux3", "aux4")
"""The fused output and the auxiliary ones of the four branches, all logits."""


def build_voxresnet(
    config: ModelConfig, *, precision: Precision = "float32", l2: float = 0.0
) -> keras.Model:
    """Build the network as a Keras functional model.

    Layer names, widths, strides and taps follow the independent ports of the paper, including
    their odd numbering. That every branch feeds an auxiliary classifier and a share of the fused
    logits in parallel is this project's reading of "25 convolutions" (`docs/decisions`).

    Args:
        config: the shape of the network.
        precision: policy of all layers but the classifiers; these and the outputs are float32.
        l2: lambda of eq. (3), on every convolution's kernel.

    Returns:
        A model with the input `image`, float32 [B, X, Y, Z, C] with X, Y, Z multiples of 8, and
        a dict of five outputs (see `OUTPUTS`), float32 logits [B, X, Y, Z, K].

    Raises:
        ConfigError: if the config names another architecture.
    """
    require_architecture(config, "voxresnet")
    block = Blocks(precision, l2, config.norm_momentum)
    narrow, wide = config.width, 2 * config.width
    first: Kernel = (3, 3, 1) if config.thin_kernels else 3

    def modules(x: object, *names: str) -> object:
        for name in names:
            x = block.voxres(x, name, first_kernel=first)
        return x

    image = keras.Input((None, None, None, config.in_channels), name="image")
    x = block.activate(block.conv(image, narrow, "conv1a"), "conv1a")
    tap1 = block.conv(x, narrow, "conv1b", kernel=first)
    x = block.conv(block.activate(tap1, "conv1b"), wide, "conv1c", stride=2)
    tap2 = modules(x, "voxres2", "voxres3")
    x = block.conv(block.activate(tap2, "voxres3"), wide, "conv4", stride=2)
    tap3 = modules(x, "voxres5", "voxres6")
    x = block.conv(block.activate(tap3, "voxres6"), wide, "conv7", stride=2)
    tap4 = modules(x, "voxres8", "voxres9")

    outputs, shares = {}, []
    for number, tap in enumerate((tap1, tap2, tap3, tap4), 1):
        outputs[f"aux{number}"], share = block.branch(
            tap, config.classes, f"branch{number}", stride=2 ** (number - 1)
        )
        shares.append(share)
    outputs["main"] = layers.Add(dtype="float32", name="main")(shares)
    return keras.Model(image, {name: outputs[name] for name in OUTPUTS}, name="voxresnet")

"""The network that a configuration names, and the names of its outputs."""

from __future__ import annotations

import keras

from voxres_tf.config import ModelConfig, Precision
from voxres_tf.model import unet3d, voxresnet

_BUILDERS = {"voxresnet": voxresnet.build_voxresnet, "unet3d": unet3d.build_unet3d}
_OUTPUTS = {"voxresnet": voxresnet.OUTPUTS, "unet3d": unet3d.OUTPUTS}

ALL_OUTPUTS = tuple(dict.fromkeys(name for names in _OUTPUTS.values() for name in names))
"""The outputs that at least one network has, `main` first."""


def build_network(
    config: ModelConfig, *, precision: Precision = "float32", l2: float = 0.0
) -> keras.Model:
    """Build the network of the config's architecture.

    Args:
        config: the shape of the network.
        precision: policy of the convolutions; classifiers and outputs are float32.
        l2: lambda of eq. (3), on every convolution's kernel.

    Returns:
        A model with the input `image`, float32 [B, X, Y, Z, C] with X, Y, Z multiples of 8, and a
        dict of the outputs that `outputs_of` names, float32 logits [B, X, Y, Z, K].
    """
    return _BUILDERS[config.architecture](config, precision=precision, l2=l2)


def outputs_of(config: ModelConfig) -> tuple[str, ...]:
    """Names of the network's outputs: `main`, which predicts, then the auxiliary ones."""
    return _OUTPUTS[config.architecture]

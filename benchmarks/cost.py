"""Multiply-adds of the networks as trained and as exported.

python -m benchmarks.cost
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from voxres_tf.config import ModelConfig
from voxres_tf.export.fuse import fused
from voxres_tf.model.network import build_network

TILE = (80, 80, 80)

NETWORKS = {
    "VoxResNet, half width": ModelConfig(width=16),
    "VoxResNet, full width": ModelConfig(width=32),
    "3D U-Net, full width": ModelConfig(architecture="unet3d", width=32),
}


def multiply_adds(function: Callable[[Any], Any], tile: tuple[int, int, int], channels: int) -> int:
    """Multiply-adds of one tile, counted in the graph that a function is traced to.

    Convolutions and deconvolutions count one per voxel, tap and pair of channels; products of whole
    feature maps (what batch normalisation becomes) count one per value.

    Args:
        function: takes an image, float32 [1, X, Y, Z, C].
        tile: X, Y, Z.
        channels: C.
    """
    spec = tf.TensorSpec([1, *tile, channels], tf.float32)
    graph = tf.function(function, autograph=False).get_concrete_function(spec).graph
    return sum(_cost(operation) for operation in graph.get_operations())


def _cost(operation: Any) -> int:
    if operation.type == "Conv3D":
        (out,), kernel = operation.outputs, operation.inputs[1]
        # Taps times input channels; the last axis holds the output channels.
        return _values(out) * (_values(kernel) // int(kernel.shape[-1]))
    if operation.type == "Conv3DBackpropInputV2":
        kernel, given = operation.inputs[1], operation.inputs[2]
        # Here the last axis holds the input channels.
        return _values(given) * (_values(kernel) // int(kernel.shape[-1]))
    if operation.type == "Mul" and operation.outputs[0].shape.rank == 5:
        return _values(operation.outputs[0])
    return 0


def _values(tensor: Any) -> int:
    return int(tensor.shape.num_elements())


def both(config: ModelConfig) -> tuple[int, int]:
    """Multiply-adds of a network's `main` output, as trained and as exported."""
    model = build_network(config)
    live = keras.Model(model.input, model.output["main"])
    return (
        multiply_adds(lambda image: live(image, training=False), TILE, config.in_channels),
        multiply_adds(lambda image: fused(model)(image), TILE, config.in_channels),
    )


def main() -> None:
    """Print a line per network."""
    sys.stdout.write(f"{'x'.join(map(str, TILE))} voxels, multiply-adds / 10^9\n")
    for name, config in NETWORKS.items():
        live, after = both(config)
        saved = 1 - after / live
        sys.stdout.write(f"{name}: {live / 1e9:.1f} -> {after / 1e9:.1f} ({saved:.0%} fewer)\n")


if __name__ == "__main__":
    main()

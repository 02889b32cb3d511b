"""Volumes that a loop fills piece by piece, in place where TensorFlow can do that."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from voxres_tf.export.graph.filters import Tensor

_SLICES_AT_ONCE = 4


def written(volume: Tensor, begin: Tensor, part: Tensor) -> Tensor:
    """A volume with a part of it replaced.

    TensorFlow writes into the volume's own memory if nothing else will read the old values.

    Args:
        volume: float32 of any rank.
        begin: int32, where the part's first voxel goes, one number per axis.
        part: float32 of the same rank.
    """
    return tf.raw_ops.TensorStridedSliceUpdate(
        input=volume,
        begin=begin,
        end=begin + tf.shape(part),
        strides=tf.ones_like(begin),
        value=part,
    )


def from_slices(slice_at: Callable[[Tensor], Tensor], shape: Tensor, channels: int) -> Tensor:
    """A volume made slice by slice.

    Unlike `tf.map_fn`, which stacks a list at the end, this never holds the result twice.

    Args:
        slice_at: z, an int32 scalar -> float32 [X, Y, C].
        shape: int32 [3], X, Y and Z.
        channels: C.

    Returns:
        float32 [X, Y, Z, C].
    """

    def step(z: Tensor, volume: Tensor) -> tuple[Tensor, Tensor]:
        return z + 1, written(volume, tf.stack([0, 0, z, 0]), slice_at(z)[:, :, None])

    start = (tf.constant(0), tf.zeros(tf.concat([shape, [channels]], 0), tf.float32))
    volume = tf.while_loop(
        lambda z, _: z < shape[2], step, start, parallel_iterations=_SLICES_AT_ONCE
    )[1]
    return tf.ensure_shape(volume, [None, None, None, channels])

"""`preprocess.filters` as TensorFlow operations, for one axial slice [X, Y] at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from voxres_tf.preprocess.filters import FLAT_DEVIATION, ROBUST_PERCENTILES

Tensor = Any
"""A TensorFlow tensor; its dtype and shape are stated where it is used."""


def normalise(values: Tensor) -> Tensor:
    """`filters.normalise_slices` for one slice: zero mean, unit variance; zeros if it is flat.

    Args:
        values: [X, Y], any real dtype.

    Returns:
        float32 [X, Y].
    """
    values = tf.cast(values, tf.float64)
    centred = values - tf.reduce_mean(values)
    deviation = tf.math.reduce_std(centred)
    flat = deviation <= FLAT_DEVIATION * tf.reduce_max(tf.abs(values))
    scaled = centred / tf.where(flat, tf.ones_like(deviation), deviation)
    return tf.cast(tf.where(flat, tf.zeros_like(scaled), scaled), tf.float32)


def gaussian_matrix(size: Tensor, *, sigma: float, radius: int) -> Tensor:
    """The matrix that smooths a line of voxels when multiplied with it; ends repeat outwards.

    On the CPU, smoothing in float64 is far faster as a matrix product than as a convolution.

    Args:
        size: voxels of the line, int32 scalar.
        sigma: sigma of the Gaussian, in voxels.
        radius: the kernel is cut off at this many voxels from its centre.

    Returns:
        float64 [size, size], whose rows sum to 1.
    """
    profile = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    here = tf.range(size)[:, None] + tf.zeros([1, 2 * radius + 1], tf.int32)
    there = tf.clip_by_value(here + tf.range(-radius, radius + 1), 0, size - 1)
    weights = tf.ones_like(here, tf.float64) * (profile / profile.sum())
    return tf.scatter_nd(tf.stack([here, there], axis=-1), weights, tf.stack([size, size]))


def subtract_gaussian(values: Tensor, across: Tensor, along: Tensor) -> Tensor:
    """`filters.subtract_gaussian` for one slice.

    Args:
        values: float32 [X, Y].
        across: `gaussian_matrix` for X.
        along: `gaussian_matrix` for Y.

    Returns:
        float32 [X, Y].
    """
    # As in SciPy, sums are float64 and the result along each axis is float32.
    smooth = tf.cast(tf.matmul(across, tf.cast(values, tf.float64)), tf.float32)
    smooth = tf.matmul(tf.cast(smooth, tf.float64), along, transpose_b=True)
    return values - tf.cast(smooth, tf.float32)


def robust_range(volume: Tensor) -> tuple[Tensor, Tensor]:
    """Two percentiles of a volume, as `numpy.percentile` interpolates them.

    Only the two ends are extracted, rather than sorting the whole volume, to save memory.

    Args:
        volume: float32 of any shape, at least one voxel.

    Returns:
        The lower and the upper of `ROBUST_PERCENTILES`, float64 scalars.
    """
    values = tf.reshape(volume, [-1])
    last = tf.size(values) - 1
    low, high = (tf.cast(last, tf.float64) * (p / 100) for p in ROBUST_PERCENTILES)
    smallest = -tf.math.top_k(-values, tf.minimum(_index(low) + 2, last + 1)).values
    largest = tf.math.top_k(values, last - _index(high) + 1).values
    return (
        _interpolate(low, last, lambda index: smallest[index]),
        _interpolate(high, last, lambda index: largest[last - index]),
    )


def _index(place: Tensor) -> Tensor:
    return tf.cast(tf.floor(place), tf.int32)


def _interpolate(place: Tensor, last: Tensor, sorted_at: Callable[[Tensor], Tensor]) -> Tensor:
    """The value at a fractional index into the sorted values, rounded as NumPy rounds it."""
    before = sorted_at(_index(place))
    after = sorted_at(tf.minimum(_index(place) + 1, last))
    share = place - tf.floor(place)
    step = tf.cast(after - before, tf.float64)
    return tf.where(
        share < 0.5,
        tf.cast(before, tf.float64) + step * share,
        tf.cast(after, tf.float64) - step * (1 - share),
    )

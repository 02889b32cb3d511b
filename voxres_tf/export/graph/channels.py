"""`preprocess.channels` as TensorFlow operations: raw modalities in, the network's channels out."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from voxres_tf.config import PreprocessConfig
from voxres_tf.export.graph.clahe import equalise
from voxres_tf.export.graph.filters import (
    Tensor,
    normalise,
    robust_range,
    subtract_gaussian,
)

_SLICES_AT_ONCE = 4


def prepare(images: Tensor, config: PreprocessConfig) -> Tensor:
    """The channels of a subject (paper, section 3.1), slice by slice.

    Memory holds the result, one further volume per modality, and a few slices.

    Args:
        images: float32 [X, Y, Z, M], finite; axes in right-anterior-superior order, the
            modalities in the config's.
        config: what the network was trained with.

    Returns:
        float32 [Z, X, Y, C]: slices first, so that each is written in one piece.
    """
    details, ranges = [], []
    for number in range(len(config.modalities) if config.filtered else 0):
        details.append(_details(images, number, config))
        ranges.append(robust_range(details[-1]))

    def channels(z: Tensor) -> Tensor:
        originals = [normalise(images[:, :, z, m]) for m in range(len(config.modalities))]
        filtered = [
            normalise(_equalised(detail[z], *limits, config))
            for detail, limits in zip(details, ranges, strict=True)
        ]
        return tf.stack(originals + filtered, axis=-1)

    shape = tf.shape(images)
    return _over_slices(channels, shape[2], [shape[0], shape[1], len(config.channels)])


def _details(images: Tensor, modality: int, config: PreprocessConfig) -> Tensor:
    """A modality minus its smoothed copy, float32 [Z, X, Y]."""
    shape = tf.shape(images)

    def detail(z: Tensor) -> Tensor:
        values = images[:, :, z, modality]
        return subtract_gaussian(values, sigma=config.gaussian_sigma, radius=config.gaussian_radius)

    return _over_slices(detail, shape[2], shape[:2])


def _equalised(detail: Tensor, low: Tensor, high: Tensor, config: PreprocessConfig) -> Tensor:
    """A slice cut at a volume's two percentiles and equalised; zeros if these are the same."""
    width = tf.where(high > low, high - low, 1.0)
    scaled = tf.clip_by_value((tf.cast(detail, tf.float64) - low) / width, 0, 1)
    scaled = tf.where(high > low, scaled, tf.zeros_like(scaled))
    equalised = equalise(scaled, tile=config.clahe_tile, clip=config.clahe_clip)
    # The filter on volumes hands on float32, whose rounding the next filter must see too.
    return tf.cast(equalised, tf.float32)


def _over_slices(function: Callable[[Tensor], Tensor], count: Tensor, shape: Tensor) -> Tensor:
    """float32 [count, *shape] of what a function gives for 0, 1, ..., count - 1.

    Unlike `tf.map_fn`, which stacks a list in the end, it never holds the result twice.
    """

    def step(z: Tensor, volume: Tensor) -> tuple[Tensor, Tensor]:
        return z + 1, tf.tensor_scatter_nd_update(volume, [[z]], function(z)[None])

    start = (tf.constant(0), tf.zeros(tf.concat([[count], shape], 0), tf.float32))
    return tf.while_loop(lambda z, _: z < count, step, start, parallel_iterations=_SLICES_AT_ONCE)[
        1
    ]

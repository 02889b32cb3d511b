"""`preprocess.channels` as TensorFlow operations: raw modalities in, the network's channels out."""

from __future__ import annotations

import tensorflow as tf

from voxres_tf.config import PreprocessConfig
from voxres_tf.export.graph.clahe import equalise
from voxres_tf.export.graph.filters import (
    Tensor,
    gaussian_matrix,
    normalise,
    robust_range,
    subtract_gaussian,
)
from voxres_tf.export.graph.volumes import from_slices


def prepare(images: Tensor, config: PreprocessConfig) -> Tensor:
    """The channels of a subject (paper, section 3.1), slice by slice.

    Memory holds the result, one further volume per modality, and a few slices.

    Args:
        images: float32 [X, Y, Z, M], finite; axes in right-anterior-superior order, modalities
            in the config's order.
        config: what the network was trained with.

    Returns:
        float32 [X, Y, Z, C].
    """
    modalities = range(len(config.modalities))
    details = [_details(images, number, config) for number in modalities if config.filtered]
    ranges = [robust_range(detail) for detail in details]

    def channels(z: Tensor) -> Tensor:
        originals = [normalise(images[:, :, z, number]) for number in modalities]
        filtered = [
            normalise(_equalised(detail[:, :, z, 0], *limits, config))
            for detail, limits in zip(details, ranges, strict=True)
        ]
        return tf.stack(originals + filtered, axis=-1)

    return from_slices(channels, tf.shape(images)[:3], len(config.channels))


def _details(images: Tensor, number: int, config: PreprocessConfig) -> Tensor:
    """A modality minus its smoothed copy, float32 [X, Y, Z, 1]."""
    across, along = (
        gaussian_matrix(size, sigma=config.gaussian_sigma, radius=config.gaussian_radius)
        for size in tf.unstack(tf.shape(images)[:2])
    )

    def detail(z: Tensor) -> Tensor:
        return subtract_gaussian(images[:, :, z, number], across, along)[..., None]

    return from_slices(detail, tf.shape(images)[:3], 1)


def _equalised(detail: Tensor, low: Tensor, high: Tensor, config: PreprocessConfig) -> Tensor:
    """A slice clipped to a volume's two percentiles and equalised; zeros if these are equal."""
    width = tf.where(high > low, high - low, 1.0)
    scaled = tf.clip_by_value((tf.cast(detail, tf.float64) - low) / width, 0, 1)
    scaled = tf.where(high > low, scaled, tf.zeros_like(scaled))
    equalised = equalise(scaled, tile=config.clahe_tile, clip=config.clahe_clip)
    # The filter on volumes returns float32, and the next filter must see the same rounding.
    return tf.cast(equalised, tf.float32)

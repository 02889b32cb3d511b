"""`preprocess.geometry` as TensorFlow operations: to voxels that a network takes, and back."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from voxres_tf.config import Resolution
from voxres_tf.dataset.regrid import FWHM_PER_SD
from voxres_tf.export.graph.checks import held, require
from voxres_tf.export.graph.filters import Tensor
from voxres_tf.export.graph.volumes import written
from voxres_tf.preprocess.geometry import LEAST_MM, MOST_VOXELS, PARTS, TOLERANCE_MM

_RADIUS_IN_SD = 4.0


@dataclass(frozen=True)
class WorkingGrid:
    """`geometry.WorkingGrid`, right, anterior, superior: shapes int32 [3], spacings float64 [3]."""

    own_shape: Tensor
    own_spacing_mm: Tensor
    shape: Tensor
    spacing_mm: Tensor

    def resample_image(self, images: Tensor) -> Tensor:
        """Resample images, float32 [X, Y, Z, M] of the scan's own shape, to the working grid."""
        for axis in range(3):
            factor = self.spacing_mm[axis] / self.own_spacing_mm[axis]
            places = _places(self.shape[axis], self.own_shape[axis], factor)
            sigma = tf.sqrt(tf.maximum(factor**2 - 1, 0)) / FWHM_PER_SD
            images = self._where_resampled(images, axis, places, sigma)
        return images

    def resample_back(self, probabilities: Tensor) -> Tensor:
        """Resample probabilities, float32 [X, Y, Z, K] of the working shape, to the scan's grid."""
        for axis in (2, 1, 0):
            factor = self.own_spacing_mm[axis] / self.spacing_mm[axis]
            places = _places(self.own_shape[axis], self.shape[axis], factor)
            none = tf.zeros_like(factor)
            probabilities = self._where_resampled(probabilities, axis, places, none)
        return probabilities

    def _where_resampled(self, volume: Tensor, axis: int, places: Tensor, sigma: Tensor) -> Tensor:
        moved = tf.cond(
            self.spacing_mm[axis] != self.own_spacing_mm[axis],
            lambda: sampled(volume, axis, places, sigma),
            lambda: volume,
        )
        return tf.ensure_shape(moved, [None, None, None, volume.shape[3]])


def working_grid(shape: Tensor, spacing_mm: Tensor, resolution: Resolution) -> WorkingGrid:
    """`geometry.working_grid` for a scan.

    Args:
        shape: its voxels along the canonical axes, int32 [3].
        spacing_mm: float64 [3].
        resolution: the spacings that the network takes.

    Raises:
        tf.errors.InvalidArgumentError: when run, if a spacing is implausible.
    """
    low, high = (
        tf.constant([plane, plane, between], tf.float64)
        for plane, between in zip(resolution.in_plane_mm, resolution.slice_mm, strict=True)
    )
    taken = (low - TOLERANCE_MM <= spacing_mm) & (spacing_mm <= high + TOLERANCE_MM)
    target = tf.constant([resolution.in_plane_target_mm] * 2, tf.float64)
    nearest = tf.clip_by_value(spacing_mm, low, high)
    working_mm = tf.where(taken, spacing_mm, tf.concat([target, nearest[2:]], axis=0))
    exact = tf.cast(shape, tf.float64) * spacing_mm / working_mm
    voxels = tf.maximum(tf.round(tf.round(exact * PARTS) / PARTS), 1)
    sane = (tf.reduce_min(spacing_mm) >= LEAST_MM) & (tf.reduce_prod(voxels) <= MOST_VOXELS)
    received = ("{} mm, that is {} voxels", spacing_mm, voxels)
    rule = f"a head has voxels of at least {LEAST_MM} mm and, resampled, at most {MOST_VOXELS}"
    check = require(sane, "spacing", rule, received, "mend the header's voxel sizes")
    return WorkingGrid(shape, spacing_mm, tf.cast(held(voxels, [check]), tf.int32), working_mm)


def _places(count: Tensor, among: Tensor, factor: Tensor) -> Tensor:
    """Indices of `count` voxels among `among` others with the same centre; float64 [count]."""
    steps = tf.cast(tf.range(count), tf.float64) - tf.cast(count - 1, tf.float64) / 2
    return steps * factor + tf.cast(among - 1, tf.float64) / 2


def sampled(volume: Tensor, axis: int, places: Tensor, sigma: Tensor) -> Tensor:
    """Sample a volume along an axis: linearly, after a Gaussian; beyond the ends, the end values.

    Works plane by plane; sums are float64 and both steps return float32, as in NumPy and SciPy.

    Args:
        volume: float32 [X, Y, Z, C].
        axis: 0, 1 or 2.
        places: indices, float64 [n].
        sigma: sigma of the Gaussian in voxels, float64 scalar; 0 for none.

    Returns:
        float32, n long along the axis.
    """
    last = tf.shape(volume)[axis] - 1
    inside = tf.clip_by_value(places, 0, tf.cast(last, tf.float64))
    lows = tf.cast(inside, tf.int32)
    shares = tf.cast(inside - tf.cast(lows, tf.float64), tf.float32)
    radius = tf.cast(_RADIUS_IN_SD * sigma + 0.5, tf.int32)
    steps = tf.cast(tf.range(-radius, radius + 1), tf.float64)
    bell = tf.exp(-0.5 * (steps / tf.where(sigma > 0, sigma, tf.ones_like(sigma))) ** 2)
    bell /= tf.reduce_sum(bell)
    # One row for the plane before the place, and one for the plane after it.
    weights = tf.stack([tf.pad(bell, [[0, 1]]), tf.pad(bell, [[1, 0]])])
    count = tf.size(places)
    along = tf.one_hot(axis, 4, dtype=tf.int32)

    def step(number: Tensor, result: Tensor) -> tuple[Tensor, Tensor]:
        around = tf.clip_by_value(lows[number] + tf.range(-radius, radius + 2), 0, last)
        planes = tf.cast(tf.gather(volume, around, axis=axis), tf.float64)
        before, behind = tf.unstack(
            tf.cast(tf.tensordot(weights, planes, [[1], [axis]]), tf.float32), num=2
        )
        plane = before + (behind - before) * shares[number]
        return number + 1, written(result, along * number, tf.expand_dims(plane, axis))

    shape = tf.shape(volume) + along * (count - 1 - last)
    start = (tf.constant(0), tf.zeros(shape, tf.float32))
    return tf.while_loop(lambda n, _: n < count, step, start, parallel_iterations=1)[1]

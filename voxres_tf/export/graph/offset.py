"""`inference.offset` as TensorFlow operations: the offset between two scans of a head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import tensorflow as tf

from voxres_tf.export.graph.filters import Tensor
from voxres_tf.export.graph.geometry import sampled
from voxres_tf.inference.offset import (
    CONVERGED,
    DECIMALS,
    JITTER,
    LATTICE_MM,
    LEAST_SHARE,
    MAX_STEPS,
    RIDGE,
    SMOOTH_MM,
    STENCIL,
    UNITS,
)


def smoothed(probabilities: Tensor, spacing_mm: Tensor) -> list[Tensor]:
    """`offset.Tissue`: tissue smoothed by each of `SMOOTH_MM`, float32 [X, Y, Z, K - 1]."""
    maps = []
    for sd_mm in SMOOTH_MM:
        tissues = probabilities[..., 1:]
        for axis in range(3):
            places = tf.cast(tf.range(tf.shape(tissues)[axis]), tf.float64)
            tissues = sampled(tissues, axis, places, sd_mm / spacing_mm[axis])
        maps.append(tf.ensure_shape(tissues, [None, None, None, probabilities.shape[-1] - 1]))
    return maps


def offset_of(
    own: Sequence[Tensor], aim: Sequence[Tensor], spacing_mm: Tensor
) -> tuple[Tensor, Tensor]:
    """`offset.offset_of`: radians and mm, float64 [6], and how well the tissues then agree."""
    tissue = tf.maximum(tf.reduce_sum(own[0], axis=-1), tf.reduce_sum(aim[0], axis=-1))
    steps = tf.cast(tf.maximum(tf.round(LATTICE_MM / spacing_mm), 1), tf.int64)
    x, y, z = tf.unstack(steps)
    voxels = tf.cast(tf.where(tissue[::x, ::y, ::z] > LEAST_SHARE) * steps, tf.float64)
    points = voxels + tf.matmul(voxels, JITTER) % 1 - 0.5
    numbers, soft_dice = tf.zeros(6, tf.float64), tf.constant(0.0, tf.float64)
    for here, there in zip(own, aim, strict=True):
        wanted = interpolated(there, points)
        differences = _Differences(here, wanted, points, spacing_mm)
        numbers = tf.round(_least_squares(differences, numbers) * 10**DECIMALS) / 10**DECIMALS
        left = tf.reshape(differences(numbers[None]), tf.shape(wanted))
        squares = tf.reduce_sum((left + wanted) ** 2) + tf.reduce_sum(wanted**2)
        soft_dice = 1 - tf.reduce_sum(left**2) / squares
    return numbers * UNITS, soft_dice


@dataclass(frozen=True)
class _Differences:
    """Offsets, float64 [B, 6] -> by how much the maps then exceed `wanted`, float64 [B, n]."""

    maps: Tensor
    wanted: Tensor
    points: Tensor
    spacing_mm: Tensor

    def __call__(self, numbers: Tensor) -> Tensor:
        at = places(numbers * UNITS, self.points, tf.shape(self.maps)[:3], self.spacing_mm)
        found = interpolated(self.maps, at) - self.wanted
        return tf.reshape(found, [tf.shape(numbers)[0], -1])


def _least_squares(differences: _Differences, start: Tensor) -> Tensor:
    """`offset._least_squares`: float64 [6]."""
    half = STENCIL[1, 0]

    def step(
        round_: Tensor, numbers: Tensor, best: Tensor, least: Tensor, _: Tensor
    ) -> tuple[Tensor, ...]:
        found = differences(numbers + STENCIL)
        here, more, less = tf.split(found, [1, 6, 6])
        cost = tf.reduce_sum(here**2)
        slopes = (more - less) / (2 * half)
        normal = tf.matmul(slopes, slopes, transpose_b=True)
        ridge = RIDGE[0] * tf.linalg.trace(normal) / 6 + RIDGE[1]
        normal += ridge * tf.eye(6, dtype=tf.float64)
        change = tf.linalg.solve(normal, -tf.matmul(slopes, here, transpose_b=True))[:, 0]
        after = numbers + change
        better = cost < least
        done = better & (tf.reduce_max(tf.abs(change)) < CONVERGED)
        best = tf.where(done, after, tf.where(better, numbers, best))
        return round_ + 1, after, best, tf.minimum(cost, least), better & ~done

    first = tf.constant(np.inf, tf.float64)
    return tf.while_loop(
        lambda round_, *_: _[-1] & (round_ < MAX_STEPS),
        step,
        (tf.constant(0), start, start, first, tf.constant(True)),
        parallel_iterations=1,
    )[2]


def places(offsets: Tensor, points: Tensor, shape: Tensor, spacing_mm: Tensor) -> Tensor:
    """Indices of the first scan's points in a scan offset from it; float64 [B, n, 3].

    Args:
        offsets: radians and mm, float64 [B, 6].
        points: indices [n, 3], any numbers.
        shape: shape of both scans, int32 [3].
        spacing_mm: spacing of their voxels, float64 [3].
    """
    middle = tf.cast(shape - 1, tf.float64) / 2
    at_mm = (tf.cast(points, tf.float64) - middle) * spacing_mm
    turns, shifts = offsets[:, :3], offsets[:, None, 3:]
    # Rodrigues' formula.
    angle = tf.norm(turns, axis=1)[:, None, None]
    axis = tf.math.divide_no_nan(turns[:, None], angle)
    along = tf.matmul(at_mm[None], axis, transpose_b=True)
    across = tf.linalg.cross(axis + tf.zeros_like(at_mm)[None], at_mm[None] + tf.zeros_like(axis))
    turned = at_mm * tf.cos(angle) + across * tf.sin(angle) + along * axis * (1 - tf.cos(angle))
    return (turned + shifts) / spacing_mm + middle


def interpolated(maps: Tensor, places: Tensor) -> Tensor:
    """Maps [X, Y, Z, C] at places [..., 3], linear, clamped at the ends; float64 [..., C]."""
    shape = tf.shape(maps)[:3]
    last = shape - 1
    inside = tf.clip_by_value(places, 0, tf.cast(last, tf.float64))
    low = tf.cast(inside, tf.int32)
    share = inside - tf.cast(low, tf.float64)
    flat = tf.reshape(maps, [-1, maps.shape[-1]])
    total = tf.zeros([], tf.float64)
    for corner in product((0, 1), repeat=3):
        x, y, z = tf.unstack(tf.minimum(low + corner, last), axis=-1)
        weight = tf.reduce_prod(tf.where(np.array(corner, bool), share, 1 - share), axis=-1)
        values = tf.gather(flat, (x * shape[1] + y) * shape[2] + z)
        total += weight[..., None] * tf.cast(values, tf.float64)
    return total

"""`inference.align` as TensorFlow operations: moves a subject's scans onto the first one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from voxres_tf.dataset.regrid import HALF_VOXEL
from voxres_tf.export.graph.filters import Tensor
from voxres_tf.export.graph.offset import interpolated, offset_of, places, smoothed
from voxres_tf.export.graph.volumes import written
from voxres_tf.inference.align import FARTHEST, LEAST_SOFT_DICE
from voxres_tf.inference.offset import LEAST_ML


def aligned(images: Tensor, spacing_mm: Tensor, segment: Callable[[Tensor], Tensor]) -> Tensor:
    """`align.aligned`: the scans, moved onto the first one.

    Args:
        images: float32 [X, Y, Z, M]; a scan that is 0 everywhere counts as missing. M is static.
        spacing_mm: spacing of their voxels, float64 [3].
        segment: images with one scan -> probabilities, float32 [X, Y, Z, K], K static.
    """
    count = images.shape[-1]
    there = tf.reduce_any(images != 0, axis=[0, 1, 2])

    def found_in(number: Tensor) -> Tensor:
        return segment(images * tf.one_hot(number, count))

    def all_moved() -> Tensor:
        aim = found_in(tf.constant(0))
        aims = smoothed(aim, spacing_mm)

        def moved(number: Tensor) -> Tensor:
            own = found_in(number)
            numbers, soft_dice = offset_of(smoothed(own, spacing_mm), aims, spacing_mm)
            turn, shift = tf.unstack(tf.reshape(numbers, [2, 3]))
            sizes = tf.stack([tf.norm(turn) * (180 / np.pi), tf.norm(shift)])
            enough = (_millilitres(own, spacing_mm) >= LEAST_ML) & (soft_dice >= LEAST_SOFT_DICE)
            scan = images[..., number]
            return tf.cond(
                enough & (tf.reduce_max(sizes) <= FARTHEST),
                lambda: _moved(scan, numbers, spacing_mm),
                lambda: scan,
            )

        def step(number: Tensor, result: Tensor) -> tuple[Tensor, Tensor]:
            scan = tf.cond(there[number], lambda: moved(number), lambda: images[..., number])
            begin = tf.stack([0, 0, 0, number])
            return number + 1, written(result, begin, scan[..., None])

        enough = _millilitres(aim, spacing_mm) >= LEAST_ML
        return tf.while_loop(
            lambda n, _: enough & (n < count),
            step,
            (tf.constant(1), tf.identity(images)),
            parallel_iterations=1,
        )[1]

    wanted = there[0] & tf.reduce_any(there[1:])
    return tf.ensure_shape(tf.cond(wanted, all_moved, lambda: images), images.shape)


def _millilitres(probabilities: Tensor, spacing_mm: Tensor) -> Tensor:
    voxels = tf.math.count_nonzero(probabilities[..., 0] < 0.5, dtype=tf.float64)
    return voxels * tf.reduce_prod(spacing_mm) / 1000


def _moved(scan: Tensor, offset: Tensor, spacing_mm: Tensor) -> Tensor:
    """`align._moved`: a scan, float32 [X, Y, Z], with its offset, float64 [6], undone."""
    shape = tf.shape(scan)
    faces = [tf.reshape(tf.gather(scan, [0, shape[a] - 1], axis=a), [-1]) for a in range(3)]
    beyond = _median(tf.concat(faces, axis=0))
    plane = tf.stack(tf.meshgrid(tf.range(shape[1]), tf.range(shape[2]), indexing="ij"), axis=-1)
    plane = tf.reshape(plane, [-1, 2])
    reach = tf.cast(shape - 1, tf.float64) + HALF_VOXEL

    def step(x: Tensor, result: Tensor) -> tuple[Tensor, Tensor]:
        points = tf.concat([tf.fill([tf.shape(plane)[0], 1], x), plane], axis=1)
        at = places(offset[None], points, shape, spacing_mm)[0]
        inside = tf.reduce_all((at >= -HALF_VOXEL) & (at <= reach), axis=-1)
        found = tf.cast(interpolated(scan[..., None], at)[:, 0], tf.float32)
        values = tf.reshape(tf.where(inside, found, beyond), [1, shape[1], shape[2]])
        return x + 1, written(result, tf.stack([x, 0, 0]), values)

    start = (tf.constant(0), tf.zeros_like(scan))
    return tf.while_loop(lambda x, _: x < shape[0], step, start, parallel_iterations=1)[1]


def _median(values: Tensor) -> Tensor:
    ordered, count = tf.sort(values), tf.size(values)
    return (ordered[(count - 1) // 2] + ordered[count // 2]) / 2

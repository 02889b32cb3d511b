"""`inference.tiling` as TensorFlow operations: whole volumes by overlapping tiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tensorflow as tf

from voxres_tf.export.graph.filters import Tensor
from voxres_tf.export.graph.volumes import written
from voxres_tf.inference.tiling import blend_window, largest_step


def predict_tiled(
    image: Sequence[Tensor],
    function: Callable[[Tensor], Tensor],
    classes: int,
    tile: tuple[int, int, int],
    overlap: float,
) -> Tensor:
    """`tiling.predict_tiled` with Gaussian blending, one tile at a time.

    Args:
        image: volumes float32 [X, Y, Z, C1], [X, Y, Z, C2], ... whose channels are joined tile by
            tile, so that memory never also holds them as one volume; C1, C2, ... are static.
        function: a tile [1, x, y, z, C1 + C2 + ...] -> probabilities [1, x, y, z, K].
        classes: K.
        tile: voxels of a tile along X, Y, Z.
        overlap: least share of a tile that its neighbour also covers.

    Returns:
        float32 [X, Y, Z, K].
    """
    shape = tf.shape(image[0])[:3]
    axes = [_axis(shape[n], tile[n], overlap) for n in range(3)]
    counts = [tf.size(axis.starts) for axis in axes]
    before, full = tf.stack([a.before for a in axes]), tf.stack([a.size for a in axes])
    volumes = [tf.pad(part, _paddings(before, full - shape - before)) for part in image]

    def step(number: Tensor, result: Tensor) -> tuple[Tensor, Tensor]:
        # The last axis runs fastest, so that voxels are summed in NumPy's order.
        x, yz = number // (counts[1] * counts[2]), number % (counts[1] * counts[2])
        places = (x, yz // counts[2], yz % counts[2])
        starts = [axis.starts[n] for axis, n in zip(axes, places, strict=True)]
        begin = tf.stack([*starts, 0])
        # If channels were unknown while tracing, Keras would compile a convolution with XLA.
        given = [
            tf.slice(volume, begin, [*tile, part.shape[3]])
            for volume, part in zip(volumes, image, strict=True)
        ]
        answer = tf.debugging.check_numerics(
            function(tf.concat(given, axis=-1)[None])[0], "voxres: probabilities must be finite"
        )
        part = tf.slice(result, begin, [*tile, classes])
        return number + 1, written(result, begin, part + answer * _weights(axes, places))

    start = (tf.constant(0), tf.zeros(tf.concat([full, [classes]], 0), tf.float32))
    total = tf.reduce_prod(counts)
    result = tf.while_loop(lambda n, _: n < total, step, start, parallel_iterations=1)[1]
    inside = tf.slice(result, tf.concat([before, [0]], 0), tf.concat([shape, [classes]], 0))
    return tf.ensure_shape(inside, [None, None, None, classes])


def mirrored_too(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """`tiling.mirrored_too`: the mean with the answers to mirrored tiles [1, x, y, z, C]."""

    def mean(tiles: Tensor) -> Tensor:
        return (function(tiles) + tf.reverse(function(tf.reverse(tiles, [1])), [1])) * 0.5

    return mean


@dataclass(frozen=True)
class _Axis:
    """The tiles along one axis, which is padded to the length of a tile if it is shorter.

    Attributes:
        before: voxels of padding at the lower end, int32.
        size: voxels with padding, int32.
        starts: first voxels of the tiles after padding, int32 [tiles].
        weights: float32 [tiles, voxels of a tile]; they sum to 1 at every voxel.
    """

    before: Tensor
    size: Tensor
    starts: Tensor
    weights: Tensor


def _axis(size: Tensor, tile: int, overlap: float) -> _Axis:
    padded = tf.maximum(size, tile)
    step = largest_step(tile, overlap)
    gaps = (padded - tile + step - 1) // step
    starts = tf.range(gaps + 1) * (padded - tile) // tf.maximum(gaps, 1)
    places = starts[:, None] + tf.range(tile)
    window = tf.zeros_like(places, tf.float64) + blend_window(tile, "gaussian")
    total = tf.math.unsorted_segment_sum(window, places, padded)
    weights = tf.cast(window / tf.gather(total, places), tf.float32)
    return _Axis((padded - size) // 2, padded, starts, weights)


def _paddings(before: Tensor, after: Tensor) -> Tensor:
    """int32 [4, 2] for `tf.pad`, which returns a volume unchanged if all are 0."""
    return tf.concat([tf.stack([before, after], axis=1), [[0, 0]]], 0)


def _weights(axes: Sequence[_Axis], places: Sequence[Tensor]) -> Tensor:
    x, y, z = (axis.weights[place] for axis, place in zip(axes, places, strict=True))
    return (x[:, None, None] * y[:, None] * z)[..., None]

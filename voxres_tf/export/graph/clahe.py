"""`skimage.exposure.equalize_adapthist` for one slice, as TensorFlow operations.

The method is Zuiderveld's (Graphics Gems IV, 1994). The grey levels are the same as scikit-image's,
including every rounding, because that is what a trained network expects of its channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from voxres_tf.export.graph.filters import Tensor
from voxres_tf.preprocess.filters import HISTOGRAM_BINS

_GREY_LEVELS = 2**14
_BIN = 1 + _GREY_LEVELS // HISTOGRAM_BINS
_UINT16 = 65535


def equalise(values: Tensor, *, tile: int, clip: float) -> Tensor:
    """Contrast-limited adaptive histogram equalisation of one slice.

    Args:
        values: float64 [X, Y] in 0..1.
        tile: side of a tile in voxels; limited to the slice itself.
        clip: contrast limit in multiples of a flat histogram's bin.

    Returns:
        float64 [X, Y] in 0..1; a constant slice becomes zeros.
    """
    tiles = _Tiles(tf.shape(values), tf.minimum(tile, tf.shape(values)))
    bins = tiles.padded(_grey_levels(values) // _BIN)
    maps = _grey_maps(tiles.histograms(bins), tiles.side, clip)
    levels = tiles.interpolated(bins, maps)
    low, high = tf.reduce_min(levels), tf.reduce_max(levels)
    # A slice that is constant after rounding to grey levels is only clipped, as in scikit-image.
    stretched = tf.where(high > low, (levels - low) / tf.maximum(high - low, 1), levels)
    flat = tf.reduce_max(values) <= tf.reduce_min(values)
    return tf.where(flat, tf.zeros_like(values), tf.minimum(stretched, 1))


def _grey_levels(values: Tensor) -> Tensor:
    """float64 [X, Y] in 0..1 -> int32 levels; the slice's own range is stretched over them all."""
    counts = tf.round(values * _UINT16)
    low, high = tf.reduce_min(counts), tf.reduce_max(counts)
    top = float(_GREY_LEVELS - 1)
    stretched = (counts - low) / tf.maximum(high - low, 1) * top
    return tf.cast(tf.round(tf.where(high > low, stretched, tf.minimum(counts, top))), tf.int32)


@dataclass(frozen=True)
class _Tiles:
    """A slice of `shape` cut into tiles of `side`, both int32 [2].

    The slice is padded by mirroring: by half a tile before it and, after it, up to whole tiles plus
    half a tile. Histograms are taken of the whole tiles in the middle. A voxel lies between the
    centres of four tiles and blends their maps; at the border some of the four are the same.
    """

    shape: Tensor
    side: Tensor

    @property
    def _counts(self) -> Tensor:
        return (self.shape + self.side - 1) // self.side

    def padded(self, image: Tensor) -> Tensor:
        """[X, Y] -> [X + ..., Y + ...], mirrored about the outermost voxels as often as needed."""
        for axis in (0, 1):
            size, half = self.shape[axis], self.side[axis] // 2
            period = tf.maximum(2 * (size - 1), 1)
            wanted = tf.range((self._counts[axis] + 1) * self.side[axis]) - half
            folded = tf.math.floormod(wanted, period)
            image = tf.gather(image, tf.minimum(folded, period - folded), axis=axis)
        return image

    def histograms(self, bins: Tensor) -> Tensor:
        """Padded bins -> int32 [tiles, HISTOGRAM_BINS], tiles row by row."""
        half, size = self.side // 2, self._counts * self.side
        inner = tf.slice(bins, half, size)
        row, column = (tf.range(size[axis]) // self.side[axis] for axis in (0, 1))
        tile = row[:, None] * self._counts[1] + column
        place = tf.reshape(tile * HISTOGRAM_BINS + inner, [-1])
        places = tf.reduce_prod(self._counts) * HISTOGRAM_BINS
        counted = tf.math.unsorted_segment_sum(tf.ones_like(place), place, places)
        return tf.reshape(counted, [-1, HISTOGRAM_BINS])

    def interpolated(self, bins: Tensor, maps: Tensor) -> Tensor:
        """Apply the maps of the four nearest tiles to padded bins -> float64 [X, Y], whole levels.

        Args:
            bins: int32, padded.
            maps: int32 [tiles, HISTOGRAM_BINS].
        """
        inner = [tf.range(self.shape[axis]) + self.side[axis] // 2 for axis in (0, 1)]
        bins = tf.slice(bins, self.side // 2, self.shape)
        result = tf.zeros(self.shape, tf.float32)
        for after_x, after_y in ((0, 0), (0, 1), (1, 0), (1, 1)):
            row, across = self._neighbour(inner[0], 0, after_x)
            column, along = self._neighbour(inner[1], 1, after_y)
            tile = row[:, None] * self._counts[1] + column
            level = tf.gather(tf.reshape(maps, [-1]), tile * HISTOGRAM_BINS + bins)
            weighted = tf.cast(level, tf.float64) * (along * across[:, None])
            result += tf.cast(weighted, tf.float32)
        return tf.cast(tf.floor(result), tf.float64)

    def _neighbour(self, place: Tensor, axis: int, after: int) -> tuple[Tensor, Tensor]:
        """The tile before or after padded places along an axis, and its weight, float64."""
        side = self.side[axis]
        tile = tf.clip_by_value(place // side - 1 + after, 0, self._counts[axis] - 1)
        share = tf.cast(place % side, tf.float64) / tf.cast(side, tf.float64)
        return tile, share if after else 1 - share


def _grey_maps(histograms: Tensor, side: Tensor, clip: float) -> Tensor:
    """Histograms -> int32 [tiles, HISTOGRAM_BINS], the grey level of every bin."""
    voxels = tf.cast(tf.reduce_prod(side), tf.float64)
    limit = tf.cast(tf.maximum(clip / HISTOGRAM_BINS * voxels, 1), tf.int32)
    rising = tf.cast(tf.cumsum(clipped(histograms, limit), axis=1), tf.float64)
    top = float(_GREY_LEVELS - 1)
    return tf.cast(tf.minimum(rising * (top / voxels), top), tf.int32)


def clipped(histograms: Tensor, limit: Tensor) -> Tensor:
    """Clip histograms at a limit and hand the excess to the bins below it.

    Args:
        histograms: int32 [tiles, bins].
        limit: int32 scalar, at least 1.

    Returns:
        int32 [tiles, bins]. Whatever would lift a bin above the limit goes to others in turn; once
        no bin is below the limit, the rest is dropped.
    """
    total = tf.reduce_sum(histograms, axis=1, keepdims=True)
    cut = tf.minimum(histograms, limit)
    excess = total - tf.reduce_sum(cut, axis=1, keepdims=True)
    each = excess // tf.shape(histograms)[1]
    upper = limit - each
    raised = tf.where(cut < upper, cut + each, cut)
    result = tf.where(raised >= upper, limit, raised)
    excess -= tf.reduce_sum(result - cut, axis=1, keepdims=True)
    return _redistributed(result, excess, limit)


def _redistributed(histograms: Tensor, excess: Tensor, limit: Tensor) -> Tensor:
    """Add one to every step-th bin below the limit, from bin 0, then from bin 1, and so on.

    All histograms go through the bins together; `excess`, int32 [tiles, 1], is what each has left.
    """
    bins = tf.range(HISTOGRAM_BINS)

    def further(_start: Tensor, _histograms: Tensor, left: Tensor, _before: Tensor) -> Tensor:
        return tf.reduce_any(left > 0)

    def lift(start: Tensor, histograms: Tensor, left: Tensor, before: Tensor) -> tuple[Tensor, ...]:
        room = histograms < limit
        spread = tf.reduce_sum(tf.cast(room, tf.int32), axis=1, keepdims=True)
        step = tf.maximum(spread // tf.maximum(left, 1), 1)
        turn = room & (bins >= start) & ((bins - start) % step == 0) & (left > 0)
        one = tf.cast(turn, tf.int32)
        left -= tf.reduce_sum(one, axis=1, keepdims=True)
        # If a round through all bins changed nothing, no later one will.
        ends = tf.equal(start, HISTOGRAM_BINS - 1)
        left = tf.where(ends & (left == before), 0, left)
        before = tf.where(ends, left, before)
        return (start + 1) % HISTOGRAM_BINS, histograms + one, left, before

    return tf.while_loop(further, lift, (0, histograms, excess, excess))[1]

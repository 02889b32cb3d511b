"""Whole volumes by overlapping tiles, blended with weights that sum to 1 at every voxel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from math import prod
from operator import index
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from voxres_tf.contract import OVERLAP
from voxres_tf.errors import ConfigError, DataError, ModelError, message

Blend = Literal["gaussian", "constant"]
Floats = NDArray[np.float32]
TileFunction = Callable[[Floats], Floats]
"""Tiles [B, x, y, z, C] -> probabilities [B, x, y, z, K]."""

Apply = Callable[[TileFunction, Iterator[Floats]], Iterator[Floats]]
"""Runs a function on batches of tiles, in order: `map`, or several at a time."""


@dataclass(frozen=True)
class Tiling:
    """How a volume is cut into tiles, and how their answers are blended.

    Attributes:
        tile: voxels of a tile along X, Y, Z.
        overlap: least share of a tile that its neighbour also covers, from 0 to below 1.
        blend: weight the middle of a tile more than its border, or all voxels equally.
        batch: tiles per call; the last call may have fewer.

    Raises:
        ConfigError: if a value is out of range.
    """

    tile: tuple[int, ...]
    overlap: float = OVERLAP
    blend: Blend = "gaussian"
    batch: int = 1

    def __post_init__(self) -> None:
        """Check the values."""
        try:
            least = min(map(index, (*self.tile, self.batch)))
            sound = len(self.tile) == 3 and least >= 1 and 0 <= self.overlap < 1
        except TypeError:  # other types
            sound = False
        if not sound or self.blend not in get_args(Blend):
            raise ConfigError(
                message(
                    "tiles",
                    "three whole sizes and a batch above 0, an overlap of 0 or more and below 1, "
                    f"a blend of {' or '.join(get_args(Blend))}",
                    f"tile {self.tile}, batch {self.batch}, overlap {self.overlap}, "
                    f"blend {self.blend!r}",
                    "choose values in range",
                )
            )

    def count(self, shape: Sequence[int]) -> int:
        """How many tiles a volume [X, Y, Z] has."""
        sides = zip(shape, self.tile, strict=True)
        return prod(len(tile_starts(size, tile, self.overlap)) for size, tile in sides)


def tile_starts(size: int, tile: int, overlap: float) -> list[int]:
    """First voxels of the tiles along one axis.

    Args:
        size: voxels of the axis, at least 1.
        tile: voxels of a tile, at least 1.
        overlap: see `Tiling`.

    Returns:
        Ascending starts, evenly spaced to within a voxel. Every voxel is covered and the last tile
        ends with the axis. An axis shorter than the tile gives one start, 0 or negative: the tile
        then sticks out equally on both sides.
    """
    if size <= tile:
        return [-((tile - size) // 2)]
    gaps = -(-(size - tile) // largest_step(tile, overlap))
    return [number * (size - tile) // gaps for number in range(gaps + 1)]


def largest_step(tile: int, overlap: float) -> int:
    """Most voxels from the start of a tile to that of the next, at least 1."""
    return max(1, int(round(tile * (1 - overlap), 6)))  # 80 * (1 - 0.8) is 15.999...


@dataclass(frozen=True, eq=False)
class _Part:
    """One tile along one axis: voxels of the volume, their place in the tile, their weights."""

    volume: slice
    tile: slice
    weight: Floats


def blend_window(tile: int, blend: Blend) -> NDArray[np.float64]:
    """Weights of the voxels along a tile, relative to those of other tiles, float64 [tile]."""
    if blend == "constant":
        return np.ones(tile)
    # As in nnU-Net, sigma is an eighth of the tile: 3e-4 at its border, never 0.
    distance = np.arange(tile) - (tile - 1) / 2
    window: NDArray[np.float64] = np.exp(-0.5 * (distance / (tile / 8)) ** 2)
    return window


def _axis_parts(size: int, tile: int, overlap: float, blend: Blend) -> list[_Part]:
    """The tiles of an axis, with weights that sum to 1 at each of its voxels.

    All three axes together are a partition of unity as well: tiles are the product of the axes'
    tiles and weights the product of their weights. So no volume of weight sums is needed, and no
    product of small weights is ever divided by another.
    """
    window = blend_window(tile, blend)
    starts = tile_starts(size, tile, overlap)
    spans = [(max(start, 0), min(start + tile, size), start) for start in starts]
    total = np.zeros(size)
    for low, high, start in spans:
        total[low:high] += window[low - start : high - start]
    return [
        _Part(
            slice(low, high),
            slice(low - start, high - start),
            (window[low - start : high - start] / total[low:high]).astype(np.float32),
        )
        for low, high, start in spans
    ]


def mirrored_too(function: TileFunction) -> TileFunction:
    """The mean of a function's answers to tiles and to their left-right mirror images.

    The first axis of a canonical image runs from left to right.
    """

    def mean(tiles: Floats) -> Floats:
        answer = function(tiles) + function(tiles[:, ::-1])[:, ::-1]
        return answer * np.float32(0.5)

    return mean


def predict_tiled(
    image: Floats,
    function: TileFunction,
    classes: int,
    tiling: Tiling,
    *,
    progress: Callable[[int], object] | None = None,
    apply: Apply = map,
) -> Floats:
    """Predict a volume tile by tile and blend the overlaps (paper, section 3.1, "stitched").

    A volume that is smaller than the tile is centred in it among zeros, as in training. Besides
    the result, memory holds one batch of tiles, or as many as `apply` requests at a time. Answers
    are always added up in the order of the tiles.

    Args:
        image: float32 [X, Y, Z, C].
        function: probabilities of a batch of tiles.
        classes: K.
        tiling: the tiles.
        progress: called with the number of tiles done since the last call.
        apply: runs the function on the batches.

    Returns:
        float32 [X, Y, Z, K]; sums to 1 over K as far as the tiles do.

    Raises:
        DataError: if the image is empty or does not have four axes.
        ModelError: if the function returns another shape or values that are not finite.
    """
    if image.ndim != 4 or 0 in image.shape:
        raise DataError(
            message("image", "shape [X, Y, Z, C], none of them 0", image.shape, "mend the input")
        )
    axes = [
        _axis_parts(size, length, tiling.overlap, tiling.blend)
        for size, length in zip(image.shape[:3], tiling.tile, strict=True)
    ]
    result = np.zeros((*image.shape[:3], classes), np.float32)
    groups = list(_groups(product(*axes), tiling.batch))
    asked = _cut(image, groups, tiling.tile)
    for group, given in zip(groups, apply(function, asked), strict=True):
        answers = _checked(given, (len(group), *tiling.tile, classes))
        for answer, (x, y, z) in zip(answers, group, strict=True):
            inside = answer[x.tile, y.tile, z.tile]
            weight = x.weight[:, None, None] * y.weight[:, None] * z.weight
            result[x.volume, y.volume, z.volume] += inside * weight[..., None]
        if progress is not None:
            progress(len(group))
    return result


def _cut(
    image: Floats, groups: list[list[tuple[_Part, ...]]], tile: Sequence[int]
) -> Iterator[Floats]:
    for group in groups:
        tiles = np.zeros((len(group), *tile, image.shape[3]), np.float32)
        for place, parts in zip(tiles, group, strict=True):
            place[tuple(p.tile for p in parts)] = image[tuple(p.volume for p in parts)]
        yield tiles


def _groups(parts: Iterator[tuple[_Part, ...]], batch: int) -> Iterator[list[tuple[_Part, ...]]]:
    while group := list(islice(parts, batch)):
        yield group


def _checked(answers: Floats, shape: tuple[int, ...]) -> Floats:
    if answers.shape != shape or not np.isfinite(answers).all():
        received = answers.shape if answers.shape != shape else "NaN or infinity"
        raise ModelError(
            message("model", f"finite probabilities {shape}", received, "export the model again")
        )
    return answers

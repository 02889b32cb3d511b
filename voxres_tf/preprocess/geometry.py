"""The grid that a network works on: which axes are resampled to it, and the way back.

Everything here is separable and works along one canonical axis after the other, so memory holds
little more than the volume before and after a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from voxres_tf.config import Resolution
from voxres_tf.dataset.regrid import smoothing_sigma
from voxres_tf.errors import DataError, message
from voxres_tf.grid import Grid
from voxres_tf.headers import PLAUSIBLE_MM

TOLERANCE_MM = 1e-3
"""A spacing this close to a range counts as inside it, since headers keep few digits."""

LEAST_MM = PLAUSIBLE_MM[0]
MOST_VOXELS = 2**28
"""Larger working grids come from headers in a wrong unit, not from heads."""

PARTS = 10**6
"""Voxel counts are first rounded to multiples of 1 / PARTS, so that the last digit of a spacing
cannot decide how a count halfway between two integers is rounded."""

_SLAB = 16
_ASIDE = 0.01  # Share of a working voxel by which labels are read off its centre, against ties.

Array = NDArray[np.float32]
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class WorkingGrid:
    """The voxels that a network sees of a scan, along its right, anterior and superior axes.

    Both grids have the same centre; their fields of view differ by at most half a working voxel.

    Attributes:
        own_shape, own_spacing_mm: shape and spacing of the scan, in canonical order.
        shape, spacing_mm: shape and spacing of what the network sees.
    """

    own_shape: tuple[int, int, int]
    own_spacing_mm: Triple
    shape: tuple[int, int, int]
    spacing_mm: Triple

    @property
    def resampled(self) -> tuple[int, ...]:
        """The axes that differ; empty for a scan that is used unchanged."""
        return tuple(a for a in range(3) if self.spacing_mm[a] != self.own_spacing_mm[a])

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel that the network sees, in millilitres."""
        return float(np.prod(self.spacing_mm)) / 1000.0

    def factor(self, axis: int) -> float:
        """How many voxels of the scan are as long as one that the network sees."""
        return self.spacing_mm[axis] / self.own_spacing_mm[axis]

    def in_own(self, axis: int) -> NDArray[np.float64]:
        """Where the working voxels lie, as indices into the scan; float64 [n]."""
        steps = np.arange(self.shape[axis], dtype=np.float64) - (self.shape[axis] - 1) / 2
        return steps * self.factor(axis) + (self.own_shape[axis] - 1) / 2

    def from_own(self, axis: int) -> NDArray[np.float64]:
        """Where the scan's voxels lie, as indices into the working grid; float64 [n]."""
        steps = np.arange(self.own_shape[axis], dtype=np.float64) - (self.own_shape[axis] - 1) / 2
        return steps / self.factor(axis) + (self.shape[axis] - 1) / 2


def working_grid(grid: Grid, resolution: Resolution | None, where: str = "spacing") -> WorkingGrid:
    """The grid on which a network processes a scan (docs/geometry.md).

    In plane, a spacing outside the range becomes the target; between slices, the nearest bound.

    Args:
        grid: grid of the scan.
        resolution: spacings that the network accepts; None leaves every spacing unchanged.
        where: what an error message refers to.

    Raises:
        DataError: if there is a resolution, and a spacing is below `LEAST_MM` or the grid would
            exceed `MOST_VOXELS`.
    """
    canonical = grid.canonical()
    (nx, ny, nz), own = canonical.shape, canonical.spacing_mm
    if resolution is None:
        return WorkingGrid((nx, ny, nz), own, (nx, ny, nz), own)
    x, y = (_in_plane(mm, resolution) for mm in own[:2])
    z = _between_slices(own[2], resolution)
    mx, my, mz = (
        max(1, round(round(n * before / after * PARTS) / PARTS))
        for n, before, after in zip((nx, ny, nz), own, (x, y, z), strict=True)
    )
    if min(own) < LEAST_MM or mx * my * mz > MOST_VOXELS:
        received = f"{' x '.join(f'{mm:.4g}' for mm in own)} mm, that is {mx} x {my} x {mz} voxels"
        rule = f"a head has voxels of at least {LEAST_MM} mm and, resampled, at most {MOST_VOXELS}"
        raise DataError(message(where, rule, received, "mend the header's voxel sizes"))
    return WorkingGrid((nx, ny, nz), own, (mx, my, mz), (x, y, z))


def resample_image(data: NDArray[Any], working: WorkingGrid) -> NDArray[Any]:
    """Resample a scan to the working grid: linear, after a Gaussian along axes whose voxels grow.

    Args:
        data: [X, Y, Z] in canonical order, any real dtype.
        working: working grid of this scan.

    Returns:
        float32 of the working shape; `data` itself if nothing is resampled.
    """
    if not working.resampled:
        return data
    values = data.astype(np.float32)
    for axis in working.resampled:
        sigma = smoothing_sigma(working.factor(axis))
        if sigma:
            values = gaussian_filter1d(values, sigma, axis, mode="nearest")
        values = _linear(values, working.in_own(axis), axis)
    return values


def resample_labels(
    classes: NDArray[np.uint8], scored: NDArray[np.bool_], working: WorkingGrid
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Resample labels to the working grid: each voxel gets what fills the largest part of it.

    If two classes fill half of it each, the one on the far side wins, whichever it is: a rule that
    preferred a certain class would enlarge that class.

    Args:
        classes: uint8 [X, Y, Z] in canonical order.
        scored: bool [X, Y, Z].
        working: working grid of their scan.

    Returns:
        Both in the working shape; the inputs themselves if nothing is resampled.
    """
    if not working.resampled:
        return classes, scored
    kinds = classes.astype(np.uint16) * 2 + scored
    result = np.zeros(working.shape, np.uint16)
    most = np.zeros(working.shape, np.float32)
    for kind in np.unique(kinds):
        share = (kinds == kind).astype(np.float32)
        for axis in working.resampled:
            share = _mean_within(share, working, axis)
        result[share > most] = kind
        np.maximum(most, share, out=most)
    return (result // 2).astype(np.uint8), result % 2 == 1


def resample_back(probabilities: Array, working: WorkingGrid) -> Array:
    """Resample probabilities back to the scan's own voxels, linearly along each axis.

    Args:
        probabilities: float32 [X, Y, Z, K] on the working grid, which sum to 1 over K.
        working: working grid of the scan.

    Returns:
        float32 [X, Y, Z, K] of the scan's shape, which sum to 1 over K; `probabilities` itself
        if nothing is resampled.
    """
    # In this order, the planes that are scattered over memory are those of the smaller arrays.
    for axis in reversed(working.resampled):
        probabilities = _linear(probabilities, working.from_own(axis), axis)
    return probabilities


def labels_back(probabilities: Array, working: WorkingGrid) -> NDArray[np.uint8]:
    """The most probable class of each of the scan's own voxels.

    Equals the argmax of `resample_back`, but works slab by slab, so that probabilities on a fine
    grid (16 bytes per voxel with four classes) never exist as a whole.

    Args:
        probabilities: float32 [X, Y, Z, K] on the working grid.
        working: working grid of the scan.

    Returns:
        uint8 [X, Y, Z] of the scan's shape; the first of equally probable classes.
    """
    labels = np.empty(working.own_shape, np.uint8)
    last = working.shape[0] - 1
    places = np.clip(working.from_own(0), 0, last)
    for start in range(0, len(places), _SLAB):
        within = places[start : start + _SLAB]
        low, high = int(within[0]), int(np.ceil(within[-1]))
        part = probabilities[low : high + 1]
        for axis in (2, 1):
            if axis in working.resampled:
                part = _linear(part, working.from_own(axis), axis)
        if 0 in working.resampled:
            part = _linear(part, within - low, 0)
        labels[start : start + _SLAB] = part.argmax(axis=-1)
    return labels


def _in_plane(mm: float, resolution: Resolution) -> float:
    low, high = resolution.in_plane_mm
    taken = low - TOLERANCE_MM <= mm <= high + TOLERANCE_MM
    return mm if taken else resolution.in_plane_target_mm


def _between_slices(mm: float, resolution: Resolution) -> float:
    low, high = resolution.slice_mm
    return mm if low - TOLERANCE_MM <= mm <= high + TOLERANCE_MM else min(max(mm, low), high)


def _linear(values: Array, positions: NDArray[np.float64], axis: int) -> Array:
    """Values at positions along an axis; beyond its ends, the values at the ends."""
    source = np.moveaxis(values, axis, 0)
    last = len(source) - 1
    inside = np.clip(positions, 0, last)
    low = inside.astype(np.intp)
    shape = (*values.shape[:axis], len(positions), *values.shape[axis + 1 :])
    result = np.empty(shape, np.float32)
    planes = np.moveaxis(result, axis, 0)
    weights = (inside - low).astype(np.float32)
    for plane, index, weight in zip(planes, low, weights, strict=True):
        # In this form, a constant stays the same to the last bit.
        np.subtract(source[min(index + 1, last)], source[index], out=plane)
        plane *= weight
        plane += source[index]
    return result


def _mean_within(values: Array, working: WorkingGrid, axis: int) -> Array:
    """The mean of the scan's values within each working voxel along an axis, slightly shifted."""
    size, half = working.own_shape[axis], working.factor(axis) / 2
    start = [(1, 0) if a == axis else (0, 0) for a in range(values.ndim)]
    integral = np.pad(np.cumsum(values, axis, dtype=np.float32), start)
    # Voxel i of the scan lies between the points i and i + 1 of the integral.
    centre = working.in_own(axis) + 0.5 + _ASIDE * 2 * half
    low, high = (np.clip(centre + side, 0, size) for side in (-half, half))
    along = [-1 if a == axis else 1 for a in range(values.ndim)]
    width = (high - low).astype(np.float32).reshape(along)
    mean: Array = (_linear(integral, high, axis) - _linear(integral, low, axis)) / width
    return mean

"""The offset between two scans of a head, by the tissues found in each of them.

`export.graph.offset` does the same in a SavedModel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from voxres_tf.grid import Affine

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

SMOOTH_MM = (4.0, 1.0)
"""SDs for smoothing tissue maps, used one after the other: first coarse, then fine."""

LATTICE_MM = 4.0
"""Approximate distance between compared voxels: some 50,000 of them, for six numbers."""

JITTER = np.sqrt([[2, 3, 5], [7, 11, 13], [17, 19, 23]])
"""The places compared lie off a voxel's centre by the fractional part of its indices times these,
less a half: at centres alone, interpolation would blur one scan and not the other."""

LEAST_SHARE = 0.05
"""Least share of tissue, coarsely smoothed, at a compared voxel in one scan or the other."""

MAX_STEPS = 10
"""Maximum Gauss-Newton steps for each of `SMOOTH_MM`; two to four are usual."""

CONVERGED = 0.005
"""A step shorter than this, in `UNITS`, is the last."""

UNITS = (0.01, 0.01, 0.01, 1.0, 1.0, 1.0)
"""Radians and millimetres that have about the same effect."""

DECIMALS = 3
"""The numbers, in `UNITS`, are rounded to this, so that the last bits of probabilities do not move
a scan: any move changes the scan's own last bits and, through them, CLAHE's bins."""

STENCIL = 0.1 * np.concatenate([np.zeros((1, 6)), np.eye(6), -np.eye(6)])
"""Where differences are evaluated around six numbers: at these, and for central differences."""

RIDGE = (1e-9, 1e-12)
"""Added to the normal equations, relative to their mean diagonal, and absolute: a ball's rotation
cannot be determined."""

LEAST_ML = 50.0
"""A scan in which less tissue than this is found is not moved."""


@dataclass(frozen=True)
class Offset:
    """How a scan is off another on the same grid: rotated about the grid's centre, and shifted.

    Attributes:
        rotation_deg: rotation vector, degrees, about the grid's right, anterior and superior axes.
        translation_mm: likewise.
    """

    rotation_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    translation_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def size(self) -> tuple[float, float]:
        """Total rotation in degrees and translation in millimetres."""
        return float(np.linalg.norm(self.rotation_deg)), float(np.linalg.norm(self.translation_mm))

    def to_scan(self, shape: Sequence[int], spacing_mm: Sequence[float]) -> Affine:
        """Affine [4, 4]: indices where things belong -> indices where the scan has them.

        Args:
            shape: shape of both scans.
            spacing_mm: spacing of their voxels.
        """
        middle = (np.array(shape) - 1) / 2
        own = np.diag([*spacing_mm, 1.0])
        own[:3, 3] = -middle * spacing_mm
        there = np.eye(4)
        there[:3, :3] = Rotation.from_rotvec(self.rotation_deg, degrees=True).as_matrix()
        there[:3, 3] = self.translation_mm
        return np.asarray(np.linalg.inv(own) @ there @ own)


@dataclass(frozen=True)
class Tissue:
    """Tissue found in one scan, smoothed by each of `SMOOTH_MM`, float32 [X, Y, Z, K - 1]."""

    maps: tuple[Floats, ...]

    @classmethod
    def of(cls, probabilities: Floats, spacing_mm: Sequence[float]) -> Tissue | None:
        """The maps for probabilities [X, Y, Z, K]; None if there is too little tissue."""
        if (probabilities[..., 0] < 0.5).sum() * np.prod(spacing_mm) / 1000 < LEAST_ML:
            return None
        sds = [(*(sd_mm / np.array(spacing_mm)), 0) for sd_mm in SMOOTH_MM]
        tissues = probabilities[..., 1:]
        return cls(tuple(ndimage.gaussian_filter(tissues, sd, mode="nearest") for sd in sds))


def offset_of(own: Tissue, aim: Tissue, spacing_mm: Sequence[float]) -> tuple[Offset, float]:
    """The offset of one scan from another, by the tissues found in both.

    Least squares of the differences between their smoothed probabilities, by Gauss-Newton steps.

    Args:
        own: tissue of the scan whose offset is determined.
        aim: tissue of the other scan, on the same voxels.
        spacing_mm: spacing of these voxels.

    Returns:
        The offset, and the soft Dice of the smoothed probabilities with it (Milletari et al. 2016):
        twice the sum of their products over the sum of the squares of both.
    """
    tissue = np.maximum(own.maps[0].sum(axis=-1), aim.maps[0].sum(axis=-1))
    steps = [max(1, round(LATTICE_MM / mm)) for mm in spacing_mm]
    x, y, z = steps
    voxels = np.argwhere(tissue[::x, ::y, ::z] > LEAST_SHARE) * steps
    points = (voxels + (voxels @ JITTER) % 1 - 0.5).T
    found, soft_dice = np.zeros(6), 0.0
    for here, there in zip(own.maps, aim.maps, strict=True):
        wanted = _interpolated(there, points)
        differences = _differences(here, wanted, points, spacing_mm)
        found = np.round(_least_squares(differences, found), DECIMALS)
        left = differences(found)
        moved = wanted + left
        both = moved @ moved + wanted @ wanted
        soft_dice = float(1 - left @ left / both) if both else 0.0
    return _offset(found), soft_dice


def _differences(
    maps: Floats, wanted: Doubles, points: Doubles, spacing_mm: Sequence[float]
) -> Callable[[Doubles], Doubles]:
    """Six numbers of an offset -> by how much the maps [X, Y, Z, K] then exceed `wanted`."""

    def differences(numbers: Doubles) -> Doubles:
        to_scan = _offset(numbers).to_scan(maps.shape[:3], spacing_mm)
        places = to_scan[:3, :3] @ points + to_scan[:3, 3:]
        return _interpolated(maps, places) - wanted

    return differences


def _interpolated(maps: Floats, places: Doubles) -> Doubles:
    """Maps [X, Y, Z, K] at places, indices [3, n], linear, clamped at the ends; [n * K]."""
    each = np.moveaxis(maps, -1, 0)
    found = [ndimage.map_coordinates(m, places, np.float64, order=1, mode="nearest") for m in each]
    return np.stack(found, axis=-1).reshape(-1)


def _least_squares(residuals: Callable[[Doubles], Doubles], start: Doubles) -> Doubles:
    """The best of the Gauss-Newton steps from a start, with central differences."""
    best, least, numbers = start, np.inf, start
    for _ in range(MAX_STEPS):
        here, *sides = (residuals(numbers + side) for side in STENCIL)
        if (cost := float(here @ here)) >= least:
            break
        best, least = numbers, cost
        more, less = np.split(np.array(sides), 2)
        slopes = (more - less) / (2 * STENCIL[1, 0])
        normal = slopes @ slopes.T
        normal += (RIDGE[0] * np.trace(normal) / 6 + RIDGE[1]) * np.eye(6)
        change = np.linalg.solve(normal, -slopes @ here)
        numbers = numbers + change
        if np.abs(change).max() < CONVERGED:
            return numbers
    return best


def _offset(numbers: Doubles) -> Offset:
    turn, shift = np.split(numbers * UNITS, 2)
    a, b, c = np.degrees(turn).tolist()
    x, y, z = shift.tolist()
    return Offset((a, b, c), (x, y, z))

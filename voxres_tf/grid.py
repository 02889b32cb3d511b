"""Where the voxels of a volume lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation, ornt_transform
from numpy.typing import NDArray

from voxres_tf.headers import TEMPLATE_CODE

GRID_TOLERANCE_MM = 0.1
"""Volumes whose corners lie this close together count as being on the same grid."""

Affine = NDArray[np.float64]

_RAS = io_orientation(np.eye(4))


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the voxels of a volume lie.

    Attributes:
        shape: voxels along the three axes, as on disk.
        affine: float64 [4, 4], voxel index -> millimetres (RAS+), as chosen by nibabel.
        sform, sform_code, qform, qform_code: the two transforms of the NIfTI header with their
            codes, kept so that an output has the same ones as its input. None where unset.
        oriented: whether the file gives its orientation. If not, its axes are taken to run left,
            anterior and superior, as the format specifies.
    """

    shape: tuple[int, int, int]
    affine: Affine
    sform: Affine | None = None
    sform_code: int = 1
    qform: Affine | None = None
    qform_code: int = 0
    oriented: bool = True

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between voxel centres along the three axes, in mm."""
        x, y, z = np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0)).tolist()
        return (x, y, z)

    @property
    def canonical_spacing_mm(self) -> tuple[float, float, float]:
        """`spacing_mm` in the order of `to_canonical`'s axes: right, anterior, superior."""
        return self.canonical().spacing_mm

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    @property
    def oblique_deg(self) -> float:
        """The largest angle between a voxel axis and the closest world axis, in degrees."""
        cosines = np.abs(self.affine[:3, :3] / self.spacing_mm).max(axis=0)
        return float(np.degrees(np.arccos(np.minimum(cosines, 1.0))).max())

    def distance_mm(self, other: Grid) -> float:
        """The largest distance between the corners of two grids of the same shape, in mm."""
        extent = np.array(self.shape) - 1.0
        corners = np.array(np.meshgrid(*[(0.0, n) for n in extent], indexing="ij")).reshape(3, -1)
        points = np.vstack([corners, np.ones(8)])
        return float(np.linalg.norm(((self.affine - other.affine) @ points)[:3], axis=0).max())

    def fault(self, reference: Grid) -> str | None:
        """How this grid differs from another beyond `GRID_TOLERANCE_MM`, None if it does not."""
        if self.shape != reference.shape:
            found = f"shape {self.shape} instead of {reference.shape}"
        elif not (distance := self.distance_mm(reference)) <= GRID_TOLERANCE_MM:  # NaN, too
            found = f"{distance:.2f} mm apart"
        else:
            return None
        space = self.space_fault(reference)
        return f"{found}, {space}" if space else found

    def space_fault(self, other: Grid) -> str | None:
        """How only one of two grids lies in a template's space, None if both or neither do.

        Affines into two different spaces do not tell where the grids lie relative to each other.
        """
        own, others = (grid.sform_code or grid.qform_code for grid in (self, other))
        if (own >= TEMPLATE_CODE) == (others >= TEMPLATE_CODE):
            return None
        return f"form codes {own} and {others}: one lies in the space of a template"

    def orientation(self) -> NDArray[np.float64]:
        """The orientation array [3, 2] of nibabel for the closest anatomical axes."""
        ornt: NDArray[np.float64] = io_orientation(self.affine)
        return ornt

    def canonical(self) -> Grid:
        """The grid of `to_canonical`'s result."""
        orientation = self.orientation()
        x, y, z = (self.shape[axis] for axis in np.argsort(orientation[:, 0]))
        affine = self.affine @ inv_ornt_aff(orientation, self.shape)
        return replace(self, shape=(x, y, z), affine=affine, sform=None, qform=None)


def to_canonical(data: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """Flip and permute the first three axes to the closest right-anterior-superior order.

    No value is interpolated. The axial slices of the result lie along its third axis.
    """
    moved: NDArray[Any] = apply_orientation(data, grid.orientation())
    return np.ascontiguousarray(moved)


def from_canonical(data: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """The inverse of `to_canonical`: [X, Y, Z, ...] in RAS order back to the axes of `grid`."""
    moved: NDArray[Any] = apply_orientation(data, ornt_transform(_RAS, grid.orientation()))
    return np.ascontiguousarray(moved)

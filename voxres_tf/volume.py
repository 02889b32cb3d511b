"""Volumes on their grids, and NIfTI in and out: nothing of a scan's geometry is ever lost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.orientations import apply_orientation, io_orientation
from nibabel.spatialimages import SpatialImage
from numpy.typing import NDArray

from voxres_tf.errors import DataError, message
from voxres_tf.files import atomic_path
from voxres_tf.headers import TEMPLATE_CODE, check_header, read_qform, tells_place

NIFTI_SUFFIXES = (".nii.gz", ".nii")
GRID_TOLERANCE_MM = 0.1
"""Volumes whose corners lie this close together count as being on one grid."""

Affine = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the voxels of a volume lie.

    Attributes:
        shape: voxels along the three axes, as on disk.
        affine: float64 [4, 4], voxel index -> millimetres (RAS+); what nibabel chose.
        sform, sform_code, qform, qform_code: the two transforms of the NIfTI header with their
            codes, kept so that an output carries what its input carried. None where unset.
        oriented: whether the file tells how its voxels lie. If not, its axes are taken to run left,
            anterior and superior, as the format has it.
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
        order = np.argsort(self.orientation()[:, 0])
        x, y, z = (self.spacing_mm[axis] for axis in order)
        return (x, y, z)

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    @property
    def oblique_deg(self) -> float:
        """The largest angle between an axis of the voxels and the closest of the world, degrees."""
        cosines = np.abs(self.affine[:3, :3] / self.spacing_mm).max(axis=0)
        return float(np.degrees(np.arccos(np.minimum(cosines, 1.0))).max())

    def distance_mm(self, other: Grid) -> float:
        """The largest distance between the corners of two grids of one shape, in mm."""
        extent = np.array(self.shape) - 1.0
        corners = np.array(np.meshgrid(*[(0.0, n) for n in extent], indexing="ij")).reshape(3, -1)
        points = np.vstack([corners, np.ones(8)])
        return float(np.linalg.norm(((self.affine - other.affine) @ points)[:3], axis=0).max())

    def fault(self, reference: Grid) -> str | None:
        """How this grid differs from another beyond `GRID_TOLERANCE_MM`, None if it does not."""
        if self.shape != reference.shape:
            found = f"shape {self.shape} instead of {reference.shape}"
        elif (distance := self.distance_mm(reference)) > GRID_TOLERANCE_MM:
            found = f"{distance:.2f} mm apart"
        else:
            return None
        space = self.space_fault(reference)
        return f"{found}, {space}" if space else found

    def space_fault(self, other: Grid) -> str | None:
        """How one of two grids alone lies in the space of a template, None if both or neither do.

        Affines that lead into two spaces say nothing of where the grids lie to each other.
        """
        own, others = (grid.sform_code or grid.qform_code for grid in (self, other))
        if (own >= TEMPLATE_CODE) == (others >= TEMPLATE_CODE):
            return None
        return f"form codes {own} and {others}: one lies in the space of a template"

    def orientation(self) -> NDArray[np.float64]:
        """The orientation array of nibabel [3, 2] of the closest anatomical axes."""
        ornt: NDArray[np.float64] = io_orientation(self.affine)
        return ornt


@dataclass(frozen=True, eq=False)
class Volume:
    """Values on a grid: `data` has the shape of `grid`, any real dtype."""

    data: NDArray[Any]
    grid: Grid


def to_canonical(data: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """Flip and permute the first three axes to the closest right-anterior-superior order.

    No value is interpolated. The axial slices of the result lie along its third axis.
    """
    moved: NDArray[Any] = apply_orientation(data, grid.orientation())
    return np.ascontiguousarray(moved)


def from_canonical(data: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """The inverse of `to_canonical`: [X, Y, Z, ...] in RAS order back on the axes of `grid`."""
    inverse = np.empty((3, 2))
    for axis, (target, flip) in enumerate(grid.orientation()):
        inverse[int(target)] = (axis, flip)
    moved: NDArray[Any] = apply_orientation(data, inverse)
    return np.ascontiguousarray(moved)


def read_volume(path: Path) -> Volume:
    """Read a NIfTI or Analyze file as float32 or, if it stores integers unscaled, as stored.

    Trailing axes of length 1 are dropped (IBSR18 stores one).

    Raises:
        DataError: if the file is missing, cannot be decoded, is not a 3-D volume, or has a header
            that contradicts itself or counts in other units than mm (see `headers`).
    """
    image = _open(path)
    grid = _grid(image, path)  # first, for what is no volume may be too large to read
    try:
        data = np.asanyarray(image.dataobj)
    except Exception as error:  # nibabel passes on what zlib, numpy and the OS raise
        raise DataError(
            message(path, "a complete image file", f"{error}", "copy it again from its source")
        ) from error
    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    if data.dtype.kind not in "iufb":
        raise DataError(message(path, "real numbers", data.dtype, "convert the file to float32"))
    if data.dtype.kind == "f":
        with np.errstate(over="ignore"):  # infinity, which the checks report
            data = data.astype(np.float32, copy=False)
    return Volume(np.asarray(data), grid)


def image_parts(path: Path) -> list[Path]:
    """The files that an image consists of: `path`, then those beside it with header or affine.

    Raises:
        DataError: if the file is missing or its kind is not known.
    """
    if path.name.endswith(NIFTI_SUFFIXES):
        return [path]
    named = (holder.filename for holder in _open(path).file_map.values())
    there = {part for name in named if name and (part := Path(name)).is_file()}
    return [path, *sorted(part for part in there if not part.samefile(path))]


def read_grid(path: Path) -> Grid:
    """Read only the geometry of a file.

    Raises:
        DataError: as `read_volume`, short of what only the voxels would show.
    """
    return _grid(_open(path), path)


def _open(path: Path) -> SpatialImage:
    if not path.is_file():
        raise DataError(message(path, "a file is there", "nothing", "check the path"))
    try:
        image = nib.load(path)
    except Exception as error:  # the readers of nibabel raise a dozen kinds
        raise DataError(
            message(path, "a readable NIfTI or Analyze file", f"{error}", "check the file")
        ) from error
    if not isinstance(image, SpatialImage):
        raise DataError(message(path, "a volume", type(image).__name__, "convert it to NIfTI"))
    return image


def _grid(image: SpatialImage, path: Path) -> Grid:
    shape = tuple(int(n) for n in image.shape)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3 or 0 in shape:
        raise DataError(
            message(path, "a volume has three axes", f"shape {shape}", "extract one volume of it")
        )
    affine = np.asarray(image.affine, np.float64)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise DataError(
            message(path, "an affine that can be inverted", affine.tolist(), "mend the header")
        )
    header: Any = image.header
    if not hasattr(header, "get_sform"):
        return Grid(shape, affine, sform=affine, sform_code=1, oriented=tells_place(image))
    check_header(image, path)
    sform, sform_code = header.get_sform(coded=True)
    qform, qform_code = read_qform(header)
    oriented = sform is not None or qform is not None
    return Grid(shape, affine, sform, int(sform_code), qform, qform_code, oriented)


def write_volume(path: Path, data: NDArray[Any], grid: Grid) -> None:
    """Write NIfTI-1 with the affine, both transforms and the form codes of `grid`.

    Args:
        path: must end in `.nii` or `.nii.gz`.
        data: [X, Y, Z] or [X, Y, Z, K]; the first three axes have the shape of `grid`.
        grid: where the voxels lie.

    Raises:
        DataError: if the suffix or the shape is wrong.
    """
    if not path.name.endswith(NIFTI_SUFFIXES):
        raise DataError(message(path, "NIfTI ends in .nii or .nii.gz", path.name, "rename it"))
    if data.shape[:3] != grid.shape:
        raise DataError(
            message(path, f"data on its grid {grid.shape}", f"shape {data.shape}", "mend the call")
        )
    image = nib.Nifti1Image(data, grid.affine)
    header: Any = image.header
    header.set_xyzt_units("mm", "sec")
    image.set_sform(grid.sform if grid.sform is not None else grid.affine, grid.sform_code)
    if grid.qform is not None:
        image.set_qform(grid.qform, grid.qform_code)
    elif grid.qform_code == 0:
        image.set_qform(grid.affine, 0)
    with atomic_path(path) as temporary:
        nib.save(image, temporary)

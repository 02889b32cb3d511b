"""Volumes on their grids, read from and written to NIfTI without losing a scan's geometry."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import SpatialImage
from numpy.typing import NDArray

from voxres_tf.errors import DataError, message
from voxres_tf.files import atomic_path
from voxres_tf.grid import Affine, Grid
from voxres_tf.headers import check_header, read_qform, require_sizes, tells_place

NIFTI_SUFFIXES = (".nii.gz", ".nii")


def file_stem(path: Path) -> str:
    """Name of a file without `.nii` or `.nii.gz`, or without its last suffix."""
    for suffix in NIFTI_SUFFIXES:
        if path.name.lower().endswith(suffix):
            return path.name[: -len(suffix)]
    return path.stem


@dataclass(frozen=True, eq=False)
class Volume:
    """Values on a grid: `data` has the shape of `grid`, any real dtype."""

    data: NDArray[Any]
    grid: Grid


def read_volume(path: Path) -> Volume:
    """Read a NIfTI or Analyze file as float32 or, if it stores integers unscaled, as stored.

    Trailing axes of length 1 are dropped (IBSR18 stores one).

    Raises:
        DataError: if the file is missing, cannot be decoded, is not a 3-D volume, or has a header
            that contradicts itself or uses units other than mm (see `headers`).
    """
    image = _open(path)
    grid = _grid(image, path)  # first, since what is not a volume may be too large to read
    try:
        data = np.asanyarray(image.dataobj)
        _check_whole(path)
    except Exception as error:  # nibabel passes on what zlib, numpy and the OS raise
        raise DataError(
            message(path, "a complete image file", f"{error}", "copy it again from its source")
        ) from error
    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    return Volume(np.asarray(real_values(data, path)), grid)


def real_values(data: NDArray[Any], where: object) -> NDArray[Any]:
    """Floats as float32, integers and booleans as they are.

    Values too large for float32 become infinite, without a warning.

    Raises:
        DataError: for any other type, such as complex numbers.
    """
    if data.dtype.kind not in "iufb":
        raise DataError(message(where, "real numbers", data.dtype, "convert it to float32"))
    if data.dtype.kind != "f":
        return data
    with np.errstate(over="ignore"):  # infinity, which the checks report
        return data.astype(np.float32, copy=False)


def voxels_of(path: Path) -> Path:
    """The file of an .hdr/.img pair that holds the voxels; any other file itself.

    It represents the pair, so that its hash tells scans apart.
    """
    if path.suffix.lower() != ".hdr":
        return path
    return path.with_suffix(".IMG" if path.suffix.isupper() else ".img")


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
        DataError: as `read_volume`, except for what only the voxels would show.
    """
    return _grid(_open(path), path)


def _open(path: Path) -> SpatialImage:
    try:
        there = path.is_file()
    except OSError as error:
        raise DataError(
            message(path, "a file that can be read", error.strerror, "mend its permissions")
        ) from error
    if not there:
        raise DataError(message(path, "an existing file", "nothing", "check the path"))
    try:
        image = nib.load(path)
    except Exception as error:  # nibabel's readers raise a dozen kinds
        raise DataError(
            message(path, "a readable NIfTI or Analyze file", f"{error}", "check the file")
        ) from error
    if not isinstance(image, SpatialImage):
        raise DataError(message(path, "a volume", type(image).__name__, "convert it to NIfTI"))
    return image


def require_lattice(shape: tuple[int, ...], affine: Affine, where: object) -> None:
    """Raise `DataError` unless there are three axes with voxels and an invertible affine [4, 4]."""
    if len(shape) != 3 or 0 in shape:
        rule, then = "a volume has three axes", "extract one volume of it"
        raise DataError(message(where, rule, f"shape {shape}", then))
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        rule, then = "an affine that can be inverted", "mend the header"
        raise DataError(message(where, rule, affine.tolist(), then))


def _check_whole(path: Path) -> None:
    """Read a compressed file to its end, where its checksum is; nibabel stops before it."""
    if path.suffix.lower() in (".gz", ".mgz"):
        with gzip.open(path) as stream:
            while stream.read(2**20):
                pass


def _grid(image: SpatialImage, path: Path) -> Grid:
    shape = tuple(int(n) for n in image.shape)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    affine = np.asarray(image.affine, np.float64)
    require_lattice(shape, affine, path)
    x, y, z = shape
    header: Any = image.header
    if not hasattr(header, "get_sform"):
        told = tells_place(image)
        if not told:
            require_sizes(image, path)
        return Grid((x, y, z), affine, affine if told else None, int(told), oriented=told)
    check_header(image, path)
    sform, sform_code = header.get_sform(coded=True)
    qform, qform_code = read_qform(header)
    oriented = sform is not None or qform is not None
    return Grid((x, y, z), affine, sform, int(sform_code), qform, qform_code, oriented)


def write_volume(path: Path, data: NDArray[Any], grid: Grid) -> None:
    """Write one volume, as `write_volumes` does."""
    write_volumes({path: data}, grid)


def write_volumes(volumes: Mapping[Path, NDArray[Any]], grid: Grid) -> None:
    """Write NIfTI-1 with the affine, both transforms and the form codes of a grid: all or none.

    Args:
        volumes: file, ending in `.nii` or `.nii.gz` -> values [X, Y, Z] or [X, Y, Z, K]; the
            first three axes have the shape of `grid`.
        grid: where the voxels lie.

    Raises:
        DataError: if a suffix or a shape is wrong.
        VoxResError: if one cannot be written; what existed before is kept.
    """
    with ExitStack() as stack:
        for path, data in volumes.items():
            image = _image(path, data, grid)
            nib.save(image, stack.enter_context(atomic_path(path)))


def _image(path: Path, data: NDArray[Any], grid: Grid) -> nib.Nifti1Image:
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
    image.set_qform(grid.qform if grid.qform is not None else grid.affine, grid.qform_code)
    return image

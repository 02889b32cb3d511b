"""What the headers of image files say about where voxels lie, and whether that can be true."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from nibabel.analyze import AnalyzeImage
from numpy.typing import NDArray

from voxres_tf.errors import DataError, message

PLAUSIBLE_MM = (0.05, 20.0)
"""Shorter or longer voxels come from headers in a wrong unit, not from heads."""

SIZE_TOLERANCE = 0.01
"""Share by which the voxel sizes of a sform may differ from those stated in its header."""

SIZES_RULE = "a sform whose voxel sizes are those of pixdim, within 1 %"
SIZES_STEP = "mend the sform (of a scan it never scales to a template), or pixdim if it is wrong"

STATED_RULE = "voxel sizes above 0 in pixdim, unless a sform gives them"

OFFSET_RULE = "vox_offset of at least {}"

UNIT_BITS = 7
UNITS = {1: "metres", 3: "micrometres"}
"""Spatial units of `xyzt_units` other than mm; if it names none, mm is assumed."""

UNITS_RULE = "voxel sizes in mm, by xyzt_units"
UNITS_STEP = "convert sizes and affine to mm, or mend xyzt_units if they are in mm"

SCANNER_CODE = 1
TEMPLATE_CODE = 3
"""Form codes from this one up (Talairach, MNI152, other) refer to the space of a template."""

ONE_SPACE = "give both the affine and code of one space (a sform of code 0 leaves it to the qform)"
"""Next step if only one scan lies in the space of a template."""


def read_qform(header: Any) -> tuple[NDArray[np.float64] | None, int]:
    """The qform and its code; an invalid one beside a sform that is used counts as unset."""
    try:
        qform, code = header.get_qform(coded=True)
    except ValueError:  # a quaternion longer than 1
        return None, 0
    return (qform, int(code)) if qform is None or np.isfinite(qform).all() else (None, 0)


def check_header(image: Any, path: Path) -> None:
    """Check that positions and voxels can be right by what a NIfTI header says.

    Raises:
        DataError: if its units are not mm, the voxels of a single file begin inside the header, or
            the sform has other voxel sizes than the header states.
    """
    header = image.header
    unit = UNITS.get(int(header["xyzt_units"]) & UNIT_BITS)
    if unit is not None:
        raise DataError(message(path, UNITS_RULE, unit, UNITS_STEP))
    if header.is_single and (offset := int(image.dataobj.offset)) < header.single_vox_offset:
        rule = OFFSET_RULE.format(header.single_vox_offset)
        raise DataError(message(path, rule, offset, "mend the header"))
    _check_sizes(image, path)


def _check_sizes(image: Any, path: Path) -> None:
    """Check a sform that is in use against the voxel sizes that its NIfTI header states.

    A size of 0 states nothing. Nor do sizes of 1, 1, 1, a header's initial values, if a scanner's
    sform is the only transform.

    Raises:
        DataError: if they differ by more than `SIZE_TOLERANCE` along an axis, or there is no sform
            and they state nothing.
    """
    sform, code = image.header.get_sform(coded=True)
    if sform is None:
        require_sizes(image, path)
        return
    stated = _stated_sizes(image)
    if code == SCANNER_CODE and image.header["qform_code"] == 0 and (stated == 1).all():
        return
    found = np.linalg.norm(sform[:3, :3], axis=0)
    states = np.isfinite(stated) & (stated > 0)
    if (np.abs(found - stated)[states] > SIZE_TOLERANCE * stated[states]).any():
        by_sform, by_pixdim = (" x ".join(f"{mm:.4g}" for mm in v) for v in (found, stated))
        received = f"{by_sform} mm by the sform, {by_pixdim} mm by pixdim"
        raise DataError(message(path, SIZES_RULE, received, SIZES_STEP))


def require_sizes(image: Any, path: Path) -> None:
    """Check voxel sizes that an Analyze or NIfTI header alone states.

    Raises:
        DataError: if one is not above 0.
    """
    stated = _stated_sizes(image)
    if not (np.isfinite(stated) & (stated > 0)).all():
        received = " x ".join(f"{mm:.4g}" for mm in stated)
        raise DataError(message(path, STATED_RULE, received, "mend the header"))


def _stated_sizes(image: Any) -> NDArray[np.float64]:
    """The voxel sizes along three axes as stored; nibabel turns a size of 0 into 1."""
    holder = image.file_map.get("header", image.file_map["image"])
    with holder.get_prepare_fileobj("rb") as file:
        stored = type(image.header).from_fileobj(file, check=False)
    return np.abs(np.asarray(stored["pixdim"][1:4], np.float64))


def tells_place(image: Any) -> bool:
    """Whether a file other than NIfTI gives the orientation of its voxels.

    An Analyze header has only voxel sizes, but SPM writes an affine into a file beside it.
    """
    if not isinstance(image, AnalyzeImage):
        return True
    return not np.allclose(image.affine, image.header.get_best_affine())

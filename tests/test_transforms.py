"""Headers whose second transform is none: the first one counts, and the scan is read."""

from __future__ import annotations

import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from voxres_tf.errors import DataError
from voxres_tf.volume import read_volume, write_volume

AFFINE = np.diag([-1.0, 1.25, 3.0, 1.0])
QFORM_CODE, QUATERNION = 252, 256
"""Places of fields in a header of NIfTI-1."""


def write_quaternion(path: Path, value: float, sform_code: int) -> None:
    image = nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), AFFINE)
    nib.save(image, path)
    content = bytearray(path.read_bytes())
    # nibabel writes no such header itself.
    struct.pack_into("<hh", content, QFORM_CODE, 1, sform_code)
    struct.pack_into("<3f", content, QUATERNION, value, value, value)
    path.write_bytes(content)


@pytest.mark.parametrize("value", [0.9, np.nan], ids=["longer than 1", "no number"])
def test_a_qform_that_is_none_is_left_out_beside_a_sform(value: float, tmp_path: Path) -> None:
    write_quaternion(tmp_path / "in.nii", value, 1)
    volume = read_volume(tmp_path / "in.nii")
    np.testing.assert_array_equal(volume.grid.affine, AFFINE)
    assert (volume.grid.qform, volume.grid.qform_code) == (None, 0)
    write_volume(tmp_path / "out.nii", volume.data, volume.grid)
    np.testing.assert_array_equal(nib.load(tmp_path / "out.nii").affine, AFFINE)


@pytest.mark.parametrize("value", [0.9, np.nan], ids=["longer than 1", "no number"])
def test_a_qform_that_is_none_is_one_line_where_it_counts(value: float, tmp_path: Path) -> None:
    write_quaternion(tmp_path / "in.nii", value, 0)
    with pytest.raises(DataError, match=r"^\S+in\.nii: (a readable|an affine that can)[^\n]+$"):
        read_volume(tmp_path / "in.nii")

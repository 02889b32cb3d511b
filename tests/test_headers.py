"""Headers: what tells where voxels lie, what contradicts itself, what lies in another space."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from voxres_tf.errors import DataError
from voxres_tf.grid import Grid, to_canonical
from voxres_tf.volume import read_grid, read_volume

SHAPE = (5, 6, 7)
DATA = np.arange(210, dtype=np.int16).reshape(SHAPE)


def scan(
    path: Path,
    sform: NDArray[np.float64],
    codes: tuple[int, int] = (1, 1),
    pixdim: tuple[float, float, float] = (1, 1, 1),
    kind: type[nib.Nifti1Pair] = nib.Nifti1Image,
) -> Path:
    """Write a scan whose qform is straight; `codes` are those of sform and qform."""
    header = kind.header_class()
    header.set_sform(sform, codes[0])
    header["qform_code"] = codes[1]
    header["pixdim"][1:4] = pixdim
    header.set_data_dtype(DATA.dtype)
    nib.save(kind(DATA, None, header), path)
    if 0 in pixdim:  # which nibabel has made 1
        content = bytearray(path.read_bytes())
        content[80:92] = np.array(pixdim, "<f4").tobytes()
        path.write_bytes(content)
    return path


def sizes(x: float, y: float, z: float) -> NDArray[np.float64]:
    return np.diag([-x, y, z, 1.0])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.nii", nib.Nifti1Image),
        ("a.nii.gz", nib.Nifti1Image),
        ("a.nii", nib.Nifti2Image),
        ("a.hdr", nib.Nifti1Pair),
    ],
)
def test_a_sform_that_scales_to_a_template_is_refused(
    name: str, kind: type[nib.Nifti1Pair], tmp_path: Path
) -> None:
    path = scan(tmp_path / name, sizes(1.12, 1.12, 1.1), (4, 1), kind=kind)
    line = (
        r"a sform whose voxel sizes are those of pixdim, within 1 %\. Received: "
        r"1\.12 x 1\.12 x 1\.1 mm by the sform, 1 x 1 x 1 mm by pixdim\. Mend the sform"
    )
    for read in (read_volume, read_grid):
        with pytest.raises(DataError, match=line) as caught:
            read(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("sform", "codes", "pixdim"),
    [
        (sizes(0.958, 0.958, 3.02), (1, 1), (0.958, 0.958, 3.0)),  # within 1 %
        (sizes(0.958, 0.958, 3.0), (2, 0), (0.0, 0.0, 0.0)),  # none is stated
        (sizes(0.958, 0.958, 3.0), (1, 0), (1.0, 1.0, 1.0)),  # nor here: a header begins so
        (sizes(9.0, 9.0, 9.0), (0, 1), (1.0, 1.0, 2.0)),  # the sform does not count
    ],
)
def test_what_does_not_contradict_itself_is_read(
    sform: NDArray[np.float64],
    codes: tuple[int, int],
    pixdim: tuple[float, float, float],
    tmp_path: Path,
) -> None:
    grid = read_grid(scan(tmp_path / "a.nii", sform, codes, pixdim))
    expected = np.linalg.norm(sform[:3, :3], axis=0) if codes[0] else pixdim
    assert grid.spacing_mm == pytest.approx(tuple(expected), rel=1e-6)


@pytest.mark.parametrize(
    ("codes", "pixdim"), [((1, 1), (1, 1, 1)), ((2, 0), (1, 1, 1)), ((1, 0), (0, 0, 2))]
)
def test_sizes_that_were_set_count(
    codes: tuple[int, int], pixdim: tuple[float, float, float], tmp_path: Path
) -> None:
    path = scan(tmp_path / "a.nii", sizes(1.0, 1.02, 3.0), codes, pixdim)
    with pytest.raises(DataError, match=r"1 x 1\.02 x 3 mm by the sform"):
        read_grid(path)


def test_sheared_affines_and_mgz_are_read(tmp_path: Path) -> None:
    sheared = sizes(0.9, 1.1, 3.0)
    sheared[0, 2] = 1.5  # the slices are shifted against each other
    nib.save(nib.Nifti1Image(DATA, sheared), tmp_path / "a.nii")
    assert read_grid(tmp_path / "a.nii").spacing_mm == pytest.approx((0.9, 1.1, np.hypot(3, 1.5)))
    nib.save(nib.MGHImage(DATA, sizes(0.9, 1.1, 3.0)), tmp_path / "a.mgz")
    grid = read_grid(tmp_path / "a.mgz")
    assert grid.spacing_mm == pytest.approx((0.9, 1.1, 3.0))
    assert grid.oriented


@pytest.mark.parametrize(("codes", "told"), [((0, 0), False), ((0, 1), True), ((2, 0), True)])
def test_codes_tell_whether_a_scan_says_how_it_lies(
    codes: tuple[int, int], told: bool, tmp_path: Path
) -> None:
    path = scan(tmp_path / "a.nii", sizes(1, 1, 1), codes)
    assert read_grid(path).oriented is told


@pytest.mark.parametrize("pixdim", [(0.958, 0.958, 0.0), (0.0, 0.0, 0.0)])
@pytest.mark.parametrize("codes", [(0, 0), (0, 1)])
def test_sizes_that_nothing_states_are_not_made_up(
    codes: tuple[int, int], pixdim: tuple[float, float, float], tmp_path: Path
) -> None:
    path = scan(tmp_path / "a.nii", sizes(0.958, 0.958, 3), codes, pixdim)
    with pytest.raises(DataError, match=r"above 0 in pixdim, .*Received: 0.* x 0.* x 0\. Mend"):
        read_grid(path)


def test_nor_are_they_for_analyze(tmp_path: Path) -> None:
    nib.save(nib.AnalyzeImage(DATA, np.diag([-1.0, 1, 1, 1])), tmp_path / "a.img")
    header = bytearray((tmp_path / "a.hdr").read_bytes())
    header[88:92] = np.float32(0).tobytes()
    (tmp_path / "a.hdr").write_bytes(header)
    with pytest.raises(DataError, match=r"above 0 in pixdim.*Received: 1 x 1 x 0\."):
        read_grid(tmp_path / "a.img")


def test_analyze_tells_it_by_the_file_beside_it_alone(tmp_path: Path) -> None:
    turned = np.diag([1.0, 1.0, 2.0, 1.0])[[0, 2, 1, 3]]
    nib.save(nib.Spm99AnalyzeImage(DATA, turned), tmp_path / "a.img")
    assert read_grid(tmp_path / "a.img").oriented
    (tmp_path / "a.mat").unlink()
    volume = read_volume(tmp_path / "a.img")
    assert not volume.grid.oriented
    # Its first axis then runs to the left, the others forward and up.
    np.testing.assert_array_equal(to_canonical(volume.data, volume.grid), DATA[::-1])


@pytest.mark.parametrize(
    ("codes", "fault"),
    [
        ((1, 4), "5.00 mm apart, form codes 1 and 4: one lies in the space of a template"),
        ((3, 0), "5.00 mm apart, form codes 3 and 0: one lies in the space of a template"),
        ((1, 2), "5.00 mm apart"),
        ((4, 5), "5.00 mm apart"),
    ],
)
def test_the_spaces_of_two_grids(codes: tuple[int, int], fault: str) -> None:
    moved = np.eye(4)
    moved[:3, 3] = 3, 0, 4
    first, second = (
        # Without a sform the qform's code counts.
        Grid(SHAPE, affine, sform_code=code if code != 2 else 0, qform_code=code)
        for affine, code in zip((np.eye(4), moved), codes, strict=True)
    )
    assert first.fault(second) == fault
    # On one grid every voxel has one place, whatever its millimetres are called.
    same = Grid(SHAPE, first.affine, sform_code=codes[1], qform_code=codes[1])
    assert first.fault(same) is None


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("degrees", [0.0, 20.0])
def test_how_oblique_a_grid_lies(axes: tuple[int, ...], degrees: float) -> None:
    affine = np.eye(4)
    turned = Rotation.from_euler("z", degrees, degrees=True).as_matrix()
    affine[:3, :3] = (turned * (0.9, -1.2, 3.0))[:, axes]
    assert Grid(SHAPE, affine).oblique_deg == pytest.approx(degrees, abs=1e-5)


@pytest.mark.parametrize(("unit", "told"), [("meter", "metres"), ("micron", "micrometres")])
def test_other_units_than_mm_are_refused(unit: str, told: str, tmp_path: Path) -> None:
    image = nib.Nifti1Image(DATA, np.eye(4))
    image.header.set_xyzt_units(unit, "sec")
    nib.save(image, tmp_path / "a.nii")
    with pytest.raises(DataError, match=rf"a\.nii: voxel sizes in mm.*Received: {told}\. Convert"):
        read_grid(tmp_path / "a.nii")


@pytest.mark.parametrize("unit", ["mm", "unknown"])
def test_mm_are_meant_where_no_unit_is_named(unit: str, tmp_path: Path) -> None:
    image = nib.Nifti1Image(DATA, np.eye(4))
    image.header.set_xyzt_units(unit)
    nib.save(image, tmp_path / "a.nii")
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii").data, DATA)


@pytest.mark.parametrize(("kind", "least"), [(nib.Nifti1Image, 352), (nib.Nifti2Image, 544)])
def test_a_header_is_not_read_as_voxels(
    kind: type[nib.Nifti1Image], least: int, tmp_path: Path
) -> None:
    path = tmp_path / "a.nii"
    nib.save(kind(DATA, np.eye(4)), path)
    content, place = bytearray(path.read_bytes()), 108 if least == 352 else 168
    content[place : place + 4] = bytes(4)
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"a\.nii: vox_offset of at least {least}. Received: 0"):
        read_volume(path)

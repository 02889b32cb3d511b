"""Geometry: nothing is lost on the way in, through canonical order, and out."""

from __future__ import annotations

import gzip
from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from voxres_tf.errors import DataError
from voxres_tf.grid import Grid, from_canonical, to_canonical
from voxres_tf.volume import file_stem, read_grid, read_volume, write_volume

SHAPE = (5, 6, 7)
DATA = np.arange(210, dtype=np.int16).reshape(SHAPE)
ORIENTATIONS = [
    (order, signs) for order in permutations(range(3)) for signs in product((1, -1), repeat=3)
]


def affine_of(
    order: tuple[int, ...], signs: tuple[int, ...], tilt: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Voxel axis i runs along anatomical axis order[i], backwards if signs[i] is -1."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (target, sign) in enumerate(zip(order, signs, strict=True)):
        affine[target, axis] = sign * (0.958, 1.25, 3.0)[axis]
    if tilt is not None:
        affine[:3, :3] = tilt @ affine[:3, :3]
    affine[:3, 3] = (-11.5, 7.25, 30.125)
    return affine


oblique = st.builds(
    lambda place, angles: affine_of(
        *place, Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    ),
    st.sampled_from(ORIENTATIONS),
    # Three turns of at most 14 degrees leave every axis closest to where it was.
    st.tuples(*[st.floats(-14, 14)] * 3),
)


def test_there_are_48_orientations() -> None:
    assert len({affine_of(*place).tobytes() for place in ORIENTATIONS}) == 48


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_canonical_axes_run_right_anterior_superior(
    order: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    grid = Grid(SHAPE, affine_of(order, signs))
    # Each voxel holds its own place in mm; in canonical order place x must grow along axis x.
    index = np.indices(SHAPE).reshape(3, -1)
    places = (grid.affine[:3, :3] @ index).T.reshape(*SHAPE, 3)
    moved = to_canonical(places, grid)
    for axis in range(3):
        assert (np.diff(moved[..., axis], axis=axis) > 0).all()
    assert moved.flags.c_contiguous
    expected = [grid.spacing_mm[order.index(axis)] for axis in range(3)]
    np.testing.assert_allclose(grid.canonical_spacing_mm, expected)


@given(affine=oblique, channels=st.sampled_from([(), (2,)]))
def test_from_canonical_undoes_to_canonical(
    affine: NDArray[np.float64], channels: tuple[int, ...]
) -> None:
    grid = Grid(SHAPE, affine)
    data = np.arange(np.prod(SHAPE + channels)).reshape(SHAPE + channels)
    back = from_canonical(to_canonical(data, grid), grid)
    np.testing.assert_array_equal(back, data)


@given(affine=oblique)
def test_to_canonical_agrees_with_nibabel(affine: NDArray[np.float64]) -> None:
    expected = nib.as_closest_canonical(nib.Nifti1Image(DATA, affine))
    np.testing.assert_array_equal(
        to_canonical(DATA, Grid(SHAPE, affine)), np.asarray(expected.dataobj)
    )


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("tilt", [None, Rotation.from_euler("xyz", (10, -5, 12), degrees=True)])
@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS[::5])
def test_what_is_written_is_read_back_in_place(
    order: tuple[int, ...],
    signs: tuple[int, ...],
    tilt: Rotation | None,
    suffix: str,
    tmp_path: Path,
) -> None:
    affine = affine_of(order, signs, tilt.as_matrix() if tilt else None)
    path = tmp_path / f"a{suffix}"
    write_volume(path, DATA, Grid(SHAPE, affine))
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.data, DATA)
    assert volume.data.dtype == np.int16
    assert volume.grid.shape == SHAPE
    np.testing.assert_allclose(volume.grid.affine, affine, atol=1e-5)
    assert volume.grid.distance_mm(Grid(SHAPE, affine)) < 1e-4


@pytest.mark.parametrize("codes", list(product((0, 1, 2), repeat=2)))
def test_both_transforms_and_their_codes_survive(codes: tuple[int, int], tmp_path: Path) -> None:
    image = nib.Nifti1Image(DATA, affine_of((0, 1, 2), (-1, 1, 1)))
    turned = Rotation.from_euler("z", 20, degrees=True).as_matrix()
    image.set_sform(affine_of((2, 0, 1), (1, -1, 1)), codes[0])
    image.set_qform(affine_of((0, 1, 2), (-1, 1, 1), turned), codes[1])
    nib.save(image, tmp_path / "in.nii.gz")
    grid = read_volume(tmp_path / "in.nii.gz").grid
    write_volume(tmp_path / "out.nii.gz", np.ones(SHAPE, np.uint8), grid)
    before, after = (nib.load(tmp_path / name) for name in ("in.nii.gz", "out.nii.gz"))
    np.testing.assert_allclose(after.affine, before.affine, atol=1e-5)
    for transform in ("get_sform", "get_qform"):
        was, was_code = getattr(before.header, transform)(coded=True)
        now, now_code = getattr(after.header, transform)(coded=True)
        assert now_code == was_code
        if was is None:
            assert now is None
        else:
            np.testing.assert_allclose(now, was, atol=1e-5)
    assert after.header.get_xyzt_units()[0] == "mm"


def test_figures_of_a_grid() -> None:
    grid = Grid((2, 3, 4), affine_of((2, 0, 1), (1, -1, 1)))
    assert grid.spacing_mm == pytest.approx((0.958, 1.25, 3.0))
    assert grid.voxel_ml == pytest.approx(0.958 * 1.25 * 3.0 / 1000)
    moved = grid.affine.copy()
    moved[:3, 3] += (3, 0, 4)
    assert grid.distance_mm(Grid(grid.shape, moved)) == pytest.approx(5)
    # Stretched by 10 % along the second axis: two steps of 1.25 mm become two of 1.375.
    wider = grid.affine.copy()
    wider[:, 1] *= 1.1
    assert grid.distance_mm(Grid(grid.shape, wider)) == pytest.approx(0.25)


def test_scaled_integers_and_doubles_become_float32(tmp_path: Path) -> None:
    image = nib.Nifti1Image(DATA, np.eye(4))
    image.header.set_slope_inter(0.5, 3)
    nib.save(image, tmp_path / "scaled.nii")
    nib.save(nib.Nifti1Image(DATA.astype(np.float64), np.eye(4)), tmp_path / "double.nii")
    scaled, double = (read_volume(tmp_path / f"{n}.nii").data for n in ("scaled", "double"))
    assert scaled.dtype == double.dtype == np.float32
    np.testing.assert_array_equal(double, DATA)
    np.testing.assert_allclose(scaled, np.asarray(nib.load(tmp_path / "scaled.nii").dataobj))


def test_trailing_axes_of_one_are_dropped(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(DATA[..., None, None], np.eye(4)), tmp_path / "a.nii.gz")
    assert read_volume(tmp_path / "a.nii.gz").data.shape == SHAPE
    assert read_grid(tmp_path / "a.nii.gz").shape == SHAPE


@pytest.mark.parametrize("opened", ["a.img", "a.hdr"])
def test_an_analyze_pair_is_read_and_goes_out_as_nifti(opened: str, tmp_path: Path) -> None:
    nib.save(nib.Spm99AnalyzeImage(DATA, np.diag([1.0, 1.0, 2.0, 1.0])), tmp_path / "a.img")
    volume = read_volume(tmp_path / opened)
    np.testing.assert_array_equal(volume.data, DATA)
    assert volume.grid.spacing_mm == pytest.approx((1, 1, 2))
    write_volume(tmp_path / "out.nii", volume.data, volume.grid)
    out = nib.load(tmp_path / "out.nii")
    np.testing.assert_allclose(out.affine, nib.load(tmp_path / "a.img").affine)


def test_what_does_not_say_how_it_lies_goes_out_like_that(tmp_path: Path) -> None:
    nib.save(nib.AnalyzeImage(DATA, np.diag([-1.0, 1.0, 2.0, 1.0])), tmp_path / "a.img")
    volume = read_volume(tmp_path / "a.img")
    write_volume(tmp_path / "out.nii", volume.data, volume.grid)
    out = nib.load(tmp_path / "out.nii")
    np.testing.assert_allclose(out.affine, volume.grid.affine)
    assert [out.header[f"{form}_code"] for form in ("sform", "qform")] == [0, 0]
    assert not read_grid(tmp_path / "out.nii").oriented


def truncated(path: Path) -> Path:
    data = np.random.default_rng(0).integers(0, 1000, (20, 20, 20)).astype(np.int16)
    nib.save(nib.Nifti1Image(data, np.eye(4)), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_truncated_file_is_one_line(name: str, tmp_path: Path) -> None:
    path = truncated(tmp_path / name)
    with pytest.raises(DataError, match=r"a complete image file.*Copy it again") as caught:
        read_volume(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_compressed_file_is_held_to_its_checksum(tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(0, 1000, (40, 40, 40)).astype(np.int16)
    nib.save(nib.Nifti1Image(data, np.eye(4)), tmp_path / "a.nii.gz")
    whole = (tmp_path / "a.nii.gz").read_bytes()
    for damaged in (whole[:-8], whole[:-8] + bytes(8)):
        (tmp_path / "a.nii.gz").write_bytes(damaged)
        with pytest.raises(DataError, match="a complete image file"):
            read_volume(tmp_path / "a.nii.gz")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.nii", b"no image"),
        ("a.nii.gz", gzip.compress(b"no image", mtime=0)),
        ("a.nii.gz", b"raw"),
    ],
)
def test_a_file_that_is_no_image_is_one_line(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    for read in (read_volume, read_grid):
        with pytest.raises(DataError, match="a readable NIfTI") as caught:
            read(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_a_file_behind_a_closed_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(_: Path) -> bool:
        raise PermissionError(13, "No")

    monkeypatch.setattr(Path, "is_file", closed)
    rule = r"T1\.nii: a file that can be read\. Received: No\. Mend its permissions"
    for read in (read_volume, read_grid):
        with pytest.raises(DataError, match=rule):
            read(tmp_path / "T1.nii")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"T1\.nii: an existing file\. Received: nothing"):
        read_volume(tmp_path / "T1.nii")


@pytest.mark.parametrize("shape", [(4, 4, 4, 2), (4, 4)])
def test_other_than_three_axes_are_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.zeros(shape, np.int16), np.eye(4)), tmp_path / "a.nii")
    with pytest.raises(DataError, match="three axes"):
        read_volume(tmp_path / "a.nii")


def test_a_volume_with_more_axes_is_not_read(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4, 2), np.int16), np.eye(4)), tmp_path / "a.nii")
    content = (tmp_path / "a.nii").read_bytes()
    (tmp_path / "a.nii").write_bytes(content[:360])  # reading what is cut off would be an error
    with pytest.raises(DataError, match="three axes"):
        read_volume(tmp_path / "a.nii")


def test_colours_are_refused(tmp_path: Path) -> None:
    colours = np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(colours, np.eye(4)), tmp_path / "rgb.nii")
    with pytest.raises(DataError, match="real numbers"):
        read_volume(tmp_path / "rgb.nii")


@pytest.mark.parametrize("row", [(0, 1, 0, 0), (0, 0, np.nan, 0)])
def test_an_affine_that_leads_nowhere_is_refused(row: tuple[float, ...], tmp_path: Path) -> None:
    path = tmp_path / "flat.nii"
    nib.save(nib.Nifti1Image(DATA, np.eye(4)), path)
    header = bytearray(path.read_bytes())
    header[312:328] = np.array(row, "<f4").tobytes()  # srow_z of the NIfTI-1 header
    path.write_bytes(header)
    with pytest.raises(DataError, match="affine that can be inverted"):
        read_grid(path)


def test_writing_holds_suffix_and_shape(tmp_path: Path) -> None:
    grid = Grid(SHAPE, np.eye(4))
    with pytest.raises(DataError, match=r"ends in \.nii"):
        write_volume(tmp_path / "a.mgz", DATA, grid)
    with pytest.raises(DataError, match="data on its grid"):
        write_volume(tmp_path / "a.nii", DATA[1:], grid)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "stem"),
    [("a.nii.gz", "a"), ("a.b.nii", "a.b"), ("A.NII", "A"), ("B.NII.GZ", "B"), ("x.img", "x")],
)
def test_file_stem(name: str, stem: str) -> None:
    assert file_stem(Path("d") / name) == stem

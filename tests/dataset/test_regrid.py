"""A scan on another's grid: golden values by hand, and the laws of any affine."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.orientations import apply_orientation, inv_ornt_aff
from scipy.spatial.transform import Rotation

from voxres_tf.dataset.regrid import resample_to, smoothing_sigma
from voxres_tf.errors import DataError
from voxres_tf.grid import Affine, Grid
from voxres_tf.volume import Volume


def smooth(shape: tuple[int, int, int], affine: Affine) -> Volume:
    """A map of the place in space alone: whatever the grid, one point has one value."""
    points = np.moveaxis(np.indices(shape, np.float64), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    data = 100 + 10 * np.sin(points[..., 0] / 9) * np.cos(points[..., 1] / 8) + points[..., 2]
    return Volume(data.astype(np.float32), Grid(shape, affine))


def turned(degrees: tuple[float, float, float], spacing: tuple[float, float, float]) -> Affine:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix() * spacing
    affine[:3, 3] = 3, -2, 5
    return affine


def test_a_shift_by_half_a_voxel_by_hand() -> None:
    scan = Volume(np.array([0, 10, 40]).reshape(3, 1, 1), Grid((3, 1, 1), np.eye(4)))
    affine = np.eye(4)
    affine[0, 3] = 0.5
    result = resample_to(scan, Grid((4, 1, 1), affine)).data
    # Midway between neighbours; then the last voxel's own border; beyond it the median of the
    # faces, which are one 0, one 40 and four times all three.
    np.testing.assert_allclose(result[:, 0, 0], [5, 25, 40, 10])
    assert result.dtype == np.float32


def test_beyond_a_signed_scan_is_air_and_not_tissue() -> None:
    # Signed T1-IR: fluid lies far below the air around the head.
    head = np.full((8, 9, 7), 3.0)
    head[2:6, 2:7, 2:5] = -500
    head[4, 4] = 400
    far = np.eye(4)
    far[0, 3] = 4
    result = resample_to(Volume(head, Grid(head.shape, np.eye(4))), Grid((6, 9, 7), far)).data
    np.testing.assert_array_equal(result[4:], 3)


def test_voxels_that_grow_see_all_that_they_cover() -> None:
    # Every third value alone would be 3 or 0; a third of the values are 3, so the mean is 1.
    stripes = np.tile([3.0, 0, 0], 10).reshape(30, 1, 1)
    thick = Grid((10, 1, 1), np.diag([3.0, 1, 1, 1]))
    result = resample_to(Volume(stripes, Grid((30, 1, 1), np.eye(4))), thick).data
    np.testing.assert_allclose(result[2:-2], 1, atol=0.25)
    assert smoothing_sigma(1.0) == smoothing_sigma(0.3) == 0
    # FWHM of a Gaussian is 2.3548 SDs; a width of 3 is sqrt(3^2 - 1) more than one of 1.
    assert smoothing_sigma(3) == pytest.approx(np.sqrt(8) / 2.3548, rel=1e-4)


@given(
    degrees=st.tuples(*[st.floats(-180, 180)] * 3),
    spacing=st.tuples(*[st.floats(0.7, 1.5)] * 3),
)
@settings(max_examples=25)
def test_a_smooth_scan_is_the_same_wherever_it_is_sampled(
    degrees: tuple[float, float, float], spacing: tuple[float, float, float]
) -> None:
    scan = smooth((40, 42, 38), np.eye(4) - 20 * np.eye(4, k=3))
    target = turned(degrees, spacing)
    target[:3, 3] = 0, 20, 19  # the scan's middle
    expected = smooth((9, 8, 7), target)
    result = resample_to(scan, expected.grid)
    assert result.grid is expected.grid
    np.testing.assert_allclose(result.data, expected.data, atol=0.5)


@given(flips=st.tuples(*[st.sampled_from([-1, 1])] * 3), order=st.permutations(range(3)))
def test_a_scan_in_another_orientation_comes_back_exactly(
    flips: tuple[int, int, int], order: list[int]
) -> None:
    scan = smooth((6, 7, 8), np.diag([1.0, 1.5, 2.0, 1]))
    orientation = np.array(list(zip(order, flips, strict=True)))
    affine = scan.grid.affine @ inv_ornt_aff(orientation, scan.grid.shape)
    data = apply_orientation(scan.data, orientation)
    stored = Volume(data, Grid(data.shape, affine))
    np.testing.assert_allclose(resample_to(stored, scan.grid).data, scan.data, atol=1e-4)


@given(level=st.integers(-1000, 1000), degrees=st.tuples(*[st.floats(-90, 90)] * 3))
def test_a_constant_stays_constant(level: int, degrees: tuple[float, float, float]) -> None:
    scan = Volume(np.full((9, 9, 9), level, np.int16), Grid((9, 9, 9), np.eye(4)))
    affine = turned(degrees, (1.0, 2.0, 0.5))
    affine[:3, 3] = 4 - affine[:3, :3] @ [2, 2.5, 3]  # both have one middle
    grid = Grid((5, 6, 7), affine)
    np.testing.assert_allclose(resample_to(scan, grid).data, level, atol=1e-3)


def test_scans_that_do_not_meet() -> None:
    far = np.eye(4)
    far[0, 3] = 100
    with pytest.raises(DataError, match=r"t1\.nii: scans of one subject overlap"):
        resample_to(smooth((5, 5, 5), np.eye(4)), Grid((5, 5, 5), far), "t1.nii")


@pytest.mark.parametrize(("voxels", "told"), [(14, None), (17, "15.0%")])
def test_scans_that_hardly_meet(voxels: int, told: str | None) -> None:
    scan = smooth((20, 20, 20), np.eye(4))
    far = np.eye(4)
    far[0, 3] = voxels
    grid = Grid((20, 20, 20), far)
    if told is None:
        assert resample_to(scan, grid).data.shape == grid.shape
        return
    with pytest.raises(DataError, match=f"at least 25% of the smaller one. Received: {told}"):
        resample_to(scan, grid)


def test_a_slab_within_a_large_field_of_view_is_enough() -> None:
    slab = np.eye(4)
    slab[2, 3] = 30
    found = resample_to(smooth((40, 40, 8), slab), Grid((60, 60, 60), np.eye(4)))
    assert np.unique(found.data[..., :29]).size == 1

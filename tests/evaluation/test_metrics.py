import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from scipy.spatial import cKDTree

from voxres_tf.errors import DataError
from voxres_tf.evaluation.metrics import avd_percent, boundary, dice, hd95_mm

SPACING = (0.958, 0.958, 3.0)


def voxels(shape, *positions):
    mask = np.zeros(shape, bool)
    for position in positions:
        mask[position] = True
    return mask


masks = arrays(bool, (6, 5, 3), elements=st.booleans())


def test_dice_and_avd_by_hand():
    pred = voxels((4, 1, 1), (0, 0, 0), (1, 0, 0))
    ref = voxels((4, 1, 1), (1, 0, 0), (2, 0, 0), (3, 0, 0))
    assert dice(pred, ref) == pytest.approx(2 * 1 / (2 + 3))
    assert avd_percent(pred, ref) == pytest.approx(100 * 1 / 3)
    assert avd_percent(ref, pred) == pytest.approx(100 * 1 / 2)


def test_single_voxels_are_as_far_apart_as_their_centres():
    pred, ref = voxels((8, 8, 4), (2, 3, 1)), voxels((8, 8, 4), (4, 3, 2))
    assert hd95_mm(pred, ref, SPACING) == pytest.approx(np.hypot(2 * 0.958, 3.0))
    assert dice(pred, ref) == 0.0


def test_hd95_interpolates_the_percentile_and_takes_the_larger_direction():
    # From the line 0, 1 .. 20 steps to the voxel: the 95th percentile is 19 steps. Back: 0.
    line = np.zeros((21, 3, 1), bool)
    line[:, 1] = True
    point = voxels((21, 3, 1), (0, 1, 0))
    assert hd95_mm(line, point, SPACING) == pytest.approx(19 * 0.958)
    assert hd95_mm(point, line, SPACING) == pytest.approx(19 * 0.958)


def test_hd95_of_shifted_squares():
    # Two 5 x 5 squares, one step of 2 mm apart along x: the 5 of 16 boundary voxels on the outer
    # side are that far from the other outline, and none is further.
    pred, ref = np.zeros((9, 9, 1), bool), np.zeros((9, 9, 1), bool)
    pred[1:6, 2:7], ref[2:7, 2:7] = True, True
    assert hd95_mm(pred, ref, (2.0, 1.0, 3.0)) == pytest.approx(2.0)


def test_boundary_is_in_plane():
    cube = np.zeros((5, 5, 5), bool)
    cube[1:4, 1:4, 1:4] = True
    # 8 of 9 voxels in each slice; the centres of the first and last slice are inside.
    assert boundary(cube).sum() == 24
    assert not boundary(cube)[2, 2].any()


def test_the_border_of_the_image_counts_as_inside():
    corner = np.zeros((7, 7, 1), bool)
    corner[:3, :3] = True
    expected = corner.copy()
    expected[:2, :2] = False
    np.testing.assert_array_equal(boundary(corner), expected)


def test_hd95_of_masks_that_touch_the_border():
    # The outlines of the corner squares of 3 and of 5 voxels are two angles; 2 steps in x or y
    # separate their arms, and their corners lie 2 steps apart in both.
    small, large = np.zeros((9, 9, 1), bool), np.zeros((9, 9, 1), bool)
    small[:3, :3], large[:5, :5] = True, True
    # From the large angle (9 voxels): 2 for the six voxels beside an arm, then sqrt(5) twice and
    # sqrt(8) once. 0.95 * 8 = 7.6, between sqrt(5) and sqrt(8).
    expected = np.sqrt(5) + 0.6 * (np.sqrt(8) - np.sqrt(5))
    assert hd95_mm(large, small, (1, 1, 1)) == pytest.approx(expected)


def test_a_mask_of_whole_slices_has_no_boundary():
    full = np.ones((4, 4, 2), bool)
    assert not boundary(full).any()
    assert hd95_mm(full, full, SPACING) is None
    assert dice(full, full) == 1.0


@pytest.mark.parametrize(
    ("figure", "missed", "invented"),
    [
        (dice, 0.0, 0.0),
        (avd_percent, 100.0, None),
        (lambda p, r: hd95_mm(p, r, SPACING), None, None),
    ],
)
def test_an_absent_class(figure, missed, invented):
    some, none = voxels((3, 3, 3), (1, 1, 1)), np.zeros((3, 3, 3), bool)
    assert figure(none, some) == missed
    assert figure(some, none) == invented
    assert figure(none, none) is None


@pytest.mark.parametrize("figure", [dice, avd_percent, lambda p, r: hd95_mm(p, r, SPACING)])
def test_shapes_must_agree(figure):
    with pytest.raises(DataError, match=r"one shape.*\(3, 3, 3\) and \(3, 3, 4\)"):
        figure(np.ones((3, 3, 3), bool), np.ones((3, 3, 4), bool))


def test_distances_need_three_axes():
    with pytest.raises(DataError, match="three axes"):
        hd95_mm(np.ones((3, 3), bool), np.ones((3, 3), bool), (1, 1))


@given(masks)
def test_a_mask_equals_itself(mask):
    if mask.any():
        assert dice(mask, mask) == 1.0
        assert avd_percent(mask, mask) == 0.0
        assert hd95_mm(mask, mask, SPACING) == (0.0 if boundary(mask).any() else None)


@given(masks, masks)
def test_symmetry(first, second):
    assert dice(first, second) == dice(second, first)
    assert hd95_mm(first, second, SPACING) == hd95_mm(second, first, SPACING)


@given(masks, masks, st.integers(0, 99))
def test_overlap_and_volume_know_no_order_of_voxels(first, second, seed):
    order = np.random.default_rng(seed).permutation(first.size)
    moved = first.ravel()[order], second.ravel()[order]
    assert dice(*moved) == dice(first, second)
    assert avd_percent(*moved) == avd_percent(first, second)


@given(masks, masks)
def test_figures_stay_in_range(first, second):
    overlap, distance = dice(first, second), hd95_mm(first, second, SPACING)
    assert overlap is None or 0 <= overlap <= 1
    assert distance is None or 0 <= distance <= np.linalg.norm(np.multiply((5, 4, 2), SPACING))


@settings(max_examples=25)
@given(st.integers(0, 2**31), st.floats(0.05, 0.9))
def test_hd95_equals_nearest_neighbour_search(seed, share):
    rng = np.random.default_rng(seed)
    blobs = [ndimage.gaussian_filter(rng.normal(size=(14, 12, 6)), (2, 2, 1)) for _ in range(2)]
    pred, ref = (blob > np.quantile(blob, share) for blob in blobs)
    points = [
        np.argwhere(m & ~ndimage.binary_erosion(m, np.ones((3, 3, 1)), border_value=1)) * SPACING
        for m in (pred, ref)
    ]
    there = np.percentile(cKDTree(points[1]).query(points[0])[0], 95)
    back = np.percentile(cKDTree(points[0]).query(points[1])[0], 95)
    assert hd95_mm(pred, ref, SPACING) == pytest.approx(max(there, back), abs=1e-9)

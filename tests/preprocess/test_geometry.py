"""The working grid: what is resampled, what is not, and that the way back keeps its promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxres_tf.config import Resolution
from voxres_tf.errors import DataError
from voxres_tf.grid import Grid
from voxres_tf.preprocess.geometry import (
    WorkingGrid,
    labels_back,
    resample_back,
    resample_image,
    resample_labels,
    working_grid,
)

RESOLUTION = Resolution()
SPACINGS = st.tuples(st.floats(0.3, 3), st.floats(0.3, 3), st.floats(0.3, 9))
SHAPES = st.tuples(*[st.integers(1, 14)] * 3)


def grid(shape: tuple[int, int, int], spacing: Any) -> Grid:
    return Grid(shape, np.diag([*spacing, 1.0]))


def working(shape: tuple[int, int, int], spacing: Any) -> WorkingGrid:
    return working_grid(grid(shape, spacing), RESOLUTION)


@pytest.mark.parametrize(
    ("spacing", "expected"),
    [
        ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0)),
        ((0.958, 0.958, 3.0), (0.958, 0.958, 3.0)),
        ((0.8, 1.2, 5.5), (0.8, 1.2, 5.5)),
        # Stored in float32 these are a little outside.
        ((0.79999, 1.2000001, 5.5000001), (0.79999, 1.2000001, 5.5000001)),
        ((0.5, 0.5, 0.5), (1.0, 1.0, 0.8)),
        ((1.5, 1.0, 7.0), (1.0, 1.0, 5.5)),
        ((0.43, 0.43, 6.0), (1.0, 1.0, 5.5)),
    ],
)
def test_what_is_resampled_and_to_what(spacing: Any, expected: Any) -> None:
    found = working((40, 40, 20), spacing)
    assert found.spacing_mm == expected
    assert found.resampled == tuple(a for a in range(3) if spacing[a] != expected[a])
    assert working_grid(grid((4, 4, 4), spacing), None).resampled == ()


def test_the_axes_are_the_anatomical_ones() -> None:
    # Sagittal slices 2 mm apart: the stored third axis runs to the right, the first to the back.
    affine = np.array([[0, 0, 2.0, 0], [-1.0, 0, 0, 0], [0, 0.5, 0, 0], [0, 0, 0, 1]])
    found = working_grid(Grid((30, 20, 10), affine), RESOLUTION)
    assert (found.own_shape, found.own_spacing_mm) == ((10, 30, 20), (2.0, 1.0, 0.5))
    assert (found.shape, found.spacing_mm) == ((20, 30, 12), (1.0, 1.0, 0.8))


@pytest.mark.parametrize("last", [-1, 0, 1])
def test_the_last_digit_of_a_spacing_decides_nothing(last: int) -> None:
    mm = 0.5 + last * np.finfo(np.float64).eps
    # 3 * 0.5 = 1.5 and 5 * 0.5 = 2.5 in plane, 4 * 0.5 / 0.8 = 2.5 between slices: to even ones.
    assert working((3, 5, 4), (mm, mm, mm)).shape == (2, 2, 2)


@given(shape=SHAPES, spacing=SPACINGS)
def test_the_field_of_view_stays(shape: tuple[int, int, int], spacing: Any) -> None:
    found = working(shape, spacing)
    for axis in range(3):
        step, count = found.spacing_mm[axis], found.shape[axis]
        before, after = shape[axis] * spacing[axis], count * step
        # Half a voxel by rounding; a single slice that is thinner than a voxel becomes one.
        assert abs(before - after) <= step / 2 + 1e-6 or (count == 1 and before < step)
        # Both are centred on one point.
        assert found.in_own(axis).mean() == pytest.approx((shape[axis] - 1) / 2)
        back = np.interp(found.from_own(axis), np.arange(count), np.arange(count))
        assert len(back) == shape[axis]


@given(shape=SHAPES, spacing=SPACINGS)
def test_positions_there_and_back_are_inverse(shape: tuple[int, int, int], spacing: Any) -> None:
    found = working(shape, spacing)
    for axis in range(3):
        slope = found.factor(axis)
        there = (found.from_own(axis) - (found.shape[axis] - 1) / 2) * slope
        np.testing.assert_allclose(there + (shape[axis] - 1) / 2, np.arange(shape[axis]), atol=1e-6)


def test_nothing_to_resample_is_nothing_done() -> None:
    found = working((5, 6, 7), (1.0, 1.1, 3.0))
    image, p = np.zeros((5, 6, 7), np.int16), np.zeros((5, 6, 7, 4), np.float32)
    classes, scored = np.zeros((5, 6, 7), np.uint8), np.ones((5, 6, 7), np.bool_)
    assert resample_image(image, found) is image
    assert resample_back(p, found) is p
    labels = resample_labels(classes, scored, found)
    assert labels[0] is classes
    assert labels[1] is scored


@given(shape=SHAPES, spacing=SPACINGS, level=st.floats(-1000, 1000, width=32))
def test_a_constant_stays_constant_to_the_last_bit(
    shape: tuple[int, int, int], spacing: Any, level: float
) -> None:
    found = working(shape, spacing)
    values = resample_image(np.full(shape, level, np.float32), found)
    assert values.shape == found.shape
    # The same number everywhere, else normalising would make a pattern of its last bits.
    assert np.ptp(values) == 0
    assert values.flat[0] == pytest.approx(level, rel=1e-5)


@given(shape=SHAPES, spacing=SPACINGS, seed=st.integers(0, 99))
def test_probabilities_stay_probabilities(
    shape: tuple[int, int, int], spacing: Any, seed: int
) -> None:
    found = working(shape, spacing)
    random = np.random.default_rng(seed)
    p = random.dirichlet(np.full(4, 0.2), found.shape).astype(np.float32)
    back = resample_back(p, found)
    assert back.shape == (*shape, 4)
    assert back.dtype == np.float32
    assert back.min() >= 0
    np.testing.assert_allclose(back.sum(-1), 1, atol=1e-5)


@pytest.mark.parametrize("spacing", [(0.7, 0.5, 0.6), (1.4, 1.3, 1.0), (0.5, 1.0, 7.0)])
def test_a_smooth_map_survives_the_round_trip(spacing: Any) -> None:
    shape = tuple(int(60 / mm) for mm in spacing)
    x, y, z = (((np.arange(n) - (n - 1) / 2) * mm) for n, mm in zip(shape, spacing, strict=True))
    smooth = np.sin(x / 12)[:, None, None] * np.cos(y / 12)[:, None] * np.cos(z / 20)
    found = working(shape, spacing)
    there = resample_image(smooth.astype(np.float32), found)
    back = resample_back(there[..., None], found)[..., 0]
    inner = tuple(slice(n // 8, -(n // 8)) for n in shape)
    assert np.abs(back - smooth)[inner].max() < 0.03
    # In its place, not shifted: half a voxel of shift would be an error of .02 to .3 everywhere.
    assert np.abs((back - smooth)[inner].mean()) < 1e-3


def test_a_ramp_by_hand() -> None:
    # 4 voxels of 2 mm become 8 of 1 mm: centres at -1/4, 1/4, 3/4, ... of the old index.
    found = working((4, 1, 1), (2.0, 1.0, 1.0))
    ramp = np.array([0, 4, 8, 12], np.float32).reshape(4, 1, 1)
    np.testing.assert_array_equal(resample_image(ramp, found)[:, 0, 0], [0, 1, 3, 5, 7, 9, 11, 12])


def test_labels_by_the_largest_fraction_by_hand() -> None:
    # 6 voxels of 0.5 mm become 3 of 1 mm: pairs (1 1), (1 2), (3 3) with the last unscored.
    found = working((6, 1, 1), (0.5, 1.0, 1.0))
    classes = np.array([1, 1, 2, 2, 3, 3], np.uint8).reshape(6, 1, 1)
    scored = np.array([1, 1, 1, 1, 0, 0], np.bool_).reshape(6, 1, 1)
    result = resample_labels(classes, scored, found)
    np.testing.assert_array_equal(result[0][:, 0, 0], [1, 2, 3])
    np.testing.assert_array_equal(result[1][:, 0, 0], [True, True, False])
    # 5 voxels of 0.6 mm are 3 of 1 mm; the middle one covers voxel 2 (0.6 mm) more than 1 and 3.
    found = working((5, 1, 1), (0.6, 1.0, 1.0))
    classes = np.array([0, 0, 3, 1, 1], np.uint8).reshape(5, 1, 1)
    result = resample_labels(classes, np.ones((5, 1, 1), np.bool_), found)
    np.testing.assert_array_equal(result[0][:, 0, 0], [0, 3, 1])


@given(shape=st.tuples(st.integers(1, 40), *[st.integers(1, 9)] * 2), spacing=SPACINGS)
@settings(max_examples=60)
def test_labels_back_are_the_most_probable_classes(
    shape: tuple[int, int, int], spacing: Any
) -> None:
    found = working(shape, spacing)
    probabilities = np.random.default_rng(0).random((*found.shape, 3), np.float32)
    labels = labels_back(probabilities, found)
    assert (labels.dtype, labels.shape) == (np.uint8, shape)
    expected = resample_back(probabilities, found).argmax(axis=-1)
    np.testing.assert_array_equal(labels, expected)


def test_no_class_grows_where_halves_meet() -> None:
    # Layers of 3 to 7 voxels of 0.5 mm: half of their borders run through a voxel of 1 mm.
    layers = np.repeat(np.arange(2000) % 2, np.random.default_rng(0).integers(3, 8, 2000))
    layers = layers[: len(layers) // 2 * 2].reshape(-1, 1, 1)
    found = working(layers.shape, (0.5, 1.0, 1.0))
    for low, high in ((0, 1), (1, 3)):
        classes = np.where(layers, high, low).astype(np.uint8)
        result, _ = resample_labels(classes, np.ones(classes.shape, np.bool_), found)
        assert (result == high).mean() == pytest.approx(layers.mean(), abs=0.005)


@given(shape=SHAPES, spacing=SPACINGS, seed=st.integers(0, 99))
@settings(max_examples=50)
def test_labels_are_labels_that_were_there(
    shape: tuple[int, int, int], spacing: Any, seed: int
) -> None:
    found = working(shape, spacing)
    random = np.random.default_rng(seed)
    classes = random.choice([0, 1, 2, 255], shape).astype(np.uint8)  # 256 classes at most
    scored = classes != 2  # so that a pair that was never there would show
    result, mask = resample_labels(classes, scored, found)
    assert result.shape == mask.shape == found.shape
    assert (result.dtype, mask.dtype) == (np.uint8, np.bool_)
    assert set(np.unique(result)) <= set(np.unique(classes))
    np.testing.assert_array_equal(mask, result != 2)


@pytest.mark.parametrize("mm", [1000.0, 0.001])  # a header in micrometres, one in metres
def test_an_absurd_spacing_is_an_error(mm: float) -> None:
    with pytest.raises(DataError, match=rf"a head has voxels of .*Received: {mm:g} x .*header"):
        working((100, 100, 100), (mm, mm, mm))
    assert working_grid(grid((100, 100, 100), (mm, mm, mm)), None).resampled == ()

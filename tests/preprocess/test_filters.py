"""Filters: golden values by hand, and the laws that hold for any volume."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxres_tf.preprocess.filters import equalise_slices, normalise_slices, subtract_gaussian


def test_normalise_slices_by_hand() -> None:
    # One slice 0, 0, 4, 4: mean 2, SD 2 -> -1, -1, 1, 1. The other is constant -> zeros.
    volume = np.stack([np.array([[0, 0], [4, 4]]), np.full((2, 2), 7)], axis=2)
    result = normalise_slices(volume)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result[..., 0], [[-1, -1], [1, 1]])
    np.testing.assert_array_equal(result[..., 1], 0)


@pytest.mark.parametrize("level", [0.0, 0.1, 1e6, -3.3])
def test_constant_slices_are_zero_whatever_their_level(level: float) -> None:
    volume = np.full((7, 5, 3), level, np.float32)
    np.testing.assert_array_equal(normalise_slices(volume), 0)
    np.testing.assert_array_equal(
        normalise_slices(
            equalise_slices(subtract_gaussian(volume, sigma=2, radius=3), tile=4, clip=2)
        ),
        0,
    )


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    gain=st.floats(0.01, 1000),
    offset=st.floats(-1000, 1000),
)
def test_channels_do_not_depend_on_the_intensity_scale(
    seed: int, gain: float, offset: float
) -> None:
    volume = np.random.default_rng(seed).normal(size=(12, 10, 3)) * 50
    np.testing.assert_allclose(
        normalise_slices(gain * volume + offset), normalise_slices(volume), atol=1e-4
    )


def test_normalised_slices_have_zero_mean_and_unit_variance() -> None:
    volume = np.random.default_rng(1).gamma(2, 100, size=(30, 20, 4)).astype(np.int16)
    result = normalise_slices(volume)
    np.testing.assert_allclose(result.mean(axis=(0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(result.std(axis=(0, 1)), 1, atol=1e-5)


def test_subtract_gaussian_takes_a_constant_and_leaves_a_point() -> None:
    volume = np.full((41, 41, 2), 10.0, np.float32)
    volume[20, 20, 1] += 100
    result = subtract_gaussian(volume, sigma=5, radius=15)
    np.testing.assert_allclose(result[..., 0], 0, atol=1e-5)
    # The centre of a 31x31 Gaussian of sigma 5 weighs 1 / (sum of its profile)^2.
    profile = np.exp(-0.5 * (np.arange(-15, 16) / 5.0) ** 2).sum()
    assert result[20, 20, 1] == pytest.approx(100 * (1 - 1 / profile**2), rel=1e-4)
    # 16 voxels away the cut kernel no longer sees the point.
    assert result[36, 20, 1] == pytest.approx(0, abs=1e-5)


def test_equalise_widens_low_contrast_and_ignores_scale() -> None:
    random = np.random.default_rng(2)
    volume = np.zeros((48, 48, 2), np.float32)
    volume[:24] = 100 + random.normal(size=(24, 48, 2))
    volume[24:] = 110 + random.normal(size=(24, 48, 2))
    result = equalise_slices(volume, tile=16, clip=2.0)
    assert result.min() >= 0
    assert result.max() <= 1
    np.testing.assert_allclose(equalise_slices(volume * 8, tile=16, clip=2.0), result, atol=1e-6)
    within = (volume[:24, :, 0].std() / np.ptp(volume)).item()
    assert result[:24, :, 0].std() > within


def test_a_higher_clip_gives_more_contrast() -> None:
    volume = np.random.default_rng(3).normal(100, 1, size=(64, 64, 1)).astype(np.float32)
    volume[0, 0] = 120
    weak, strong = (equalise_slices(volume, tile=16, clip=c) for c in (1.1, 20.0))
    assert strong.std() > weak.std()

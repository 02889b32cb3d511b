"""TensorFlow's filters against the NumPy ones that training used."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from voxres_tf.export.graph import filters
from voxres_tf.preprocess.filters import (
    ROBUST_PERCENTILES,
    normalise_slices,
    subtract_gaussian,
)


def volume(seed, shape=(19, 13, 3)):
    return np.random.default_rng(seed).gamma(2, 100, shape).astype(np.float32)


def by_slices(function, values):
    return np.stack([function(values[..., z]).numpy() for z in range(values.shape[2])], axis=2)


@pytest.mark.parametrize("shape", [(19, 13, 3), (1, 1, 2), (1, 30, 1)])
@pytest.mark.parametrize("level", [0.0, -1e5])
def test_normalise_as_numpy_does(shape, level):
    values = volume(0, shape) + np.float32(level)
    np.testing.assert_allclose(
        by_slices(filters.normalise, values), normalise_slices(values), atol=1e-6
    )


@pytest.mark.parametrize("level", [0.0, 0.1, 1e6, -3.3])
def test_a_constant_slice_becomes_zeros(level):
    flat = filters.normalise(tf.fill((7, 5), tf.constant(level, tf.float32)))
    assert flat.dtype == tf.float32
    np.testing.assert_array_equal(flat, 0)


@pytest.mark.parametrize(("sigma", "radius"), [(5.0, 15), (0.7, 1), (3.0, 40)])
def test_subtract_gaussian_as_scipy_does(sigma, radius):
    # The last kernel is wider than the slice, whose border then counts many times.
    values = volume(1)
    across, along = (
        filters.gaussian_matrix(size, sigma=sigma, radius=radius) for size in values.shape[:2]
    )
    np.testing.assert_allclose(tf.reduce_sum(across, axis=1), 1, rtol=1e-12)
    found = by_slices(lambda s: filters.subtract_gaussian(s, across, along), values)
    expected = subtract_gaussian(values, sigma=sigma, radius=radius)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-4)
    assert np.mean(found != expected) < 0.01, "hardly any is rounded another way"


@settings(max_examples=30)
@given(size=st.integers(1, 400), seed=st.integers(0, 1000), decimals=st.integers(0, 2))
def test_percentiles_as_numpy_interpolates_them(size, seed, decimals):
    values = np.random.default_rng(seed).normal(size=size).round(decimals).astype(np.float32)
    found = [limit.numpy() for limit in filters.robust_range(tf.constant(values))]
    np.testing.assert_allclose(found, np.percentile(values, ROBUST_PERCENTILES), rtol=1e-12)

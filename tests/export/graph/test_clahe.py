"""The graph's CLAHE against scikit-image's, level by level."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.exposure import equalize_adapthist
from skimage.exposure._adapthist import clip_histogram

from voxres_tf.export.graph import clahe
from voxres_tf.preprocess.filters import HISTOGRAM_BINS

equalise = tf.function(
    lambda values, tile, clip: clahe.equalise(values, tile=tile, clip=clip),
    input_signature=(
        tf.TensorSpec([None, None], tf.float64),
        tf.TensorSpec([], tf.int32),
        tf.TensorSpec([], tf.float64),
    ),
    autograph=False,
)

clipped = tf.function(clahe.clipped, autograph=False)


def differing(values, tile=16, clip=2.0):
    """Share of voxels that differ from scikit-image's by more than float64 rounds."""
    sides = tuple(min(tile, size) for size in values.shape)
    expected = equalize_adapthist(values, sides, clip / HISTOGRAM_BINS, HISTOGRAM_BINS)
    found = equalise(values, tile, clip).numpy()
    return np.mean(np.abs(found - expected) > 1e-9)


@settings(max_examples=30)
@given(
    seed=st.integers(0, 1000),
    shape=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    tile=st.integers(2, 40),
    clip=st.sampled_from([0.3, 1.0, 2.0, 7.5, 40.0, 1000.0]),
    zeros=st.sampled_from([0.0, 0.5, 0.95]),
)
def test_random_slices_come_out_the_same(seed, shape, tile, clip, zeros):
    random = np.random.default_rng(seed)
    values = random.random(shape) ** 2
    values[random.random(shape) < zeros] = 0
    values[0, 0] = 1
    values[-1, -1] = 0
    if values.max() > values.min():
        assert differing(values, tile, clip) == 0


def test_a_smooth_slice_that_hits_the_edges_of_bins():
    assert differing(np.linspace(0, 1, 64 * 48).reshape(64, 48)) == 0


def test_constant_slices():
    np.testing.assert_array_equal(equalise(np.full((20, 9), 0.4), 16, 2.0), 0)
    # Not constant, but in 16 bits: what scikit-image makes of it.
    nearly = np.full((20, 9), 0.4)
    nearly[3, 3] += 1e-9
    assert differing(nearly) == 0


@settings(max_examples=50)
@given(
    counts=st.lists(st.integers(0, 60), min_size=3, max_size=40),
    limit=st.integers(1, 12),
    seed=st.integers(0, 1000),
)
def test_histograms_are_clipped_as_scikit_image_does(counts, limit, seed):
    places = np.random.default_rng(seed).choice(HISTOGRAM_BINS, len(counts), replace=False)
    histograms = np.zeros((2, HISTOGRAM_BINS), np.int32)
    histograms[0, places] = counts
    histograms[1] = 3  # its neighbour keeps its own account
    found = clipped(tf.constant(histograms), tf.constant(limit)).numpy()
    for mine, row in zip(found, histograms, strict=True):
        np.testing.assert_array_equal(mine, clip_histogram(row.astype(np.int64), limit))


def test_clipping_loses_what_has_no_room():
    full = np.full((1, HISTOGRAM_BINS), 5, np.int32)
    np.testing.assert_array_equal(clipped(tf.constant(full), tf.constant(2)), 2)

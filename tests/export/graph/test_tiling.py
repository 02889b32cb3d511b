"""Tiles in the graph against tiles in NumPy: the same places, the same weights."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from voxres_tf.contract import OVERLAP
from voxres_tf.export.graph import tiling
from voxres_tf.inference.tiling import Tiling, mirrored_too, predict_tiled

TILE = (8, 12, 6)
SPEC = tf.TensorSpec([None, None, None, 2], tf.float32)


def leaning(tiles):
    """Two classes, by a tile's values and by the place of a voxel in it; NumPy or TensorFlow."""
    place = np.linspace(0, 1, TILE[0], dtype=np.float32)[:, None, None, None]
    return tiles + place * np.float32([1, -1]) + np.linspace(0, 1, TILE[2])[:, None].astype("f4")


in_graph = tf.function(
    lambda image: tiling.predict_tiled([image[..., :1], image[..., 1:]], leaning, 2, TILE, OVERLAP),
    input_signature=[SPEC],
    autograph=False,
)


@settings(max_examples=30)
@given(shape=st.tuples(*[st.integers(1, 40)] * 3), seed=st.integers(0, 100))
def test_every_shape_is_blended_as_numpy_blends_it(shape, seed):
    image = np.random.default_rng(seed).normal(size=(*shape, 2)).astype(np.float32)
    found = in_graph(image).numpy()
    np.testing.assert_allclose(found, predict_tiled(image, leaning, 2, Tiling(TILE)), atol=2e-6)


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.8])
def test_overlap_and_mirror_images(overlap):
    image = np.random.default_rng(0).normal(size=(19, 25, 17, 2)).astype(np.float32)
    found = tiling.predict_tiled(
        [tf.constant(image)], tiling.mirrored_too(leaning), 2, TILE, overlap
    )
    expected = predict_tiled(image, mirrored_too(leaning), 2, Tiling(TILE, overlap))
    np.testing.assert_allclose(found, expected, atol=2e-6)
    plain = predict_tiled(image, leaning, 2, Tiling(TILE, overlap))
    assert np.abs(expected - plain).max() > 0.1


def test_a_network_that_answers_nan_is_an_error():
    with pytest.raises(tf.errors.InvalidArgumentError, match="voxres: probabilities must be fin"):
        in_graph(np.full((8, 12, 6, 2), np.nan, np.float32))

"""Pieces in the graph against pieces in NumPy: the same voxels."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from voxres_tf.export.graph import pieces
from voxres_tf.inference.pieces import drop_loose, loose_tissue

in_graph = tf.function(
    pieces.loose_tissue, input_signature=[tf.TensorSpec([None] * 3, tf.bool)], autograph=False
)


def blobs(shape: tuple[int, ...], seed: int, share: float) -> NDArray[np.bool_]:
    smooth = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), (9, 9, 2))
    tissue: NDArray[np.bool_] = smooth > np.quantile(smooth, share)
    return tissue


@settings(max_examples=60)
@given(st.tuples(*[st.integers(1, 130)] * 2, st.integers(1, 24)), st.integers(0, 1000),
       st.floats(0.2, 0.8))  # fmt: skip
def test_the_same_voxels_are_loose(shape: tuple[int, int, int], seed: int, share: float) -> None:
    tissue = blobs(shape, seed, share)
    np.testing.assert_array_equal(in_graph(tissue).numpy(), loose_tissue(tissue))


def test_pieces_that_wind_are_whole() -> None:
    # A way through blocks that turns back and forth, so that news of it comes slowly.
    tissue = np.zeros((400, 400, 3), bool)
    tissue[..., 0] = np.arange(400)[:, None] // 20 % 2 == 0
    tissue[20:, 380:, 0] |= np.arange(20, 400)[:, None] // 20 % 4 == 1
    tissue[20:, :20, 0] |= np.arange(20, 400)[:, None] // 20 % 4 == 3
    tissue[200:220, 200:220, 0] = False
    tissue[380:, 380:, 2] = True
    np.testing.assert_array_equal(in_graph(tissue).numpy(), loose_tissue(tissue))
    assert not loose_tissue(tissue).any()


def test_probabilities_without_loose_tissue() -> None:
    tissue = blobs((120, 90, 20), 3, 0.75)
    probabilities = np.where(tissue[..., None], (0.3, 0.4, 0.3), (0.4, 0.3, 0.3)).astype("f4")
    found = pieces.without_loose(tf.constant(probabilities)).numpy()
    assert drop_loose(probabilities) > 100
    np.testing.assert_array_equal(found, probabilities)

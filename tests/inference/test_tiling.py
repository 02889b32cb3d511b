from __future__ import annotations

import tracemalloc
from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxres_tf.errors import ConfigError, DataError, ModelError
from voxres_tf.inference.tiling import Tiling, predict_tiled, tile_starts

SIZES = st.integers(1, 10)
SHAPES = st.tuples(SIZES, SIZES, SIZES)
TILES = st.tuples(st.integers(2, 7), st.integers(2, 7), st.integers(2, 7))
OVERLAPS = st.sampled_from([0.0, 0.25, 0.5, 0.7])
BLENDS = st.sampled_from(["gaussian", "constant"])


@pytest.mark.parametrize(
    ("size", "tile", "overlap", "starts"),
    [
        (10, 4, 0.5, [0, 2, 4, 6]),
        (11, 4, 0.5, [0, 1, 3, 5, 7]),
        (10, 5, 0.0, [0, 5]),
        (4, 4, 0.5, [0]),
        # One voxel short: the tile sticks out by 0 in front and 1 behind, as a crop does.
        (3, 4, 0.5, [0]),
        (48, 80, 0.5, [-16]),
        (240, 80, 0.5, [0, 40, 80, 120, 160]),
        (3, 1, 0.9, [0, 1, 2]),
        # As a float, 80 * (1 - 0.8) is a little less than 16.
        (160, 80, 0.8, [0, 16, 32, 48, 64, 80]),
    ],
)
def test_starts_by_hand(size, tile, overlap, starts):
    assert tile_starts(size, tile, overlap) == starts


@given(st.integers(1, 300), st.integers(1, 90), st.floats(0, 0.95))
def test_starts_cover_every_voxel_evenly(size, tile, overlap):
    starts = tile_starts(size, tile, overlap)
    if size <= tile:
        assert len(starts) == 1
        assert starts[0] <= 0
        assert starts[0] + tile >= size
        return
    gaps = np.diff(starts)
    assert starts[0] == 0
    assert starts[-1] + tile == size
    assert gaps.min() >= 1
    assert gaps.max() - gaps.min() <= 1
    assert gaps.max() <= max(1, tile * (1 - overlap) + 1e-6)


@given(SHAPES, TILES, OVERLAPS, BLENDS, st.integers(1, 3), st.integers(0, 99))
def test_identity_gives_the_input_back(shape, tile, overlap, blend, batch, seed):
    image = np.random.default_rng(seed).standard_normal((*shape, 2), np.float32)
    seen: list[int] = []
    tiling = Tiling(tile, overlap, blend, batch)
    result = predict_tiled(image, lambda tiles: tiles, 2, tiling, progress=seen.append)
    assert result.dtype == np.float32
    assert result.shape == image.shape
    np.testing.assert_allclose(result, image, atol=2e-6, rtol=2e-6)
    assert sum(seen) == tiling.count(shape)
    assert max(seen) <= batch


@given(SHAPES, TILES, OVERLAPS, BLENDS)
def test_constant_stays_constant_and_sums_to_1(shape, tile, overlap, blend):
    wanted = np.array([0.5, 0.25, 0.125, 0.125], np.float32)
    result = predict_tiled(
        np.ones((*shape, 1), np.float32),
        lambda tiles: np.broadcast_to(wanted, (*tiles.shape[:4], 4)),
        4,
        Tiling(tile, overlap, blend),
    )
    np.testing.assert_allclose(result, np.broadcast_to(wanted, result.shape), atol=1e-6)
    np.testing.assert_allclose(result.sum(-1), 1, atol=1e-6)


def numbered_tiles():
    """First tile: all class 0. Second tile: all class 1."""
    calls = iter(range(2))

    def function(tiles):
        return np.full((*tiles.shape[:4], 2), np.eye(2)[next(calls)], np.float32)

    return function


def test_blend_by_hand():
    # Two tiles of 3 over 4 voxels: sigma = 3/8, so the window is (w, 1, w) with the w below.
    # In the middle the first tile's weights are 1, w and the second's w, 1.
    w = exp(-0.5 * (1 / 0.375) ** 2)
    image = np.zeros((4, 1, 1, 1), np.float32)
    gaussian = predict_tiled(image, numbered_tiles(), 2, Tiling((3, 1, 1)))
    constant = predict_tiled(image, numbered_tiles(), 2, Tiling((3, 1, 1), blend="constant"))
    np.testing.assert_allclose(gaussian[:, 0, 0, 0], [1, 1 / (1 + w), w / (1 + w), 0], atol=1e-6)
    np.testing.assert_allclose(constant[:, 0, 0, 0], [1, 0.5, 0.5, 0])


def test_padding_is_zeros_on_both_sides():
    seen = []

    def function(tiles):
        seen.append(tiles[0, :, 0, 0, 0].tolist())
        return tiles

    result = predict_tiled(np.ones((2, 1, 1, 1), np.float32), function, 1, Tiling((5, 1, 1)))
    # Three voxels short: one in front, two behind.
    assert seen == [[0, 1, 1, 0, 0]]
    assert result.shape == (2, 1, 1, 1)


def test_memory_is_the_result_and_a_batch_of_tiles():
    image = np.zeros((96, 96, 96, 1), np.float32)
    tracemalloc.start()
    predict_tiled(image, lambda tiles: tiles, 1, Tiling((16, 16, 16), batch=2))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < image.nbytes + 30 * 16**3 * 4


@pytest.mark.parametrize(
    "options",
    [
        {"tile": (8, 8)},
        {"tile": (8, 0, 8)},
        {"tile": 8},
        {"tile": (8.0, 8, 8)},
        {"batch": 1.5},
        {"overlap": "0.5"},
        {"batch": 0},
        {"overlap": -0.1},
        {"overlap": 1.0},
        {"blend": "square"},
    ],
)
def test_options_out_of_range(options):
    with pytest.raises(ConfigError, match="tiles: three whole sizes"):
        Tiling(**({"tile": (8, 8, 8)} | options))


@pytest.mark.parametrize("shape", [(8, 8, 8), (0, 8, 8, 1)])
def test_image_of_a_wrong_shape(shape):
    with pytest.raises(DataError, match="none of them 0"):
        predict_tiled(np.zeros(shape, np.float32), lambda t: t, 1, Tiling((8, 8, 8)))


@pytest.mark.parametrize(
    ("function", "received"),
    [(lambda t: t[..., :0], r"\(1, 8, 8, 8, 0\)"), (lambda t: t * np.nan, "NaN or infinity")],
)
def test_answers_that_are_none(function, received):
    with pytest.raises(ModelError, match=received):
        predict_tiled(np.ones((8, 8, 8, 1), np.float32), function, 1, Tiling((8, 8, 8)))

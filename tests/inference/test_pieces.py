"""What is apart from the brain goes, the brain stays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from voxres_tf.inference.pieces import REACH, drop_loose, loose_tissue

Mask = NDArray[np.bool_]


def head(*, neck_mm: int = 24, cord_mm: int = 12) -> tuple[Mask, Mask]:
    """A brain with a cord, and a piece of neck around that, far below; bool [120, 120, 150]."""
    x, y, z = np.indices((120, 120, 150))
    brain = (x - 60) ** 2 + (y - 60) ** 2 + (z - 100) ** 2 < 45**2
    cord = (abs(x - 60) < cord_mm / 2) & (abs(y - 60) < cord_mm / 2) & (z < 60)
    neck = (abs(x - 60) < neck_mm / 2) & (abs(y - 50) < neck_mm) & (z < 30)
    return brain, (cord | neck) & ~brain


def test_a_neck_is_loose_though_a_cord_joins_it_to_the_brain() -> None:
    brain, below = head()
    loose = loose_tissue(brain | below)
    assert not (loose & brain).any()
    assert loose[..., :40].any()
    np.testing.assert_array_equal(loose[..., :40], below[..., :40])
    # Next to the brain, the cord stays.
    assert not loose[..., 60 - REACH[2] :].any()


def test_a_neck_that_is_joined_broadly_cannot_be_told_apart() -> None:
    brain, below = head(cord_mm=50)
    assert not loose_tissue(brain | below).any()


@pytest.mark.parametrize(("slices", "kept"), [(5, True), (4, False)])
def test_a_piece_of_a_tenth_stays_as_in_a_field_of_view_that_cuts_a_brain(
    slices: int, kept: bool
) -> None:
    # 200 blocks beside 20, or 16.
    x, y, z = np.indices((200, 100, 10))
    tissue = (x < 100) & (y < 80)
    other = (x >= 160) & (x < 180) & (y < 80) & (z < slices)
    expected = np.zeros_like(other) if kept else other
    np.testing.assert_array_equal(loose_tissue(tissue | other), expected)


def test_sulci_that_were_not_found_leave_the_brain_whole() -> None:
    brain, below = head()
    pitted = (brain | below) & (np.random.default_rng(0).random(brain.shape) > 0.1)
    loose = loose_tissue(pitted)
    assert not (loose & brain).any()
    assert loose[..., :30].sum() > 0.8 * below[..., :30].sum()


@pytest.mark.parametrize("shape", [(10, 12, 5), (40, 40, 1)])
def test_where_no_block_is_full_nothing_is_loose(shape: tuple[int, int, int]) -> None:
    tissue = np.random.default_rng(0).random(shape) > 0.5
    assert not loose_tissue(tissue).any()


@settings(max_examples=30)
@given(st.tuples(*[st.integers(1, 70)] * 3), st.integers(0, 1000), st.floats(0.2, 0.8))
def test_what_is_loose_was_tissue_and_a_second_look_finds_no_more(
    shape: tuple[int, int, int], seed: int, share: float
) -> None:
    noise = np.random.default_rng(seed).normal(size=shape)
    smooth = ndimage.gaussian_filter(noise, 8)
    tissue: Mask = smooth > np.quantile(smooth, share)
    loose = loose_tissue(tissue)
    assert not (loose & ~tissue).any()
    assert not loose_tissue(tissue & ~loose).any()


def test_loose_tissue_becomes_background_and_nothing_else_changes() -> None:
    brain, below = head()
    probabilities = np.zeros((*brain.shape, 4), np.float32)
    probabilities[...] = (0.4, 0.3, 0.2, 0.1)
    probabilities[brain | below] = (0.3, 0.2, 0.4, 0.1)
    before = probabilities.copy()
    loose = loose_tissue(brain | below)
    assert drop_loose(probabilities) == loose.sum() > 0
    np.testing.assert_array_equal(probabilities[~loose], before[~loose])
    np.testing.assert_array_equal(np.unique(probabilities[loose], axis=0), [[1, 0, 0, 0]])

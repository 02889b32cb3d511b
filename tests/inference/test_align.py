"""Scans put onto each other by the tissues found in each alone."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.transform import Rotation

from benchmarks.misregistered import put_back
from tests.inference.heads import OFFSETS, SHAPE, SPACING_MM, head
from voxres_tf.grid import Grid, from_canonical, to_canonical
from voxres_tf.inference.align import aligned
from voxres_tf.inference.offset import Offset, Tissue, offset_of
from voxres_tf.volume import Volume

NAMES = ("t1", "t1-ir", "flair")


def tissue(probabilities) -> Tissue:
    found = Tissue.of(probabilities, SPACING_MM)
    assert found is not None
    return found


@pytest.mark.parametrize("offset", OFFSETS)
def test_an_offset_is_found(offset: Offset) -> None:
    found, soft_dice = offset_of(tissue(head(offset)), tissue(head()), SPACING_MM)
    assert found.rotation_deg == pytest.approx(offset.rotation_deg, abs=0.15)
    assert found.translation_mm == pytest.approx(offset.translation_mm, abs=0.1)
    assert soft_dice > 0.98


mm = st.floats(-3, 3)


@settings(max_examples=5, deadline=None)
@given(shift=st.tuples(mm, mm, mm))
def test_there_and_back_is_no_offset(shift) -> None:
    own, aim = tissue(head(Offset((1.0, -1.0, 0.5), shift))), tissue(head())
    there, back = (offset_of(*pair, SPACING_MM)[0] for pair in ((own, aim), (aim, own)))
    both = np.eye(4)
    for offset in (there, back):
        turn = Rotation.from_rotvec(offset.rotation_deg, degrees=True).as_matrix()
        both = np.block([[turn, np.array(offset.translation_mm)[:, None]], [0, 0, 0, 1]]) @ both
    assert np.abs(both - np.eye(4)).max() < 0.15


def test_smoothing_does_not_move_what_lies_in_place() -> None:
    blurred = ndimage.gaussian_filter(head(), (1, 1, 0.5, 0))
    found, _ = offset_of(tissue(blurred), tissue(head()), SPACING_MM)
    assert max(found.size) < 0.05


def test_a_scan_without_its_offset_is_what_it_would_have_been() -> None:
    # Stored from right to left, the slices first.
    affine = np.zeros((4, 4))
    affine[[0, 1, 2, 3], [1, 2, 0, 3]] = (-SPACING_MM[0], SPACING_MM[1], SPACING_MM[2], 1)
    offset = OFFSETS[2]
    grid = Grid((SHAPE[2], SHAPE[0], SHAPE[1]), affine)
    there, here = (from_canonical(head(o)[..., 3], grid) for o in (offset, None))
    assert to_canonical(here, grid).shape == SHAPE
    back = put_back(Volume(there, grid), offset)
    assert back.data.dtype == np.float32
    assert np.abs(back.data - here).mean() < 0.1 * np.abs(there - here).mean()


def scans(*offsets: Offset | None):
    """Three scans whose contrasts differ; one without an offset is missing."""
    orders = ([0, 1, 2, 3], [0, 3, 1, 2], [0, 1, 3, 2])
    found = [
        np.zeros(SHAPE) if offset is None else head(offset) @ order
        for offset, order in zip(offsets, orders, strict=True)
    ]
    return np.stack(found, axis=-1).astype(np.float32)


def perfect(*offsets: Offset | None):
    """What a model that makes no error would find in any of them."""

    def segment(image):
        (number,) = np.flatnonzero(image.any(axis=(0, 1, 2)))
        return head(offsets[number])

    return segment


def test_scans_are_moved_onto_the_first_one() -> None:
    offsets = (OFFSETS[0], OFFSETS[1], OFFSETS[2])
    given_, wanted = scans(*offsets), scans(*[Offset()] * 3)
    found, done = aligned(given_, SPACING_MM, NAMES, perfect(*offsets))
    assert (list(done.offsets), done.left) == (["t1-ir", "flair"], {})
    assert done.offsets["flair"].translation_mm == pytest.approx(OFFSETS[2].translation_mm, abs=0.1)
    np.testing.assert_array_equal(found[..., 0], given_[..., 0])
    wrong, left = (np.abs(s[..., 2] - wanted[..., 2]).mean() for s in (given_, found))
    assert left < 0.1 * wrong


@pytest.mark.parametrize("there", [(0,), (2,), (1, 2)])
def test_nothing_is_moved_without_the_first_scan_or_another(there) -> None:
    given_ = scans(*(OFFSETS[2] if n in there else None for n in range(3)))
    found, done = aligned(given_, SPACING_MM, NAMES, lambda _: pytest.fail("was asked"))
    assert found is given_
    assert (done.offsets, done.left) == ({}, {})


def test_a_scan_without_tissue_is_left_where_it_lies() -> None:
    offsets = OFFSETS[:3]
    given_ = scans(*offsets)

    def nothing_in(number):
        def segment(image):
            found = perfect(*offsets)(image)
            return np.eye(4)[np.zeros(SHAPE, int)] if image[..., number].any() else found

        return segment

    found, done = aligned(given_, SPACING_MM, NAMES, nothing_in(2))
    assert list(done.offsets) == ["t1-ir"]
    assert done.left == {"flair": "hardly any tissue was found in flair alone"}
    np.testing.assert_array_equal(found[..., 2], given_[..., 2])
    found, done = aligned(given_, SPACING_MM, NAMES, nothing_in(0))
    assert done.left == dict.fromkeys(NAMES[1:], "hardly any tissue was found in t1 alone")
    np.testing.assert_array_equal(found, given_)


def test_another_head_is_no_head_that_moved() -> None:
    offsets = (Offset(), None, Offset((0.0, 0.0, 0.0), (0.0, 24.0, 0.0)))
    given_ = scans(*offsets)
    found, done = aligned(given_, SPACING_MM, NAMES, perfect(*offsets))
    assert re.fullmatch(r"they seem to lie [01] degrees and 24 mm apart", done.left["flair"])
    assert done.offsets == {}
    np.testing.assert_array_equal(found, given_)


def test_tissues_that_do_not_agree_move_nothing() -> None:
    offsets = (Offset(), None, OFFSETS[1])

    def confused(image):
        found = perfect(*offsets)(image)
        return found[..., [0, 2, 3, 1]] if image[..., 2].any() else found

    given_ = scans(*offsets)
    found, done = aligned(given_, SPACING_MM, NAMES, confused)
    (why,) = done.left.values()
    assert why.startswith("the tissues found in either alone agree by ")
    np.testing.assert_array_equal(found, given_)


def test_what_is_flat_has_no_offset() -> None:
    # As a field of view that holds nothing but one tissue.
    flat = np.broadcast_to(np.float32([0, 0, 1, 0]), (*SHAPE, 4))
    found, soft_dice = offset_of(tissue(flat), tissue(flat), SPACING_MM)
    assert max(found.size) < 1e-6
    assert soft_dice == pytest.approx(1)

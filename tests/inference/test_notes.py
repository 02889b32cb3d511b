"""What a person is told of a subject that was segmented without an error."""

from __future__ import annotations

import numpy as np
import pytest

from voxres_tf.grid import Grid
from voxres_tf.inference.notes import (
    coarse_note,
    extent_mm,
    large_note,
    loose_note,
    scan_notes,
    scarce_note,
)
from voxres_tf.inference.outcome import Outcome
from voxres_tf.labels import CLASS_NAMES
from voxres_tf.volume import Volume

TISSUES = ("CSF", "GM", "WM")


def head(*signals: float) -> tuple[np.ndarray, np.ndarray]:
    """A scan with these signals of air, CSF, GM and WM, 27 ml each, and the labels."""
    labels = np.repeat(np.arange(4, dtype=np.uint8), 30)[:, None, None] * np.ones((1, 30, 30), "u1")
    noise = np.random.default_rng(0).normal(0, 5, labels.shape)
    return np.float32(signals)[labels] + noise.astype(np.float32), labels


@pytest.mark.parametrize(
    ("signals", "noted"),
    [
        ((0, 30, 70, 100), False),
        ((0, -90, -10, 80), False),  # with signs
        ((0, 20, 100, 90), True),  # FLAIR
        ((0, 20, 88, 100), True),
        ((0, 100, 60, 40), True),  # T2
    ],
)
def test_a_t1_in_which_white_matter_is_not_bright_is_told(
    signals: tuple[float, ...], noted: bool
) -> None:
    scan, labels = head(*signals)
    for name, expected in (("t1", noted), ("flair", False)):
        found = scan_notes({name: scan}, labels, CLASS_NAMES, 0.001)
        assert [note[:12] for note in found] == ["white matter"] * expected
    assert scan_notes({"t1": scan}, labels, ("background", "a", "b", "c"), 0.001) == []
    assert scan_notes({"t1": scan}, labels, CLASS_NAMES, 0.0005) == []  # 13 ml of each


def test_a_stripped_t1_is_no_flair() -> None:
    scan, labels = head(0, 30, 85, 100)
    scan[labels < 2] = 0
    assert scan_notes({"t1": scan}, labels, CLASS_NAMES, 0.001) == []


def test_a_label_map_in_the_place_of_a_scan_is_told() -> None:
    scan, labels = head(0, 30, 70, 100)
    (note,) = scan_notes({"t1": scan, "flair": labels}, labels, CLASS_NAMES, 0.001)
    assert note.startswith("flair has only 4 different values")
    scan[:] = 0
    scan[0, 0, :16] = range(16)  # rare values count, too
    assert scan_notes({"flair": scan}, labels, CLASS_NAMES, 0.001) == []


@pytest.mark.parametrize(
    ("own", "noted"),
    [([1, 1, 8.2], False), ([1, 1, 8.3], True), ([1.6, 1, 5], True), ([0.3, 0.3, 0.3], False)],
)
def test_voxels_half_as_long_again_as_the_network_s(own: list[float], noted: bool) -> None:
    assert bool(coarse_note(own, [1.0, 1.0, 5.5])) == noted


def test_extents_are_those_of_the_head_s_axes_without_specks() -> None:
    # The first array axis runs to the front by 3 mm, the second down by 2, the third right by 1.
    affine = np.array([[0, 0, 1.0, 0], [3.0, 0, 0, 0], [0, -2.0, 0, 0], [0, 0, 0, 1]])
    labels = np.zeros((20, 30, 40), np.uint8)
    labels[4:14, 5:25, 10:30] = 2
    labels[:, 27, 12] = 1  # 20 voxels of 3 mm2 seen from above.
    volume = Volume(labels, Grid(labels.shape, affine, sform=affine, sform_code=1))
    assert extent_mm(volume) == (20, 30, 40)
    assert extent_mm(Volume(np.zeros_like(labels), volume.grid)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("found", "oriented", "noted"),
    [
        ([150, 190, 160], True, False),
        ([150, 190, 195], True, True),
        ([150, 190, 195], False, False),
        ([195, 190, 160], True, True),
        ([150, 215, 150], True, True),
        ([215, 150, 150], False, True),
        ([], True, False),
    ],
)
def test_tissue_longer_than_a_brain(found: list[float], oriented: bool, noted: bool) -> None:
    note = large_note(found, TISSUES, oriented=oriented)
    assert bool(note) == noted
    assert not noted or "face, neck or scalp" in str(note)
    assert large_note(found, ("tumour",), oriented=oriented) is None


@pytest.mark.parametrize(("ml", "noted"), [(None, False), (9.9, False), (10.1, True)])
def test_tissue_that_was_made_background(ml: float | None, noted: bool) -> None:
    note = loose_note(ml)
    assert bool(note) == noted
    assert not noted or str(note).startswith("10 ml of tissue apart from the brain")


@pytest.mark.parametrize(
    ("share", "noted"), [(None, False), (0.0, True), (0.009, True), (0.01, False)]
)
def test_hardly_any_tissue(share: float | None, noted: bool) -> None:
    note = scarce_note(share, TISSUES)
    assert bool(note) == noted
    assert not noted or f"{100 * (share or 0):.2g} % of the voxels are tissue" in str(note)
    assert scarce_note(share, ("tumour",)) is None


def test_an_outcome_names_the_subject_in_each_note() -> None:
    outcome = Outcome(
        "sub-1",
        volumes_ml=dict.fromkeys(TISSUES, 500.0),
        spacing_mm=[1.0, 1.0, 5.5],
        own_spacing_mm=[1.0, 1.0, 9.0],
        extent_mm=[140.0, 180.0, 230.0],
        tissue_share=0.001,
        loose_ml=12.0,
        oriented=True,
    )
    first, second, third, fourth = outcome.notes
    assert first.startswith("sub-1: voxels of 1 x 1 x 9 mm")
    assert second.startswith("sub-1: tissue over 140 x 180 x 230 mm")
    assert third.startswith("sub-1: 12 ml of tissue apart from the brain")
    assert fourth.startswith("sub-1: 0.1 % of the voxels are tissue")
    assert Outcome("sub-1", failure="why").notes == []

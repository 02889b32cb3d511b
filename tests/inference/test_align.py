"""Scans put onto each other by the tissues found in each alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from voxres_tf.dataset.subject import Subject
from voxres_tf.errors import DataError
from voxres_tf.inference.align import Offset, aligned, offset_of, put_back
from voxres_tf.volume import Grid, Volume

SHAPE, SPACING_MM = (88, 104, 40), (1.0, 0.9, 3.0)


def grid(*, oblique: bool = False) -> Grid:
    axes = np.diag(SPACING_MM) * (-1, 1, 1)  # Stored from right to left.
    if oblique:
        axes = Rotation.from_euler("x", 20, degrees=True).as_matrix() @ axes
    affine = np.eye(4)
    affine[:3, :3] = axes
    affine[:3, 3] = (30, -20, 11)
    return Grid(SHAPE, affine)


def head(own: Grid, offset: Offset | None = None) -> NDArray[np.float32]:
    """Probabilities of four classes in a lopsided head that lies off by an offset, [X, Y, Z, 4]."""
    voxels = np.indices(SHAPE).reshape(3, -1).T
    middle = own.affine[:3, :3] @ ((np.array(SHAPE) - 1) / 2)
    at = voxels @ own.affine[:3, :3].T - middle
    if offset is not None:
        turn = Rotation.from_rotvec(offset.turn_deg, degrees=True)
        at = turn.inv().apply(at - offset.shift_mm)
    radius = np.linalg.norm(at / (30, 38, 33), axis=1)
    bumps = 0.12 * np.sin(at[:, 0] / 6) * np.cos(at[:, 1] / 7) + 0.1 * np.sin(at[:, 2] / 9 + 1)
    inside = [1 / (1 + np.exp((radius + bumps - edge) * 20)) for edge in (1.0, 0.85, 0.6)]
    shells = [1 - inside[0], inside[0] - inside[1], inside[1] - inside[2], inside[2]]
    return np.stack(shells, -1).reshape(*SHAPE, 4).astype(np.float32)


OFFSETS = [
    Offset(),
    Offset((0.0, 0.0, 0.0), (0.4, -0.9, 0.6)),
    Offset((2.0, -3.0, 1.5), (-3.0, 4.0, 2.0)),
    Offset((-6.0, 4.0, 8.0), (7.0, 5.0, -9.0)),
]


@pytest.mark.parametrize("oblique", [False, True])
@pytest.mark.parametrize("offset", OFFSETS)
def test_an_offset_is_found(offset: Offset, oblique: bool) -> None:
    own = grid(oblique=oblique)
    found = offset_of(head(own, offset), head(own), own)
    assert found.turn_deg == pytest.approx(offset.turn_deg, abs=0.1)
    assert found.shift_mm == pytest.approx(offset.shift_mm, abs=0.06)


def test_a_scan_without_its_offset_is_what_it_would_have_been() -> None:
    own, offset = grid(oblique=True), OFFSETS[2]
    there, here = head(own, offset)[..., 3], head(own)[..., 3]
    back = put_back(Volume(there, own), offset)
    assert back.data.dtype == np.float32
    assert np.abs(back.data - here).mean() < 0.1 * np.abs(there - here).mean()


def test_next_to_no_offset_leaves_a_scan_alone() -> None:
    scan = Volume(np.zeros(SHAPE, np.int16), grid())
    assert put_back(scan, Offset((0.01, 0.0, 0.0), (0.0, 0.01, 0.0))) is scan


def subject(offset: Offset) -> Subject:
    """Two scans whose contrasts differ; the second one lies off."""
    own = grid()
    scans = {"t1": head(own) @ [0, 1, 2, 3], "flair": head(own, offset) @ [0, 1, 3, 2]}
    volumes = {m: Volume(scan.astype(np.float32), own) for m, scan in scans.items()}
    return Subject("9", volumes, own)


def perfect(offset: Offset):
    """What a model that makes no error would find in either scan."""

    def segment(given: Subject) -> Volume:
        (name,) = given.images
        return Volume(head(grid(), offset if name == "flair" else None), grid())

    return segment


def test_scans_are_moved_onto_the_first_one() -> None:
    offset = OFFSETS[2]
    given, wanted = subject(offset), subject(Offset())
    found, offsets = aligned(given, ("t1", "flair"), perfect(offset))
    assert list(offsets) == ["flair"]
    assert offsets["flair"].shift_mm == pytest.approx(offset.shift_mm, abs=0.06)
    assert found.images["t1"] is given.images["t1"]
    wrong, left = (
        np.abs(s.images["flair"].data - wanted.images["flair"].data).mean() for s in (given, found)
    )
    assert left < 0.1 * wrong


def test_one_scan_is_left_alone() -> None:
    given = replace(subject(Offset()), images={"t1": subject(Offset()).images["t1"]})
    found, offsets = aligned(given, ("t1",), lambda _: pytest.fail("was asked"))
    assert (found, offsets) == (given, {})


def test_a_scan_without_tissue_cannot_be_aligned() -> None:
    def nothing(given: Subject) -> Volume:
        found = perfect(Offset())(given)
        if "flair" in given.images:
            found.data[..., 1:], found.data[..., 0] = 0, 1
        return found

    with pytest.raises(DataError, match=r"9, flair.*hardly any.*without --align"):
        aligned(subject(Offset()), ("t1", "flair"), nothing)


def test_another_head_is_no_head_that_moved() -> None:
    far = Offset((0.0, 0.0, 0.0), (0.0, 24.0, 0.0))
    with pytest.raises(DataError, match=r"9, flair.*at most 20 .*24 mm"):
        aligned(subject(far), ("t1", "flair"), perfect(far))


def test_smoothing_does_not_move_what_lies_in_place() -> None:
    own = grid()
    blurred = ndimage.gaussian_filter(head(own), (1, 1, 0.5, 0))
    found = offset_of(blurred, head(own), own)
    assert max(found.size) < 0.05

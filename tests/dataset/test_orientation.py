"""Subjects whose scans tell not how they lie, or lie in different spaces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from voxres_tf.dataset.subject import SubjectFiles, orientation_note, read_subject
from voxres_tf.errors import DataError
from voxres_tf.grid import Grid
from voxres_tf.volume import write_volume

SHAPE = (6, 7, 5)


def write(path: Path, code: int, affine: np.ndarray | None = None) -> Path:
    affine = np.eye(4) if affine is None else affine
    values = np.random.default_rng(len(path.name)).integers(0, 1000, SHAPE).astype(np.int16)
    write_volume(path, values, Grid(SHAPE, affine, affine, code))
    return path


def subject(folder: Path, **codes: int) -> SubjectFiles:
    folder.mkdir()
    images = {name: write(folder / f"{name}.nii", code) for name, code in codes.items()}
    return SubjectFiles(folder.name, images)


def test_the_first_scan_that_says_not_how_it_lies_is_named(tmp_path: Path) -> None:
    subjects = [subject(tmp_path / "a", t1=1, flair=0), subject(tmp_path / "b", t1=0, flair=0)]
    note = orientation_note(subjects)
    assert note is not None
    assert note.startswith(
        f"{tmp_path / 'a' / 'flair.nii'}, like 2 more, does not say how it lies (no"
    )
    assert orientation_note(subjects, ["t1"]) == note.replace(
        f"{tmp_path / 'a' / 'flair.nii'}, like 2 more,", f"{tmp_path / 'b' / 't1.nii'}"
    )
    assert orientation_note(subjects[:1], ["t1"]) is None
    assert orientation_note([]) is None


def test_files_that_cannot_be_read_are_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "t1.nii").write_text("no scan")
    files = SubjectFiles("a", {"t1": tmp_path / "t1.nii", "flair": tmp_path / "none.nii"})
    assert orientation_note([files]) is None


@pytest.mark.parametrize("resample_to", [None, "t1"])
def test_a_scan_in_a_template_s_space_is_not_compared(
    tmp_path: Path, resample_to: str | None
) -> None:
    moved = np.eye(4)
    moved[0, 3] = 2
    images = {"t1": write(tmp_path / "t1.nii", 1), "flair": write(tmp_path / "f.nii", 4, moved)}
    line = r"f\.nii: .*form codes 4 and 1: one lies in the space of a template\. Give both"
    with pytest.raises(DataError, match=line):
        read_subject(SubjectFiles("a", images), ("t1", "flair"), resample_to=resample_to)
    # Where the voxels of both have one place, its name does not matter.
    images["flair"] = write(tmp_path / "f.nii", 4)
    read_subject(SubjectFiles("a", images), ("t1", "flair"), resample_to=resample_to)

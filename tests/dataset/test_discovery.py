"""Subjects in folders of free names and in manifests, their order, and faults of all layouts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxres_tf.dataset.checks import check_dataset
from voxres_tf.dataset.layouts import find_subjects, natural_key, subject_from_folder
from voxres_tf.dataset.subject import SubjectFiles, read_subject
from voxres_tf.errors import ConfigError, DataError


def ids(subjects: list[SubjectFiles]) -> list[str]:
    return [files.id for files in subjects]


def test_manifest_by_file_and_by_folder(tmp_path, scan):
    scan(tmp_path / "a.nii")
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("subject,t1\ns10,a.nii\ns2,a.nii\n")
    assert ids(find_subjects(manifest)) == ["s2", "s10"]
    assert find_subjects(tmp_path) == find_subjects(manifest, layout="manifest")


def test_folder_with_free_names(tmp_path, scan):
    names = {"t1": "T1.nii", "t1-ir": "t1-ir.nii.gz", "flair": "FLAIR.nii", "t2": "t2.nii.gz"}
    for name in names.values():
        scan(tmp_path / "anna" / name)
    expected = {m: tmp_path / "anna" / name for m, name in names.items()}
    assert subject_from_folder(tmp_path / "anna") == SubjectFiles("anna", expected)


def test_dot_is_no_id(tmp_path, scan, monkeypatch):
    scan(tmp_path / "anna" / "T1.nii")
    monkeypatch.chdir(tmp_path / "anna")
    assert subject_from_folder(Path()).id == "anna"
    assert ids(find_subjects(Path("../anna"))) == ["anna"]


def test_one_scan_in_two_files(tmp_path, scan):
    scan(tmp_path / "1" / "T1.nii")
    scan(tmp_path / "1" / "T1.nii.gz")
    scan(tmp_path / "2" / "T1.nii")
    bad, good = find_subjects(tmp_path)
    assert not good.faults
    fault = r"one file for one scan. Received: T1.nii and T1.nii.gz"
    with pytest.raises(DataError, match=fault):
        read_subject(bad, ("t1",))
    problems = map(str, check_dataset([bad, good], None, need_labels=False, quiet=True))
    assert any(re.search(f"subject 1: .*{fault}", problem) for problem in problems)


def test_labels_in_two_files_matter_to_those_who_read_them(tmp_path, scan):
    for name in ("T1.nii", "LabelsForTesting.nii", "LabelsForTesting.nii.gz"):
        scan(tmp_path / "1" / name)
    (files,) = find_subjects(tmp_path)
    assert list(read_subject(files, ("t1",)).images) == ["t1"]
    with pytest.raises(DataError, match="one file for one scan"):
        read_subject(files, ("t1",), with_labels=True)


def test_nothing_found_names_layouts_and_contents(tmp_path):
    with pytest.raises(DataError, match=r"Received: nothing at that path"):
        find_subjects(tmp_path / "absent")
    with pytest.raises(DataError, match=r"manifest or mrbrains18 or .* Received: an empty folder"):
        find_subjects(tmp_path)
    for n in range(10):
        (tmp_path / f"{n}.txt").touch()
    with pytest.raises(DataError, match=r"Received: 0.txt, 1.txt, .*7.txt and 2 more"):
        find_subjects(tmp_path)
    with pytest.raises(DataError, match="Received: a file"):
        find_subjects(tmp_path / "0.txt")


def test_folder_that_cannot_be_read(tmp_path, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(DataError, match=r"a folder that can be read. Received: .*denied"):
        find_subjects(tmp_path)


def test_unknown_layout(tmp_path):
    with pytest.raises(ConfigError, match=r"a layout is auto, manifest, .* Received: 'brats'"):
        find_subjects(tmp_path, layout="brats")


def test_natural_order():
    assert sorted(["s10", "s2", "S1", "10", "9"], key=natural_key) == ["9", "10", "S1", "s2", "s10"]


@given(st.text(), st.integers(0, 10**6), st.integers(0, 10**6))
def test_natural_order_of_numbers_after_one_prefix(prefix, a, b):
    keys = [natural_key(f"{prefix}_{n}") for n in (a, b)]
    assert (keys[0] < keys[1]) == (a < b)


@given(st.text(), st.text())
def test_natural_keys_of_distinct_texts_differ(a, b):
    assert (natural_key(a) == natural_key(b)) == (a == b)

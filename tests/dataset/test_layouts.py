"""The layouts of public data sets, file by file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from voxres_tf.dataset.layouts import LAYOUTS, find_subjects, left_out_note, subject_from_folder
from voxres_tf.dataset.subject import SubjectFiles, read_subject
from voxres_tf.errors import DataError

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data" / "phantom13"


def ids(subjects: list[SubjectFiles]) -> list[str]:
    return [files.id for files in subjects]


@pytest.fixture
def mrbrains13(tmp_path, scan, drawing):
    """TrainingData 1, 2 and 10 with labels, TestData 1 without; every file of the real thing."""
    root = tmp_path / "MRBrainS13"
    for part, id_, suffix in [
        ("TrainingData", "1", ".nii"),
        ("TrainingData", "2", ".nii.gz"),
        ("TrainingData", "10", ".nii"),
        ("TestData", "1", ".nii"),
    ]:
        folder = root / part / id_
        for name in ("T1", "T1_IR", "T2_FLAIR"):
            scan(folder / f"{name}{suffix}")
        scan(folder / f"T1_1mm{suffix}", shape=(12, 13, 20))
        if part == "TrainingData":
            drawing(folder / f"LabelsForTraining{suffix}", range(9))
            drawing(folder / f"LabelsForTesting{suffix}", range(4))
    return root


@pytest.fixture
def mrbrains18(tmp_path, scan, drawing):
    root = tmp_path / "MRBrainS18"
    for id_ in ("1", "4", "14"):
        folder = root / "training" / id_
        for name in ("pre/reg_T1", "pre/reg_IR", "pre/FLAIR", "orig/T1", "pre/T1"):
            scan(folder / f"{name}.nii.gz")
        drawing(folder / "segm.nii.gz", range(11))
    return root


@pytest.fixture
def ibsr18(tmp_path, scan, drawing):
    """NIfTI with a trailing axis of 1."""
    root = tmp_path / "IBSR18"
    for id_ in ("IBSR_01", "IBSR_02"):
        for name in ("ana", "ana_strip"):
            scan(root / id_ / f"{id_}_{name}.nii.gz", shape=(8, 9, 5, 1))
        drawing(root / id_ / f"{id_}_seg_ana.nii.gz", range(4), shape=(8, 9, 5, 1))
    return root


@pytest.fixture
def iseg2017(tmp_path, scan, drawing):
    """Analyze pairs, all subjects side by side."""
    root = tmp_path / "iSeg"
    for n in (1, 2, 10):
        folder = root / "iSeg-2017-Training"
        for name in ("T1", "T2"):
            scan(folder / f"subject-{n}-{name}.img")
        drawing(folder / f"subject-{n}-label.img", (0, 10, 150, 250))
    scan(root / "iSeg-2017-Testing" / "subject-11-T1.img")
    return root


def test_mrbrains13(mrbrains13):
    subjects = find_subjects(mrbrains13)
    folder = mrbrains13 / "TrainingData"
    assert ids(subjects) == ["1", "2", "10"]
    assert subjects[0] == SubjectFiles(
        "1",
        {
            "t1": folder / "1" / "T1.nii",
            "t1-ir": folder / "1" / "T1_IR.nii",
            "flair": folder / "1" / "T2_FLAIR.nii",
        },
        folder / "1" / "LabelsForTraining.nii",
        "mrbrains13",
    )
    assert subjects[1].images["t1"].name == "T1.nii.gz"
    assert find_subjects(folder) == subjects
    assert find_subjects(folder / "2") == [subjects[1]] == [subject_from_folder(folder / "2")]


def test_mrbrains13_test_subjects_have_no_labels(mrbrains13):
    (files,) = find_subjects(mrbrains13 / "TestData")
    assert (files.id, files.labels) == ("1", None)
    assert files.images["t1"].parent == mrbrains13 / "TestData" / "1"


def test_mrbrains13_with_test_data_alone(mrbrains13):
    (mrbrains13 / "TrainingData").rename(mrbrains13.parent / "elsewhere")
    assert ids(find_subjects(mrbrains13)) == ["1"]


def test_training_folder_without_subjects_does_not_give_test_subjects(mrbrains13):
    (mrbrains13 / "TrainingData").rename(mrbrains13.parent / "elsewhere")
    (mrbrains13 / "TrainingData").mkdir()
    with pytest.raises(DataError, match=r"MRBrainS13: .* Received: TestData, TrainingData"):
        find_subjects(mrbrains13)


def test_mrbrains13_with_testing_labels_alone(mrbrains13):
    folder = mrbrains13 / "TrainingData" / "2"
    (folder / "LabelsForTraining.nii.gz").unlink()
    files = subject_from_folder(folder)
    assert files.labels == folder / "LabelsForTesting.nii.gz"
    assert files.scheme == "tissue"


def test_incomplete_subject_is_not_dropped(mrbrains13):
    for path in (mrbrains13 / "TrainingData" / "2").glob("T*"):
        path.unlink()
    assert ids(find_subjects(mrbrains13)) == ["1", "2", "10"]
    with pytest.raises(DataError, match="a subject's folder holds files"):
        subject_from_folder(mrbrains13 / "TrainingData" / "2")


def test_labels_of_another_layout_hide_no_scans(mrbrains13, drawing):
    drawing(mrbrains13 / "TrainingData" / "1" / "segm.nii.gz", range(9))
    subjects = find_subjects(mrbrains13)
    assert (ids(subjects), subjects[0].scheme) == (["1", "2", "10"], "mrbrains13")


def test_a_scan_under_two_spellings_is_there_twice(mrbrains13, scan):
    folder = mrbrains13 / "TestData" / "1"
    scan(folder / "FLAIR.nii")
    scan(folder / "T1-IR.nii.gz")
    files = subject_from_folder(folder)
    assert set(files.faults) == {"t1-ir", "flair"}
    assert "one file for one scan. Received: FLAIR.nii and T2_FLAIR.nii" in files.faults["flair"]


def test_folders_that_are_left_out_are_told(mrbrains13, scan):
    def note(root):
        return left_out_note(root, find_subjects(root))

    for root in (mrbrains13, mrbrains13 / "TrainingData", mrbrains13 / "TrainingData" / "1"):
        assert note(root) is None
    scan(mrbrains13 / "TrainingData" / "3" / "T1w.nii.gz")
    (mrbrains13 / "TrainingData" / "4").mkdir()
    scan(mrbrains13 / "TrainingData" / "segmented" / "1_dseg.nii.gz")
    for root in (mrbrains13, mrbrains13 / "TrainingData"):
        assert re.match(rf"{root}: the images in 3 are left out", note(root))
    assert note(mrbrains13 / "TestData") is None


def test_other_images_of_a_subject_are_not_left_out(mrbrains18):
    for root in (mrbrains18, mrbrains18 / "training" / "4"):
        assert left_out_note(root, find_subjects(root)) is None


def test_labels_alone_are_a_subject(tmp_path, drawing):
    drawing(tmp_path / "7" / "segm.nii.gz", range(9))
    (files,) = find_subjects(tmp_path)
    assert (files.id, files.images, files.scheme) == ("7", {}, "mrbrains18")


def test_mrbrains18(mrbrains18):
    subjects = find_subjects(mrbrains18)
    folder = mrbrains18 / "training"
    assert ids(subjects) == ["1", "4", "14"]
    assert subjects[1] == SubjectFiles(
        "4",
        {
            "t1": folder / "4" / "pre" / "reg_T1.nii.gz",
            "t1-ir": folder / "4" / "pre" / "reg_IR.nii.gz",
            "flair": folder / "4" / "pre" / "FLAIR.nii.gz",
        },
        folder / "4" / "segm.nii.gz",
        "mrbrains18",
    )
    assert find_subjects(folder) == subjects
    assert find_subjects(folder / "4") == [subjects[1]] == [subject_from_folder(folder / "4")]


def test_ibsr18(ibsr18):
    subjects = find_subjects(ibsr18)
    assert ids(subjects) == ["IBSR_01", "IBSR_02"]
    assert subjects[0] == SubjectFiles(
        "IBSR_01",
        {"t1": ibsr18 / "IBSR_01" / "IBSR_01_ana.nii.gz"},
        ibsr18 / "IBSR_01" / "IBSR_01_seg_ana.nii.gz",
        "ibsr18",
    )
    assert read_subject(subjects[0], ["t1"], with_labels=True).grid.shape == (8, 9, 5)


def test_ibsr18_prefers_three_tissues_and_takes_stripped_scans(ibsr18, drawing):
    folder = ibsr18 / "IBSR_02"
    tri = drawing(folder / "IBSR_02_segTRI_ana.nii.gz", range(4))
    (folder / "IBSR_02_ana.nii.gz").unlink()
    files = subject_from_folder(folder)
    assert files.labels == tri
    assert files.images["t1"].name == "IBSR_02_ana_strip.nii.gz"


def test_iseg2017(iseg2017):
    subjects = find_subjects(iseg2017)
    folder = iseg2017 / "iSeg-2017-Training"
    assert ids(subjects) == ["subject-1", "subject-2", "subject-10"]
    # Of a pair the file with the voxels: a hash of it tells scans apart.
    assert subjects[0] == SubjectFiles(
        "subject-1",
        {"t1": folder / "subject-1-T1.img", "t2": folder / "subject-1-T2.img"},
        folder / "subject-1-label.img",
        "iseg2017",
    )
    assert find_subjects(folder) == subjects
    assert ids(find_subjects(iseg2017 / "iSeg-2017-Testing")) == ["subject-11"]
    assert read_subject(subjects[0], ["t1", "t2"], with_labels=True).grid.shape == (8, 9, 5)
    with pytest.raises(DataError, match="Name one subject's folder"):
        subject_from_folder(folder)


def test_header_without_voxels_still_names_the_pair(iseg2017):
    folder = iseg2017 / "iSeg-2017-Training"
    (folder / "subject-2-T1.img").unlink()
    assert find_subjects(iseg2017)[1].images["t1"] == folder / "subject-2-T1.img"


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "manifest"])
def test_named_layout_equals_auto(layout, request):
    root = request.getfixturevalue(layout)
    assert find_subjects(root, layout=layout) == find_subjects(root)
    for other in set(LAYOUTS) - {layout}:
        with pytest.raises(DataError, match=f"subjects in the layout {other}. Received"):
            find_subjects(root, layout=other)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the simulated subjects of phantom13")
def test_ten_simulated_subjects():
    assert ids(find_subjects(SHARED)) == list("12345")
    assert find_subjects(SHARED)[0].labels == SHARED / "TrainingData/1/LabelsForTraining.nii.gz"

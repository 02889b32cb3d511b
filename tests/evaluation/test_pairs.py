import pytest

from voxres_tf.errors import DataError
from voxres_tf.evaluation.pairs import ReferenceFiles, find_pairs


@pytest.fixture
def touch(tmp_path):
    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return make


def names(pairs, root):
    return {
        p.subject: (
            p.prediction.relative_to(root).as_posix(),
            p.reference.labels.relative_to(root).as_posix(),
        )
        for p in pairs
    }


def test_two_files(touch):
    root = touch("p/x_dseg.nii.gz", "r/other.nii")
    (pair,) = find_pairs(root / "p/x_dseg.nii.gz", root / "r/other.nii")
    assert pair.subject == "x"
    assert pair.reference == ReferenceFiles(root / "r/other.nii")


def test_pairs_of_header_and_voxels_are_references(touch):
    root = touch(
        "p/1.nii",
        *(f"r/1/LabelsFor{k}.{s}" for k in ("Testing", "Training") for s in ("hdr", "img")),
    )
    (pair,) = find_pairs(root / "p", root / "r", "testing")
    files = ReferenceFiles(root / "r/1/LabelsForTesting.img", root / "r/1/LabelsForTraining.img")
    assert pair.reference == files
    (pair,) = find_pairs(root / "p/1.nii", root / "r/1/LabelsForTesting.img")
    assert pair.reference == files


def test_labels_that_are_there_twice_are_refused(touch):
    root = touch(
        "p/IBSR_01.nii",
        *(f"r/IBSR_01_segTRI_ana.{s}" for s in ("nii", "nii.gz")),
        "r/IBSR_01_ana.nii",
    )
    with pytest.raises(DataError, match="one file for one scan"):
        find_pairs(root / "p", root / "r")
    touch("p2/IBSR_02.nii", "r/IBSR_02_segTRI_ana.nii")  # of another subject they do not matter
    assert find_pairs(root / "p2/IBSR_02.nii", root / "r")[0].subject == "IBSR_02"
    root = touch(
        *(f"s/LabelsForT{name}" for name in ("esting.nii", "raining.nii", "raining.nii.gz"))
    )
    with pytest.raises(DataError, match="one file of a name"):
        find_pairs(root / "p/IBSR_01.nii", root / "s/LabelsForTesting.nii")


def test_a_segmentation_is_not_its_own_reference(touch):
    root = touch("p/1.nii")
    for pred, ref in ((root / "p", root / "p"), (root / "p/1.nii", root / "p/1.nii")):
        with pytest.raises(DataError, match=r"of two files\. Received: one for both"):
            find_pairs(pred, ref)


def test_rows_of_a_manifest_without_labels_are_no_references(touch):
    root = touch("p/b.nii", "t1.nii", "b.nii")
    table = root / "m.csv"
    table.write_text("subject,t1,label\na,t1.nii,\nb,t1.nii,b.nii\n")
    (pair,) = find_pairs(root / "p", table)
    assert (pair.subject, pair.reference.labels) == ("b", root / "b.nii")
    (root / "b.nii").unlink()  # reading will name it
    assert find_pairs(root / "p", table) == [pair]


def test_a_subject_folder_prefers_testing_and_takes_the_mask_from_training(touch):
    root = touch(
        "p/1.nii", "r/1/LabelsForTesting.nii.gz", "r/1/LabelsForTraining.nii", "r/1/T1.nii"
    )
    testing, training = root / "r/1/LabelsForTesting.nii.gz", root / "r/1/LabelsForTraining.nii"
    for ref in (root / "r", root / "r/1", testing):
        for pred in (root / "p", root / "p/1.nii"):
            if ref != testing or pred.is_file():
                assert find_pairs(pred, ref)[0].reference == ReferenceFiles(testing, training)
    (pair,) = find_pairs(root / "p", root / "r", "training")
    assert pair.reference == ReferenceFiles(training)


@pytest.mark.parametrize(
    ("reference", "coding"),
    [
        ("1/LabelsForTraining.nii.gz", "auto"),
        ("TrainingData/1/LabelsForTraining.nii", "auto"),
        ("TestData/1/LabelsForTesting.nii", "testing"),
        ("training/1/segm.nii.gz", "auto"),
        ("1/1_segTRI_ana.nii.gz", "auto"),
        ("1_manual-labels.nii.gz", "auto"),
        ("1.nii", "training"),
    ],
)
def test_layouts_of_references(touch, reference, coding):
    root = touch("p/1_dseg.nii.gz", f"r/{reference}")
    found = names(find_pairs(root / "p", root / "r", coding), root)
    assert found == {"1": ("p/1_dseg.nii.gz", f"r/{reference}")}


@pytest.mark.parametrize(
    ("subject", "scans", "labels", "scheme"),
    [
        ("subject-1", ("T1", "T2"), "label", "iseg2017"),
        ("subject-1", ("T1",), "label", "iseg2017"),
        ("IBSR_01", ("ana", "ana_strip"), "segTRI_ana", "ibsr18"),
    ],
)
def test_scans_beside_labels_are_no_references(touch, subject, scans, labels, scheme):
    joint = "_" if subject.startswith("IBSR") else "-"
    files = [f"r/{subject}{joint}{part}.nii.gz" for part in (*scans, labels)]
    root = touch(f"p/{subject}_dseg.nii.gz", *files)
    (pair,) = find_pairs(root / "p", root / "r")
    assert pair.reference == ReferenceFiles(root / files[-1], None, scheme)


def test_ids_that_begin_alike(touch):
    root = touch("p/1.nii", "p/10.nii", "p/1_b.nii", "r/1_seg.nii", "r/10_seg.nii", "r/1_b_seg.nii")
    assert names(find_pairs(root / "p", root / "r"), root) == {
        "1": ("p/1.nii", "r/1_seg.nii"),
        "10": ("p/10.nii", "r/10_seg.nii"),
        "1_b": ("p/1_b.nii", "r/1_b_seg.nii"),
    }


def test_segmentations_go_before_other_files(touch):
    root = touch("p/1_dseg.nii.gz", "p/1_probseg.nii.gz", "p/.partial.nii", "r/1.nii", "p/s.csv")
    assert set(names(find_pairs(root / "p", root / "r"), root)) == {"1"}


def test_one_file_picks_its_subject_out_of_many(touch):
    root = touch("p/2_dseg.nii", "r/1/segm.nii", "r/2/segm.nii")
    found = names(find_pairs(root / "p/2_dseg.nii", root / "r"), root)
    assert found == {"2": ("p/2_dseg.nii", "r/2/segm.nii")}


@pytest.mark.parametrize("manifest", [True, False])
def test_another_subject_s_reference_is_none(touch, manifest):
    root = touch("p/anna_dseg.nii", "r/bert.nii")
    if manifest:
        (root / "r/manifest.csv").write_text("subject,t1,label\nbert,t1.nii,bert.nii\n")
    for ref in (root / "r", *([root / "r/manifest.csv"] if manifest else [])):
        with pytest.raises(DataError, match=r"every prediction.*none for anna"):
            find_pairs(root / "p/anna_dseg.nii", ref)


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        (["p/1.nii", "p/2.nii", "p/3.nii", "r/1.nii"], "every prediction.*none for 2, 3"),
        (["p/1.nii", "r/1/segm.nii", "r/5/segm.nii"], "every reference.*none for 5"),
        (["p/1.nii", "r/1_a.nii", "r/1_b.nii"], "a second for 1"),
        (["p/1.nii", "p/1.nii.gz", "r/1.nii"], "a second for 1"),
        (["p/1.nii", "r/TestData/1/segm.nii", "r/TrainingData/1/segm.nii"], "a second for 1"),
        (["p/notes.txt", "r/1.nii"], "predictions <subject>_dseg"),
        (["p/1.nii", "r/notes.txt"], "references that"),
        (["p/1.nii"], "r: an existing file or folder"),
    ],
)
def test_what_cannot_be_paired(touch, files, fault):
    root = touch(*files)
    with pytest.raises(DataError, match=fault):
        find_pairs(root / "p", root / "r")


def test_testing_coding_does_not_read_training_labels(touch):
    root = touch("p/1.nii", "r/1/LabelsForTraining.nii")
    with pytest.raises(DataError, match="references that --ref-coding testing can read"):
        find_pairs(root / "p", root / "r", "testing")

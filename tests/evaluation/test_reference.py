from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import apply_orientation, inv_ornt_aff

from voxres_tf.errors import ConfigError, DataError
from voxres_tf.evaluation.pairs import ReferenceFiles, find_pairs
from voxres_tf.evaluation.reference import read_prediction, read_reference, to_common_axes
from voxres_tf.grid import Grid
from voxres_tf.volume import write_volume

CODES = np.array([0, 1, 2, 3] * 6, np.uint8).reshape(2, 3, 4)
AFFINE = np.diag([0.958, 0.958, 3.0, 1.0])


@pytest.fixture
def write(tmp_path):
    def make(name, codes, affine=AFFINE, dtype=np.int16):
        data = np.asarray(codes, dtype)
        path = tmp_path / f"{name}.nii"
        nib.save(nib.Nifti1Image(data.reshape(-1, 1, 1) if data.ndim == 1 else data, affine), path)
        return path

    return make


def flat(reference):
    return reference.classes.ravel().tolist(), reference.scored.ravel().tolist()


def test_training_codes_merge_and_lose_cerebellum_and_brainstem(write):
    files = ReferenceFiles(write("x", range(9)))
    classes, scored = flat(read_reference(files, "mrbrains13"))
    assert classes == [0, 2, 2, 3, 3, 1, 1, 0, 0]
    assert scored == [True] * 7 + [False] * 2


def test_mrbrains18_loses_infarction_and_other_too(write):
    reference = read_reference(ReferenceFiles(write("segm", range(11))), "mrbrains18")
    assert flat(reference)[1] == [True] * 7 + [False] * 4
    assert reference.knows_unscored


def test_codes_up_to_three_are_classes(write):
    reference = read_reference(ReferenceFiles(write("x", [0, 1, 2, 3])), "mrbrains13")
    assert flat(reference) == ([0, 1, 2, 3], [True] * 4)
    assert not reference.knows_unscored


def test_the_mask_comes_from_the_training_labels(write):
    files = ReferenceFiles(write("a", [0, 1, 2, 3]), write("b", [7, 5, 8, 3]))
    assert flat(read_reference(files, "mrbrains13")) == ([0, 1, 2, 3], [False, True, False, True])
    assert flat(read_reference(files, "plain"))[1] == [True] * 4


@pytest.mark.parametrize(("name", "coding"), [("x", "training"), ("LabelsForTraining", "auto")])
def test_the_training_coding_without_high_codes(write, name, coding):
    reference = read_reference(ReferenceFiles(write(name, [0, 1, 2, 3])), "mrbrains13", coding)
    assert flat(reference)[0] == [0, 2, 2, 3]
    assert reference.knows_unscored


def test_codes_up_to_four_may_be_either_coding(write):
    files = ReferenceFiles(write("mine", [0, 1, 2, 3, 4]))
    with pytest.raises(DataError, match=r"Received: 0\.\.4, .*--ref-coding training .* manifest"):
        read_reference(files, "mrbrains13")
    assert read_reference(files, "mrbrains13", "training").coding == "training"
    named = ReferenceFiles(write("LabelsForTraining", [0, 1, 2, 3, 4]))
    assert read_reference(named, "mrbrains13").coding == "training"


def test_plain_takes_the_training_coding_only_if_told(write):
    files = ReferenceFiles(write("x", range(11)))
    with pytest.raises(DataError, match=r"plain takes codes 0\.\.3"):
        read_reference(files, "plain")
    assert flat(read_reference(files, "plain", "training")) == (
        [0, 2, 2, 3, 3, 1, 1, 0, 0, 0, 0],
        [True] * 11,
    )


@pytest.mark.parametrize(
    ("codes", "protocol", "coding", "fault"),
    [
        ([0, 9], "mrbrains13", "auto", r"'mrbrains13'.*codes \[9\]\. Pass --protocol mrbrains18"),
        ([0, 11], "mrbrains18", "auto", r"'mrbrains18'.*codes \[11\].*in a manifest"),
        ([0, 5], "mrbrains13", "testing", r"'tissue'.*codes \[5\]"),
        ([-1, 0], "mrbrains13", "auto", r"codes \[-1\]"),
    ],
)
def test_unknown_codes(write, codes, protocol, coding, fault):
    with pytest.raises(DataError, match=fault):
        read_reference(ReferenceFiles(write("x", codes)), protocol, coding)


@pytest.mark.parametrize(
    ("protocol", "left_out"),
    [("mrbrains13", [7, 8]), ("mrbrains18", [7, 8, 9, 10]), ("plain", [])],
)
def test_a_scheme_tells_the_classes_and_the_protocol_what_is_scored(write, protocol, left_out):
    reference = read_reference(ReferenceFiles(write("x", range(11)), None, "mrbrains18"), protocol)
    classes, scored = flat(reference)
    assert classes == [0, 2, 2, 3, 3, 1, 1, 0, 0, 0, 0]
    assert [code for code, counts in enumerate(scored) if not counts] == left_out
    assert reference.knows_unscored


def test_a_scheme_counts_and_no_coding_is_asked_for_beside_it(write):
    files = ReferenceFiles(write("x", [0, 1, 2, 3]), None, "mrbrains13")
    assert flat(read_reference(files, "mrbrains18"))[0] == [0, 2, 2, 3]
    for coding in ("training", "testing"):
        with pytest.raises(
            ConfigError, match=f"have the scheme .* Received: {coding}. Leave --ref"
        ):
            read_reference(files, "mrbrains18", coding)


def test_a_code_that_is_a_tissue_of_its_scheme_is_scored(write):
    files = ReferenceFiles(write("x", [0, 10, 150, 250]), None, "iseg2017")
    assert flat(read_reference(files, "mrbrains18")) == ([0, 1, 2, 3], [True] * 4)


def test_codes_outside_a_scheme_that_is_named(write):
    with pytest.raises(DataError, match=r"'mrbrains13'.*codes \[9\]\. Name the right scheme"):
        read_reference(ReferenceFiles(write("x", [0, 9]), None, "mrbrains13"), "mrbrains18")


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf])
def test_labels_are_whole_numbers(write, value):
    with pytest.raises(DataError, match="labels are whole numbers"):
        read_prediction(write("x", [0, 1, value], dtype=np.float32))


def test_whole_numbers_may_be_stored_as_floats(write):
    prediction = read_prediction(write("x", [0, 1, 3], dtype=np.float32))
    assert prediction.data.dtype == np.uint8
    assert prediction.data.ravel().tolist() == [0, 1, 3]


def test_predictions_hold_four_codes(write):
    with pytest.raises(DataError, match=r"codes \[4\]"):
        read_prediction(write("x", [0, 4]))


def test_unknown_protocol_and_coding(write):
    files = ReferenceFiles(write("x", [0]))
    with pytest.raises(ConfigError, match=r"protocol.*'other'"):
        read_reference(files, "other")
    with pytest.raises(ConfigError, match=r"coding.*'other'"):
        read_reference(files, "plain", "other")


@pytest.mark.parametrize("ornt", [[[0, -1], [1, 1], [2, 1]], [[2, 1], [0, -1], [1, -1]]])
def test_axes_may_differ_where_voxels_agree(write, ornt):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (4, 3, 2))
    turned = apply_orientation(codes, ornt)
    affine = AFFINE @ inv_ornt_aff(np.array(ornt), codes.shape)
    path = write("turned", turned, affine)
    reference = read_reference(ReferenceFiles(write("x", codes)), "plain")
    prediction, moved, _ = to_common_axes(read_prediction(path), path, reference, path)
    np.testing.assert_array_equal(prediction, codes)
    np.testing.assert_array_equal(moved.classes, codes)
    assert moved.grid.spacing_mm == pytest.approx((0.958, 0.958, 3.0))


def test_the_common_axes_are_canonical(write):
    # Slices of a sagittal file lie along its first axis; the spacing moves with the axes.
    affine = np.array([[0, 0, 3.0, 0], [1.0, 0, 0, 0], [0, 2.0, 0, 0], [0, 0, 0, 1]])
    path = write("x", np.zeros((2, 3, 4)), affine)
    reference = read_reference(ReferenceFiles(path), "plain")
    classes, moved, _ = to_common_axes(read_prediction(path), path, reference, path)
    assert classes.shape == moved.scored.shape == moved.grid.shape == (4, 2, 3)
    assert moved.grid.spacing_mm == pytest.approx((3.0, 1.0, 2.0))


def test_affines_beside_45_degrees_stay_together(write):
    def turned(degrees):
        a = np.deg2rad(degrees)
        rotation = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
        return nib.affines.from_matvec(rotation)

    codes = np.random.default_rng(0).integers(0, 4, (3, 3, 3))
    path = write("p", codes, turned(45.01))
    reference = read_reference(ReferenceFiles(write("r", codes, turned(44.99))), "plain")
    prediction, moved, _ = to_common_axes(read_prediction(path), path, reference, path)
    np.testing.assert_array_equal(prediction, moved.classes)


@pytest.mark.parametrize(
    ("shape", "shift", "fault"),
    [
        ((4, 3, 3), 0, r"shape \(4, 3, 3\) instead of \(4, 3, 2\)"),
        ((4, 3, 2), 0.4, "0.40 mm apart"),
    ],
)
def test_grids_must_agree(write, shape, shift, fault):
    reference = read_reference(ReferenceFiles(write("x", np.zeros((4, 3, 2)))), "plain")
    affine = AFFINE.copy()
    affine[0, 3] += shift
    path = write("p", np.zeros(shape), affine)
    with pytest.raises(DataError, match=fault):
        to_common_axes(read_prediction(path), path, reference, path)


def test_the_mask_lies_on_the_grid_of_the_labels(write):
    files = ReferenceFiles(write("a", [0, 1, 2]), write("b", [0, 7]))
    with pytest.raises(DataError, match=r"b.nii: the grid of .*a.nii.*shape"):
        read_reference(files, "mrbrains13")


def test_a_small_shift_is_within_tolerance(write):
    affine = AFFINE.copy()
    affine[0, 3] += 0.09
    path = write("p", np.zeros((4, 3, 2)), affine)
    reference = read_reference(ReferenceFiles(write("x", np.zeros((4, 3, 2)))), "plain")
    prediction, moved, _ = to_common_axes(read_prediction(path), path, reference, path)
    assert prediction.shape == moved.grid.shape
    np.testing.assert_array_equal(moved.grid.affine, reference.grid.canonical().affine)


def test_a_manifest_tells_the_scheme(tmp_path: Path) -> None:
    codes = np.array([0, 10, 150, 250], np.uint8)[CODES]
    write_volume(tmp_path / "a.nii", codes, Grid(codes.shape, np.eye(4)))
    write_volume(tmp_path / "b.nii", CODES, Grid(codes.shape, np.eye(4)))
    rows = ["subject,t1,label,scheme", "x,a.nii,a.nii,iseg2017", "y,b.nii,b.nii,mrbrains13"]
    (tmp_path / "all.csv").write_text("\n".join(rows))
    for name in ("x", "y"):
        write_volume(tmp_path / "p" / f"{name}_dseg.nii", CODES, Grid(codes.shape, np.eye(4)))
    pairs = {p.subject: p.reference for p in find_pairs(tmp_path / "p", tmp_path / "all.csv")}
    assert np.array_equal(read_reference(pairs["x"], "plain").classes, CODES)
    assert not read_reference(pairs["x"], "mrbrains13").knows_unscored
    # Low codes alone would pass for classes: the scheme says that 1 is cortex and 3 white matter.
    classes = read_reference(pairs["y"], "mrbrains13").classes
    assert np.array_equal(classes, np.array([0, 2, 2, 3], np.uint8)[CODES])


def test_the_labels_of_iseg2017(tmp_path: Path) -> None:
    codes = np.array([0, 10, 150, 250], np.uint8)[CODES]
    folder = tmp_path / "iSeg-2017-Training"
    folder.mkdir()
    for name in ("T1", "T2", "label"):
        nib.save(nib.Spm99AnalyzeImage(codes, np.eye(4)), folder / f"subject-1-{name}.img")
    write_volume(tmp_path / "p" / "subject-1.nii", CODES, Grid(codes.shape, np.eye(4)))
    (pair,) = find_pairs(tmp_path / "p", tmp_path)
    assert np.array_equal(read_reference(pair.reference, "plain").classes, CODES)


def test_a_manifest_without_labels(tmp_path: Path) -> None:
    write_volume(tmp_path / "p" / "x.nii", CODES, Grid(CODES.shape, np.eye(4)))
    (tmp_path / "all.csv").write_text("subject,t1\nx,p/x.nii")
    with pytest.raises(DataError, match="none for x"):
        find_pairs(tmp_path / "p", tmp_path / "all.csv")


def test_a_broken_manifest_in_a_folder_tells_its_fault(tmp_path: Path) -> None:
    write_volume(tmp_path / "p" / "x.nii", CODES, Grid(CODES.shape, np.eye(4)))
    (tmp_path / "manifest.csv").write_text("subject,t9,label\nx,p/x.nii,p/x.nii")
    with pytest.raises(DataError, match=r"manifest\.csv.*t9"):
        find_pairs(tmp_path / "p", tmp_path)

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from voxres_tf.dataset.checks import (
    Problem,
    check_dataset,
    modalities_of,
    overview,
    require_sound,
)
from voxres_tf.dataset.subject import SubjectFiles, read_subject
from voxres_tf.errors import DataError

AFFINE = np.diag([0.958, 0.958, 3.0, 1.0])


@pytest.fixture
def sound(tmp_path, scan, drawing):
    """Two subjects with two modalities and labels, and nothing wrong."""
    subjects = []
    for id_ in ("1", "2"):
        images = {m: scan(tmp_path / id_ / f"{m}.nii.gz") for m in ("t1", "flair")}
        labels = drawing(tmp_path / id_ / "labels.nii.gz", range(4))
        subjects.append(SubjectFiles(id_, images, labels))
    return subjects


def check(subjects, modalities=None, need_labels=True):
    return [
        str(problem) for problem in check_dataset(subjects, modalities, need_labels=need_labels)
    ]


def put(path, data, affine=AFFINE):
    nib.save(nib.Nifti1Image(data, affine), path)


def only(found, *parts):
    """The one problem found, which holds all these parts and is one line."""
    assert len(found) == 1, found
    assert "\n" not in found[0]
    for part in parts:
        assert part in found[0]


def test_nothing_wrong(sound):
    assert check(sound) == []
    require_sound(sound, ["t1"], need_labels=True)


def test_no_subjects_no_problems():
    assert check([]) == []


def test_missing_modality(sound, tmp_path):
    del sound[1].images["flair"]
    only(check(sound), "subject 2: the modality flair is missing. Received: t1.")
    assert check(sound, ["t1"]) == []
    assert len(check(sound, ["t1", "t2"])) == 2


def test_modalities_that_are_not_asked_for_are_not_read(sound):
    sound[0].images["flair"].write_bytes(b"")
    assert check(sound, ["t1"]) == []


def test_missing_labels(sound):
    bare = [SubjectFiles("1", sound[0].images), sound[1]]
    only(check(bare), "subject 1: labels are missing")
    assert check(bare, need_labels=False) == []


def test_truncated_file_does_not_hide_others(sound, scan):
    sound[0].images["t1"] = scan(sound[0].labels.with_name("t1.nii"))
    paths = [files.images["t1"] for files in sound]
    for path in paths:
        path.write_bytes(path.read_bytes()[:-200])
    plain, compressed = check(sound)
    assert plain.startswith(f"subject 1, {paths[0]}: a complete image file. Received: ")
    # So small a file is cut within the first block that nibabel decompresses.
    assert compressed.startswith(f"subject 2, {paths[1]}: a readable NIfTI or Analyze file. ")


def test_unreadable_file(sound):
    sound[0].images["flair"].write_bytes(b"hello")
    only(check(sound), "flair.nii.gz: a readable NIfTI or Analyze file")


def test_file_that_went_away(sound):
    sound[0].images["flair"].unlink()
    only(check(sound), "flair.nii.gz: an existing file")


def test_grids_apart_by_shape(sound, scan):
    scan(sound[0].images["flair"], shape=(8, 9, 6))
    only(check(sound), "one grid with t1.nii.gz", "shape (8, 9, 6) instead of (8, 9, 5)")


@pytest.mark.parametrize("which", ["flair", "labels"])
def test_grids_apart_by_millimetres(sound, which):
    path = sound[0].labels if which == "labels" else sound[0].images[which]
    image = nib.load(path)
    moved = AFFINE.copy()
    moved[:3, 3] = (3, 0, 4)  # sqrt(9 + 16) = 5 mm
    put(path, np.asarray(image.dataobj).copy(), moved)
    only(check(sound), f"{path}: one grid with t1.nii.gz. Received: 5.00 mm apart.")


def test_grids_within_tolerance(sound):
    path = sound[0].images["flair"]
    moved = AFFINE.copy()
    moved[0, 3] = 0.09
    put(path, np.asarray(nib.load(path).dataobj).copy(), moved)
    assert check(sound) == []


@pytest.mark.parametrize(
    ("unit", "shown"), [(1e-3, "0.000958 x 0.000958 x 0.003"), (1e3, "958 x 958 x 3000")]
)
def test_voxel_sizes_in_another_unit(sound, scan, unit, shown):
    path = scan(sound[0].images["t1"], affine=AFFINE * [unit, unit, unit, 1])
    rule = "voxels of a head are 0.05 to 20 mm long"
    only(check(sound), f"{path}: {rule}. Received: {shown} mm. Mend the header's voxel sizes.")


def test_unknown_codes(sound, drawing):
    drawing(sound[0].labels, (0, 1, 2, 3, 7, 12))
    only(check(sound), "labels of the scheme 'tissue' are [0, 1, 2, 3]. Received: codes [7, 12].")
    other = SubjectFiles("1", sound[0].images, sound[0].labels, "mrbrains18")
    only(check([other]), "'mrbrains18'", "Received: codes [12].")


def test_many_unknown_codes_stay_one_short_line(sound, drawing):
    drawing(sound[0].labels, range(100, 120))
    only(check(sound), "[100, 101, 102, 103, 104, 105, 106, 107 and 12 more]")


def test_unknown_scheme(sound):
    only(
        check([SubjectFiles("1", sound[0].images, sound[0].labels, "brats")]),
        "subject 1: label scheme: one of tissue, ",
    )


def test_labels_that_are_not_whole_numbers(sound, drawing):
    drawing(sound[0].labels, (0.0, 0.25, 1.0, 2.5))
    only(check(sound), "label codes are whole numbers. Received: 0.25, 2.5.")


def test_whole_numbers_stored_as_floats_are_fine(sound, drawing):
    drawing(sound[0].labels, (0.0, 1.0, 2.0, 3.0))
    assert check(sound) == []


def test_labels_without_tissue(sound):
    values = np.zeros((8, 9, 5), np.int16)
    values[0] = 7  # cerebellum: known, but not scored
    put(sound[0].labels, values)
    subject = SubjectFiles("1", sound[0].images, sound[0].labels, "mrbrains13")
    only(check([subject]), "labels mark tissue. Received: no code but 0, 7.")


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("which", ["t1", "labels"])
def test_values_that_are_not_finite(sound, which, value):
    path = sound[0].labels if which == "labels" else sound[0].images[which]
    data = np.asarray(nib.load(path).dataobj).astype(np.float32)
    data[0, 0, :3] = value
    put(path, data)
    only(check(sound), f"{path}: finite values. Received: 3 voxels NaN or infinite.")


def test_constant_image(sound):
    put(sound[0].images["t1"], np.full((8, 9, 5), 7, np.int16))
    only(check(sound), "a scan has contrast. Received: 7 everywhere.")


def test_contrast_is_judged_as_when_reading(sound):
    values = np.full((8, 9, 5), 2**24, np.int32)
    values[0, 0, 0] += 1  # in float32, as networks take it, the same value
    put(sound[0].images["t1"], values)
    only(check(sound), "a scan has contrast. Received: 16777216 to 16777217, one float32 number.")
    with pytest.raises(DataError, match="a scan has contrast"):
        read_subject(sound[0], ["t1"])


def test_repeated_ids(sound):
    twin = SubjectFiles("1", sound[1].images, sound[1].labels)
    only(check([sound[0], twin]), "subject 1: ids are unique. Received: 2 subjects of it.")


def test_same_scan_of_two_subjects(sound):
    # Stored without compression, in another byte order: another file, the same voxels.
    copy = sound[1].images["t1"].with_name("copy.nii")
    voxels = np.asarray(nib.load(sound[0].images["t1"]).dataobj)
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(voxels.dtype)
    nib.save(nib.Nifti1Image(voxels, AFFINE, header), copy)
    assert nib.load(copy).dataobj.dtype.byteorder == ">"
    sound[1].images["t1"] = copy
    original = sound[0].images["t1"]
    only(
        check(sound),
        f"subject 2, {copy}: every file has voxels of its own. "
        f"Received: those of subject 1, {original}.",
    )


def test_same_scan_stored_as_another_type(sound):
    copy = sound[1].images["t1"].with_name("copy.nii")
    voxels = np.asarray(nib.load(sound[0].images["t1"]).dataobj)
    nib.save(nib.Nifti1Image(voxels.astype(np.float32), AFFINE), copy)
    sound[1].images["t1"] = copy
    (problem,) = check(sound)
    assert "those of subject 1" in str(problem)


def test_same_scan_as_two_modalities(sound):
    sound[0].images["flair"] = sound[0].images["t1"]
    only(check(sound), "subject 1", "Received: those of subject 1")


def test_labels_in_the_place_of_a_scan(sound):
    sound[0].images["flair"] = sound[0].labels
    only(check(sound), "subject 1", "Received: those of subject 1")


def test_subjects_without_a_scan(sound):
    bare = [SubjectFiles(files.id, {}, files.labels) for files in sound[:1]]
    only(check(bare), "subject 1", "a subject has a scan. Received: labels alone.")


def test_everything_at_once(sound, scan, drawing):
    del sound[0].images["flair"]
    drawing(sound[0].labels, (0, 9))
    scan(sound[1].images["flair"], shape=(4, 4, 4))
    sound[1].labels.write_bytes(b"")
    found = check(sound)
    assert len(found) == 4
    with pytest.raises(DataError) as caught:
        require_sound(sound, None, need_labels=True)
    lines = str(caught.value).splitlines()
    assert lines[0] == "data set: sound files. Received: 4 problems. Mend all of these."
    assert [line.strip() for line in lines[1:]] == found


def test_problem_is_one_line():
    assert str(Problem("1", None, "a\n  b")) == "subject 1: a b"


def test_modalities_of():
    subjects = [SubjectFiles("1", {"flair": None}), SubjectFiles("2", {"t1": None})]
    assert modalities_of(subjects) == ("t1", "flair")
    assert modalities_of([]) == ()


def test_overview(sound, tmp_path):
    broken = SubjectFiles("long-name", {"t1": tmp_path / "absent.nii"})
    assert overview([sound[0], broken, SubjectFiles("3", {})]) == [
        "subject    shape       spacing (mm)   modalities  labels",
        "1          8x9x5       0.958x0.958x3  t1,flair    tissue",
        "long-name  unreadable  -              t1          -",
        "3          -           -              -           -",
    ]

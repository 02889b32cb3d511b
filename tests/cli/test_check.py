from __future__ import annotations

import shutil

import click
import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner
from voxres_cli.main import cli
from voxres_cli.options import LAYOUT
from voxres_cli.types import ModalityList, ShapeType

from voxres_tf.dataset.layouts import LAYOUTS


@pytest.fixture
def data(tmp_path):
    """Two subjects of MRBrainS13, the second without labels."""
    rng = np.random.default_rng(0)
    for id_ in ("1", "2"):
        folder = tmp_path / "data" / id_
        folder.mkdir(parents=True)
        for name in ("T1", "T1_IR", "T2_FLAIR"):
            values = rng.integers(0, 1000, (8, 9, 5)).astype(np.int16)
            nib.save(nib.Nifti1Image(values, np.eye(4)), folder / f"{name}.nii")
    labels = rng.integers(0, 9, (8, 9, 5)).astype(np.int16)
    nib.save(nib.Nifti1Image(labels, np.eye(4)), tmp_path / "data" / "1" / "LabelsForTraining.nii")
    return tmp_path / "data"


def run(*args):
    return CliRunner().invoke(cli, ["check", *map(str, args)])


def test_sound_data(data):
    result = run(data, "--no-labels")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1:] == [
        "1        8x9x5  1x1x1         t1,t1-ir,flair  mrbrains13",
        "2        8x9x5  1x1x1         t1,t1-ir,flair  -",
        "Subjects: 2. Problems: none.",
    ]


def test_a_folder_that_is_left_out_is_told(data):
    folder = data / "3"
    folder.mkdir()
    shutil.copy(data / "1" / "T1.nii", folder / "T1w.nii")
    result = run(data, "--no-labels")
    assert result.exit_code == 0
    assert "Note: " in result.stdout
    assert "the images in 3 are left out" in result.stdout


def test_labels_are_needed_if_any_subject_has_them(data):
    result = run(data)
    assert result.exit_code == 1
    assert "subject 2: labels are missing" in result.stdout
    assert result.stdout.endswith("Subjects: 2. Problems: 1.\n")
    (data / "1" / "LabelsForTraining.nii").unlink()
    assert run(data).exit_code == 0
    assert run(data, "--labels").exit_code == 1


def test_quiet_prints_problems_alone(data):
    assert run(data, "-q", "--no-labels").output == ""
    assert run(data, "-q").stdout.count("\n") == 1


def test_scans_that_tell_not_how_they_lie_are_noted_and_no_problem(data):
    path = data / "2" / "T1.nii"
    nib.save(nib.Nifti1Image(np.arange(360, dtype=np.int16).reshape(8, 9, 5), None), path)
    result = run(data, "--no-labels", "--modalities", "t1")
    assert f"\nNote: {path} does not say how it lies" in result.stdout
    assert result.exit_code == 0
    assert run(data, "--no-labels", "--modalities", "t1", "-q").output == ""


def test_chosen_modalities(data):
    (data / "2" / "T2_FLAIR.nii").unlink()
    assert "the modality flair is missing" in run(data, "--no-labels").stdout
    assert run(data, "--no-labels", "--modalities", "t1,t1-ir").exit_code == 0


def test_nothing_found_is_one_line(tmp_path):
    result = run(tmp_path)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"voxres: {tmp_path}: subjects in the layout manifest or ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "args",
    [
        ("absent",),
        (".", "--layout", "brats"),
        (".", "--modalities", "t1,pet"),
        (".", "--modalities", "t1,t1"),
        (".", "--modalities", ""),
        (),
    ],
)
def test_usage_errors(args):
    assert run(*args).exit_code == 2


def test_layouts_named_in_the_help_are_those_of_the_library():
    assert set(LAYOUT.choices) == {"auto", *LAYOUTS}


@pytest.mark.parametrize(
    ("text", "value"),
    [("all", ()), ("ALL", ()), ("t1", ("t1",)), ("FLAIR, t1_ir", ("flair", "t1-ir"))],
)
def test_modality_list(text, value):
    assert ModalityList().convert(text, None, None) == value


def test_modality_list_names_what_is_known():
    with pytest.raises(click.BadParameter, match=r"are t1, t1-ir, flair, t2; received 'pet'"):
        ModalityList().convert("t1,pet", None, None)


@pytest.mark.parametrize(
    ("text", "value"), [("80", (80, 80, 80)), ("64,64,48", (64, 64, 48)), (" 8 ", (8, 8, 8))]
)
def test_shape(text, value):
    assert ShapeType().convert(text, None, None) == value


@pytest.mark.parametrize(
    "text", ["", "0", "-8", "12", "64,64", "64,64,48,8", "64,64,x", "8.0", "64,x"]
)
def test_shape_that_is_none(text):
    with pytest.raises(click.BadParameter, match="one size or three, each a multiple of 8"):
        ShapeType().convert(text, None, None)


def test_values_that_are_converted_already_stay():
    assert ShapeType().convert((8, 8, 16), None, None) == (8, 8, 16)
    assert ModalityList().convert(("t1",), None, None) == ("t1",)

"""Classes of one's own by commands alone: label scheme, training, export, labels, scores."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner
from voxres_cli.main import cli

from voxres_tf.contract import read_contract
from voxres_tf.dataset.manifest import read_manifest, write_manifest
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.evaluation.scores import read_scores
from voxres_tf.grid import Grid
from voxres_tf.training.history import read_history
from voxres_tf.volume import write_volume

SHAPE = (16, 16, 8)
GRID = Grid(SHAPE, np.diag([1.0, 1.0, 3.0, 1.0]))
CLASSES = ["background", "brain", "lesion"]
SCHEME = {
    "classes": CLASSES,
    "codes": {"0": "background", "10": "brain", "99": "lesion", "7": "background"},
    "unscored": [7],
}
SMALL = ["--crop", "16,16,8", "--steps", "2", "--steps-per-epoch", "2", "--no-filtered"]


def write_subject(folder, number):
    codes = np.zeros(SHAPE, np.uint8)
    codes[3:13, 3:13, 1:7], codes[7:9, 6:10, 3:5], codes[3:5, 3 + number, 1] = 10, 99, 7
    noise = 5 * np.random.default_rng(number).standard_normal(SHAPE)
    write_volume(folder / f"{number}-t1.nii", (codes + noise).astype(np.float32), GRID)
    write_volume(folder / f"{number}-label.nii", codes, GRID)
    images = {"t1": folder / f"{number}-t1.nii"}
    return SubjectFiles(
        str(number), images, folder / f"{number}-label.nii", str(folder / "own.json")
    )


def invoke(*arguments, code=0):
    result = CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "own.json").write_text(json.dumps(SCHEME))
    subjects = [write_subject(folder, number) for number in (1, 2, 3)]
    write_manifest(folder / "data.csv", subjects)
    assert "own.json" in (folder / "data.csv").read_text().splitlines()[1].split(",")
    assert read_manifest(folder / "data.csv") == subjects
    return folder


def test_from_labels_to_scores(data, tmp_path):
    table, run = data / "data.csv", tmp_path / "run"
    assert "Received" not in invoke("check", table)
    invoke("train", table, "-o", run, *SMALL, "--width", "2", "--val", "3")
    (row,) = read_history(run / "history.csv")
    assert [name for name in row if name.startswith("val_dice_")] == [
        "val_dice_brain",
        "val_dice_lesion",
    ]
    invoke("export", run, "-o", tmp_path / "own")
    model = tmp_path / "own" / "1"
    contract = read_contract(model)
    assert (list(contract.classes), contract.model.classes) == (CLASSES, 3)
    invoke("predict", "-m", model, "--manifest", table, "-o", tmp_path / "seg")
    labels = np.asarray(nib.load(tmp_path / "seg" / "1_dseg.nii.gz").dataobj)
    assert set(np.unique(labels)) <= {0, 1, 2}
    # A perfect segmentation but for what is not scored.
    for number in (1, 2, 3):
        codes = np.asarray(nib.load(data / f"{number}-label.nii").dataobj)
        perfect = np.select([codes == 10, codes == 99, codes == 7], [1, 2, 2])
        write_volume(tmp_path / "perfect" / f"{number}.nii", perfect.astype(np.uint8), GRID)
    said = invoke("evaluate", "--pred", tmp_path / "perfect", "--ref", table)
    assert "what the label scheme does not score left out" in said
    invoke(*("evaluate", "--pred", tmp_path / "seg", "--ref", table, "-o", tmp_path / "s.csv"))
    assert [s.class_name for s in read_scores(tmp_path / "s.csv")] == ["brain", "lesion"] * 3
    whole = tmp_path / "p.csv"
    invoke("evaluate", "--pred", tmp_path / "perfect", "--ref", table, "-o", whole)
    assert {s.dice for s in read_scores(whole)} == {1.0}
    plain = ("evaluate", "--pred", tmp_path / "perfect", "--ref", table, "--protocol", "plain")
    invoke(*plain, "-o", whole, "--overwrite")
    assert all(s.dice < 1 for s in read_scores(whole) if s.class_name == "lesion")


def test_cross_validation_has_the_tissues_alone(data, tmp_path):
    said = invoke("cross-validate", data / "data.csv", "-o", tmp_path / "cv", *SMALL, code=1)
    assert "cross-validation compares CSF, GM, WM. Received: background, brain, lesion." in said
    assert not (tmp_path / "cv").exists()

"""From a folder of scans to scores by commands only, as a user would."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner, Result
from voxres_cli.main import cli


def voxres(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def succeed(*arguments: object) -> str:
    result = voxres(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("phantom") / "data"
    succeed("phantom", out, "--subjects", 2, "--test-subjects", 1, "--size", "small", "--seed", 3)
    return out


@pytest.fixture(scope="module")
def model(data: Path) -> Path:
    training = data / "TrainingData"
    succeed("check", training)
    run = data.parent / "run"
    options = ["--preset", "tiny", "--steps", 80, "--steps-per-epoch", 40, "--seed", 1]
    output = succeed("train", training, "-o", run, *options, "--val", "2", "--validate-every", 2)
    assert "voxres export" in output
    rows = table(run / "history.csv")
    assert float(rows[-1]["val_dice_WM"]) > 0.5
    assert (run / "curves.png").read_bytes().startswith(b"\x89PNG")
    exported = data.parent / "models" / "tiny"
    assert "largest difference" in succeed("export", run, "-o", exported)
    return exported


def test_scores_of_a_subject_that_was_not_trained_on(data: Path, model: Path) -> None:
    out, scores = data.parent / "pred", data.parent / "scores.csv"
    extra = ["--volumes", out / "volumes.csv", "--report", out / "report.json"]
    succeed("predict", "-m", model, data / "TestData", "-o", out, *extra)
    image = nib.load(out / "1_dseg.nii.gz")
    scan = nib.load(data / "TestData" / "1" / "T1.nii.gz")
    np.testing.assert_array_equal(image.affine, scan.affine)
    assert image.shape == scan.shape
    assert json.loads((out / "report.json").read_text())["subjects"][0]["status"] == "ok"

    succeed("evaluate", "--pred", out, "--ref", data / "TestData", "-o", scores)
    rows = {row["class"]: row for row in table(scores)}
    assert list(rows) == ["CSF", "GM", "WM"]
    # Far from a good network, and farther from chance.
    assert all(float(row["dice"]) > 0.5 for row in rows.values())
    volumes = table(out / "volumes.csv")[0]
    assert float(volumes["GM_ml"]) > 100

    again = voxres("predict", "-m", model, data / "TestData", "-o", out)
    assert again.exit_code == 1
    assert "--overwrite" in again.output


def test_one_file_per_modality_gives_the_same_labels(data: Path, model: Path) -> None:
    subject, out = data / "TestData" / "1", data.parent / "one"
    files = ["--t1", subject / "T1.nii.gz", "--t1-ir", subject / "T1_IR.nii.gz"]
    files += ["--flair", subject / "T2_FLAIR.nii.gz"]
    succeed("predict", "-m", model, *files, "-o", out / "labels.nii.gz")
    succeed("predict", "-m", model, subject, "-o", out)
    one, other = (nib.load(out / name).get_fdata() for name in ("labels.nii.gz", "1_dseg.nii.gz"))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--t1", "T1.nii.gz"], 1, "the model takes t1, t1-ir, flair"),
        (["--t1", "absent.nii.gz"], 2, "absent.nii.gz"),
        ([], 2, "Usage"),
    ],
)
def test_wrong_input_is_told_in_a_line(
    data: Path, model: Path, arguments: list[str], code: int, text: str
) -> None:
    subject = data / "TestData" / "1"
    files = [a if a.startswith("--") else subject / a for a in arguments]
    result = voxres("predict", "-m", model, *files, "-o", data.parent / "never")
    assert result.exit_code == code, result.output
    assert text in result.output
    assert not (data.parent / "never").exists()


def test_a_bad_subject_does_not_stop_the_good_one(data: Path, model: Path) -> None:
    folder = data.parent / "mixed"
    for name in ("1", "2"):
        (folder / name).mkdir(parents=True)
        for volume in ("T1", "T1_IR", "T2_FLAIR"):
            content = (data / "TestData" / "1" / f"{volume}.nii.gz").read_bytes()
            (folder / name / f"{volume}.nii.gz").write_bytes(content)
    bad = folder / "1" / "T1.nii.gz"
    bad.write_bytes(bad.read_bytes()[:20_000])
    result = voxres("predict", "-m", model, folder, "-o", folder / "out")
    assert result.exit_code == 1
    assert "T1.nii.gz" in result.output
    assert sorted(p.name for p in (folder / "out").iterdir()) == ["2_dseg.nii.gz"]


def test_a_real_t1_by_manifest(tmp_path: Path) -> None:
    """The packaged MNI152 T1, thinned to every fourth voxel, alone and skull-stripped."""
    succeed("phantom", tmp_path / "real", "--real")
    folder = tmp_path / "real" / "mni152"
    for path in folder.glob("*.nii.gz"):
        thin = nib.load(path).slicer[::4, ::4, ::4]
        nib.save(nib.Nifti1Image(np.asanyarray(thin.dataobj), thin.affine), path)
    manifest = tmp_path / "real" / "manifest.csv"
    options = ["--preset", "tiny", "--crop", 24, "--batch", 1, "--steps", 240]
    succeed("train", manifest, "-o", tmp_path / "run", *options)
    succeed("export", tmp_path / "run", "-o", tmp_path / "t1-model")
    succeed("predict", "-m", tmp_path / "t1-model", "--manifest", manifest, "-o", tmp_path / "out")
    labels = folder / "labels.nii.gz"
    scores = tmp_path / "scores.csv"
    prediction = tmp_path / "out" / "mni152_dseg.nii.gz"
    succeed("evaluate", "--pred", prediction, "--ref", labels, "--protocol", "plain", "-o", scores)
    dice = {row["class"]: float(row["dice"]) for row in table(scores)}
    assert dice["GM"] > 0.5
    assert dice["WM"] > 0.5

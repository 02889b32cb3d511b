"""The demonstrations, cut short: everything that they promise lies there at the end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from voxres_cli.main import cli

from voxres_tf import demo
from voxres_tf.errors import OutputExistsError
from voxres_tf.evaluation.scores import read_scores
from voxres_tf.inference import models
from voxres_tf.volume import read_volume


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_two_heads_by_a_model_of_any_modalities(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, coarse_model: Path
) -> None:
    monkeypatch.setattr(demo, "SIZE", "small")
    with monkeypatch.context() as patch:
        patch.setattr(demo, "_segment", interrupt)
        with pytest.raises(KeyboardInterrupt):
            demo.run_demo(tmp_path, print, model=coarse_model)
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nii.gz")}
    assert len(made) == 7
    said: list[str] = []
    result = demo.run_demo(tmp_path, said.append, model=coarse_model)
    assert made == {path: path.stat().st_mtime_ns for path in made}
    assert [line[:3] for line in said] == ["1/4", "2/4", "3/4", "4/4"]
    assert said[1].endswith("phantom from t1, t1-ir, flair")
    assert said[2].endswith("mni152 from t1")
    assert [e.protocol for e in result.evaluations] == ["mrbrains13", "plain"]
    assert not any(e.unmasked for e in result.evaluations)
    assert [(s.subject, s.class_name) for s in read_scores(result.scores)] == [
        (subject, tissue) for subject in ("phantom", "mni152") for tissue in ("CSF", "GM", "WM")
    ]
    assert result.picture.read_bytes().startswith(b"\x89PNG")
    scans = ("phantom/TrainingData/1/T1.nii.gz", "real/mni152/T1.nii.gz")
    for path, scan in zip(result.segmentations, scans, strict=True):
        labels, t1 = read_volume(path), read_volume(tmp_path / scan)
        assert labels.data.dtype == np.uint8
        assert labels.grid.fault(t1.grid) is None
    assert result.model == coarse_model


def test_a_training_from_start_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "TRAINING_SUBJECTS", 1)
    said: list[str] = []
    result = demo.train_demo(tmp_path / "demo", said.append, steps=3)
    assert [line[:3] for line in said] == ["1/5", "2/5", "3/5", "4/5", "5/5"]
    assert result.picture.read_bytes().startswith(b"\x89PNG")
    assert [score.class_name for score in read_scores(result.scores)] == ["CSF", "GM", "WM"]
    assert [path.is_file() for path in result.segmentations] == [True]
    assert (result.model / "assets.extra" / "voxres.json").is_file()
    assert (tmp_path / "demo" / "run" / "curves.png").is_file()
    with pytest.raises(OutputExistsError, match=r"scores\.csv.*with -o"):
        demo.train_demo(tmp_path / "demo", said.append, steps=3)


@pytest.mark.parametrize("extra", [[], ["--train"]])
def test_a_folder_of_other_files_is_left_alone(tmp_path: Path, extra: list[str]) -> None:
    scan = tmp_path / "data" / "TrainingData" / "1" / "T1.nii"
    scan.parent.mkdir(parents=True)
    scan.write_text("mine")
    done = CliRunner().invoke(cli, ["demo", "-o", str(tmp_path), *extra])
    assert done.exit_code == 1
    assert "Received: other files. Pass another folder with -o." in done.stderr
    assert scan.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_an_installation_without_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "PACKAGE", "no_such_package_here")
    done = CliRunner().invoke(cli, ["demo", "-o", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert done.stderr.startswith("voxres: brain-tissue: this model ships with voxres. ")
    assert "nstall voxres again, or train a small model with voxres demo --train" in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_length_of_a_training_needs_a_training(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["demo", "-o", str(tmp_path / "out"), "--steps", "3"])
    assert done.exit_code == 2
    assert "--steps needs --train" in done.stderr

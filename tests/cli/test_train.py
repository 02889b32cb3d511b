"""`voxres train`: what the options make of the preset; the training itself is stood in for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from voxres_cli.main import cli

from voxres_tf.config import RunConfig
from voxres_tf.presets import PRESETS
from voxres_tf.training import fit
from voxres_tf.volume import Grid, write_volume


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "TrainingData"
    grid = Grid((8, 8, 4), np.eye(4))
    for number in ("1", "2", "3"):
        for name in ("T1", "T2_FLAIR", "LabelsForTraining"):
            volume = np.full(grid.shape, int(number), np.uint8)
            write_volume(folder / number / f"{name}.nii.gz", volume, grid)
    return folder


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Arguments of every training that was asked for."""
    found: list[dict[str, Any]] = []

    def train(subjects: Any, run: Path, config: RunConfig, **options: Any) -> Path:
        found.append({"ids": [s.id for s in subjects], "config": config, **options})
        run.mkdir()
        return run

    monkeypatch.setattr(fit, "train", train)
    return found


def invoke(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["train", *map(str, arguments)])
    return result.exit_code, result.output


def test_the_preset_with_the_modalities_that_are_there(
    data: Path, tmp_path: Path, calls: list[dict[str, Any]]
) -> None:
    code, output = invoke(data, "-o", tmp_path / "run", "--preset", "cpu")
    assert code == 0, output
    expected = PRESETS["cpu"].updated(preprocess={"modalities": ("t1", "flair")})
    assert calls[0]["config"] == expected
    assert calls[0]["ids"] == ["1", "2", "3"]
    assert (calls[0]["val"], calls[0]["resume"], calls[0]["cache"]) == ([], "auto", None)


def test_options_go_before_the_preset(
    data: Path, tmp_path: Path, calls: list[dict[str, Any]]
) -> None:
    options = "--modalities flair --no-filtered --crop 32,32,16 --epochs 3 --steps-per-epoch 7"
    options += " --precision mixed_bfloat16 --no-flip --val 2 --resume never --seed 9"
    options += " --modality-dropout 0.3"
    code, output = invoke(data, "-o", tmp_path / "run", *options.split())
    assert code == 0, output
    config, training = calls[0]["config"], calls[0]["config"].training
    assert config.preprocess.channels == ("flair",)
    assert config.model.in_channels == 1
    assert (training.crop, training.steps) == ((32, 32, 16), 21)
    assert (training.precision, training.flip, training.seed) == ("mixed_bfloat16", False, 9)
    assert training.modality_dropout == 0.3
    assert calls[0]["ids"] == ["1", "3"]
    assert [s.id for s in calls[0]["val"]] == ["2"]
    assert calls[0]["resume"] == "never"


def test_the_network_and_its_width(data: Path, tmp_path: Path, calls: list[dict[str, Any]]) -> None:
    options = "--preset half --model unet3d --width 12"
    code, output = invoke(data, "-o", tmp_path / "run", *options.split())
    assert code == 0, output
    assert calls[0]["config"] == PRESETS["half"].updated(
        preprocess={"modalities": ("t1", "flair")}, model={"architecture": "unet3d", "width": 12}
    )


def test_auxiliary_options_of_a_config_without_auxiliary_outputs(
    data: Path, tmp_path: Path, calls: list[dict[str, Any]]
) -> None:
    file = tmp_path / "config.json"
    config = PRESETS["tiny"].updated(model={"architecture": "unet3d"})
    file.write_text(json.dumps(config.model_dump(mode="json")))
    options = ["--config", file, "--aux-schedule", "linear"]
    assert invoke(data, "-o", tmp_path / "run", *options)[0] == 2
    code, output = invoke(data, "-o", tmp_path / "run", *options, "--model", "voxresnet")
    assert code == 0, output
    assert calls[0]["config"].training.aux_schedule == "linear"


def test_a_config_file_stands_in_for_the_preset(
    data: Path, tmp_path: Path, calls: list[dict[str, Any]]
) -> None:
    file = tmp_path / "config.json"
    config = PRESETS["tiny"].updated(preprocess={"modalities": ("flair",)})
    file.write_text(json.dumps(config.model_dump(mode="json")))
    code, output = invoke(data, "-o", tmp_path / "run", "--config", file, "--steps", 5)
    assert code == 0, output
    assert calls[0]["config"] == config.updated(training={"steps": 5})
    code, output = invoke(data, "-o", tmp_path / "all", "--config", file, "--modalities", "all")
    assert code == 0, output
    assert calls[1]["config"] == config.updated(preprocess={"modalities": ("t1", "flair")})


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        ("--val 1 --val-count 1", 2, "exclude each other"),
        ("--steps 1 --epochs 1", 2, "exclude each other"),
        ("--config a.json --preset half", 2, "exclude each other"),
        ("--model unet3d --aux-schedule linear", 2, "--model voxresnet"),
        ("--model unet3d --preset thin", 1, "unet3d has none"),
        ("--model unet", 2, "unet3d"),
        ("--width 0", 2, "--width"),
        ("--crop 60", 2, "multiple of 8"),
        ("--modalities t3", 2, "t3"),
        ("--val 7", 1, "subjects of this data set are 1, 2, 3"),
        ("--config absent.json", 1, "absent.json"),
    ],
)
def test_wrong_use(
    data: Path, tmp_path: Path, calls: list[dict[str, Any]], options: str, code: int, text: str
) -> None:
    found, output = invoke(data, "-o", tmp_path / "run", *options.split())
    assert found == code, output
    assert text in output
    assert not calls

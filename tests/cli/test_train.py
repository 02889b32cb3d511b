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
from voxres_tf.grid import Grid
from voxres_tf.presets import PRESETS
from voxres_tf.training import fit
from voxres_tf.volume import write_volume


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
    options += " --modality-dropout 0.3 --ema 0.99 --frozen-norm"
    code, output = invoke(data, "-o", tmp_path / "run", *options.split())
    assert code == 0, output
    config, training = calls[0]["config"], calls[0]["config"].training
    assert config.preprocess.channels == ("flair",)
    assert config.model.in_channels == 1
    assert (training.crop, training.steps) == ((32, 32, 16), 21)
    assert (training.precision, training.flip, training.seed) == ("mixed_bfloat16", False, 9)
    assert training.modality_dropout == 0.3
    assert training.ema == 0.99
    assert training.frozen_norm
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


def test_a_config_file_that_names_no_modalities_takes_those_that_are_there(
    data: Path, tmp_path: Path, calls: list[dict[str, Any]]
) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"training": {"steps": 7}}')
    code, output = invoke(data, "-o", tmp_path / "run", "--config", file)
    assert code == 0, output
    expected = RunConfig().updated(
        preprocess={"modalities": ("t1", "flair")}, training={"steps": 7}
    )
    assert calls[0]["config"] == expected


def test_keep_spacing_takes_the_presets_resolution_away(
    data: Path, tmp_path: Path, calls: list[dict[str, Any]]
) -> None:
    for name, options in (("as-is", []), ("own", ["--keep-spacing"])):
        code, output = invoke(data, "-o", tmp_path / name, "--preset", "robust", *options)
        assert code == 0, output
    resampled, own = (call["config"].preprocess.resolution for call in calls)
    assert resampled == PRESETS["robust"].preprocess.resolution
    assert own is None


def write_source(folder: Path) -> Path:
    config = PRESETS["thin"].updated(
        preprocess={"modalities": ("flair", "t1-ir"), "gaussian_sigma": 3.0},
        model={"width": 6, "norm_momentum": 0.8},
    )
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config.model_dump(mode="json")))
    return folder


def test_init_gives_network_and_preprocessing(
    data: Path, tmp_path: Path, calls: list[dict[str, Any]]
) -> None:
    source = write_source(tmp_path / "source")
    code, output = invoke(data, "-o", tmp_path / "run", "--init", source, "--steps", 5)
    assert code == 0, output
    config = calls[0]["config"]
    assert "Starts from source: flair; without the data's t1\n" in output
    assert calls[0]["start"].path == source
    assert config.training == PRESETS["finetune"].updated(training={"steps": 5}).training
    assert (config.model.width, config.model.thin_kernels) == (6, True)
    assert (config.model.norm_momentum, config.preprocess.gaussian_sigma) == (0.8, 3.0)
    assert config.preprocess.channels == ("flair", "flair:filtered")  # the data has no t1-ir
    assert config.training.crop == (64, 64, 48)


def test_options_and_files_go_before_what_init_gives(
    data: Path, tmp_path: Path, calls: list[dict[str, Any]]
) -> None:
    init = ["--init", write_source(tmp_path / "source")]
    options = "--preset tiny --modalities all --no-filtered"
    code, output = invoke(data, "-o", tmp_path / "run", *init, *options.split())
    assert code == 0, output
    assert calls[0]["config"].preprocess.channels == ("t1", "flair")
    assert calls[0]["config"].training == PRESETS["tiny"].training
    file = tmp_path / "config.json"
    stated = {"preprocess": {"modalities": ["t1-ir"]}, "model": {"in_channels": 2}}
    file.write_text(json.dumps(stated | {"training": {"steps": 9}}))
    code, output = invoke(data, "-o", tmp_path / "file", *init, "--config", file)
    assert code == 0, output
    config = calls[1]["config"]
    assert (config.preprocess.channels, config.training.steps) == (("t1-ir", "t1-ir:filtered"), 9)
    assert (config.model.width, config.preprocess.gaussian_sigma) == (6, 3.0)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ("--width 8", "width 6 -> 8"),
        ("--model unet3d", "unet3d"),
        ("--modalities t1", "one of the source's channels, flair, t1-ir"),
        ("--config wide.json", "width 6 -> 16"),
        ("--init nowhere", "an exported model's folder or a shipped model"),
    ],
)
def test_what_init_refuses(
    data: Path,
    tmp_path: Path,
    calls: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    options: str,
    text: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("wide.json").write_text('{"model": {"width": 16}}')
    source = write_source(tmp_path / "source")
    code, output = invoke(data, "-o", "run", "--init", source, *options.split())
    assert code == 1, output
    assert text in output
    assert not calls


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        ("--val 1 --val-count 1", 2, "exclude each other"),
        ("--val ,", 2, "--val takes ids of subjects"),
        ("--validate-every 5", 2, "--validate-every is for --val or --val-count"),
        ("--steps 1 --epochs 1", 2, "exclude each other"),
        ("--config a.json --preset half", 2, "exclude each other"),
        ("--model unet3d --aux-schedule linear", 2, "--model voxresnet"),
        ("--model unet3d --preset thin", 1, "unet3d has none"),
        ("--model unet", 2, "unet3d"),
        ("--width 0", 2, "--width"),
        ("--ema 1", 2, "--ema"),
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

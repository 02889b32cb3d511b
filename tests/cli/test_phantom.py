"""`voxres phantom` from the command line."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from voxres_cli.main import cli

from voxres_tf.files import write_json
from voxres_tf.phantom import write, write_randomised
from voxres_tf.phantom.folders import NOTE_FILE
from voxres_tf.phantom.heads import Head


def test_subjects_are_written_once(tmp_path: Path) -> None:
    arguments = ["phantom", str(tmp_path), "--subjects", "1", "--seed", "3", "--size", "small"]
    first = CliRunner().invoke(cli, arguments)
    assert first.exit_code == 0, first.output
    assert first.output.endswith(": 1 subject\n")
    assert (tmp_path / "TrainingData" / "1" / "T2_FLAIR.nii.gz").is_file()
    before = (tmp_path / "TrainingData" / "1" / "T1.nii.gz").stat().st_mtime_ns
    again = CliRunner().invoke(cli, arguments)
    assert again.exit_code == 0, again.output
    assert (tmp_path / "TrainingData" / "1" / "T1.nii.gz").stat().st_mtime_ns == before
    other = CliRunner().invoke(cli, [*arguments, "--seed", "4"])
    assert other.exit_code == 1
    assert "Pass --overwrite" in other.output


def test_the_real_scan(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["phantom", str(tmp_path), "--real"])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "manifest.csv").is_file()
    assert not (tmp_path / "TrainingData").exists()


@pytest.mark.parametrize(
    ("maps", "people", "note"), [(3, 3, True), (4, 4, False), (4, 3, True), (4, 2, True)]
)
def test_people_who_are_in_both_series_are_told(
    maps: int, people: int, note: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(out: Path, *_: object, heads: list[Head], **__: object) -> list[Path]:
        folders = [out / part / str(n) for part in ("TrainingData", "TestData") for n in (1, 2)]
        for folder, head in zip(folders, cycle(heads), strict=False):
            write_json(folder / NOTE_FILE, {"head": {"name": head.name, "sha256": head.sha256}})
        return folders

    monkeypatch.setattr(write, "write_phantom", made)
    for n in range(maps):
        (tmp_path / f"{n}.nii.gz").write_text(str(n % people))
    options = ["--subjects", "2", "--test-subjects", "2", "--anatomies", str(tmp_path)]
    done = CliRunner().invoke(cli, ["phantom", str(tmp_path / "out"), *options])
    assert done.exit_code == 0, done.output
    told = f"TestData has people of TrainingData (anatomies: {people}, subjects: 4)"
    assert (told in done.output) == note


def test_people_of_a_label_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[list[str]] = []

    def fake(out: Path, subjects: int, seed: int, heads: list[Any], *_: Any, **__: Any) -> Path:
        made.append([out.name, str(subjects), str(seed), *(head.name for head in heads)])
        return out / "manifest.csv"

    monkeypatch.setattr(write_randomised, "write_randomised", fake)
    (tmp_path / "a.nii.gz").touch()
    options = ["--anatomies", str(tmp_path), "--anatomies", "nilearn", "--randomise"]
    arguments = ["phantom", str(tmp_path / "out"), *options, "--subjects", "7", "--seed", "2"]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.output
    assert made == [["out", "7", "2", "a.nii.gz", "mni152"]]
    (tmp_path / "ranges.json").write_text('{"contrast": {"powre": [1, 2]}}')
    done = CliRunner().invoke(cli, [*arguments, "--ranges", str(tmp_path / "ranges.json")])
    assert done.exit_code == 1
    assert "contrast.powre" in done.output


def test_impossible_ranges_are_one_line_before_anything_is_written(tmp_path: Path) -> None:
    ranges, out = tmp_path / "ranges.json", tmp_path / "out"
    ranges.write_text('{"contrast": {"least_difference": 0.95}}')
    done = CliRunner().invoke(cli, ["phantom", str(out), "--randomise", "--ranges", str(ranges)])
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert "ranges.json: contrast" in done.stderr
    assert "least_difference" in done.stderr
    assert not out.exists()


def test_real_subjects_are_not_replaced_by_simulated_ones(tmp_path: Path) -> None:
    scan = tmp_path / "1" / "T1.nii.gz"
    scan.parent.mkdir()
    scan.write_text("real")
    for options in ("--randomise", "--real", "--size small"):
        done = CliRunner().invoke(cli, ["phantom", str(tmp_path), *options.split()])
        assert done.exit_code == 1
        assert "one data set in a folder. Received: subject 1 of another" in done.stderr
    assert list(tmp_path.rglob("*.nii.gz")) == [scan]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--subjects", "0"],
        ["--size", "huge"],
        ["--seed", "-1"],
        ["--real", "--test-subjects", "2"],
        ["--real", "--anatomies", "nilearn"],
        ["--real", "--randomise"],
        ["--randomise", "--size", "small"],
        ["--ranges", "a.json"],
    ],
)
def test_usage_errors(tmp_path: Path, arguments: list[str]) -> None:
    done = CliRunner().invoke(cli, ["phantom", str(tmp_path), *arguments])
    assert done.exit_code == 2
    assert list(tmp_path.iterdir()) == []

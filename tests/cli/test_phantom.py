"""`voxres phantom` from the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from voxres_cli.main import cli


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from voxres_cli.main import cli\n"
        "try:\n    cli(['phantom', '--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'tensorflow', 'scipy', 'nibabel', 'numpy'} & set(sys.modules)\n"
        "sys.exit(','.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--subjects" in done.stdout


def test_subjects_are_written_once(tmp_path: Path) -> None:
    arguments = ["phantom", str(tmp_path), "--subjects", "1", "--seed", "3", "--size", "small"]
    first = CliRunner().invoke(cli, arguments)
    assert first.exit_code == 0, first.output
    assert "1 subjects" in first.output
    assert (tmp_path / "TrainingData" / "1" / "T2_FLAIR.nii.gz").is_file()
    second = CliRunner().invoke(cli, arguments)
    assert second.exit_code == 1
    assert "Pass --overwrite" in second.output


def test_the_real_scan(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["phantom", str(tmp_path), "--real"])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "manifest.csv").is_file()
    assert not (tmp_path / "TrainingData").exists()


@pytest.mark.parametrize(
    "arguments",
    [["--subjects", "0"], ["--size", "huge"], ["--seed", "-1"], ["--real", "--test-subjects", "2"]],
)
def test_usage_errors(tmp_path: Path, arguments: list[str]) -> None:
    done = CliRunner().invoke(cli, ["phantom", str(tmp_path), *arguments])
    assert done.exit_code == 2
    assert list(tmp_path.iterdir()) == []

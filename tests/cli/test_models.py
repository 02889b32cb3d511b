"""`voxres models`: list, info and verify."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from voxres_cli.main import cli

from voxres_tf.contract import read_contract
from voxres_tf.inference import models


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["models", *map(str, arguments)])


@pytest.fixture
def shipped(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of shipped models with `tiny`, version 1."""
    package = tmp_path / "site" / "some_models"
    shutil.copytree(tiny_model.parent, package / "tiny")
    (package / "tiny" / "README.md").write_text("# tiny\n## Licence\nApache-2.0\n")
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setattr(models, "PACKAGE", "some_models")
    return package / "tiny"


@pytest.mark.parametrize("command", ["info", "verify"])
def test_an_empty_name_is_no_model(shipped: Path, command: str) -> None:
    done = run(command, "")
    assert (done.exit_code, "received an empty text" in done.stderr) == (2, True)


def test_list_and_info(shipped: Path) -> None:
    titles, line = run("list").output.splitlines()
    assert titles.startswith("name")
    assert line.split()[:4] == ["tiny", "1", "t1,", "flair"]
    lines = run("info", "tiny").output.splitlines()
    assert "takes:           t1, flair" in lines
    assert "licence:         Apache-2.0" in lines
    as_json = run("info", "tiny", "--json").output
    contract = read_contract(shipped / "1")
    assert json.loads(as_json) == contract.model_dump(mode="json")


def test_verify_by_name_by_path_and_all(shipped: Path) -> None:
    for arguments in ((), ("tiny",), (shipped,), (shipped / "1",)):
        result = run("verify", *arguments)
        assert result.exit_code == 0, result.output
        first, *roads = result.stdout.splitlines()
        assert "tiny/1: whole, " in first
        assert "voxres predict" in roads[-1]
        assert "100 % of 12288 labels equal" in roads[-1]
    damaged = shipped / "2"
    shutil.copytree(shipped / "1", damaged)
    (damaged / "saved_model.pb").write_bytes(b"")
    result = run("verify")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert "tiny/2: every file as it was exported. Received: saved_model.pb has ch" in result.stderr


def test_nothing_ships_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "PACKAGE", "no_such_package_here")
    for name in ("list", "verify"):
        result = run(name)
        assert (result.exit_code, result.output) == (0, "No models ship with this installation.\n")


@pytest.mark.parametrize("name", ["info", "verify"])
def test_an_unknown_model_is_one_line(name: str) -> None:
    result = run(name, "nowhere")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "neither" in result.stderr


def test_list_and_info_do_without_tensorflow(tiny_model: Path) -> None:
    code = f"""
import sys
from click.testing import CliRunner
from voxres_cli.main import cli
for arguments in (["list"], ["info", {str(tiny_model)!r}]):
    if CliRunner().invoke(cli, ["models", *arguments]).exit_code or "tensorflow" in sys.modules:
        sys.exit(" ".join(arguments))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

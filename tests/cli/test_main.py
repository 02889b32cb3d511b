"""The command group: help without heavy imports, near misses, errors and exit codes."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from voxres_cli import main
from voxres_cli.main import COMMANDS, cli

from voxres_tf import __version__
from voxres_tf.errors import DataError

HEAVY = ("tensorflow", "keras", "nibabel", "matplotlib", "scipy", "skimage", "nilearn")


def run(*args: str) -> Result:
    return CliRunner().invoke(cli, list(args))


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make `voxres check` a command that raises what it is given."""

    def install(error: BaseException) -> None:
        @click.command()
        def command() -> None:
            raise error

        module = SimpleNamespace(command=command)
        monkeypatch.setattr(main, "import_module", lambda *_: module)

    return install


def test_version() -> None:
    assert run("--version").output == f"voxres, version {__version__}\n"


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_the_help_page_lists_every_command(flag: str) -> None:
    result = run(flag)
    assert result.exit_code == 0
    assert all(f"  {name} " in result.output for name in COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_exists_and_explains_itself(name: str) -> None:
    command = import_module(f"voxres_cli.{name.replace('-', '_')}").command
    assert isinstance(command, click.Command)
    result = run(name, "--help")
    assert result.exit_code == 0
    assert f"Usage: cli {name}" in result.output
    assert command.help


def test_help_imports_nothing_heavy() -> None:
    # In a process of its own, since other tests import everything.
    code = f"""
import sys
from click.testing import CliRunner
from voxres_cli.main import COMMANDS, cli
for name in ("", *COMMANDS):
    result = CliRunner().invoke(cli, [name, "--help"] if name else ["--help"])
    if result.exit_code:
        sys.exit(f"voxres {{name}} --help: {{result.output}}")
    heavy = [module for module in {HEAVY!r} if module in sys.modules]
    if heavy:
        sys.exit(f"voxres {{name}} --help imports {{', '.join(heavy)}}")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("typed", "meant"), [("trian", "train"), ("eval", "evaluate")])
def test_a_near_miss_is_suggested(typed: str, meant: str) -> None:
    result = run(typed)
    assert result.exit_code == 2
    assert f"No such command '{typed}'. Did you mean '{meant}'?" in result.stderr


def test_a_far_miss_is_a_usage_error_without_suggestion() -> None:
    result = run("xyzzy")
    assert result.exit_code == 2
    assert "No such command 'xyzzy'." in result.stderr
    assert "Did you mean" not in result.stderr


@pytest.mark.parametrize("args", [("--nonsense",), ("check",), ("check", "/no/such/folder")])
def test_wrong_usage_exits_with_2(args: tuple[str, ...]) -> None:
    assert run(*args).exit_code == 2


def test_an_error_of_ours_is_one_line(raising: Any) -> None:
    raising(DataError("T1.nii: a rule"))
    result = run("check")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "voxres: T1.nii: a rule\n"


def test_a_closed_path_is_named(raising: Any) -> None:
    raising(PermissionError(13, "Permission denied", "closed/T1.nii"))
    result = run("check")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(
        "voxres: closed/T1.nii: a path that can be used. Received: Perm"
    )


def test_a_bug_is_one_line_that_tells_how_to_see_more(raising: Any) -> None:
    raising(KeyError("first\nsecond"))
    result = run("check")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("voxres: KeyError: ")
    assert "voxres -v" in result.stderr


@pytest.mark.parametrize("error", [DataError("a rule"), KeyError("a key")])
def test_verbose_shows_the_traceback(raising: Any, error: Exception) -> None:
    raising(error)
    result = run("-v", "check")
    assert result.exit_code == 1
    assert "Traceback (most recent call last):" in result.stderr
    assert "raise error" in result.stderr


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_ctrl_c_exits_with_130(raising: Any, error: BaseException) -> None:
    raising(error)
    result = run("check")
    assert (result.exit_code, result.stderr) == (130, "voxres: interrupted\n")


SLOW = """
import time
from pathlib import Path
from voxres_cli import check
from voxres_cli.main import cli
from voxres_tf.files import atomic_path

def slow(**_):
    with atomic_path(Path("out.txt")) as temporary:
        temporary.write_text("half")
        print("half", flush=True)
        time.sleep(60)

check.command.callback = slow
cli(["check", "."])
"""


def test_sigterm_leaves_nothing_half_written(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SLOW]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half\n"
        (half,) = tmp_path.iterdir()
        assert half.name.startswith(".partial-")
        process.terminate()
        assert process.wait(timeout=30) == 143
    assert not list(tmp_path.iterdir())


def test_a_reader_that_has_gone_is_no_bug(raising: Any) -> None:
    raising(BrokenPipeError(32, "Broken pipe"))
    result = run("check")
    assert (result.exit_code, result.output) == (1, "")


def test_a_command_sets_its_own_exit_code(raising: Any) -> None:
    raising(click.exceptions.Exit(1))
    result = run("check")
    assert (result.exit_code, result.output) == (1, "")


def test_the_group_alone_shows_its_help() -> None:
    result = run()
    assert "Commands:" in result.output + result.stderr
    assert "Traceback" not in result.output


def test_names_that_are_not_utf_8_are_shown_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    command = click.Command("check", callback=lambda: click.echo("x\udcffy.nii"))
    monkeypatch.setattr(main, "import_module", lambda *_: SimpleNamespace(command=command))
    result = run("check")
    assert (result.exit_code, result.stdout) == (0, "x\\udcffy.nii\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", ".", "-o", "r", "--init", ""),
        ("train", ".", "-o", "r", "--val", " "),
        ("cross-validate", ".", "-o", "r", "--folds", ""),
        ("cross-validate", ".", "-o", "r", "--ray-address", ""),
        ("predict", "--model", ""),
        ("predict", "--model-name", ""),
        ("phantom", "out", "--anatomies", ""),
        ("picture", __file__, __file__, "-o", "p.png", "--classes", ""),
    ],
)
def test_empty_texts_are_usage_errors(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert f"'{arguments[-2]}': a value; received an empty text" in result.stderr.replace(
        "'-m' / '--model'", "'--model'"
    )

"""The `voxres` command: a group that loads its commands on demand."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from io import TextIOWrapper
from typing import Any, NoReturn

import click
from typing_extensions import override

from voxres_tf import __version__
from voxres_tf.errors import VoxResError, message

COMMANDS = {
    "auto-context": "Train both stages of the paper, ready to predict as one model.",
    "check": "Report everything that is wrong with a data set.",
    "cross-validate": "Train and score every fold, for one row or the paper's five.",
    "demo": "Show it at work: segment, score and draw two heads that ship with it.",
    "evaluate": "Score segmentations: Dice, HD95 and AVD per tissue.",
    "export": "Turn a finished training into a SavedModel.",
    "models": "List, describe and verify the models that ship.",
    "phantom": "Make multi-modal subjects from a packaged anatomy.",
    "picture": "Draw a segmentation over its scan, and beside a reference.",
    "predict": "Segment whole volumes with an exported model.",
    "rank": "Rank teams by their scores, as the challenge does.",
    "tables": "Tables, differences and a picture from score files.",
    "train": "Train VoxResNet on a folder of subjects.",
}
FAILED, INTERRUPTED, TERMINATED = 1, 130, 143


class LazyGroup(click.Group):
    """Commands live in modules named after them; failures become one line and an exit code.

    Exit codes: 0 done, 1 an error, 2 wrong usage (click's), 130 Ctrl-C, 143 SIGTERM.
    """

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, for the help page and shell completion."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module = import_module(f".{cmd_name.replace('-', '_')}", __package__)
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As in click, but the error for an unknown name suggests the nearest command."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            # click looks for near misses among loaded commands only, and none is loaded.
            near = get_close_matches(args[0], COMMANDS, n=1)
            if not near:
                raise
            raise click.UsageError(f"{error.message} Did you mean {near[0]!r}?", ctx) from error

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, and turn what it raises into one line and an exit code."""
        if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
            sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be UTF-8
        try:
            with _unwinding_on_sigterm():
                return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
            raise  # left to click: usage, --help, a reader that has gone away
        except (KeyboardInterrupt, click.Abort):
            click.echo("voxres: interrupted", err=True)
            ctx.exit(INTERRUPTED)
        except VoxResError as error:
            _fail(ctx, error, str(error))
        except PermissionError as error:
            then = "mend its permissions, or name another"
            where, rule = error.filename or "voxres", "a path that can be used"
            _fail(ctx, error, message(where, rule, error.strerror, then))
        except Exception as error:
            line = " ".join(f"{type(error).__name__}: {error}".split())
            _fail(ctx, error, f"{line} (for the traceback: voxres -v COMMAND ...)")


@contextmanager
def _unwinding_on_sigterm() -> Iterator[None]:
    """Let SIGTERM end a command like an exception, so that nothing half-written is left."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _terminate(_signal: int, _frame: object) -> NoReturn:
    raise SystemExit(TERMINATED)


def _fail(ctx: click.Context, error: Exception, line: str) -> NoReturn:
    if ctx.params["verbose"]:
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    click.echo(f"voxres: {line}", err=True)
    ctx.exit(FAILED)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-v", "--verbose", is_flag=True, help="Show the traceback of an error.")
@click.version_option(__version__, prog_name="voxres")
def cli(verbose: bool) -> None:  # read by `LazyGroup.invoke`
    """Segment brain scans with VoxResNet: check, train, export, predict, evaluate."""
    if not verbose:
        # nibabel reports header repairs without the file's name.
        logging.getLogger("nibabel.global").setLevel(logging.ERROR)

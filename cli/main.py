"""The `voxres` command: a group that loads its commands when they are asked for."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

from voxres_tf import __version__
from voxres_tf.errors import VoxResError

COMMANDS = {
    "check": "Report everything that is wrong with a data set.",
    "demo": "Show the whole tool at work on a brain that ships with it.",
    "evaluate": "Score segmentations: Dice, HD95 and AVD per tissue.",
    "export": "Turn a finished training into a SavedModel.",
    "phantom": "Make multi-modal subjects from a packaged anatomy.",
    "predict": "Segment whole volumes with an exported model.",
    "train": "Train VoxResNet on a folder of subjects.",
}


class LazyGroup(click.Group):
    """Commands live in modules of their own names; a failure of ours is one line and exit code 1."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Names of the commands, for the help page and shell completion."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; None, with click's suggestion, for an unknown name."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        command: click.Command = import_module(f".{cmd_name}", __package__).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run, and turn errors into exit codes: 1 ours, 2 usage, 130 Ctrl-C."""
        try:
            return super().main(*args, **kwargs)
        except VoxResError as error:
            click.echo(f"voxres: {error}", err=True)
            sys.exit(1)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="voxres")
def cli() -> None:
    """Segment brain scans with VoxResNet: check, train, export, predict, evaluate."""

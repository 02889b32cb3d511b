"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

LAYOUT = click.Choice(["auto", "manifest", "mrbrains13", "mrbrains18", "ibsr18", "iseg2017"])
"""The layouts of `voxres_tf.dataset.layouts`, named here so that help needs no nibabel."""

_Decorator = Callable[[Any], Any]


def adding(*options: _Decorator) -> _Decorator:
    """A decorator that adds options, in the order of the help page."""

    def add(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def given(*names: str) -> list[str]:
    """Which of these parameters the running command was given, as options: `--like-this`."""
    context = click.get_current_context()
    params = {param.name: param for param in context.command.params}
    asked = [n for n in names if context.get_parameter_source(n) is not ParameterSource.DEFAULT]
    return [_option(params[name], context.params[name]) for name in asked]


def _option(param: click.Parameter, value: object) -> str:
    """The option's name: `--tta`, or `--no-tta` if that was given."""
    off = value is False and param.secondary_opts
    return (param.secondary_opts if off else param.opts)[-1]


reference_options = adding(
    click.option(
        "--protocol",
        type=click.Choice(["mrbrains13", "mrbrains18", "plain"]),
        default="mrbrains13",
        show_default=True,
        help="What is left out: cerebellum and brainstem; also other and infarction; nothing.",
    ),
    click.option(
        "--ref-coding",
        type=click.Choice(["auto", "training", "testing"]),
        default="auto",
        show_default=True,
        help="Codes 0..8 of MRBrainS13's LabelsForTraining, or 0..3 of its LabelsForTesting.",
    ),
)
"""`--protocol` and `--ref-coding`; see `evaluation.reference.read_reference`."""

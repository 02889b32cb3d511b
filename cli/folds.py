"""Options of the commands that train many networks, and the values made from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import adding
from .types import Number, Place, Text

if TYPE_CHECKING:
    from voxres_tf.crossval.engines import Engine
    from voxres_tf.dataset.folds import Folds
    from voxres_tf.dataset.subject import SubjectFiles


fold_options = adding(
    click.option(
        "--folds",
        type=Text(),
        metavar="loo|N",
        help="Leave one out, or this many folds.  [default: loo]",
    ),
    click.option(
        "--splits",
        type=Place(dir_okay=False, exists=True),
        help="CSV with the columns subject and fold, instead of --folds.",
    ),
)
"""`--folds` and `--splits`; see `folds_of`."""

context_options = adding(
    click.option(
        "--context",
        type=click.Choice(["out-of-fold", "in-sample"]),
        default="out-of-fold",
        show_default=True,
        help="Maps of networks that had not seen the subject, or of the first stage itself.",
    ),
    click.option(
        "--first-stage",
        type=click.Choice(["all", "folds"]),
        default="all",
        show_default=True,
        help="At prediction: one network of all subjects, or the mean of the folds' networks.",
    ),
)
"""`--context` and `--first-stage`: the fields of `crossval.plan.AutoContext`."""

engine_options = adding(
    click.option(
        "--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True
    ),
    click.option(
        "--ray-address",
        type=Text(),
        help="Address of a running cluster; auto finds this machine's.  [default: start one here]",
    ),
    click.option("--cpus-per-task", type=Number(0), help="For Ray.  [default: 1]"),
    click.option("--gpus-per-task", type=Number(0), help="For Ray.  [default: 0]"),
)
"""`--engine` and the options for Ray; see `engine_of`."""


def folds_of(
    subjects: Sequence[SubjectFiles], seed: int, *, folds: str | None, splits: Path | None
) -> Folds:
    """The folds that `--folds` or `--splits` specifies, leave-one-out by default."""
    if folds and splits:
        raise click.UsageError("--folds and --splits exclude each other")
    from voxres_tf.dataset.folds import make_folds, read_folds

    ids = [files.id for files in subjects]
    if splits:
        return read_folds(splits, ids)
    count = folds.strip().lower() if folds else "loo"
    if count != "loo" and not count.isdecimal():
        raise click.UsageError(f"--folds takes loo or a number; received {folds!r}")
    return make_folds(ids, None if count == "loo" else int(count), seed)


def engine_of(options: dict[str, Any]) -> Engine:
    """Make an engine of the `engine_options`, removed from `options`; Ray's need `--engine ray`."""
    names = {"ray_address": "ray_address", "cpus_per_task": "cpus", "gpus_per_task": "gpus"}
    given = {new: value for old, new in names.items() if (value := options.pop(old)) is not None}
    engine = options.pop("engine")
    if engine == "local" and given:
        raise click.UsageError("--ray-address, --cpus-per-task, --gpus-per-task: --engine ray only")
    from voxres_tf.crossval.engines import Engine

    return Engine(engine, **given)

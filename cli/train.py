"""`voxres train`: from a folder of subjects to a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .settings import config_options, run_config
from .types import Place, Text

if TYPE_CHECKING:
    from voxres_tf.training.run import Resume


@click.command()
@click.argument("data", type=Place(exists=True))
@click.option("-o", "--output", "run", required=True, type=Place(), metavar="RUN")
@click.option(
    "--init",
    type=Text(),
    metavar="MODEL",
    help="Start from trained weights: a run, an exported model's folder or a shipped name.",
)
@click.option(
    "--frozen-norm/--no-frozen-norm",
    default=None,
    help="With --init: keep its batch normalisation's statistics.",
)
@config_options
@click.option("--validate-every", type=click.IntRange(1), help="Epochs between validations.")
@click.option("--val", type=Text(), metavar="ID[,ID...]", help="Subjects to validate on.")
@click.option(
    "--val-count",
    type=click.IntRange(0),
    default=0,
    help="How many subjects to validate on, drawn by the seed.",
)
@click.option(
    "--resume", type=click.Choice(["auto", "never", "must"]), default="auto", show_default=True
)
@click.option("--cache", type=Place(), help="Prepared subjects.  [RUN/cache]")
def command(
    data: Path,
    run: Path,
    init: str | None,
    layout: str,
    val: str | None,
    val_count: int,
    resume: Resume,
    cache: Path | None,
    **settings: Any,
) -> None:
    """Train VoxResNet or a 3D U-Net on the labelled subjects of DATA, a folder or a CSV manifest.

    Options that are not given keep the values of the preset. The same command resumes a training
    that was interrupted.

    With --init the network and its pre-processing are those of MODEL, as are the modalities that
    DATA also has; --modalities can name others. The default preset is then finetune.
    """
    if val and val_count:
        raise click.UsageError("--val and --val-count exclude each other")
    if settings["validate_every"] and not (val or val_count):
        raise click.UsageError("--validate-every is for --val or --val-count")
    from voxres_tf.dataset.checks import classes_of, modalities_of
    from voxres_tf.dataset.layouts import find_subjects, left_out_note
    from voxres_tf.dataset.splits import split_by_count, split_by_ids
    from voxres_tf.inference.models import find_start

    start = find_start(init) if init else None
    subjects = find_subjects(data, layout=layout)
    if note := left_out_note(data, subjects):
        click.echo(f"Note: {note}")
    modalities = modalities_of(subjects)
    config = run_config(modalities, classes=classes_of(subjects), start=start, **settings)
    if start:
        click.echo(start.told(config, modalities))
    ids = [part.strip() for part in (val or "").split(",") if part.strip()]
    if val and not ids:
        raise click.UsageError(f"--val takes ids of subjects; received {val!r}")
    if ids:
        learning, held_out = split_by_ids(subjects, ids)
    else:
        learning, held_out = split_by_count(subjects, val_count, config.training.seed)

    from voxres_tf.report.curves import training_curves
    from voxres_tf.training.fit import train
    from voxres_tf.training.history import read_history
    from voxres_tf.training.run import RunFolder

    folder = RunFolder(
        train(learning, run, config, val=held_out, resume=resume, cache=cache, start=start)
    )
    training_curves(folder.curves, read_history(folder.history))
    click.echo(f"{run}: trained for {config.training.steps} steps")
    click.echo(f"Next: voxres export {run} -o saved_models/{run.resolve().name}")

"""`voxres train`: from a folder of subjects to a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from voxres_tf.config import PRESETS, Precision, RunConfig, load

from .options import LAYOUT, ModalityList, ShapeType

TRAINING_OPTIONS = (
    click.option("--crop", type=ShapeType(), help="Voxels of a training crop."),
    click.option("--batch", type=click.IntRange(1), help="Crops per step."),
    click.option("--steps", type=click.IntRange(1), help="Updates of the weights."),
    click.option("--epochs", type=click.IntRange(1), help="The same in epochs."),
    click.option("--steps-per-epoch", type=click.IntRange(1), help="Length of an epoch."),
    click.option("--optimizer", type=click.Choice(["sgd", "adam", "adamw"])),
    click.option("--learning-rate", type=click.FloatRange(0, min_open=True)),
    click.option("--l2", type=click.FloatRange(0), help="Lambda of eq. (3)."),
    click.option("--clip-norm", type=click.FloatRange(0), help="Limit of the gradient; 0: none."),
    click.option("--aux-schedule", type=click.Choice(["exponential", "linear", "constant"])),
    click.option("--foreground-share", type=click.FloatRange(0, 1), help="Crops around tissue."),
    click.option("--flip/--no-flip", default=None, help="Mirror crops left-right."),
    click.option("--jitter", type=click.FloatRange(0), help="SD of gain and offset."),
    click.option("--precision", type=click.Choice(get_args(Precision))),
    click.option("--seed", type=click.IntRange(0)),
    click.option("--validate-every", type=click.IntRange(1), help="Epochs between validations."),
    click.option("--checkpoint-minutes", type=click.FloatRange(0, min_open=True)),
)


def training_options(function: Any) -> Any:
    """Add an option for every field of the training config; unset ones keep the preset's value."""
    for option in reversed(TRAINING_OPTIONS):
        function = option(function)
    return function


@click.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o", "--output", "run", required=True, type=click.Path(path_type=Path), metavar="RUN"
)
@click.option("--preset", type=click.Choice(sorted(PRESETS)), help="[default: full]")
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="JSON, not a preset."
)
@click.option("--layout", type=LAYOUT, default="auto", show_default=True)
@click.option("--modalities", type=ModalityList(), default="all", show_default=True)
@click.option("--filtered/--no-filtered", default=None, help="Gaussian-subtracted CLAHE channels.")
@training_options
@click.option("--val", default="", metavar="ID[,ID...]", help="Subjects to validate on.")
@click.option("--val-count", type=click.IntRange(0), default=0, help="So many, drawn by the seed.")
@click.option(
    "--resume", type=click.Choice(["auto", "never", "must"]), default="auto", show_default=True
)
@click.option("--cache", type=click.Path(path_type=Path), help="Prepared subjects.  [RUN/cache]")
def command(
    data: Path,
    run: Path,
    layout: str,
    val: str,
    val_count: int,
    resume: Any,
    cache: Path | None,
    **settings: Any,
) -> None:
    """Train VoxResNet on the labelled subjects of DATA, a folder or a CSV manifest.

    Options that are not given keep the values of the preset. The same command goes on with a
    training that was interrupted.
    """
    if val and val_count:
        raise click.UsageError("--val and --val-count exclude each other")
    if settings["epochs"] and settings["steps"]:
        raise click.UsageError("--epochs and --steps exclude each other")
    if settings["config_file"] and settings["preset"]:
        raise click.UsageError("--config and --preset exclude each other")
    from voxres_tf.dataset.checks import modalities_of
    from voxres_tf.dataset.layouts import find_subjects
    from voxres_tf.dataset.splits import split_by_count, split_by_ids

    subjects = find_subjects(data, layout=layout)
    config = _config(modalities_of(subjects), **settings)
    ids = [part.strip() for part in val.split(",") if part.strip()]
    if ids:
        learning, held_out = split_by_ids(subjects, ids)
    else:
        learning, held_out = split_by_count(subjects, val_count, config.training.seed)

    from voxres_tf.report.curves import training_curves
    from voxres_tf.training.fit import train
    from voxres_tf.training.history import read_history
    from voxres_tf.training.run import RunFolder

    folder = RunFolder(train(learning, run, config, val=held_out, resume=resume, cache=cache))
    training_curves(folder.curves, read_history(folder.history))
    click.echo(f"{run}: trained for {config.training.steps} steps. Next: voxres export {run}")


def _config(
    available: tuple[str, ...],
    *,
    preset: str | None,
    config_file: Path | None,
    modalities: tuple[str, ...] | None,
    filtered: bool | None,
    epochs: int | None,
    **training: Any,
) -> RunConfig:
    """The preset or file with what the options change."""
    config = load(RunConfig, config_file) if config_file else PRESETS[preset or "full"]
    preprocess: dict[str, Any] = {"modalities": modalities or available}
    if filtered is not None:
        preprocess["filtered"] = filtered
    given = {name: value for name, value in training.items() if value is not None}
    if epochs:
        length = training["steps_per_epoch"] or config.training.steps_per_epoch
        given["steps"] = epochs * length
    return config.updated(preprocess=preprocess, training=given)

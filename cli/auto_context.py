"""`voxres auto-context`: both stages of the paper, exported as one model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .folds import auto_context_of, context_options, engine_of, engine_options, fold_options
from .folds import folds_of as folds_from
from .settings import config_options, run_config


@click.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o", "--output", "run", required=True, type=click.Path(path_type=Path), metavar="RUN"
)
@context_options
@fold_options
@config_options
@engine_options
def command(data: Path, run: Path, layout: str, **options: Any) -> None:
    """Train two stages on the labelled subjects of DATA; the second sees the first one's maps.

    Subjects' maps come from networks that never saw them, one per fold, unless --context says
    otherwise. RUN/model holds the exported model of both stages, for `voxres predict -m`. The same
    command goes on with what an interruption left.
    """
    how, engine = auto_context_of(options), engine_of(options)
    folds_options = {name: options.pop(name) for name in ("folds", "splits")}
    needs_folds = how.context == "out-of-fold" or how.first_stage == "folds"
    if any(folds_options.values()) and not needs_folds:
        rule = "--folds and --splits are for --context out-of-fold or --first-stage folds"
        raise click.UsageError(rule)
    from voxres_tf.dataset.checks import classes_of, modalities_of
    from voxres_tf.dataset.layouts import find_subjects

    subjects = find_subjects(data, layout=layout)
    config = run_config(modalities_of(subjects), classes=classes_of(subjects), **options)
    folds = folds_from(subjects, config.training.seed, **folds_options) if needs_folds else ()

    from voxres_tf.crossval.run import auto_context
    from voxres_tf.export.saved_model import export_once

    auto_context(subjects, run, config, folds, how, engine=engine, say=click.echo)
    model = export_once(run, run / "model")
    click.echo(f"{model}: both stages, reloaded and compared. Next: voxres predict -m {model}")

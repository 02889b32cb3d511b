"""`voxres auto-context`: both stages of the paper, exported as one model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .folds import context_options, engine_of, engine_options, fold_options, folds_of
from .settings import config_options, run_config
from .types import Place

if TYPE_CHECKING:
    from voxres_tf.crossval.plan import Context, FirstStage


@click.command()
@click.argument("data", type=Place(exists=True))
@click.option("-o", "--output", "run", required=True, type=Place(), metavar="RUN")
@context_options
@fold_options
@config_options
@engine_options
def command(
    data: Path,
    run: Path,
    layout: str,
    folds: str | None,
    splits: Path | None,
    context: Context,
    first_stage: FirstStage,
    **options: Any,
) -> None:
    """Train two stages on the labelled subjects of DATA; the second sees the first one's maps.

    The subjects' maps come from networks that never saw them, one per fold, unless --context says
    otherwise. RUN/model holds the exported model of both stages, for `voxres predict -m`. The same
    command resumes after an interruption.
    """
    from voxres_tf.crossval.plan import AutoContext

    how, engine = AutoContext(context, first_stage), engine_of(options)
    if (folds or splits) and not how.needs_folds:
        rule = "--folds and --splits are for --context out-of-fold or --first-stage folds"
        raise click.UsageError(rule)
    from voxres_tf.dataset.checks import classes_of, modalities_of
    from voxres_tf.dataset.layouts import find_subjects

    subjects = find_subjects(data, layout=layout)
    config = run_config(modalities_of(subjects), classes=classes_of(subjects), **options)
    seed = config.training.seed
    parts = folds_of(subjects, seed, folds=folds, splits=splits) if how.needs_folds else ()

    from voxres_tf.crossval.run import auto_context
    from voxres_tf.export.saved_model import export_once

    auto_context(subjects, run, config, parts, how, engine=engine, say=click.echo)
    model = export_once(run, run / "model")
    click.echo(f"{model}: both stages, reloaded and compared. Next: voxres predict -m {model}")

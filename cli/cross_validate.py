"""`voxres cross-validate`: train and score every fold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .folds import context_options, engine_of, engine_options, fold_options, folds_of
from .options import given
from .settings import config_options, run_config
from .types import Place

if TYPE_CHECKING:
    from voxres_tf.crossval.plan import Context, FirstStage


@click.command()
@click.argument("data", type=Place(exists=True))
@click.option("-o", "--output", "run", required=True, type=Place(), metavar="RUN")
@click.option("--ablation", is_flag=True, help="Rows: each modality, all, all with auto-context.")
@click.option("--auto-context", is_flag=True, help="A second row, with the second stage.")
@fold_options
@context_options
@config_options
@engine_options
def command(
    data: Path,
    run: Path,
    layout: str,
    ablation: bool,
    auto_context: bool,
    folds: str | None,
    splits: Path | None,
    context: Context,
    first_stage: FirstStage,
    **options: Any,
) -> None:
    """Train and score every fold of the labelled subjects of DATA.

    RUN gets the scores of every row and rows.json, for `voxres tables RUN`. Equal trainings are
    done once, and the same command resumes after an interruption. --ablation makes the five rows
    of the paper's Table 1.
    """
    if ablation and options["modalities"]:
        raise click.UsageError("--ablation takes all modalities; leave --modalities out")
    two_stages = ablation or auto_context
    if not two_stages and (others := given("context", "first_stage")):
        raise click.UsageError(f"{others[0]} is for --auto-context or --ablation")
    engine = engine_of(options)
    from voxres_tf.crossval.plan import AutoContext
    from voxres_tf.dataset.checks import modalities_of
    from voxres_tf.dataset.layouts import find_subjects

    subjects = find_subjects(data, layout=layout)
    available = modalities_of(subjects)
    config = run_config(available, **options)
    parts = folds_of(subjects, config.training.seed, folds=folds, splits=splits)
    how = AutoContext(context, first_stage)

    from voxres_tf.crossval.rows import table_rows
    from voxres_tf.crossval.run import cross_validate
    from voxres_tf.evaluation.tables import dice_in_short

    rows = table_rows(config, available, ablation=ablation, how=how if two_stages else None)
    for results in cross_validate(subjects, run, rows, parts, engine=engine, say=click.echo):
        click.echo(f"{results.name}: {dice_in_short(results)}")
    click.echo(f"Next: voxres tables {run}")

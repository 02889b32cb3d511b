"""`voxres cross-validate`: every fold trained and scored."""

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
@click.option("--ablation", is_flag=True, help="Each modality, all, and all with auto-context.")
@click.option("--auto-context", is_flag=True, help="A second row, with the second stage.")
@fold_options
@context_options
@config_options
@engine_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    data: Path,
    run: Path,
    layout: str,
    ablation: bool,
    auto_context: bool,
    **options: Any,
) -> None:
    """Train and score every fold of the labelled subjects of DATA.

    RUN gets the scores of every row and rows.json, for `voxres tables RUN`. Equal trainings are
    done once, and the same command goes on with what an interruption left. --ablation makes the
    five rows of the paper's Table 1.
    """
    if ablation and options["modalities"]:
        raise click.UsageError("--ablation takes all modalities; leave --modalities out")
    two_stages = ablation or auto_context
    if not two_stages:
        _refuse_context_options(ctx)
    how, engine = auto_context_of(options), engine_of(options)
    folds_options = {name: options.pop(name) for name in ("folds", "splits")}
    from voxres_tf.dataset.checks import modalities_of
    from voxres_tf.dataset.layouts import find_subjects

    subjects = find_subjects(data, layout=layout)
    config = run_config(modalities_of(subjects), **options)
    folds = folds_from(subjects, config.training.seed, **folds_options)

    from voxres_tf.crossval.rows import table_rows
    from voxres_tf.crossval.run import cross_validate
    from voxres_tf.evaluation.tables import dice_in_short

    rows = table_rows(config, ablation=ablation, how=how if two_stages else None)
    for results in cross_validate(subjects, run, rows, folds, engine=engine, say=click.echo):
        click.echo(f"{results.name}: {dice_in_short(results)}")
    click.echo(f"Next: voxres tables {run}")


def _refuse_context_options(ctx: click.Context) -> None:
    for name in ("context", "first_stage"):
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            option = name.replace("_", "-")
            raise click.UsageError(f"--{option} is for --auto-context or --ablation")

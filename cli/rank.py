"""`voxres rank`: rank teams by their score files, as the challenge does."""

from __future__ import annotations

from pathlib import Path

import click

from .types import Place


@click.command()
@click.argument("teams", nargs=-1, metavar="[TEAM=SCORES.CSV]...")
@click.option(
    "--beside-published",
    is_flag=True,
    help="Add the ten teams of the paper's Table 2 (MRBrainS13).",
)
@click.option("-o", "--output", type=Place(), help="Ranking as a CSV file.")
@click.option("--overwrite", is_flag=True, help="Replace an existing output.")
def command(
    teams: tuple[str, ...], beside_published: bool, output: Path | None, overwrite: bool
) -> None:
    """Rank teams as the MRBrainS challenge does, by their scores.

    Each team is a name and a CSV file from voxres evaluate. Teams are ranked by their mean over the
    subjects for each tissue and figure; the score is the sum of the nine ranks, lower is better.
    """
    if not teams and not beside_published:
        raise click.UsageError("name at least one TEAM=scores.csv, or pass --beside-published")
    if overwrite and output is None:
        raise click.UsageError("--overwrite needs --output")
    from voxres_tf.errors import ConfigError
    from voxres_tf.evaluation.ranking import rank_files, ranking_csv, ranking_table
    from voxres_tf.evaluation.rows import named_file
    from voxres_tf.files import refuse_existing, write_text

    try:
        files = [named_file(team) for team in teams]
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    if output is not None:
        inputs = [file for _, file in files]
        refuse_existing(output, overwrite=overwrite, inputs=inputs)
    ranking = rank_files(files, beside_published=beside_published)
    if output is not None:
        write_text(output, ranking_csv(ranking))
    click.echo(ranking_table(ranking))

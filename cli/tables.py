"""`voxres tables`: make the paper's Table 1 from score files."""

from __future__ import annotations

from pathlib import Path

import click

from .types import Place


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("-o", "--output", "out", required=True, type=Place(), metavar="OUT")
@click.option("--overwrite", is_flag=True, help="Replace the tables that OUT holds.")
def command(runs: tuple[str, ...], out: Path, overwrite: bool) -> None:
    """Make Table 1 from score files: means, SD, medians, differences between rows, a picture.

    RUN is NAME=scores.csv, one row from a CSV file of voxres evaluate, or the folder of a
    cross-validation with its rows.json. OUT gets table1.md, table1.csv, differences.csv and
    distributions.png.
    """
    from voxres_tf.errors import ConfigError
    from voxres_tf.evaluation.results import notes, read_results
    from voxres_tf.evaluation.rows import read_rows
    from voxres_tf.files import refuse_existing
    from voxres_tf.report.tables import write_tables

    try:
        files = [row for run in runs for row in read_rows(run)]
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    refuse_existing(out, overwrite=overwrite)
    results = read_results(files)
    for path in write_tables(out, results, overwrite=overwrite, inputs=[f for _, f in files]):
        click.echo(path)
    for note in notes(results):
        click.echo(f"Note: {note}")

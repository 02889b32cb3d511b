"""`voxres demo`: everything once, on a brain that ships with the package."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default="voxres-demo",
    show_default=True,
    help="Folder for everything that is made.",
)
@click.option("--steps", type=click.IntRange(1), help="Length of the training.  [about 2 minutes]")
def command(output: Path, steps: int | None) -> None:
    """Make phantom subjects, train on them, and segment, score and draw one that is new.

    Nothing is downloaded. A demonstration that was interrupted goes on where it stopped.
    """
    from voxres_tf.demo import run_demo
    from voxres_tf.evaluation.evaluate import table

    demo = run_demo(output, click.echo, steps=steps)
    click.echo(table(demo.evaluation))
    click.echo(f"Picture: {demo.picture}")
    click.echo(f"Labels:  {demo.segmentation}")
    click.echo(f"Scores:  {demo.scores}")
    click.echo(f"Model:   {demo.model}, for voxres predict -m")

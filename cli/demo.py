"""`voxres demo`: the tool at work on heads that ship with the package."""

from __future__ import annotations

from pathlib import Path

import click

from .types import Place


@click.command()
@click.option(
    "-o",
    "--output",
    type=Place(file_okay=False),
    help="Folder for all outputs.  [default: voxres-demo; with --train voxres-demo-train]",
)
@click.option(
    "--train",
    "training",
    is_flag=True,
    help="Train a small network instead of using the shipped model.",
)
@click.option("--steps", type=click.IntRange(1), help="Length of the training.  [about 2 minutes]")
def command(output: Path | None, training: bool, steps: int | None) -> None:
    """Segment, score and draw two heads with the shipped model.

    One is a simulated head with T1, T1-IR and FLAIR, the other the MNI152 average of real heads
    with T1 alone. Mirror images and alignment are off, which is faster and a little worse than
    voxres predict. With --train, make simulated heads, train a small network on four of them,
    export it, and segment, score and draw a fifth: the whole workflow in minutes. Nothing is
    downloaded. A demonstration that was interrupted continues where it stopped.
    """
    if steps and not training:
        raise click.UsageError("--steps needs --train.")
    from voxres_tf.demo import run_demo, train_demo
    from voxres_tf.evaluation.evaluate import table

    if training:
        demo = train_demo(output or Path("voxres-demo-train"), click.echo, steps=steps)
    else:
        demo = run_demo(output or Path("voxres-demo"), click.echo)
    for labels, evaluation in zip(demo.segmentations, demo.evaluations, strict=True):
        click.echo(f"\n{labels}\n{table(evaluation)}")
    click.echo(f"\nPicture: {demo.picture}")
    click.echo(f"Scores:  {demo.scores}")
    click.echo(f"Model:   {demo.model}, for voxres predict -m")

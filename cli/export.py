"""`voxres export`: turn a finished training into a SavedModel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .types import Number, Place, ShapeType


@click.command()
@click.argument("run", type=Place(file_okay=False, exists=True))
@click.option(
    "-o",
    "--output",
    required=True,
    type=Place(file_okay=False),
    help="Folder of the model, usually saved_models/NAME; a folder per version is made in it.",
)
@click.option(
    "--weights",
    type=click.Choice(["best", "last"]),
    help="Which weights of the run.  [default: best if it was validated, else last]",
)
@click.option(
    "--version",
    type=click.IntRange(min=1),
    help="Version to write.  [default: one above the highest there]",
)
@click.option(
    "--tile",
    type=ShapeType(),
    help="Voxels of a tile in prediction.  [default: training's crop, or larger as --init's]",
)
@click.option(
    "--overlap", type=Number(0, 1, max_open=True),
    help="Least share of a tile that its neighbour covers too.  [default: --init's, else 0.5]",
)  # fmt: skip
@click.option(
    "--tta/--no-tta", default=None,
    help="Average with the left-right mirror image.  [default: --init's with flips, else not]",
)  # fmt: skip
@click.option(
    "--one-piece/--all-pieces", default=None,
    help="Turn tissue apart from the largest piece into background.  "
    "[default: --init's with the same classes, else not]",
)  # fmt: skip
@click.option(
    "--align/--no-align", default=None,
    help="Align the other scans to the model's first modality before segmenting.  "
    "[default: --init's with --modality-dropout, else not]",
)  # fmt: skip
@click.option(
    "--serving", is_flag=True,
    help="Write warm-up requests, and the settings of TF Serving that are not in OUTPUT yet.",
)  # fmt: skip
def command(run: Path, output: Path, **options: Any) -> None:
    """Turn a finished training into a SavedModel.

    RUN is the folder that `voxres train` or `voxres auto-context` wrote. Before the model appears
    under its name, a fresh process runs it on tiles, on whole volumes and through `voxres
    predict`, and compares the results with those of the trained network.
    """
    from voxres_tf.contract import read_contract
    from voxres_tf.export.agreement import read_certificate
    from voxres_tf.export.saved_model import export_run

    folder = export_run(run, output, **options)
    lines = "\n".join(read_certificate(folder).lines())
    click.echo(f"{folder}: {lines}")
    training = read_contract(folder).training
    if planned := training.get("steps_planned"):
        click.echo(f"Note: the training was stopped after {training['steps']} of {planned} steps.")
    if options["serving"]:
        from voxres_tf.export.serving import docker_line

        click.echo(docker_line(output))

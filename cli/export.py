"""`voxres export`: a finished training becomes a SavedModel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
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
    "--serving", is_flag=True,
    help="Write warm-up requests, and the settings of TF Serving that are not in OUTPUT yet.",
)  # fmt: skip
def command(run: Path, output: Path, **options: Any) -> None:
    """Turn a finished training into a SavedModel.

    RUN is the folder that `voxres train` wrote. The model is reloaded in a fresh process and
    compared with the live network before it appears under its name.
    """
    import json

    from voxres_tf.export.saved_model import VERIFICATION_FILE, export_run

    folder = export_run(run, output, **options)
    report = json.loads((folder / VERIFICATION_FILE).read_text(encoding="utf-8"))
    click.echo(
        f"{folder}: reloaded and compared, largest difference {report['max_abs_difference']:.1e}"
    )
    if options["serving"]:
        from voxres_tf.export.serving import docker_line

        click.echo(docker_line(output))

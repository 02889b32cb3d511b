"""`voxres phantom`: subjects to try things on."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--subjects", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--test-subjects", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--size",
    type=click.Choice(["full", "small"]),
    default="full",
    show_default=True,
    help="full: 240x240x48 at 0.958x0.958x3 mm; small: 96x96x24 at 2.4x2.4x6 mm.",
)
@click.option("--real", is_flag=True, help="Write the packaged real T1 and a manifest instead.")
@click.option("--overwrite", is_flag=True, help="Replace what is there.")
@click.pass_context
def command(
    ctx: click.Context,
    out: Path,
    subjects: int,
    test_subjects: int,
    seed: int,
    size: str,
    real: bool,
    overwrite: bool,
) -> None:
    """Make multi-modal subjects from a packaged anatomy.

    OUT gets TrainingData/1.. and, with --test-subjects, TestData/1.. in MRBrainS13's layout.
    With --real it gets the MNI152 T1 with tissue labels as a data set of one, and manifest.csv.
    """
    if real:
        _refuse_with_real(ctx, "subjects", "test_subjects", "seed", "size")
    from voxres_tf.phantom.generate import write_phantom, write_real

    if real:
        click.echo(write_real(out, overwrite=overwrite))
        return
    folders = write_phantom(
        out, subjects, seed, size, test_subjects=test_subjects, overwrite=overwrite
    )
    click.echo(f"{out}: {len(folders)} subjects")


def _refuse_with_real(ctx: click.Context, *names: str) -> None:
    for name in names:
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--real takes no --{name.replace('_', '-')}")

"""`voxres phantom`: subjects to try things on."""

from __future__ import annotations

from pathlib import Path

import click

from .options import given
from .types import Place, Text


@click.command()
@click.argument("out", type=Place(file_okay=False))
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
@click.option(
    "--anatomies",
    type=Text(),
    multiple=True,
    metavar="DIR|FILE|nilearn",
    help="Label maps with FreeSurfer's codes, 1 mm; may be repeated.  [default: nilearn]",
)
@click.option("--randomise", is_flag=True, help="Vary contrasts and resolutions.")
@click.option("--ranges", type=Place(), help="JSON: what --randomise may change.")
@click.option("--real", is_flag=True, help="Write the packaged real T1 and a manifest instead.")
@click.option("--overwrite", is_flag=True, help="Replace what is there.")
def command(
    out: Path,
    subjects: int,
    test_subjects: int,
    seed: int,
    size: str,
    anatomies: tuple[str, ...],
    randomise: bool,
    ranges: Path | None,
    real: bool,
    overwrite: bool,
) -> None:
    """Make multi-modal subjects from a packaged anatomy, or from label maps of your own.

    OUT gets TrainingData/1.. and, with --test-subjects, TestData/1.. in MRBrainS13's layout. The
    subjects use the maps in turn. The same command resumes after an interruption,
    without --overwrite.
    With --randomise it gets 1.. and manifest.csv: subjects whose contrast, slice thickness and
    field of view differ, with or without skull, to train a network that will meet scans of many
    kinds.
    With --real it gets the MNI152 T1 with tissue labels, a data set of one, and manifest.csv.
    """
    if real:
        _refuse("--real", "subjects", "test_subjects", "seed", "size", "anatomies")
    if real and randomise:
        raise click.UsageError("--real takes no --randomise")
    if randomise:
        _refuse("--randomise", "test_subjects", "size")
    elif ranges:
        raise click.UsageError("--ranges needs --randomise")
    from voxres_tf.phantom.heads import PACKAGED, find_heads
    from voxres_tf.phantom.randomisation import Randomisation
    from voxres_tf.phantom.write import shared_people_note, write_phantom, write_real
    from voxres_tf.phantom.write_randomised import write_randomised
    from voxres_tf.schema import load

    if real:
        click.echo(write_real(out, overwrite=overwrite))
        return
    heads = find_heads(anatomies or (PACKAGED,))
    if randomise:
        config = load(Randomisation, ranges) if ranges else Randomisation()
        read = (ranges,) if ranges else ()
        manifest = write_randomised(
            out, subjects, seed, heads, config, overwrite=overwrite, inputs=read
        )
        click.echo(manifest)
        return
    folders = write_phantom(
        out, subjects, seed, size, test_subjects=test_subjects, heads=heads, overwrite=overwrite
    )
    note = shared_people_note(out) if anatomies else None
    if note:
        click.echo(f"Note: {note}")
    click.echo(f"{out}: {len(folders)} {'subject' if len(folders) == 1 else 'subjects'}")


def _refuse(option: str, *names: str) -> None:
    if others := given(*names):
        raise click.UsageError(f"{option} takes no {others[0]}")

"""`voxres picture`: draw a scan and its segmentation."""

from __future__ import annotations

from pathlib import Path

import click

from .options import given, reference_options
from .types import Place, Text

_FILE = Place(exists=True, dir_okay=False)


@click.command()
@click.argument("scan", type=_FILE)
@click.argument("segmentation", type=_FILE)
@click.option("--ref", type=_FILE, help="A reference, or the manifest that names it.")
@reference_options
@click.option(
    "--classes",
    type=Text(),
    metavar="NAME,NAME...",
    help="Names of the codes 1, 2, ...  [default: CSF,GM,WM]",
)
@click.option("--title", help="Title.  [default: the name of the segmentation's file]")
@click.option(
    "-o",
    "--output",
    "out",
    required=True,
    type=Place(dir_okay=False),
    help="A PNG file.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing picture.")
def command(
    scan: Path,
    segmentation: Path,
    ref: Path | None,
    protocol: str,
    ref_coding: str,
    classes: str | None,
    title: str | None,
    out: Path,
    overwrite: bool,
) -> None:
    """Draw axial slices of SCAN with the outlines of SEGMENTATION's classes.

    With a reference, also draw its outlines, where the two differ, and Dice. Slices are shown as
    radiologists do: the subject's right is on the left.
    """
    if ref is None and given("protocol", "ref_coding"):
        raise click.UsageError("--protocol and --ref-coding are about a reference: pass --ref.")
    if ref is not None and classes is not None:
        raise click.UsageError("--classes is for a picture without --ref, which names them.")
    if out.suffix.lower() != ".png":
        raise click.BadParameter(f"{out} does not end in .png.", param_hint="--output")
    names = [name.strip() for name in classes.split(",")] if classes else []
    if not all(names) or len(set(names)) < len(names):
        raise click.BadParameter(
            f"{classes!r}: names that differ, with commas.", param_hint="--classes"
        )
    from voxres_tf.evaluation.evaluate import evaluate
    from voxres_tf.files import refuse_existing
    from voxres_tf.labels import CLASS_NAMES
    from voxres_tf.report.figure import segmentation_figure
    from voxres_tf.report.picture import compared_case, segmented_case

    refuse_existing(out, overwrite=overwrite)
    title = title or segmentation.name
    if ref is None:
        named = (CLASS_NAMES[0], *names) if names else CLASS_NAMES
        case = segmented_case(scan, segmentation, title=title, class_names=named)
    else:
        scores = evaluate(segmentation, ref, protocol=protocol, coding=ref_coding).scores
        case = compared_case(
            scan,
            segmentation,
            ref,
            title=title,
            dice={score.class_name: score.dice for score in scores},
            protocol=protocol,
            coding=ref_coding,
        )
    segmentation_figure(out, [case])
    click.echo(out)

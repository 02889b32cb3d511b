"""`voxres evaluate`: score predictions against references."""

from __future__ import annotations

from pathlib import Path

import click

from .options import reference_options
from .types import Place

_THERE = Place(exists=True)


@click.command()
@click.option("--pred", type=_THERE, required=True, help="Segmentation, or a folder of them.")
@click.option("--ref", type=_THERE, required=True, help="Reference, or a folder of subjects.")
@reference_options
@click.option("-o", "--output", type=Place(dir_okay=False), help="Scores as a CSV file.")
@click.option("--overwrite", is_flag=True, help="Replace an existing output.")
def command(
    pred: Path, ref: Path, protocol: str, ref_coding: str, output: Path | None, overwrite: bool
) -> None:
    """Score segmentations: Dice, HD95 and AVD per subject and tissue.

    Folders match by subject: <subject>_dseg.nii.gz or <subject>.nii.gz against a subject's folder
    in MRBrainS13's or MRBrainS18's layout, against a file <subject>*.nii.gz, or against any other
    layout or CSV manifest that training can read.
    """
    if overwrite and output is None:
        raise click.UsageError("--overwrite needs --output")
    from voxres_tf.dataset.layouts import MANIFEST_NAME
    from voxres_tf.evaluation.evaluate import score_pairs, table
    from voxres_tf.evaluation.pairs import find_pairs
    from voxres_tf.evaluation.scores import write_scores
    from voxres_tf.files import refuse_existing

    pairs = find_pairs(pred, ref, ref_coding)
    if output is not None:
        read = [ref, ref / MANIFEST_NAME, *(file for pair in pairs for file in pair.files)]
        refuse_existing(output, overwrite=overwrite, inputs=read)
    evaluation = score_pairs(pairs, protocol=protocol, coding=ref_coding)
    click.echo(table(evaluation))
    if output is not None:
        write_scores(output, evaluation.scores)

"""Scores of a model for every subset of its modalities, as a Markdown table.

    python benchmarks/subsets.py MODEL DATA OUT [--align | --no-align] [--protocol mrbrains13]

OUT/NAME-VERSION-WEIGHTS-SCANS gets a folder of segmentations and a table of scores per subset;
WEIGHTS and SCANS are the first 8 digits of the SHA-256 of the model's weights and of the data set's
scans; with --align the name ends in -aligned, with --no-align in -not-aligned. Segmentations that
exist are not made again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import click

from voxres_tf.contract import Contract
from voxres_tf.dataset.layouts import find_subjects
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.evaluation.evaluate import Evaluation, evaluate
from voxres_tf.evaluation.scores import summarise, write_scores
from voxres_tf.files import file_hash, json_hash
from voxres_tf.inference.batch import predict_all
from voxres_tf.inference.outputs import OutputPlan
from voxres_tf.inference.predict import Predictor
from voxres_tf.volume import image_parts


@click.command()
@click.argument("model")
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--protocol", default="mrbrains13", show_default=True)
@click.option(
    "--align/--no-align",
    default=None,
    help="Move the other scans onto the first one before.  [default: the model's]",
)
def main(model: str, data: Path, out: Path, protocol: str, align: bool | None) -> None:
    predictor = Predictor(model, probabilities=False, progress=True)
    if align is not None:
        predictor.align = align  # where there is a scan to align to, else it would be an error
    modalities = predictor.contract.preprocess.modalities
    subjects = find_subjects(data, layout="auto")
    out = folder_of(predictor.contract, subjects, out)
    if align is not None:
        out = out.with_name(f"{out.name}-{'aligned' if align else 'not-aligned'}")
    tissues = predictor.contract.classes[1:]
    click.echo(f"| mean Dice (lowest) | {' | '.join(tissues)} |\n|---|{'---|' * len(tissues)}")
    for count in range(len(modalities), 0, -1):
        for subset in combinations(modalities, count):
            folder = out / "+".join(subset)
            plan = OutputPlan(folder, overwrite=True)
            wanted = [s for s in subjects if not plan.labels(s.id).exists()]
            if lacking := next((s.id for s in wanted if not set(subset) <= set(s.images)), None):
                raise click.ClickException(f"subject {lacking} lacks one of {', '.join(subset)}")
            only = [replace(s, images={m: s.images[m] for m in subset}) for s in wanted]
            failures = [o.failure for o in predict_all(predictor, only, plan) if o.failure]
            if failures:
                raise click.ClickException(failures[0])
            evaluation = evaluate(folder, data, protocol=protocol)
            write_scores(out / f"{folder.name}.csv", evaluation.scores)
            click.echo(f"| {', '.join(subset)} | {' | '.join(dice_cells(evaluation))} |")


def folder_of(contract: Contract, subjects: Sequence[SubjectFiles], out: Path) -> Path:
    """The folder of one model's results on one data set."""
    modalities = contract.preprocess.modalities
    files = {s.id: [s.images[m] for m in modalities if m in s.images] for s in subjects}
    scans = {i: [file_hash(f) for m in named for f in image_parts(m)] for i, named in files.items()}
    weights = contract.weights_sha256[:8]
    return out / f"{contract.name}-{contract.version}-{weights}-{json_hash(scans)[:8]}"


def dice_cells(evaluation: Evaluation) -> list[str]:
    """The mean Dice of each class and, in brackets, the lowest; "-" if no subject has one."""
    cells = []
    for summary in summarise(evaluation.scores, evaluation.class_names[1:]):
        if summary.figure == "dice":
            found = [s.dice for s in evaluation.scores if s.class_name == summary.class_name]
            lowest = min((d for d in found if d is not None), default=0.0)
            cells.append("-" if summary.mean is None else f"{summary.mean:.3f} ({lowest:.3f})")
    return cells


if __name__ == "__main__":
    main()

"""How much of a model's loss with one scan is due to that scan's misregistration.

    python -m benchmarks.misregistered MODEL DATA OUT --scan flair [--protocol mrbrains13]

References are drawn on T1, and another scan may lie some tenths of a millimetre off. Each subject
is segmented from that scan alone, as it is and moved onto T1 by `voxres_tf.inference.align`, which
uses no reference, and scored both times.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from benchmarks.subsets import dice_cells
from voxres_tf.dataset.layouts import find_subjects
from voxres_tf.dataset.subject import read_subject
from voxres_tf.evaluation.evaluate import evaluate
from voxres_tf.grid import from_canonical, to_canonical
from voxres_tf.inference.align import moved
from voxres_tf.inference.offset import Offset
from voxres_tf.inference.predict import Predictor
from voxres_tf.volume import Volume, write_volume


@click.command()
@click.argument("model")
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--scan", default="flair", show_default=True, help="The modality.")
@click.option("--protocol", default="mrbrains13", show_default=True)
def main(model: str, data: Path, out: Path, scan: str, protocol: str) -> None:
    predictor = Predictor(model, progress=True, align=True)
    for files in find_subjects(data, layout="auto"):
        subject = read_subject(files, ("t1", scan))
        own = subject.images[scan]
        alignment = predictor(subject).alignment
        if scan in alignment.left:
            raise click.ClickException(f"{files.id}: {scan} was left: {alignment.left[scan]}")
        offset = alignment.offsets[scan]
        click.echo("{}: moved by {:.2f} mm and {:.2f} degrees".format(files.id, *offset.size[::-1]))
        for kind, given in (("as-is", own), ("moved", put_back(own, offset))):
            labels = predictor(replace(subject, images={scan: given})).labels
            write_volume(out / kind / f"{subject.id}_dseg.nii.gz", labels.data, labels.grid)
    for kind in ("as-is", "moved"):
        evaluation = evaluate(out / kind, data, protocol=protocol)
        means = " / ".join(dice_cells(evaluation))
        names = ", ".join(evaluation.class_names[1:])
        click.echo(f"{kind}: mean Dice (lowest) of {names}: {means}")


def put_back(scan: Volume, offset: Offset) -> Volume:
    """A scan with its offset undone, float32, on its own grid."""
    data = to_canonical(scan.data.astype(np.float32), scan.grid)
    there = moved(data, offset, scan.grid.canonical_spacing_mm)
    return Volume(from_canonical(there, scan.grid), scan.grid)


if __name__ == "__main__":
    main()

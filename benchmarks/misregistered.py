"""How much of what a model loses with one scan is that scan's misregistration.

    python -m benchmarks.misregistered MODEL DATA OUT --scan flair [--protocol mrbrains13]

References are drawn on T1, and another scan may lie some tenths of a millimetre off. Each subject
is segmented from that scan alone and from its T1 alone; the first segmentation is moved to where it
agrees best with the second (no reference is looked at), and scored as it was and moved.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import fmean

import click
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from voxres_tf.dataset.layouts import find_subjects
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.evaluation.evaluate import evaluate
from voxres_tf.inference.predict import Predictor
from voxres_tf.volume import Grid, write_volume

TISSUES = ("CSF", "GM", "WM")


def moved(probabilities: NDArray[np.float32], voxels: NDArray[np.float64]) -> NDArray[np.float32]:
    """Probabilities, float32 [X, Y, Z, K], moved by fractions of voxels, by cubic splines."""
    shift = [*voxels, 0]
    return np.asarray(ndimage.shift(probabilities, shift, mode="nearest"), dtype=np.float32)


def best_move_mm(
    own: NDArray[np.float32], aim: NDArray[np.float32], spacing_mm: tuple[float, float, float]
) -> NDArray[np.float64]:
    """The translation, float64 [3] in mm along the axes, that brings `own` closest to `aim`.

    Args:
        own: probabilities of background, CSF, GM and WM, float32 [X, Y, Z, 4].
        aim: likewise.
        spacing_mm: of the voxels.
    """
    here, there = (p[..., 3] - p[..., 1] for p in (own, aim))
    found = phase_cross_correlation(there, here, upsample_factor=20, normalization=None)
    return np.asarray(found[0] * spacing_mm, dtype=np.float64)


@click.command()
@click.argument("model")
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--scan", default="flair", show_default=True, help="The modality.")
@click.option("--protocol", default="mrbrains13", show_default=True)
def main(model: str, data: Path, out: Path, scan: str, protocol: str) -> None:
    predictor = Predictor(model, progress=True)

    def alone(subject: SubjectFiles, modality: str) -> tuple[NDArray[np.float32], Grid]:
        given = replace(subject, images={modality: subject.images[modality]})
        probabilities = predictor(given).probabilities
        assert probabilities is not None
        return np.asarray(probabilities.data), probabilities.grid

    for subject in find_subjects(data, layout="auto"):
        (own, grid), (aim, _) = alone(subject, scan), alone(subject, "t1")
        move_mm = best_move_mm(own, aim, grid.spacing_mm)
        click.echo(f"{subject.id}: moved by {', '.join(f'{mm:+.2f}' for mm in move_mm)} mm")
        there = moved(own, move_mm / grid.spacing_mm)
        for kind, found in (("as-is", own), ("moved", there)):
            labels = found.argmax(axis=-1).astype(np.uint8)
            write_volume(out / kind / f"{subject.id}_dseg.nii.gz", labels, grid)
    for kind in ("as-is", "moved"):
        scores = evaluate(out / kind, data, protocol=protocol).scores
        dice = [[s.dice or 0.0 for s in scores if s.class_name == tissue] for tissue in TISSUES]
        means = " / ".join(f"{fmean(found):.3f} ({min(found):.3f})" for found in dice)
        click.echo(f"{kind}: mean Dice (lowest) of {', '.join(TISSUES)}: {means}")


if __name__ == "__main__":
    main()

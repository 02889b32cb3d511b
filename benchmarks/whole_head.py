"""Compare a segmented whole-head T1 in MNI space with the packaged MNI152 tissue maps.

    python -m benchmarks.whole_head MODEL SCAN [--beyond-mm 6]

Prints the Dice of CSF, GM and WM against the packaged maps, which is meaningful for the average of
the same 152 people but not for one person; and how much of each tissue was found further from the
brain than --beyond-mm, which is wrong in any head that is registered to this space.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from voxres_tf.dataset.regrid import resample_to
from voxres_tf.evaluation.metrics import dice
from voxres_tf.grid import Grid
from voxres_tf.inference.predict import Predictor
from voxres_tf.phantom.anatomy import mni_tissue, read_mni
from voxres_tf.volume import Volume


def tissue_maps(grid: Grid) -> NDArray[np.uint8]:
    """The packaged maps on a grid in MNI space: uint8 [X, Y, Z], 0 outside, 1 CSF, 2 GM, 3 WM."""
    # Ignore what the header calls its space: the caller knows better.
    grid = Grid(grid.shape, grid.affine)
    brain, grey, white = (
        resample_to(Volume(v.data, Grid(v.grid.shape, v.grid.affine)), grid).data
        for v in (read_mni(kind) for kind in ("t1", "gm", "wm"))
    )
    return mni_tissue(ndimage.binary_fill_holes(brain > 5), grey, white)


@click.command()
@click.argument("model")
@click.argument("scan", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--beyond-mm", default=6.0, show_default=True)
def main(model: str, scan: Path, beyond_mm: float) -> None:
    labels = Predictor(model, probabilities=False, progress=True)({"t1": scan}).labels
    found, expected = np.asarray(labels.data), tissue_maps(labels.grid)
    off_mm = ndimage.distance_transform_edt(expected == 0, labels.grid.spacing_mm)
    for code, tissue in enumerate(("CSF", "GM", "WM"), start=1):
        mine, theirs = found == code, expected == code
        beyond = (mine & (off_mm > beyond_mm)).sum() * labels.grid.voxel_ml
        total = mine.sum() * labels.grid.voxel_ml
        click.echo(
            f"{tissue}: Dice {dice(mine, theirs):.3f}, {total:.0f} ml, {beyond:.1f} ml of it beyond"
        )


if __name__ == "__main__":
    main()

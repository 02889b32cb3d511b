"""The benchmark on whole heads: the packaged maps on another grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.whole_head import tissue_maps
from voxres_tf.evaluation.metrics import dice
from voxres_tf.grid import Grid
from voxres_tf.phantom.write import write_real
from voxres_tf.volume import read_volume


def test_the_maps_lie_where_the_packaged_ones_do(tmp_path: Path) -> None:
    write_real(tmp_path)
    own = read_volume(tmp_path / "mni152" / "labels.nii.gz")
    # Every second voxel of every axis, stored from left to right, with a form code of its own.
    affine = own.grid.affine @ np.diag([2.0, 2.0, 2.0, 1.0])
    shape = own.data[::2, ::2, ::2].shape
    affine[:, 3] += affine[:, 0] * (shape[0] - 1)
    affine[:, 0] *= -1
    found = tissue_maps(Grid(shape, affine, sform=affine, sform_code=2))[::-1]
    expected = own.data[::2, ::2, ::2]
    assert found.shape == shape
    # Maps on larger voxels are smoothed first: borders move, the rest stays.
    assert np.mean(found == expected) > 0.93
    least = (0.98, 0.6, 0.95, 0.95)  # Air, fluid, which is thin, grey and white matter.
    overlaps = [dice(found == code, expected == code) or 0.0 for code in range(4)]
    assert np.greater(overlaps, least).all()

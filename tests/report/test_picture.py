"""Pictures of files: what is drawn over what."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from voxres_tf.grid import Grid
from voxres_tf.report.picture import compared_case
from voxres_tf.volume import write_volume


def test_one_grid_turns_scan_and_labels_where_two_would_turn_otherwise(tmp_path: Path) -> None:
    """Beside 45 degrees affines that count as one lead to other axes."""
    labels = np.zeros((20, 30, 4), np.uint8)
    labels[3:9, 5:25] = 3
    for name, values, degrees in (
        ("scan", labels * 100, 44.999), ("labels", labels, 44.999), ("reference", labels, 45.001),
    ):  # fmt: skip
        affine = np.eye(4)
        affine[:3, :3] = Rotation.from_euler("z", degrees, degrees=True).as_matrix()
        write_volume(tmp_path / f"{name}.nii", values, Grid(labels.shape, affine))
    scan, pred, ref = (tmp_path / f"{name}.nii" for name in ("scan", "labels", "reference"))
    case = compared_case(scan, pred, ref, title="turned", protocol="plain")
    np.testing.assert_array_equal(case.prediction, case.reference)
    np.testing.assert_array_equal(case.image > 0, case.prediction > 0)

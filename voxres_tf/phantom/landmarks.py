"""The pose of a label map's head, from the positions of its deep structures and cerebellum."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from voxres_tf.errors import DataError, message
from voxres_tf.phantom.field import Floats
from voxres_tf.phantom.freesurfer import LANDMARKS

_LANDMARK_VOXELS = 200
_LANDMARKS_NEEDED = 6
_LANDMARK_ERROR_MM = 8.0


def common_pose(codes: NDArray[Any], path: Path) -> tuple[Floats, Floats]:
    """The rigid motion from MNI space to the lattice that fits the landmarks best.

    Args:
        codes: FreeSurfer's codes [X, Y, Z], axes right, anterior, superior, 1 mm.
        path: the map's file, for error messages.

    Returns:
        A rotation, float32 [3, 3], and a shift in mm that is added after it, float32 [3].

    Raises:
        DataError: if there are too few landmarks, or they do not lie as in a head.
    """
    numbers = [number for group in LANDMARKS for number in group]
    centres, targets = [], []
    box = ndimage.find_objects(np.isin(codes, numbers).astype(np.int8))
    corner = np.array([s.start for s in box[0]]) if box else np.zeros(3)
    inner = codes[box[0]] if box else codes
    for group, target in LANDMARKS.items():
        places = np.argwhere(np.isin(inner, group))
        if len(places) >= _LANDMARK_VOXELS:
            centres.append(places.mean(axis=0) + corner)
            targets.append(target)
    if len(centres) < _LANDMARKS_NEEDED:
        rule = f"at least {_LANDMARKS_NEEDED} deep structures and cerebellum, for the pose"
        raise DataError(message(path, rule, len(centres), "use a map of the whole brain"))
    here, there = np.array(centres), np.array(targets)
    around, expected = here - here.mean(axis=0), there - there.mean(axis=0)
    rotation, _ = Rotation.align_vectors(around, expected)
    matrix = rotation.as_matrix()
    _check_fit(around, expected @ matrix.T, path)
    shift = here.mean(axis=0) - matrix @ there.mean(axis=0)
    return matrix.astype(np.float32), shift.astype(np.float32)


def _check_fit(found: NDArray[np.float64], expected: NDArray[np.float64], path: Path) -> None:
    """Refuse structures that do not lie as in a head of any size; mirrored heads fail too."""
    scale = (found * expected).sum() / (expected**2).sum()
    error = np.sqrt(((found / scale - expected) ** 2).sum(axis=1).mean())
    if error > _LANDMARK_ERROR_MM:
        rule = "deep structures and cerebellum lie as in a head, left and right on their own sides"
        received = f"{error:.0f} mm off on the mean"
        then = "check the codes, and the orientation in the header"
        raise DataError(message(path, rule, received, then))

"""A head of simple bodies with FreeSurfer's codes, nodding, in an orientation of its own."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from voxres_tf.phantom.anatomy import ellipsoid
from voxres_tf.phantom.freesurfer import LANDMARKS

NOD_DEG = 20.0
CENTRE = np.float32([90.0, 120.0, 90.0])
STRAY = (3, 3, 3)
FACE = (90, 200, 110)


@cache
def draw_codes() -> NDArray[np.float32]:
    """Codes of the head in right-anterior-superior order, 1 mm [180, 220, 180]."""
    index = np.indices((180, 220, 180), dtype=np.float32)
    rotation = Rotation.from_euler("x", NOD_DEG, degrees=True).as_matrix().astype(np.float32)
    # From the lattice back to MNI space.
    points = np.tensordot(rotation.T, index - CENTRE.reshape(3, 1, 1, 1), axes=1)
    middle = (0.0, -18.0, 0.0)
    codes = np.zeros(index.shape[1:], np.float32)
    shells = ((511, 74), (515, 70), (24, 66), (3, 62), (2, 56))
    for code, radius in shells:
        codes[ellipsoid(points, middle, (radius * 0.9, radius * 1.2, radius))] = code
    codes[ellipsoid(points, (0, -15, 15), (10, 25, 8))] = 4
    for (code, *_), centre in LANDMARKS.items():
        codes[ellipsoid(points, centre, (6, 6, 6))] = code
    codes[STRAY] = 24
    # A nose, and in it what an automated map calls CSF.
    nose = ellipsoid(index, FACE, (12, 16, 12))
    codes[nose & (codes == 0)] = 507
    codes[tuple(slice(n - 2, n + 2) for n in FACE)] = 24
    codes.setflags(write=False)  # since all calls share it
    return codes


@pytest.fixture(scope="session")
def label_map(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The head on disk, left-inferior-anterior as FreeSurfer stores it, float32."""
    path = tmp_path_factory.mktemp("anatomies") / "head.nii.gz"
    image = nib.Nifti1Image(draw_codes(), np.eye(4))
    stored = image.as_reoriented(
        nib.orientations.ornt_transform(
            nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt("LIA")
        )
    )
    nib.save(stored, path)
    return path

"""Lopsided heads that lie off each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from voxres_tf.inference.offset import Offset

SHAPE, SPACING_MM = (88, 104, 40), (1.0, 0.9, 3.0)

OFFSETS = [
    Offset(),
    Offset((0.0, 0.0, 0.0), (0.4, -0.9, 0.6)),
    Offset((2.0, -3.0, 1.5), (-3.0, 4.0, 2.0)),
    Offset((-6.0, 4.0, 8.0), (7.0, 5.0, -9.0)),
]


def head(offset: Offset | None = None) -> NDArray[np.float32]:
    """Probabilities of four classes in a head that lies off by an offset, [X, Y, Z, 4]."""
    voxels = np.indices(SHAPE).reshape(3, -1).T
    at = (voxels - (np.array(SHAPE) - 1) / 2) * SPACING_MM
    if offset is not None:
        turn = Rotation.from_rotvec(offset.rotation_deg, degrees=True)
        at = turn.inv().apply(at - offset.translation_mm)
    radius = np.linalg.norm(at / (30, 38, 33), axis=1)
    bumps = 0.12 * np.sin(at[:, 0] / 6) * np.cos(at[:, 1] / 7) + 0.1 * np.sin(at[:, 2] / 9 + 1)
    inside = [1 / (1 + np.exp((radius + bumps - edge) * 20)) for edge in (1.0, 0.85, 0.6)]
    shells = [1 - inside[0], inside[0] - inside[1], inside[1] - inside[2], inside[2]]
    return np.stack(shells, -1).reshape(*SHAPE, 4).astype(np.float32)

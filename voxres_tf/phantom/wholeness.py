"""Whether a label map shows a whole brain."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from voxres_tf.errors import DataError, message
from voxres_tf.phantom.field import Floats
from voxres_tf.phantom.mending import BRAIN
from voxres_tf.phantom.tissues import Tissue

_LEAST_SHARES = MappingProxyType(
    {
        "cortex": (Tissue.CORTEX, 0.1),
        "white matter": (Tissue.WM, 0.1),
        "cerebellar cortex": (Tissue.CEREBELLAR_GM, 0.0001),
    }
)
"""Smallest shares of the brain's volume; in a whole brain they make up some 45, 35 and 9 %."""

_LEAST_SIDE = 0.35
"""Smallest share of cortex and of white matter on each side of the midplane."""

_LEAST_ATTACHED = 0.98
"""Smallest share of the brain in the map's largest part."""

_MOST_CUT_MM2 = 500
"""Largest area of brain at a border of the map, other than the lowest."""


def require_whole(
    tissues: NDArray[np.uint8], whole: int, pose: tuple[Floats, Floats], path: Path
) -> None:
    """Refuse incomplete maps: what is missing would be air in scans and background in labels.

    Args:
        tissues: of the map's largest part.
        whole: voxels of brain in the whole map.
        pose: from MNI space to the lattice, as `common_pose` returns it.
        path: of the map.

    Raises:
        DataError: naming all that is missing.
    """
    matrix, shift = pose
    sizes = np.bincount(tissues.ravel(), minlength=len(Tissue))
    brain = sizes[BRAIN].sum()
    faults = [f"hardly any {n}" for n, (t, s) in _LEAST_SHARES.items() if sizes[t] < s * brain]
    if brain < _LEAST_ATTACHED * whole:
        faults.append(f"{1 - brain / whole:.0%} of the brain apart from the rest")
    for name in ("cortex", "white matter"):
        places = np.argwhere(tissues == _LEAST_SHARES[name][0])[::97]
        sides = ((places - shift) @ np.linalg.inv(matrix).T)[:, 0] > 0
        right = np.count_nonzero(sides) / max(1, sides.size)
        if sides.size and not _LEAST_SIDE < right < 1 - _LEAST_SIDE:
            faults.append(f"{right:.0%} of the {name} on the right side")
    inside = BRAIN[tissues]
    faces = [inside[0], inside[-1], inside[:, 0], inside[:, -1], inside[..., -1]]
    if (cut_mm2 := max(int(face.sum()) for face in faces)) > _MOST_CUT_MM2:
        faults.append(f"{cut_mm2 / 100:.0f} cm2 of brain at a border of the map")
    if faults:
        rule = f"a map with {', '.join(_LEAST_SHARES)} of a whole brain"
        raise DataError(message(path, rule, "; ".join(faults), "use a map of the whole brain"))

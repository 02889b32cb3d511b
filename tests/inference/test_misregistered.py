"""`benchmarks/misregistered.py`: the move that it finds is the one that was made."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.misregistered import best_move_mm, moved

SPACING_MM = (1.0, 0.8, 3.0)


def head(offset_mm: tuple[float, float, float] = (0, 0, 0)) -> NDArray[np.float32]:
    """Probabilities of a ball of white matter in a shell of grey matter in one of fluid."""
    at = (np.indices((48, 56, 20)).T - (24, 28, 10)) * SPACING_MM - offset_mm
    radius_mm = np.sqrt(np.square(at * (1, 1.1, 0.8)).sum(axis=-1)).T
    inside = [1 / (1 + np.exp((radius_mm - edge) / 0.5)) for edge in (18, 15, 10)]
    shells = [1 - inside[0], *(inside[i] - inside[i + 1] for i in (0, 1)), inside[2]]
    return np.stack(shells, axis=-1).astype(np.float32)


@pytest.mark.parametrize("offset", [(0, 0, 0), (0.4, -0.9, 0.3), (-0.2, 0.1, -0.6)])
def test_a_misregistered_scan_is_moved_back(offset: tuple[float, float, float]) -> None:
    aim, own = head(), head(offset)
    move_mm = best_move_mm(own, aim, SPACING_MM)
    assert move_mm == pytest.approx([-mm for mm in offset], abs=0.16)
    there = moved(own, move_mm / SPACING_MM)
    assert there.dtype == np.float32
    assert np.abs(there - aim).mean() < 0.3 * np.abs(own - aim).mean() + 1e-3


def test_whole_voxels_are_moved_without_interpolation() -> None:
    own = head()
    there = moved(own, np.array([2.0, 0.0, -1.0]))
    assert there[5:-5, :, 3:-3] == pytest.approx(own[3:-7, :, 4:-2], abs=1e-5)
    assert ndimage.center_of_mass(there[..., 3])[0] == pytest.approx(26, abs=0.01)

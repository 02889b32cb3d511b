"""The grid over a person."""

from __future__ import annotations

import numpy as np

from voxres_tf.phantom.sampling import Size, largest_share, slices_of
from voxres_tf.phantom.tissues import Tissue


class Step:
    """White matter where z is above 0, air below."""

    def fractions(self, points_mm: np.ndarray) -> np.ndarray:
        found = np.zeros((len(Tissue), *points_mm.shape[1:]), np.float32)
        found[Tissue.WM] = points_mm[2] > 0
        found[Tissue.AIR] = points_mm[2] <= 0
        return found

    def brain_mm(self, points_mm: np.ndarray) -> np.ndarray:
        return -points_mm[2]


def test_tissues_that_share_a_code_are_added_up() -> None:
    # .4 of code 1 loses to .3 + .3 of code 2, and wins over .35 + .25 of codes 2 and 0.
    mixed = np.float32([[0.0, 0.25], [0.4, 0.4], [0.3, 0.35], [0.3, 0.0]])
    assert largest_share(mixed, (0, 1, 2, 2)).tolist() == [2, 1]


def test_a_thick_slice_is_the_mean_over_its_points() -> None:
    # Slices of 6 mm around -6 and 0; three points each, at -2, 0 and 2 mm from the middle.
    size = Size((2, 2, 2), (1.0, 1.0, 6.0), (1, 1, 3))
    below, middle = slices_of(size, Step())
    assert below[Tissue.WM].tolist() == [[0, 0], [0, 0]]
    np.testing.assert_allclose(middle[Tissue.WM], 1 / 3)
    np.testing.assert_allclose(middle.sum(axis=0), 1)

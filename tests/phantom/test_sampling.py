"""The grid over a person."""

from __future__ import annotations

import numpy as np
import pytest

from voxres_tf.phantom.randomisation import Geometry
from voxres_tf.phantom.randomised import _draw_geometry
from voxres_tf.phantom.sampling import SIZES, Size, largest_share, slices_of
from voxres_tf.phantom.tissues import CLASSES, Tissue


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


class Layers:
    """Grey and white matter in turn, each as thick as the other, from a place that differs."""

    def __init__(self, thick_mm: float, start: float) -> None:
        self.thick_mm, self.start = thick_mm, start

    def fractions(self, points_mm: np.ndarray) -> np.ndarray:
        white = np.floor(points_mm[2] / self.thick_mm + self.start) % 2 == 1
        found = np.zeros((len(Tissue), *points_mm.shape[1:]), np.float32)
        found[Tissue.WM], found[Tissue.CORTEX] = white, ~white
        return found

    def brain_mm(self, points_mm: np.ndarray) -> np.ndarray:
        return -points_mm[2]


@pytest.mark.parametrize("slice_mm", [1.0, 1.6, 2.0, 2.4, 3.0, 4.0, 5.0])
def test_no_tissue_gains_by_thick_slices(slice_mm: float) -> None:
    ranges = Geometry(slice_mm=(slice_mm, slice_mm), thinnest=1, axial=1)
    samples = _draw_geometry(np.random.default_rng(0), ranges)[0].samples
    _, white = _shares_of_grey_and_white(Size((1, 1, 400), (1.0, 1.0, slice_mm), samples))
    assert white == pytest.approx(0.5, abs=0.02)


def test_no_tissue_gains_on_the_grids_by_name() -> None:
    for size in SIZES.values():
        grey, white = _shares_of_grey_and_white(Size((1, 1, 400), size.spacing_mm, size.samples))
        assert grey == pytest.approx(white, abs=0.04)


def _shares_of_grey_and_white(size: Size) -> tuple[float, float]:
    """Of the labels of layers that are a few slices thick, anywhere between the slices."""
    labels = []
    for start in np.random.default_rng(1).uniform(0, 2, 20):
        person = Layers(2.37 * size.spacing_mm[2], start)
        labels += [largest_share(mixed, CLASSES) for mixed in slices_of(size, person)]
    return float(np.mean(np.equal(labels, 2))), float(np.mean(np.equal(labels, 3)))

"""The packaged anatomy and the head around it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from voxres_tf.errors import DataError
from voxres_tf.phantom import anatomy as module
from voxres_tf.phantom.anatomy import (
    LATTICE_STEP_MM,
    ellipsoid,
    load_anatomy,
    read_mni,
    signed_mm,
)


def test_the_maps_are_those_of_the_mni152() -> None:
    grey = read_mni("gm")
    assert grey.data.shape == (197, 233, 189)
    assert grey.grid.spacing_mm == (1.0, 1.0, 1.0)
    assert grey.data.max() == 255


def test_a_missing_map_names_the_next_step(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module.resources, "files", lambda _: tmp_path)
    with pytest.raises(DataError, match="einstall nilearn"):
        read_mni("t1")


def test_the_brain_lies_inside_the_head() -> None:
    found = load_anatomy()
    brain, head = found.brain_mm.values < 0, found.head_mm.values < 0
    assert (brain & ~head).sum() == 0
    # On the vertex 15 mm of CSF, skull and scalp.
    column = np.float32([[[0.0]] * 200, [[-20.0]] * 200, np.linspace(60, 110, 200)[:, None]])
    top = {
        name: column[2][field.at(column) < 0].max()
        for name, field in (("brain", found.brain_mm), ("head", found.head_mm))
    }
    assert 10 < top["head"] - top["brain"] < 18


def test_lesions_may_arise_in_white_matter_only() -> None:
    found = load_anatomy()
    assert len(found.lesion_sites_mm) > 100
    assert found.wm.at(np.ascontiguousarray(found.lesion_sites_mm.T)).min() > 0.9


def test_distances_are_those_to_the_surface() -> None:
    index = np.indices((61, 61, 61), dtype=np.float32) - 30
    for radius_mm in (45, 60.7, 72):
        true_mm = LATTICE_STEP_MM * np.sqrt((index**2).sum(axis=0)) - radius_mm
        error_mm = (signed_mm(true_mm < 0, 0.8) - true_mm)[np.abs(true_mm) < 12]
        assert np.abs(error_mm).mean() < 0.4
        assert abs(error_mm.mean()) < 0.4


def test_ellipsoid_by_hand() -> None:
    points = np.float32([[0, 1.9, 2.1], [0, 0, 0], [0, 0, 0]])
    assert ellipsoid(points, (0, 0, 0), (2, 1, 1)).tolist() == [True, True, False]

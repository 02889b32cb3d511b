"""`benchmarks/disturbed.py`: disturbed scans keep the labels that are true of them."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import disturbed
from benchmarks.disturbed import DISTURBANCES, Head
from tests.inference.test_predict_aligned import GRID, ball, bright
from voxres_tf.volume import write_volume

SPACING_MM = np.array([1.0, 1.0, 3.0])


def head() -> Head:
    values = ball() / np.float32(100)
    return Head(values, np.where(values > 0.5, 3, 0).astype(np.uint8), SPACING_MM)


@pytest.mark.parametrize("name", DISTURBANCES)
def test_a_disturbance_changes_the_scan_and_its_labels_stay_true(name: str) -> None:
    given = head()
    values, labels, spacing = DISTURBANCES[name](given, np.random.default_rng(0))
    assert values.dtype == np.float32
    assert values.shape == labels.shape
    assert np.isfinite(values).all()
    if name != "axial slices of 3 mm":  # Which these are.
        assert values.shape != given.values.shape or (values != given.values).any()
    whole = 0.5 if name == "left half" else 1.0
    ml = [(x > 0).sum() * np.prod(mm) for x, mm in ((given.labels, SPACING_MM), (labels, spacing))]
    assert ml[1] == pytest.approx(whole * ml[0], rel=0.04)
    # Brightness inside stays above that outside, whatever was done to it.
    outside = values[labels == 0]
    inner = values[labels == 3]
    if len(outside) and name != "ratio image":
        assert np.median(inner) > np.median(outside)


def test_the_benchmark_prints_each_disturbance_asked_for(
    make_predictor, optional, tmp_path, monkeypatch
) -> None:
    optional("t1", "flair")
    monkeypatch.setattr(disturbed, "Predictor", lambda *_, **__: make_predictor(bright))
    write_volume(tmp_path / "t1.nii", ball(), GRID)
    only = ["--only", "padded by 40 mm", "--only", "left half"]
    done = CliRunner().invoke(disturbed.main, ["m", str(tmp_path / "t1.nii"), *only])
    assert done.exit_code == 0, done.output
    padded, half = done.output.splitlines()
    assert padded.startswith("padded by 40 mm: ")
    assert half.startswith("left half: ")
    write_volume(tmp_path / "none.nii", np.zeros_like(ball()), GRID)
    empty = CliRunner().invoke(disturbed.main, ["m", str(tmp_path / "none.nii"), *only])
    assert empty.exit_code == 1

from __future__ import annotations

import json

import numpy as np
import pytest

from voxres_tf.errors import ModelError
from voxres_tf.export.agreement import CERTIFICATE_FILE, Agreement, agreement, read_certificate

EXPECTED = np.array([[0.7, 0.3], [0.4, 0.6], [0.1, 0.9], [0.2, 0.8]], np.float32)
LABELS = np.array([0, 1, 1, 1], np.uint8)


def changed(place, value):
    found = EXPECTED.copy()
    found[place] = value
    return found


def test_figures_of_two_inputs_by_hand():
    # One probability of eight voxels is off by 0.25, one label is another.
    wrong = np.array([0, 1, 0, 1], np.uint8)
    found = agreement(
        "a road", [changed((1, 0), 0.65), EXPECTED], [LABELS, wrong], [EXPECTED, EXPECTED]
    )
    assert (found.road, found.voxels, found.equal_labels) == ("a road", 8, 7 / 8)
    assert found.largest_difference == pytest.approx(0.25, abs=1e-6)
    assert found.figures == "largest difference 2.5e-01, 87.5 % of 8 labels equal"
    assert not found.holds


def test_the_same_answer_holds():
    found = agreement("a road", [EXPECTED], [LABELS], [EXPECTED])
    assert found == Agreement("a road", 4, 0.0, 1.0)
    assert found.holds


@pytest.mark.parametrize(
    ("difference", "share", "holds"),
    [
        (0.99e-4, 0.999, True),
        (1e-4, 1.0, False),
        (0.0, 0.9989, False),
        (float("nan"), 1.0, False),
    ],
)
def test_what_is_rounding(difference, share, holds):
    assert Agreement("a road", 10_000, difference, share).holds == holds


def test_nan_in_the_second_of_two_answers_is_seen():
    found = agreement("a road", [EXPECTED, changed((0, 0), np.nan)], [LABELS] * 2, [EXPECTED] * 2)
    assert np.isnan(found.largest_difference)


@pytest.mark.parametrize(
    ("probabilities", "labels"), [(EXPECTED[:3], LABELS), (EXPECTED, LABELS[:, None])]
)
def test_another_shape_is_no_agreement(probabilities, labels):
    found = agreement("a road", [probabilities], [labels], [EXPECTED])
    assert (found.largest_difference, found.equal_labels) == (float("inf"), 0.0)


def test_a_certificate_says_what_it_holds(tiny_model):
    certificate = read_certificate(tiny_model)
    first, *lines = certificate.lines()
    assert first == "against the trained network, on a simulated scan of 32 x 24 x 16 voxels:"
    assert len(lines) == len(certificate.roads)
    for line, road in zip(lines, certificate.roads, strict=True):
        assert line.split("  ")[1] == road.road
        assert line.endswith(road.figures)


@pytest.mark.parametrize("text", [None, "{}", json.dumps({"max_abs_difference": 1e-6})])
def test_no_certificate(tmp_path, text):
    if text is not None:
        (tmp_path / CERTIFICATE_FILE).parent.mkdir()
        (tmp_path / CERTIFICATE_FILE).write_text(text)
    with pytest.raises(ModelError, match=r"verification\.json: "):
        read_certificate(tmp_path)

"""`Predictor(align=True)`: a subject whose scans lie off each other."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from voxres_tf.dataset.subject import Subject, as_subject
from voxres_tf.errors import ConfigError
from voxres_tf.inference.batch import predict_all
from voxres_tf.inference.outputs import OutputPlan
from voxres_tf.volume import Grid, Volume, write_volume

GRID = Grid((60, 70, 24), np.diag([-1.0, 1, 3, 1]))


def bright(tiles):
    """White matter wherever any scan is bright, else background."""
    logits = np.stack([np.full(tiles.shape[:4], 0.3), *[np.full(tiles.shape[:4], -9.0)] * 2], -1)
    logits = np.concatenate([logits, tiles.max(-1, keepdims=True)], -1) * 4
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return (powers / powers.sum(-1, keepdims=True)).astype(np.float32)


def ball(shift_mm=(0, 0, 0)):
    at = (np.indices(GRID.shape).T - (30, 34, 12)) * (1, 1, 3) - np.multiply(shift_mm, (-1, 1, 1))
    radius = np.linalg.norm(at / (1, 1.2, 0.9), axis=-1).T
    return (100 / (1 + np.exp((radius - 25) / 0.7))).astype(np.float32)


@pytest.fixture
def scans():
    images = {"t1": Volume(ball(), GRID), "flair": Volume(ball((3.0, -2.0, 0.0)), GRID)}
    return Subject("s", images, GRID)


def test_the_others_are_moved_onto_the_first_scan(make_predictor, optional, scans):
    optional("t1", "flair")
    options = {"tta": False, "one_piece": False, "blend": "gaussian"}
    plain = make_predictor(bright, **options)(scans)
    found = make_predictor(bright, align=True, **options)(scans)
    aim = make_predictor(bright, **options)(Subject("s", {"t1": scans.images["t1"]}, GRID))
    assert (plain.offsets, list(found.offsets)) == ({}, ["flair"])
    assert found.offsets["flair"].shift_mm == pytest.approx((3, -2, 0), abs=0.2)
    assert found.modalities == ("t1", "flair")
    assert "align" in found.seconds
    wrong, left = ((p.labels.data != aim.labels.data).sum() for p in (plain, found))
    assert left < 0.1 * wrong
    # The probabilities that it was made by are not kept unasked.
    assert make_predictor(bright, align=True, probabilities=False)(scans).probabilities is None


def test_what_was_moved_is_told(make_predictor, optional, scans, tmp_path):
    optional("t1", "flair")
    files = {m: tmp_path / f"{m}.nii" for m in scans.images}
    for modality, path in files.items():
        write_volume(path, scans.images[modality].data, GRID)
    plan = OutputPlan(tmp_path / "out", report=tmp_path / "run.json")
    (outcome,) = predict_all(make_predictor(bright, align=True), [as_subject(files)], plan)
    assert outcome.failure is None
    (note,) = (n for n in outcome.notes if "moved" in n)
    assert re.fullmatch(
        r"scan: moved onto the first scan: flair by 3\.\d mm and 0\.\d degrees", note
    )
    report = json.loads((tmp_path / "run.json").read_text())
    assert report["options"]["align"] is True
    told = report["subjects"][0]["offsets"]["flair"]
    assert told["shift_mm"] == pytest.approx([3, -2, 0], abs=0.2)


def test_a_model_that_needs_all_scans_cannot_align_them(make_predictor, optional):
    optional("flair")
    with pytest.raises(ConfigError, match="align: a model that takes each of its scans alone"):
        make_predictor(bright, align=True)

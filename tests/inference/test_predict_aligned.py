"""`Predictor(align=True)`: a subject whose scans lie off each other."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import misregistered
from tests.inference.loopback import Model, serve_grpc
from tests.inference.ways import connect
from voxres_tf.config import PreprocessConfig
from voxres_tf.contract import CONTRACT_FILE
from voxres_tf.dataset.subject import Subject, as_subject
from voxres_tf.errors import ConfigError, DataError, ModelError
from voxres_tf.files import write_json
from voxres_tf.grid import Grid
from voxres_tf.inference.batch import predict_all
from voxres_tf.inference.outputs import OutputPlan
from voxres_tf.volume import Volume, write_volume

GRID = Grid((60, 70, 24), np.diag([-1.0, 1, 3, 1]))


def bright(tiles):
    """White matter wherever any scan is bright, else background."""
    logits = np.stack([np.full(tiles.shape[:-1], 0.3), *[np.full(tiles.shape[:-1], -9.0)] * 2], -1)
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
    plain = make_predictor(bright)(scans)
    found = make_predictor(bright, align=True)(scans)
    aim = make_predictor(bright)(Subject("s", {"t1": scans.images["t1"]}, GRID))
    assert (plain.alignment.offsets, list(found.alignment.offsets)) == ({}, ["flair"])
    assert found.alignment.offsets["flair"].translation_mm == pytest.approx((3, -2, 0), abs=0.2)
    assert found.modalities == ("t1", "flair")
    assert "align" in found.seconds
    wrong, left = ((p.labels.data != aim.labels.data).sum() for p in (plain, found))
    assert left < 0.1 * wrong
    # The probabilities that it was made by are not kept unasked.
    assert make_predictor(bright, align=True, probabilities=False)(scans).probabilities is None


def test_labels_lie_on_the_scan_whose_grid_was_asked_for(make_predictor, optional, scans):
    optional("t1", "flair")
    found = make_predictor(bright, align=True, resample_to="flair")(scans)
    aim = make_predictor(bright)(Subject("s", {"flair": scans.images["flair"]}, GRID))
    assert found.alignment.onto == "flair"
    assert found.alignment.offsets["t1"].translation_mm == pytest.approx((-3, 2, 0), abs=0.2)
    wrong = (make_predictor(bright)(scans).labels.data != aim.labels.data).sum()
    assert (found.labels.data != aim.labels.data).sum() < 0.1 * wrong


def test_last_bits_of_probabilities_move_no_scan(make_predictor, optional, scans):
    optional("t1", "flair")
    predictor = make_predictor(bright, align=True)
    expected = predictor(scans).alignment
    noise = np.random.default_rng(0)

    def trembling(tiles):
        found = bright(tiles)
        return found * (1 + 1e-6 * noise.standard_normal(found.shape, np.float32))

    assert make_predictor(trembling, align=True)(scans).alignment == expected


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
        r"scan: moved onto t1: flair by 3\.\d mm and 0\.\d degrees; look at the result",
        note,
    )
    report = json.loads((tmp_path / "run.json").read_text())
    assert report["options"]["align"] is True
    told = report["subjects"][0]["alignment"]["offsets"]["flair"]
    assert told["translation_mm"] == pytest.approx([3, -2, 0], abs=0.2)


def test_the_contract_says_whether_scans_are_aligned(
    make_predictor, optional, contract_folder, scans
):
    optional("t1", "flair")
    path = contract_folder / CONTRACT_FILE
    write_json(path, json.loads(path.read_text()) | {"align": True})
    found, left = make_predictor(bright)(scans), make_predictor(bright, align=False)(scans)
    assert (list(found.alignment.offsets), left.alignment.offsets) == (["flair"], {})
    # Without the first scan there is nothing to move the others onto.
    alone = Subject("s", {"flair": scans.images["flair"]}, GRID)
    assert make_predictor(bright)(alone).alignment.offsets == {}
    assert make_predictor(bright, align=True)(alone).alignment.offsets == {}


def test_scans_without_the_first_one_cannot_be_aligned(make_predictor, optional, scans):
    optional("t1", "flair")
    predictor = make_predictor(bright, align=True)
    predictor.contract = predictor.contract.model_copy(
        update={"preprocess": PreprocessConfig(), "optional_modalities": ("t1", "t1-ir", "flair")}
    )
    without = Subject("s", {"flair": scans.images["flair"], "t1-ir": scans.images["t1"]}, GRID)
    rule = r"has t1, onto which the others are moved\. Received: t1-ir, flair\. .* --align"
    with pytest.raises(DataError, match=rule):
        predictor(without)
    predictor.resample_to = "flair"
    both = Subject("s", {"t1": scans.images["t1"], "t1-ir": scans.images["flair"]}, GRID)
    with pytest.raises(DataError, match=r"has flair, onto which .*Received: t1, t1-ir"):
        predictor(both)


def test_a_contract_that_aligns_what_it_needs_is_refused(make_predictor, contract_folder):
    path = contract_folder / CONTRACT_FILE
    write_json(path, json.loads(path.read_text()) | {"align": True})
    with pytest.raises(ModelError, match=r"align with optional modalities alone\. Received: none"):
        make_predictor(bright)


def test_a_model_that_needs_all_scans_cannot_align_them(make_predictor, optional):
    optional("flair")
    with pytest.raises(ConfigError, match="align: a model that takes each of its scans alone"):
        make_predictor(bright, align=True)


@pytest.mark.parametrize("mode", ["tile", "volume"])
def test_a_server_is_asked_for_each_scan_alone(
    make_predictor, optional, contract_folder, scans, mode
):
    optional("t1", "flair")
    model = Model((contract_folder / CONTRACT_FILE).read_text())
    model.functions[3] = bright
    expected = make_predictor(bright, align=True)(scans)
    with serve_grpc(model) as address:
        server = {"mode": mode}
        found = connect(address, "grpc", server=server, align=True, probabilities=False)(scans)
    assert found.alignment.offsets["flair"].translation_mm == pytest.approx(
        expected.alignment.offsets["flair"].translation_mm, abs=0.02
    )
    assert np.mean(found.labels.data != expected.labels.data) < 1e-3


def test_the_benchmark_scores_a_scan_as_it_is_and_moved(
    make_predictor, optional, scans, tmp_path, monkeypatch
):
    optional("t1", "flair")
    truth = make_predictor(bright)(Subject("s", {"t1": scans.images["t1"]}, GRID)).labels
    files = {**{m: v.data for m, v in scans.images.items()}, "label": truth.data}
    for name, data in files.items():
        write_volume(tmp_path / "data" / f"{name}.nii", data, GRID)
    cells = ",".join(f"{name}.nii" for name in files)
    table = f"subject,{','.join(files)},scheme\ns,{cells},tissue\n"
    (tmp_path / "data" / "manifest.csv").write_text(table)
    monkeypatch.setattr(
        misregistered, "Predictor", lambda *_, align, **__: make_predictor(bright, align=align)
    )
    arguments = ["m", str(tmp_path / "data"), str(tmp_path / "out"), "--protocol", "plain"]
    done = CliRunner().invoke(misregistered.main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    moved, *scores = done.output.splitlines()
    assert float(moved.split()[3]) == pytest.approx(np.hypot(3, 2), abs=0.2)
    as_is, there = (float(line.split("/")[-1].split()[0]) for line in scores)
    assert as_is < 0.95
    assert there > 0.98

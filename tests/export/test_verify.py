"""All roads to the answers of a model of two stages that can do with one modality."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from voxres_tf.contract import read_contract
from voxres_tf.export.live import write_cases
from voxres_tf.export.reference import CASES_FILE, reference_scan
from voxres_tf.export.stages import load_stages
from voxres_tf.export.verify import roads

ROADS = {
    "SavedModel, serving_default": 6 * 16**3,
    "SavedModel, first_stage": 6 * 16**3,
    "SavedModel, second_stage": 6 * 16**3,
    "SavedModel, segment_volume": 32 * 24 * 16,
    "C API, serving_default": 6 * 16**3,
    "C API, first_stage": 6 * 16**3,
    "C API, second_stage": 6 * 16**3,
    "C API, segment_volume": 32 * 24 * 16,
    "voxres predict": 32 * 24 * 16,
    "C API, segment_volume, t1 alone": 32 * 24 * 16,
    "voxres predict, t1 alone": 32 * 24 * 16,
}


@pytest.fixture(scope="module")
def work(two_stage_run, two_stage_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    contract = read_contract(two_stage_model)
    write_cases(folder, reference_scan(contract), load_stages(two_stage_run), contract)
    return folder


def test_every_road_agrees(two_stage_model, work):
    found = list(roads(two_stage_model, work))
    assert {road.road: road.voxels for road in found} == ROADS
    assert all(road.holds for road in found)


def test_every_road_is_held_against_its_own_answer(two_stage_model, work, tmp_path):
    other = shutil.copytree(work, tmp_path / "work")
    with np.load(work / CASES_FILE) as stored:
        cases = dict(stored)
    for name, values in cases.items():
        if name != "signatures" and not name.startswith("tile"):
            values[..., :] = np.roll(values, 1, axis=-1)
    np.savez(other / CASES_FILE, **cases)
    found = list(roads(two_stage_model, other))
    assert len(found) == len(ROADS)
    assert not any(road.holds for road in found)
    assert max(road.equal_labels for road in found) < 0.5

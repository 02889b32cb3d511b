"""Whole subjects by a server: the labels of the command line, of one version, or nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tests.inference.loopback import Model, RefusalError, formula, serve_grpc
from tests.inference.ways import asking, connect
from voxres_tf.contract import ANSWER, CONTRACT_FILE, SEGMENT, SEGMENT_PROBABILITIES
from voxres_tf.inference.batch import predict_all
from voxres_tf.inference.outputs import OutputPlan
from voxres_tf.inference.predict import Predictor

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("values", [False, True])
def test_tiles_give_what_the_command_line_gives(model, address, way, values, local, write_subject):
    model.values = values
    files = write_subject()
    found = connect(address, way, server={"in_flight": 3})(files)
    expected = local(files)
    np.testing.assert_array_equal(found.labels.data, expected.labels.data)
    np.testing.assert_array_equal(found.probabilities.data, expected.probabilities.data)
    assert set(model.asked) == {(3, ANSWER)}
    assert len(model.asked) > 3


@pytest.mark.parametrize("kept", [False, True])
def test_a_volume_is_one_request(model, address, way, kept, local, write_subject):
    files = write_subject()
    found = connect(address, way, server={"mode": "volume"}, probabilities=kept)(files)
    expected = local(files)
    np.testing.assert_array_equal(found.labels.data, expected.labels.data)
    assert found.labels.data.dtype == np.uint8
    assert found.volumes_ml == expected.volumes_ml
    assert model.asked == [(3, SEGMENT_PROBABILITIES if kept else SEGMENT)]
    if kept:
        # There the tiles were blended; here the formula saw the volume at once.
        np.testing.assert_allclose(found.probabilities.data, expected.probabilities.data, atol=1e-6)
    else:
        assert found.probabilities is None


def test_a_volume_that_is_resampled_comes_as_probabilities(contract, write_subject):
    resolution = '"resolution":{"in_plane_mm":[0.8,1.0],"in_plane_target_mm":1.0,"slice_mm":[1,5]}'
    with_resolution = contract.replace('"resolution": null', resolution)
    assert with_resolution != contract
    model = Model(with_resolution)
    files = write_subject()
    with serve_grpc(model) as address:
        by_volume = connect(address, "grpc", server={"mode": "volume"}, probabilities=False)(files)
        by_tiles = connect(address, "grpc", probabilities=False)(files)
        kept = connect(address, "grpc", server={"mode": "volume"}, keep_spacing=True)(files)
    assert by_volume.spacing_mm == by_tiles.spacing_mm != kept.spacing_mm
    np.testing.assert_array_equal(by_volume.labels.data, by_tiles.labels.data)
    assert (3, SEGMENT) not in model.asked


@pytest.mark.parametrize("stays", [True, False])
def test_versions_are_never_mixed(model, address, way, stays, local, write_subject, tmp_path):
    def swap(number, version):
        if number == 2:
            model.states = {3: "AVAILABLE" if stays else "END", 4: "AVAILABLE"}

    model.functions[4] = lambda tiles: 1 - formula(tiles)
    model.before = swap
    files = write_subject()
    predictor = connect(address, way)
    (outcome,) = predict_all(predictor, [files], OutputPlan(tmp_path / "out"))
    assert {version for version, _ in model.asked} == {3}
    if stays:
        assert not outcome.failure
        assert outcome.volumes_ml == local(files).volumes_ml
    else:
        assert "one version from the first request to the last" in outcome.failure
        assert "NOT_FOUND" in outcome.failure
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED"])
def test_what_may_pass_is_tried_again(model, address, way, code, local, write_subject):
    def now_and_then(number, version):
        if number % 3 == 1:
            raise RefusalError(code, "not now")

    model.before = now_and_then
    files = write_subject()
    found = connect(address, way, server={"retries": 4})(files)
    np.testing.assert_array_equal(found.labels.data, local(files).labels.data)


def start_server(contract_file, port, dies_at):
    command = [sys.executable, "-m", "tests.inference.loopback"]
    process = subprocess.Popen(
        [*command, str(contract_file), str(port), str(dies_at)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    return process, process.stdout.readline().strip()


@pytest.mark.parametrize("restarted", [True, False])
def test_a_server_that_is_killed_in_mid_volume(
    contract_folder, local, write_subject, tmp_path, restarted
):
    contract_file = contract_folder / CONTRACT_FILE
    files = write_subject()
    processes = [start_server(contract_file, 0, dies_at=4)]
    process, address = processes[0]
    retries = 12 if restarted else 2
    predictor = Predictor(asking(address, retries=retries))

    def restart():
        process.wait()
        processes.append(start_server(contract_file, address.split(":")[1], dies_at=0))

    helper = threading.Thread(target=restart if restarted else process.wait)
    helper.start()
    try:
        start = time.perf_counter()
        (outcome,) = predict_all(predictor, [files], OutputPlan(tmp_path / "out"))
        took = time.perf_counter() - start
    finally:
        helper.join()
        for started, _ in processes:
            started.kill()
            started.communicate()
    assert process.returncode == -9
    if restarted:
        assert not outcome.failure
        assert outcome.volumes_ml == local(files).volumes_ml
        assert (tmp_path / "out" / "s1_dseg.nii.gz").is_file()
    else:
        assert "an answer in 3 tries of 20 s" in outcome.failure
        assert "UNAVAILABLE" in outcome.failure
        assert took < 3 * 20
        assert not (tmp_path / "out").exists()

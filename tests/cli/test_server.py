"""`voxres predict --server`: what the options become, and that TensorFlow stays out."""

from __future__ import annotations

import json
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner
from voxres_cli.main import cli

from tests.contracts import formula_contract
from tests.inference.loopback import Model, serve_grpc
from tests.inference.ways import serve_rest


def run(*arguments):
    return CliRunner().invoke(cli, ["predict", *map(str, arguments)])


@pytest.fixture
def model():
    return Model(formula_contract().model_dump_json())


@pytest.fixture
def scans(tmp_path):
    random = np.random.default_rng(0)
    paths = []
    for name in ("t1", "flair"):
        path = tmp_path / f"{name}.nii"
        nib.save(nib.Nifti1Image(random.random((12, 17, 5)), np.diag([-1.0, 1, 3, 1])), path)
        paths += [f"--{name}", path]
    return paths


def test_every_option_arrives(model, scans, tmp_path):
    with serve_grpc(model) as address:
        result = run(
            *("--server", address, "--model-name", "formula", "--model-version", 3),
            *("--mode", "tile", "--timeout", 7.5, "--retries", 1, "--in-flight", 3, *scans),
            *("-o", tmp_path / "x.nii", "--report", tmp_path / "run.json"),
        )
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "run.json").read_text())
    assert report["model"]["path"] == f"{address} (formula version 3)"
    assert report["options"]["device"] is None
    assert report["options"]["server"] == {
        "address": address,
        "model_name": "formula",
        "version": 3,
        "mode": "tile",
        "timeout_s": 7.5,
        "retries": 1,
        "in_flight": 3,
        "tls_ca": None,
        "rest": False,
    }


def test_labels_are_the_same_every_way(model, scans, tmp_path):
    labels = []
    for number, (serve, mode) in enumerate(
        [(serve_grpc, "tile"), (serve_grpc, "volume"), (serve_rest, "tile"), (serve_rest, "volume")]
    ):
        with serve(model) as address:
            out = tmp_path / f"{number}.nii"
            arguments = ["--server", address, "--model-name", "formula", "--mode", mode, *scans]
            rest = ["--rest"] if serve is serve_rest else []
            result = run(*arguments, *rest, "-o", out)
        assert result.exit_code == 0, result.output
        labels.append(np.asarray(nib.load(out).dataobj))
    assert len(np.unique(labels[0])) == 3
    for other in labels[1:]:
        np.testing.assert_array_equal(other, labels[0])


def test_probabilities_from_a_volume(model, scans, tmp_path):
    with serve_grpc(model) as address:
        arguments = ("--server", address, "--model-name", "formula", "--mode", "volume", *scans)
        result = run(*arguments, "-o", tmp_path / "x.nii", "--save-probabilities")
    assert result.exit_code == 0, result.output
    assert nib.load(tmp_path / "x_probseg.nii.gz").shape == (12, 17, 5, 4)


def test_a_server_that_is_not_there_is_one_line(scans, tmp_path):
    arguments = ("--server", "127.0.0.1:1", "--model-name", "formula", "--retries", 0, *scans)
    result = run(*arguments, "-o", tmp_path / "out" / "x.nii")
    assert result.exit_code == 1
    assert result.stderr.startswith("voxres: 127.0.0.1:1: an answer in one try of 60 s. Received: ")
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_the_client_does_without_tensorflow(model, scans, tmp_path):
    with serve_grpc(model) as address:
        arguments = ["predict", "--server", address, "--model-name", "formula", *map(str, scans)]
        code = (
            "import sys\nfrom voxres_cli.main import cli\n"
            f"try: cli({[*arguments, '-o', str(tmp_path / 'x.nii')]!r})\n"
            "finally: print('tensorflow' in sys.modules, 'keras' in sys.modules)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
    assert done.stdout.splitlines()[-1] == "False False"
    assert done.stderr == ""
    assert (tmp_path / "x.nii").is_file()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "Name a --model or a --server"),
        (["-m", "x", "--server", "a:1", "--model-name", "m"], "one of the two"),
        (["--server", "a:1"], "--server needs --model-name"),
        (["-m", "x", "--mode", "tile", "--rest"], "--mode, --rest: with --server only"),
        (
            ["--server", "a:1", "--model-name", "m", "--mode", "volume", "--in-flight", "2"],
            "in tile mode only",
        ),
        (["--server", "localhost", "--model-name", "m"], "'localhost' is not HOST:PORT"),
        (["--server", "a:70000", "--model-name", "m"], "'a:70000' is not HOST:PORT"),
        (["--server", "a b:1", "--model-name", "m"], "'a b:1' is not HOST:PORT"),
        (["--server", "a:1", "--model-name", "m", "--device", "cpu"], "a server has its own"),
        (
            ["--server", "a:1", "--model-name", "m", "--mode", "volume", "--tta"],
            "--tta: in tile mode only",
        ),
        (
            ["--server", "a:1", "--model-name", "m", "--mode", "volume", "--all-pieces"],
            "--all-pieces: in tile mode only",
        ),
        (
            ["--server", "a:1", "--model-name", "m", "--mode", "volume", "--no-tta"],
            "--no-tta: in tile mode only",
        ),
        (["--server", "a:1", "--model-name", "m", "--timeout", "0"], "--timeout"),
        (["--server", "a:1", "--model-name", "m", "--timeout", "1e5"], "--timeout"),
        (["--server", "a:1", "--model-name", "m", "--retries", "-1"], "--retries"),
    ],
)
def test_usage(arguments, told, scans, tmp_path):
    result = run(*arguments, *scans, "-o", tmp_path / "x.nii")
    assert result.exit_code == 2
    assert told in result.stderr

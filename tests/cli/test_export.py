from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from voxres_cli.main import cli

from tests.tiny import agreed
from voxres_tf.contract import read_contract
from voxres_tf.export import saved_model


def run(*arguments):
    return CliRunner().invoke(cli, ["export", *map(str, arguments)])


def test_export_reports_the_comparison(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(saved_model, "compare_in_fresh_process", agreed)
    output = tmp_path / "models" / "net"
    result = run(tiny_run, "-o", output, "--version", 3, "--weights", "last", "--tile", "24,16,8")
    assert result.exit_code == 0, result.output
    first, second = result.output.splitlines()
    assert "net/3: against the trained network, on a simulated scan of 2 x 2 x 2 vo" in first
    assert second == "  some road  largest difference 2.0e-07, 100 % of 8 labels equal"
    contract = read_contract(output / "3")
    assert (contract.name, contract.version, contract.patch) == ("net", 3, (24, 16, 8))


def test_how_volumes_are_predicted(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(saved_model, "compare_in_fresh_process", agreed)
    output = tmp_path / "net"
    for arguments in ((), ("--overlap", "0.25", "--tta", "--one-piece")):
        result = run(tiny_run, "-o", output, *arguments)
        assert result.exit_code == 0, result.output
    plain, careful = (read_contract(output / name) for name in "12")
    assert (plain.overlap, plain.tta, plain.one_piece) == (0.5, False, False)
    assert (careful.overlap, careful.tta, careful.one_piece) == (0.25, True, True)
    assert (plain.align, careful.align) == (False, False)


def test_scans_are_aligned_where_each_will_do(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(saved_model, "compare_in_fresh_process", agreed)
    refused = run(tiny_run, "-o", tmp_path / "net", "--align")
    assert refused.exit_code == 1
    assert "as --modality-dropout trains it" in refused.output
    dropping = shutil.copytree(tiny_run, tmp_path / "run")
    config = json.loads((dropping / "config.json").read_text())
    config["training"]["modality_dropout"] = 0.5
    (dropping / "config.json").write_text(json.dumps(config))
    summary = json.loads((dropping / "summary.json").read_text())
    (dropping / "summary.json").write_text(json.dumps(summary | {"init_habits": {"align": True}}))
    for arguments in ((), ("--no-align",), ("--align",)):
        result = run(dropping, "-o", tmp_path / "net", *arguments)
        assert result.exit_code == 0, result.output
    assert [read_contract(tmp_path / "net" / name).align for name in "123"] == [True, False, True]


def test_a_training_that_was_stopped_before_its_end(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(saved_model, "compare_in_fresh_process", agreed)
    run_folder = shutil.copytree(tiny_run, tmp_path / "run")
    summary = json.loads((run_folder / "summary.json").read_text())
    (run_folder / "summary.json").write_text(json.dumps(summary | {"steps": 50}))
    np.savez(run_folder / "state.npz", step=20)
    result = run(run_folder, "-o", tmp_path / "net")
    assert result.exit_code == 0, result.output
    told = "Note: the training was stopped after 20 of 50 steps."
    assert result.output.splitlines()[-1] == told
    training = read_contract(tmp_path / "net" / "1").training
    assert (training["steps"], training["steps_planned"]) == (20, 50)


def test_serving_prints_the_one_line_that_starts_a_server(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(saved_model, "compare_in_fresh_process", agreed)
    output = tmp_path / "models" / "net"
    result = run(tiny_run, "-o", output, "--serving")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[2].startswith("docker run --rm -p 127.0.0.1:8500:8500 ")
    assert (output / "models.config").is_file()
    assert (output / "1" / "assets.extra" / "tf_serving_warmup_requests").is_file()


def test_run_without_best_weights_is_one_line(tiny_run, tmp_path):
    result = run(tiny_run, "-o", tmp_path / "m", "--weights", "best")
    assert result.exit_code == 1
    assert "its best weights" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["nowhere", "-o", "x"],
        ["."],
        [".", "-o", "x", "--version", "0"],
        [".", "-o", "x", "--overlap", "1"],
    ],
)
def test_usage(arguments):
    assert run(*arguments).exit_code == 2

from __future__ import annotations

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
    "arguments", [["nowhere", "-o", "x"], ["."], [".", "-o", "x", "--version", "0"]]
)
def test_usage(arguments):
    assert run(*arguments).exit_code == 2

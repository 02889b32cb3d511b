"""What becomes of an export, by what a fresh process finds."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.export.test_reference import contract_of
from voxres_tf.errors import ModelError
from voxres_tf.export import compare, saved_model
from voxres_tf.export.agreement import LEAST_EQUAL, TOLERANCE, Agreement
from voxres_tf.export.compare import compare_in_fresh_process

GOOD = Agreement("voxres predict", 1000, 3e-6, 1.0)


@pytest.fixture
def finds(monkeypatch):
    """Let the fresh process, and the live networks before it, be left out."""

    def make(*roads):
        monkeypatch.setattr(compare, "write_cases", lambda *_: None)
        monkeypatch.setattr(compare, "_run", lambda *_: list(roads))

    return make


def test_what_was_found_is_certified(finds, tmp_path):
    finds(GOOD)
    certificate = compare_in_fresh_process(tmp_path, None, contract_of())
    assert certificate.roads == (GOOD,)
    assert (certificate.shape, certificate.spacing_mm) == ((32, 24, 16), (1, 1, 3))
    assert certificate.tolerance == TOLERANCE == 1e-4
    assert certificate.least_equal_labels == LEAST_EQUAL == 0.999


@pytest.mark.parametrize(
    ("difference", "share", "received"),
    [
        (1e-4, 1.0, "largest difference 1.0e-04, 100 %"),
        (float("nan"), 1.0, "largest difference nan, 100 %"),
        (0.0, 0.998, "largest difference 0.0e+00, 99.8 % of 1000 labels equal"),
    ],
)
def test_nothing_is_left_of_an_export_that_differs(
    finds, tiny_run, tmp_path, difference, share, received
):
    finds(GOOD, Agreement("C API, segment_volume", 1000, difference, share))
    rule = "C API, segment_volume equals the trained network within 0.0001 and in 99.9 %"
    with pytest.raises(ModelError, match=re.escape(f"{rule} of its labels. Received: {received}")):
        saved_model.export_run(tiny_run, tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_a_process_that_fails_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr(compare, "write_cases", lambda *_: None)
    # Stands in for Python: whatever it is asked, it fails with a last line on stderr.
    script = tmp_path / "python"
    script.write_text(f"#!{sys.executable}\nraise SystemExit('first\\nlast words')\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(ModelError, match=r"fresh process. Received: exit code 1: last words"):
        compare_in_fresh_process(Path(tmp_path), None, contract_of())


def test_files_of_the_working_folder_are_not_imported(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('mine')")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError) as caught:
        compare._run(tmp_path / "no-model", tmp_path)
    assert "mine" not in str(caught.value)
    assert "no-model" in str(caught.value)

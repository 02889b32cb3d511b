from __future__ import annotations

import sys

import numpy as np
import pytest

from voxres_tf.errors import ModelError
from voxres_tf.export import compare, saved_model
from voxres_tf.export.compare import CASES, compare_in_fresh_process


def probabilities(image):
    return np.full((*image.shape[:4], 4), 0.25, np.float32)


ANSWERS = {"first": (6, probabilities), "second": (10, probabilities)}


def test_every_case_goes_to_the_fresh_process(monkeypatch, tmp_path):
    seen = []

    def run(folder, cases):
        with np.load(cases) as arrays:
            names = arrays["signatures"].tolist()
            seen.extend(arrays[f"image{n}"].shape for n in range(len(names)))
            assert names == ["first"] * len(CASES) + ["second"] * len(CASES)
            assert arrays["expected1"].shape == (*CASES[1], 4)
        return 3e-6

    monkeypatch.setattr(compare, "_run", run)
    report = compare_in_fresh_process(tmp_path, ANSWERS)
    assert seen == [(*case, channels) for channels in (6, 10) for case in CASES]
    assert report["max_abs_difference"] == 3e-6


@pytest.mark.parametrize("difference", [1e-4, 0.5, float("nan")])
def test_a_difference_is_an_error(monkeypatch, tmp_path, difference):
    monkeypatch.setattr(compare, "_run", lambda *_: difference)
    with pytest.raises(ModelError, match=f"a difference of {difference:g}"):
        compare_in_fresh_process(tmp_path, ANSWERS)


def test_nothing_is_left_of_an_export_that_differs(monkeypatch, tiny_run, tmp_path):
    monkeypatch.setattr(compare, "_run", lambda *_: 0.1)
    with pytest.raises(ModelError, match="equals the live one"):
        saved_model.export_run(tiny_run, tmp_path / "m")
    assert list((tmp_path / "m").iterdir()) == []


def test_a_process_that_fails_is_an_error(monkeypatch, tmp_path):
    # Stands in for Python: whatever it is asked, it fails with a last line on stderr.
    script = tmp_path / "python"
    script.write_text(f"#!{sys.executable}\nraise SystemExit('first\\nlast words')\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(ModelError, match=r"fresh process. Received: exit code 1: last words"):
        compare_in_fresh_process(tmp_path, ANSWERS)

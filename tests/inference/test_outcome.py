"""What became of the subjects: tables and reports, whatever happened."""

from __future__ import annotations

import json

import pytest

from voxres_tf.errors import VoxResError
from voxres_tf.inference.batch import predict_all
from voxres_tf.inference.outcome import Outcome, volumes_table
from voxres_tf.inference.outputs import OutputPlan


def test_no_subjects_give_empty_tables(make_predictor, tmp_path):
    plan = OutputPlan(tmp_path / "out", volumes=tmp_path / "ml.csv", report=tmp_path / "r.json")
    assert predict_all(make_predictor(), [], plan) == []
    assert plan.volumes.read_text() == "subject,CSF_ml,GM_ml,WM_ml,reason\n"
    assert json.loads(plan.report.read_text())["subjects"] == []


def test_an_absent_class_has_an_empty_cell_and_a_reason():
    outcomes = [
        Outcome("a", volumes_ml={"CSF": 1.5, "GM": 0.0, "WM": 2.25}),
        Outcome("b", failure="truncated, at byte 9"),
    ]
    assert volumes_table(outcomes, ("CSF", "GM", "WM")) == (
        "subject,CSF_ml,GM_ml,WM_ml,reason\n"
        "a,1.500,,2.250,no voxels of GM\n"
        'b,,,,"truncated, at byte 9"\n'
    )


def test_what_is_done_is_told_and_reported_though_a_table_fails(
    make_predictor, write_subject, tmp_path, monkeypatch
):
    def refuse(path, text):
        raise VoxResError("a full disk")

    monkeypatch.setattr("voxres_tf.inference.batch.write_text", refuse)
    plan = OutputPlan(tmp_path, volumes=tmp_path / "v.csv", report=tmp_path / "r.json")
    told = []
    with pytest.raises(VoxResError, match="a full disk"):
        predict_all(make_predictor(), [write_subject()], plan, tell=told.append)
    assert [outcome.id for outcome in told] == ["s1"]
    assert json.loads((tmp_path / "r.json").read_text())["subjects"][0]["id"] == "s1"
    assert json.loads(plan.report.read_text())["complete"]


def test_a_report_says_that_an_interruption_left_subjects_out(
    make_predictor, write_subject, tmp_path
):
    def stop(_):
        raise KeyboardInterrupt

    plan = OutputPlan(tmp_path / "out", report=tmp_path / "r.json")
    with pytest.raises(KeyboardInterrupt):
        predict_all(make_predictor(), [write_subject("a"), write_subject("b")], plan, tell=stop)
    report = json.loads(plan.report.read_text())
    assert ([s["id"] for s in report["subjects"]], report["complete"]) == (["a"], False)

"""The commands that train many networks: what their options become."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from voxres_cli.main import cli

from voxres_tf.crossval import run as crossval
from voxres_tf.crossval.engines import Engine
from voxres_tf.crossval.plan import AutoContext
from voxres_tf.dataset.manifest import write_manifest
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.evaluation.results import Results
from voxres_tf.evaluation.scores import Score


@pytest.fixture
def data(tmp_path):
    subjects = []
    for id_ in ("a", "b", "c"):
        files = {m: tmp_path / f"{id_}-{m}.nii" for m in ("t1", "flair", "label")}
        for path in files.values():
            path.touch()
        label = files.pop("label")
        subjects.append(SubjectFiles(id_, files, label))
    write_manifest(tmp_path / "manifest.csv", subjects)
    return tmp_path


@pytest.fixture
def calls(monkeypatch):
    found = []

    def pretend(*args, **options):
        found.append((args, options))
        score = Score("a", "GM", 0.5, 1.0, 2.0, 10.0, 10.0)
        return [Results(row.name, (score,)) for row in args[2]] if len(args) == 4 else args[1]

    monkeypatch.setattr(crossval, "cross_validate", pretend)
    monkeypatch.setattr(crossval, "auto_context", pretend)
    monkeypatch.setattr("voxres_tf.export.saved_model.export_once", lambda _, output: output / "1")
    return found


IN_SAMPLE = ("--context", "in-sample")


def invoke(*arguments):
    return CliRunner().invoke(cli, list(map(str, arguments)))


def test_one_row_leave_one_out_by_default(data, calls):
    result = invoke("cross-validate", data, "-o", data / "cv", "--preset", "tiny", "--steps", "7")
    assert result.exit_code == 0, result.output
    ((subjects, run, rows, folds), options) = calls[0]
    assert [s.id for s in subjects] == ["a", "b", "c"]
    assert run == data / "cv"
    assert [(row.name, row.how) for row in rows] == [("All", None)]
    assert rows[0].config.training.steps == 7
    assert folds == (("a",), ("b",), ("c",))
    assert options["engine"] == Engine()
    assert "All: mean DC GM 50.00, WM -, CSF - over 1 subjects" in result.output
    assert f"Next: voxres tables {data / 'cv'}" in result.output


def test_ablation_makes_a_row_per_modality_and_two_of_all(data, calls):
    folds = ("--folds", "3", *IN_SAMPLE)
    result = invoke("cross-validate", data, "-o", data / "cv", "--ablation", *folds)
    assert result.exit_code == 0, result.output
    rows = calls[0][0][2]
    assert [row.name for row in rows] == ["T1", "T2-FLAIR", "All", "All + auto-context"]
    assert rows[3].how == AutoContext("in-sample", "all")
    assert [row.config.model.in_channels for row in rows] == [2, 2, 4, 4]


def test_splits_and_one_modality(data, calls):
    (data / "splits.csv").write_text("subject,fold\na,1\nb,1\nc,2\n")
    options = ("--splits", data / "splits.csv", "--modalities", "flair", "--auto-context")
    result = invoke("cross-validate", data, "-o", data / "cv", *options)
    assert result.exit_code == 0, result.output
    assert calls[0][0][3] == (("a", "b"), ("c",))
    assert [row.name for row in calls[0][0][2]] == ["T2-FLAIR", "T2-FLAIR + auto-context"]


def test_auto_context_trains_and_exports(data, calls):
    options = ("--first-stage", "folds", "--engine", "ray", "--gpus-per-task", "0.5")
    result = invoke("auto-context", data, "-o", data / "ac", *options)
    assert result.exit_code == 0, result.output
    ((_, run, config, folds, how), given) = calls[0]
    assert (run, how) == (data / "ac", AutoContext(first_stage="folds"))
    assert config.model.in_channels == 4
    assert folds == (("a",), ("b",), ("c",))
    assert given["engine"] == Engine("ray", gpus=0.5)
    assert f"Next: voxres predict -m {data / 'ac' / 'model' / '1'}" in result.output


def test_maps_in_sample_may_go_with_a_first_stage_of_folds(data, calls):
    folds = ("--first-stage", "folds", "--folds", "3")
    result = invoke("auto-context", data, "-o", data / "ac", *IN_SAMPLE, *folds)
    assert result.exit_code == 0, result.output
    (_, _, _, folds, how), _ = calls[0]
    assert sorted(folds) == [("a",), ("b",), ("c",)]
    assert how == AutoContext("in-sample", "folds")
    assert invoke("auto-context", data, "-o", data / "ac", *IN_SAMPLE).exit_code == 0
    assert calls[1][0][3] == (), "no folds are made where none are used"


@pytest.mark.parametrize(
    ("command", "options", "fault"),
    [
        ("cross-validate", ["--folds", "x"], "--folds takes loo or a number; received 'x'"),
        ("cross-validate", ["--folds", "2", "--splits", "."], "is a directory"),
        ("cross-validate", ["--context", "in-sample"], "--context is for --auto-context"),
        ("cross-validate", ["--first-stage", "all"], "--first-stage is for --auto-context"),
        ("cross-validate", ["--ablation", "--modalities", "t1"], "leave --modalities out"),
        ("cross-validate", ["--ray-address", "auto"], "--engine ray only"),
        ("auto-context", ["--cpus-per-task", "2"], "--engine ray only"),
        ("auto-context", ["--epochs", "2", "--steps", "9"], "exclude each other"),
        ("auto-context", [*IN_SAMPLE, "--folds", "3"], "are for --context out-of-fold or"),
        ("auto-context", [*IN_SAMPLE, "--splits", __file__], "are for --context out-of-fold or"),
    ],
)
def test_wrong_usage_ends_with_2(data, calls, command, options, fault):
    result = invoke(command, data, "-o", data / "out", *options)
    assert result.exit_code == 2
    assert fault in result.output
    assert not calls


def test_folds_that_cannot_be_are_one_line(data, calls):
    result = invoke("cross-validate", data, "-o", data / "out", "--folds", "4")
    assert result.exit_code == 1
    assert result.output == (
        "voxres: folds: 2 folds or more, and no more than the 3 subjects. Received: 4. "
        "Choose another number or add subjects.\n"
    )

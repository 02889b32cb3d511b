"""From subjects to tables: what is done once, what goes on, what equals what."""

from __future__ import annotations

import json
from dataclasses import replace

import keras
import numpy as np
import pytest

from tests.tiny import agreed
from voxres_tf.crossval import engines, tasks
from voxres_tf.crossval import run as crossval
from voxres_tf.crossval.plan import AutoContext
from voxres_tf.crossval.rows import RowSpec, table_rows
from voxres_tf.crossval.run import auto_context, cross_validate
from voxres_tf.dataset.folds import make_folds
from voxres_tf.errors import ConfigError, DataError, OutputExistsError, TrainingError, VoxResError
from voxres_tf.evaluation.rows import read_rows
from voxres_tf.evaluation.scores import read_scores, score_subject
from voxres_tf.export.agreement import read_certificate
from voxres_tf.export.saved_model import export_run
from voxres_tf.files import json_hash, locked, write_json
from voxres_tf.inference.predict import Predictor
from voxres_tf.labels import CLASS_NAMES, scheme
from voxres_tf.model.network import build_network
from voxres_tf.training import fit
from voxres_tf.training.run import RunFolder
from voxres_tf.volume import read_volume

LOO = make_folds(list("123"), None, 0)


@pytest.fixture
def trained(monkeypatch):
    """Whom networks learned from, in order; their weights are random, for training takes long."""
    found = []

    def pretend(subjects, run, config):
        found.append(([s.id for s in subjects], config.model.context_channels))
        parts = [(s.key, [part.shape for part in s.parts]) for s in subjects]
        keras.utils.set_random_seed(int(json_hash(parts)[:7], 16))
        model = build_network(config.model)
        for variable in model.trainable_variables:  # else all biases are 0
            variable.assign(variable + 0.1 * keras.random.normal(variable.shape))
        folder = RunFolder(run)
        folder.path.mkdir(parents=True)
        write_json(folder.config, config.model_dump(mode="json"))
        write_json(folder.summary, {"data": [s.key for s in subjects]})
        model.save_weights(str(folder.last))
        np.savez(folder.state, step=config.training.steps)

    monkeypatch.setattr(fit, "train_prepared", pretend)
    monkeypatch.setattr(crossval, "_forecast", lambda _: "soon")
    return found


def table(out):
    return [read_scores(path) for _, path in read_rows(str(out))]


def test_cross_validation_with_two_stages(subjects, config, tmp_path, trained):
    said = []
    rows = table_rows(config, config.preprocess.modalities, ablation=False, how=AutoContext())
    results = cross_validate(subjects, tmp_path / "cv", rows, LOO, say=said.append)
    # Stage 1 without a fold, stage 1 without two folds, stage 2 without a fold.
    assert sorted(trained) == sorted(
        [([*pair], 0) for pair in ("12", "13", "23")]
        + [([one], 0) for one in "123"]
        + [([*pair], 4) for pair in ("12", "13", "23")]
    )
    assert said[:2] == ["9 trainings, 0 of them done already", "soon"]
    assert [r.name for r in results] == ["All", "All + auto-context"]
    assert [r.subjects for r in results] == [("1", "2", "3")] * 2
    assert [list(r.scores) for r in results] == table(tmp_path / "cv")
    trained.clear()
    cross_validate(subjects, tmp_path / "cv", rows, LOO, say=said.append)
    assert not trained
    assert said[-1] == "9 trainings, 9 of them done already"


def test_an_interruption_anywhere_changes_nothing(subjects, config, tmp_path, trained, monkeypatch):
    rows = table_rows(config, config.preprocess.modalities, ablation=False, how=AutoContext())
    cross_validate(subjects, tmp_path / "whole", rows, LOO)
    original, left = engines.carry_out, {"tasks": 0}

    def some(task, store, *before):
        if not left["tasks"]:
            raise KeyboardInterrupt
        left["tasks"] -= 1
        original(task, store, *before)

    monkeypatch.setattr(engines, "carry_out", some)
    for count in (1, 4, 3, 5, 100):
        left["tasks"] = count
        if count < 100:
            with pytest.raises(KeyboardInterrupt):
                cross_validate(subjects, tmp_path / "parts", rows, LOO)
            assert not (tmp_path / "parts" / "rows.json").exists()
        else:
            cross_validate(subjects, tmp_path / "parts", rows, LOO)
    assert table(tmp_path / "parts") == table(tmp_path / "whole")


def test_two_stages_predict_as_one_model(subjects, config, tmp_path, trained, monkeypatch):
    """The second stage of fold 3, exported, scores subject 3 as the cross-validation does."""
    rows = [RowSpec("two", config, AutoContext(first_stage="folds"))]
    (results,) = cross_validate(subjects, tmp_path / "cv", rows, LOO)
    out = auto_context(
        subjects[:2], tmp_path / "ac", config, LOO[:2], AutoContext(first_stage="folds")
    )
    folder = json.loads((out / "cascade.json").read_text())
    assert len(folder["first"]) == 2
    model = export_run(out, tmp_path / "model")
    predictor = Predictor(model, device="cpu")
    assert [m.in_channels for m in predictor.contract.first_stage] == [2, 2]
    assert predictor.contract.model.in_channels == 6
    prediction = predictor(subjects[2])
    np.testing.assert_allclose(prediction.probabilities.data.sum(-1), 1, atol=1e-5)
    codes = read_volume(subjects[2].labels)
    classes, scored = scheme("tissue").merge(codes.data)
    spacing = codes.grid.spacing_mm
    own = score_subject("3", prediction.labels.data, classes, spacing, scored)
    assert own == [score for score in results.scores if score.subject == "3"]
    asked = {road.road for road in read_certificate(model).roads}
    stages = {f"C API, {name}" for name in ("serving_default", "first_stage", "second_stage")}
    assert stages | {"C API, segment_volume", "voxres predict"} < asked
    assert not list(tmp_path.glob("**/*probseg*"))


def test_a_tile_is_answered_by_both_stages(subjects, config, tmp_path, trained, monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr("voxres_tf.export.saved_model.compare_in_fresh_process", agreed)
    out = auto_context(subjects, tmp_path / "ac", config, LOO, AutoContext())
    loaded = tf.saved_model.load(str(export_run(out, tmp_path / "model")))
    image = tf.constant(np.random.default_rng(0).standard_normal((2, 16, 8, 8, 2), np.float32))
    maps = loaded.signatures["first_stage"](image=image)["probabilities"]
    second = loaded.signatures["second_stage"](image=tf.concat([image, maps], -1))
    both = loaded.signatures["serving_default"](image=image)
    np.testing.assert_allclose(both["probabilities"], second["probabilities"], atol=1e-6)
    assert np.abs(both["probabilities"] - maps).max() > 1e-3


def test_context_is_what_the_network_without_the_subject_says(subjects, config, tmp_path, trained):
    out = auto_context(subjects, tmp_path / "ac", config, LOO, AutoContext())
    store, keys = crossval._prepare(subjects, out, [config.preprocess])
    from voxres_tf.crossval.plan import context_cascade

    own = keys[config.preprocess]
    second = context_cascade(config, own, list("123"), LOO, AutoContext()).second
    for key, source in zip(second.subjects, second.context, strict=True):
        summary = json.loads(store.run(source).summary.read_text())
        assert key not in summary["data"]
        assert sorted([key, *summary["data"]]) == sorted(own.values())
        stored = np.load(store.map(source, key))
        assert stored.dtype == np.float16
        fresh = tasks._segment(store, source, store.subjects[key].channels())
        np.testing.assert_allclose(stored, fresh, atol=5e-4)


def test_nothing_is_trained_on_unsound_subjects(subjects, config, tmp_path, trained):
    twin = subjects[0].__class__("4", subjects[0].images, subjects[0].labels, "tissue")
    rows = [RowSpec("All", config)]
    with pytest.raises(DataError, match="every file has voxels of its own"):
        cross_validate([*subjects, twin], tmp_path / "cv", rows, make_folds(list("1234"), None, 0))
    assert not trained


def test_scores_that_are_found_again_have_the_ids_of_now(subjects, config, tmp_path, trained):
    rows = [RowSpec("All", config)]
    (before,) = cross_validate(subjects, tmp_path / "cv", rows, LOO)
    trained.clear()
    renamed = [replace(files, id=f"new{files.id}") for files in subjects]
    folds = make_folds([files.id for files in renamed], None, 0)
    (after,) = cross_validate(renamed, tmp_path / "cv", rows, folds)
    assert not trained
    assert after.subjects == ("new1", "new2", "new3")
    assert list(after.scores) == [replace(s, subject=f"new{s.subject}") for s in before.scores]
    assert table(tmp_path / "cv") == [list(after.scores)]


def test_scores_of_another_configuration_are_kept(subjects, config, tmp_path, trained):
    cross_validate(subjects, tmp_path / "cv", [RowSpec("All", config)], LOO)
    before = (tmp_path / "cv/scores/all.csv").read_text()
    other = config.updated(training={"seed": config.training.seed + 1})
    trained.clear()
    for row, folds in (
        (RowSpec("All", other), LOO),
        (RowSpec("All", config), (LOO[0], LOO[1] + LOO[2])),
    ):
        with pytest.raises(OutputExistsError, match="scores of All by another configuration"):
            cross_validate(subjects, tmp_path / "cv", [row], folds)
    # The same training, whenever it is stored.
    often = config.updated(training={"checkpoint_minutes": 0.5})
    cross_validate(subjects, tmp_path / "cv", [RowSpec("All", often)], LOO)
    assert not trained
    assert (tmp_path / "cv/scores/all.csv").read_text() == before


def test_rows_of_earlier_calls_stay_as_long_as_their_scores_do(subjects, config, tmp_path, trained):
    def made(*rows, folds=LOO):
        cross_validate(subjects, tmp_path / "cv", rows, folds)
        return [name for name, _ in read_rows(str(tmp_path / "cv"))]

    modalities = config.preprocess.modalities
    ablation = table_rows(config, modalities, ablation=True, how=None)
    assert made(*ablation) == ["T1", "T2-FLAIR", "All"]
    assert made(ablation[-1]) == ["All", "T1", "T2-FLAIR"]
    (tmp_path / "cv" / ablation[0].file).unlink()
    assert made(ablation[-1]) == ["All", "T2-FLAIR"]
    (tmp_path / "cv" / ablation[1].file).with_suffix(".json").write_text("[]")
    assert made(ablation[-1]) == ["All"]
    other = RowSpec("Other", config)
    assert made(other, folds=(LOO[0], LOO[1] + LOO[2])) == ["Other"]
    (tmp_path / "cv" / "rows.json").write_text("[]")
    assert made(ablation[-1]) == ["All"]


@pytest.mark.parametrize(
    ("names", "changes", "rule"),
    [
        (
            ("background", "brain"),
            {},
            r"^classes: .*background, CSF, GM, WM\. Received: background, brain\.",
        ),
        (
            CLASS_NAMES,
            {"training": {"frozen_norm": True}},
            r"frozen_norm: .*random weights.*Leave it out",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused_before_a_scan_is_prepared(
    names, changes, rule, subjects, config, tmp_path, trained
):
    config, out = config.updated(**changes).for_classes(names), tmp_path / "out"
    with pytest.raises(ConfigError, match=rule):
        cross_validate(subjects, out, [RowSpec("All", config)], LOO)
    with pytest.raises(ConfigError, match=rule):
        auto_context(subjects, out, config, LOO, AutoContext())
    assert not out.exists()


def test_a_second_process_is_refused(subjects, config, tmp_path, trained):
    with locked(tmp_path / "cv"), pytest.raises(VoxResError, match="one process at a time"):
        cross_validate(subjects, tmp_path / "cv", [RowSpec("All", config)], LOO)


def test_the_folder_of_a_training_is_refused(subjects, config, tmp_path, trained):
    RunFolder(tmp_path).history.touch()
    with pytest.raises(TrainingError, match=r"a folder for several networks\. .*one training's"):
        cross_validate(subjects, tmp_path, [RowSpec("All", config)], LOO)
    with pytest.raises(TrainingError, match="a folder for several networks"):
        auto_context(subjects, tmp_path, config, LOO, AutoContext())

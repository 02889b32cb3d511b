from __future__ import annotations

import json
import shutil
from math import prod
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.config_pb2 import CallableOptions

from tests.tiny import agreed
from voxres_tf.config import RunConfig
from voxres_tf.contract import HABITS, read_contract
from voxres_tf.errors import ConfigError, ModelError, OutputExistsError
from voxres_tf.export import saved_model
from voxres_tf.export.agreement import read_certificate
from voxres_tf.export.saved_model import export_once, export_run
from voxres_tf.export.stages import Stage, Stages, load_stages
from voxres_tf.model.voxresnet import build_voxresnet
from voxres_tf.schema import load


@pytest.fixture(scope="module")
def live(tiny_run):
    config = load(RunConfig, tiny_run / "config.json")
    model = build_voxresnet(config.model)
    model.load_weights(str(tiny_run / "last.weights.h5"))
    return model


def weights_hash(model):
    return Stages((), Stage(Path(), RunConfig(), model)).weights_hash()


@pytest.fixture
def no_fresh_process(monkeypatch):
    """The reload in a process of its own takes seconds; `tiny_model` goes through it."""
    monkeypatch.setattr(saved_model, "compare_in_fresh_process", agreed)


@pytest.mark.parametrize("shape", [(1, 16, 16, 8), (3, 16, 16, 8), (1, 8, 24, 40)])
def test_reloaded_model_equals_the_live_one(tiny_model, live, shape):
    image = np.random.default_rng(1).standard_normal((*shape, 2), np.float32)
    function = tf.saved_model.load(str(tiny_model)).signatures["serving_default"]
    (answer,) = function(image=tf.constant(image)).values()
    expected = keras.ops.softmax(live(image, training=False)["main"])
    assert answer.dtype == tf.float32
    np.testing.assert_allclose(answer, keras.ops.convert_to_numpy(expected), atol=1e-5)


def test_signature_is_named_and_open_in_batch_and_space(tiny_model):
    function = tf.saved_model.load(str(tiny_model)).signatures["serving_default"]
    (spec,) = function.structured_input_signature[1].values()
    assert (spec.name, spec.dtype) == ("image", tf.float32)
    assert spec.shape.as_list() == [None, None, None, None, 2]
    assert list(function.structured_outputs) == ["probabilities"]


def test_weights_are_stored_once(tiny_model, live):
    stored = sum(p.stat().st_size for p in (tiny_model / "variables").glob("*.data-*"))
    wanted = 4 * sum(prod(v.shape) for v in live.variables)
    # Beside the weights lies the table of names, some 90 bytes for each of the variables.
    assert wanted < stored < wanted + 120 * len(live.variables)
    names = [name for name, _ in tf.train.list_variables(str(tiny_model / "variables/variables"))]
    assert sum(name.startswith("weights/") for name in names) == len(live.variables)


def test_trained_weights_can_be_read_back_in_their_order(tiny_model, live):
    reader = tf.train.load_checkpoint(str(tiny_model / "variables" / "variables"))
    for number, variable in enumerate(live.variables):
        stored = reader.get_tensor(f"weights/{number}/.ATTRIBUTES/VARIABLE_VALUE")
        np.testing.assert_array_equal(stored, keras.ops.convert_to_numpy(variable))


def test_contract_tells_what_prediction_needs(tiny_model, tiny_run, live):
    contract = read_contract(tiny_model)
    config = load(RunConfig, tiny_run / "config.json")
    assert (contract.name, contract.version) == ("tiny", 1)
    assert contract.channels == ("t1", "flair")
    assert contract.preprocess == config.preprocess
    assert contract.patch == (16, 16, 8)
    assert contract.training == {"subjects": ["a", "b"], "steps": 7}
    assert contract.weights_sha256 == weights_hash(live)
    assert contract.fused
    assert set(contract.versions) == {"voxres-tf", "tensorflow", "keras", "numpy"}


def test_comparison_is_kept_beside_the_contract(tiny_model):
    certificate = read_certificate(tiny_model)
    assert [road.road for road in certificate.roads] == [
        "SavedModel, serving_default",
        "SavedModel, segment_volume",
        "C API, serving_default",
        "C API, segment_volume",
        "voxres predict",
    ]
    assert all(road.holds for road in certificate.roads)
    assert certificate.shape == (32, 24, 16)
    assert {road.voxels for road in certificate.roads} == {32 * 24 * 16, 6 * 16**3}


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((1, 16, 16, 8, 4), r"\[1,16,16,8,4\] is not compatible with expected shape"),
        ((1, 16, 16, 8, 1), "is not compatible with expected shape"),
        ((1, 16, 12, 8, 2), "X, Y and Z of image .* must be multiples of 8"),
    ],
)
def test_a_session_refuses_what_the_signature_does_not_say(tiny_model, shape, reason):
    # TF Serving runs a session, which feeds any shape; Python's own check is passed by here.
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], str(tiny_model))
        signature = graph.signature_def["serving_default"]
        names = CallableOptions(
            feed=[signature.inputs["image"].name], fetch=[signature.outputs["probabilities"].name]
        )
        run = session._make_callable_from_options(names)
        with pytest.raises(tf.errors.InvalidArgumentError, match=reason):
            run(np.zeros(shape, np.float32))


@pytest.mark.usefixtures("no_fresh_process")
@pytest.mark.parametrize(("dropout", "optional"), [(0.0, ()), (0.3, ("t1", "flair"))])
def test_modality_dropout_lets_modalities_be_missing(tiny_run, tmp_path, dropout, optional):
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    config = load(RunConfig, run / "config.json").updated(training={"modality_dropout": dropout})
    (run / "config.json").write_text(config.model_dump_json())
    assert read_contract(export_run(run, tmp_path / "m")).optional_modalities == optional


def test_of_two_stages_both_must_have_met_subjects_without_it():
    plain = Stage(Path(), RunConfig(), None)
    learned = Stage(Path(), RunConfig().updated(training={"modality_dropout": 0.3}), None)
    assert Stages((learned, plain), learned).optional_modalities == ()
    assert Stages((learned,), learned).optional_modalities == ("t1", "t1-ir", "flair")


@pytest.mark.usefixtures("no_fresh_process")
def test_versions_count_up_and_are_not_replaced(tiny_run, tmp_path):
    output = tmp_path / "net"
    for name in ("4", "notes", ".partial-9"):
        (output / name).mkdir(parents=True)
    assert export_run(tiny_run, output, name="other") == output / "5"
    contract = read_contract(output / "5")
    assert (contract.name, contract.version) == ("other", 5)
    with pytest.raises(OutputExistsError, match="Choose another version"):
        export_run(tiny_run, output, version=4)
    (output / "4").rename(output / "004")
    with pytest.raises(OutputExistsError, match=r"004: exported versions are not replaced"):
        export_run(tiny_run, output, version=4)
    with pytest.raises(OutputExistsError, match="Received: one of its versions"):
        export_run(tiny_run, output / "5")
    assert sorted(p.name for p in output.iterdir()) == [".partial-9", "004", "5", "notes"]


@pytest.mark.usefixtures("no_fresh_process")
def test_a_tile_as_large_as_that_of_what_the_training_began_with(tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    crop = read_contract(export_run(run, tmp_path / "m")).patch
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps(summary | {"init_patch": [48, 8, crop[2]]}))
    assert read_contract(export_run(run, tmp_path / "n")).patch == (48, crop[1], crop[2])


@pytest.mark.usefixtures("no_fresh_process")
def test_volumes_are_predicted_as_by_what_the_training_began_with(tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    summary = json.loads((run / "summary.json").read_text())
    habits = {"overlap": 0.25, "tta": True, "one_piece": True, "align": False}
    (run / "summary.json").write_text(json.dumps(summary | {"init_habits": habits}))
    contract = read_contract(export_run(run, tmp_path / "m"))
    assert contract.model_dump(include=HABITS) == habits
    assert "init_habits" not in contract.training
    other = read_contract(export_run(run, tmp_path / "m", overlap=0.0, tta=False))
    assert (other.overlap, other.tta, other.one_piece) == (0.0, False, True)
    with pytest.raises(ConfigError, match=r"export options: overlap: .* less than 1\. Received: 1"):
        export_run(run, tmp_path / "m", overlap=1.0)
    with pytest.raises(ConfigError, match="align: a network that takes each of its scans alone"):
        export_run(run, tmp_path / "m", align=True)


@pytest.mark.usefixtures("no_fresh_process")
def test_a_tile_of_its_own(tiny_run, tmp_path):
    contract = read_contract(export_run(tiny_run, tmp_path / "m", tile=(24, 16, 16)))
    assert contract.patch == (24, 16, 16) != load(RunConfig, tiny_run / "config.json").training.crop
    with pytest.raises(ConfigError, match=r"crop.*multiple of 8.*15"):
        export_run(tiny_run, tmp_path / "m", tile=(24, 16, 15))
    assert [p.name for p in (tmp_path / "m").iterdir()] == ["1"]


@pytest.mark.usefixtures("no_fresh_process")
def test_weights_that_are_exported_already_are_not_exported_again(tiny_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    assert export_once(run, tmp_path / "m") == tmp_path / "m" / "1"
    assert export_once(run, tmp_path / "m") == tmp_path / "m" / "1"
    build_voxresnet(load(RunConfig, run / "config.json").model).save_weights(
        str(run / "last.weights.h5")
    )
    assert export_once(run, tmp_path / "m") == tmp_path / "m" / "2"


@pytest.mark.usefixtures("no_fresh_process")
def test_best_weights_come_first(tiny_run, tmp_path, live):
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    best = build_voxresnet(load(RunConfig, run / "config.json").model)
    best.save_weights(str(run / "best.weights.h5"))
    assert load_stages(run, "last").weights_hash() == weights_hash(live)
    contract = read_contract(export_run(run, tmp_path / "m"))
    assert contract.weights_sha256 == weights_hash(best) != weights_hash(live)


def test_run_without_the_weights(tiny_run, tmp_path):
    with pytest.raises(ModelError, match=r"its best weights. Received: last weights. Take the"):
        export_run(tiny_run, tmp_path / "m", weights="best")
    run = tmp_path / "run"
    run.mkdir()
    with pytest.raises(ConfigError, match=r"config.json"):
        export_run(run, tmp_path / "m")
    shutil.copy(tiny_run / "config.json", run)
    with pytest.raises(ModelError, match=r"no weights\. Train it first"):
        export_run(run, tmp_path / "m")


def test_weights_of_another_network(tiny_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    config = load(RunConfig, run / "config.json").updated(model={"width": 3})
    (run / "config.json").write_text(config.model_dump_json())
    with pytest.raises(ModelError, match=r"last.weights.h5: weights of the network in config.json"):
        export_run(run, tmp_path / "m")
    (run / "last.weights.h5").write_bytes(b"no weights")
    with pytest.raises(ModelError, match=r"last.weights.h5: weights of the network"):
        export_run(run, tmp_path / "m")
    assert not (tmp_path / "m").exists()

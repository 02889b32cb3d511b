from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from voxres_tf.contract import ANSWER, read_contract
from voxres_tf.errors import ConfigError, ModelError
from voxres_tf.inference.engine import SavedModelEngine, resolve_device


@pytest.fixture
def gpus(monkeypatch):
    def set_count(count):
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind] * count)

    return set_count


@pytest.mark.parametrize(
    ("count", "asked", "got"),
    [
        (0, "auto", "/CPU:0"),
        (0, "cpu", "/CPU:0"),
        (2, "cpu", "/CPU:0"),
        (2, "auto", "/GPU:0"),
        (2, "gpu", "/GPU:0"),
        (2, "gpu:1", "/GPU:1"),
    ],
)
def test_device(gpus, count, asked, got):
    gpus(count)
    assert resolve_device(asked) == got


@pytest.mark.parametrize(
    ("count", "asked", "there"),
    [(0, "gpu", "finds: cpu. Received: gpu"), (2, "gpu:2", "finds: cpu, gpu:0, gpu:1")],
)
def test_device_that_is_not_there(gpus, count, asked, there):
    gpus(count)
    with pytest.raises(ConfigError, match=there):
        resolve_device(asked)


@pytest.mark.parametrize("asked", ["tpu", "gpu:", "gpu:x", ""])
def test_device_that_is_none(asked):
    with pytest.raises(ConfigError, match="auto, cpu, gpu or gpu:N"):
        resolve_device(asked)


@pytest.fixture(scope="module")
def engine(tiny_model):
    return SavedModelEngine(tiny_model, read_contract(tiny_model), "cpu")


@pytest.mark.parametrize("shape", [(1, 16, 16, 8), (3, 8, 24, 16)])
def test_answers_are_probabilities(engine, shape):
    tiles = np.random.default_rng(0).standard_normal((*shape, 2), np.float32)
    answers = engine.run(ANSWER, tiles)
    assert answers.shape == (*shape, 4)
    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers.sum(-1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [((1, 16, 12, 8, 2), "must be multiples of 8"), ((1, 8, 8, 8, 3), r"tiles \(1, 8, 8, 8, 3\)")],
)
def test_tiles_that_it_cannot_take(engine, shape, reason):
    with pytest.raises(ModelError, match=reason):
        engine.run(ANSWER, np.zeros(shape, np.float32))


def test_contract_of_another_model(tiny_model):
    contract = read_contract(tiny_model)
    other = contract.model_copy(update={"channels": ("t1",)})
    with pytest.raises(ModelError, match=r"image \[\.\.\., 1\] -> probabilities"):
        SavedModelEngine(tiny_model, other, "cpu")


def test_broken_graph(tiny_model, tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"no graph")
    with pytest.raises(ModelError, match="a SavedModel"):
        SavedModelEngine(tmp_path, read_contract(tiny_model), "cpu")


def test_saved_model_without_the_signature(tiny_model, tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path / "m"))
    with pytest.raises(ModelError, match="a signature serving_default"):
        SavedModelEngine(tmp_path / "m", read_contract(tiny_model), "cpu")

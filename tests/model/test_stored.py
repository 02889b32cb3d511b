"""Trained weights on disk: read back in the network's order, or refused in one line."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from voxres_tf.config import ModelConfig
from voxres_tf.errors import ModelError
from voxres_tf.model.network import build_network
from voxres_tf.model.stored import (
    assign_stored,
    load_weights,
    stored_weights,
    weights_file,
    weights_hash,
)

SMALL = ModelConfig(in_channels=2, width=1)
DATA = Path("variables") / "variables.data-00000-of-00001"


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The variables of a network as export stores them, each one filled with its number."""
    module = tf.Module()
    model = build_network(SMALL)
    for number, variable in enumerate(model.variables):
        variable.assign(np.full(variable.shape, number, np.float32))
    module.weights = [variable.value for variable in model.variables]
    folder = tmp_path_factory.mktemp("net") / "1"
    tf.saved_model.save(module, str(folder))
    return folder


def test_weights_come_in_the_order_of_the_network(saved_model: Path) -> None:
    stored = stored_weights(saved_model)
    assert len(stored) > 100
    assert [int(array.flat[0]) for array in stored] == list(range(len(stored)))
    model = build_network(SMALL)
    assign_stored(model, saved_model)
    for number, variable in enumerate(model.variables):
        np.testing.assert_array_equal(variable.numpy(), number)
    # Export takes its hash over `weights`, so that these must be in the order of `variables`.
    assert weights_hash(v.numpy() for v in model.weights) == weights_hash(stored)


def test_variables_of_another_network(saved_model: Path) -> None:
    for other in (SMALL.model_copy(update={"width": 2}), SMALL.model_copy(update={"classes": 3})):
        with pytest.raises(ModelError, match=r"weights of the network in its contract"):
            assign_stored(build_network(other), saved_model)


def test_variables_that_are_damaged_or_gone(saved_model: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "1"
    (damaged / "variables").mkdir(parents=True)
    for path in (saved_model / "variables").iterdir():
        (damaged / "variables" / path.name).write_bytes(path.read_bytes())
    content = bytearray((damaged / DATA).read_bytes())
    content[len(content) // 2] ^= 1
    (damaged / DATA).write_bytes(content)
    short = shutil.copytree(damaged, tmp_path / "2")
    (short / DATA).write_bytes(content[:100])
    for folder in (damaged, short, tmp_path):
        with pytest.raises(ModelError, match=r"variables: the variables of an exported model"):
            stored_weights(folder)


def test_a_hash_is_over_little_endian_float32_in_order() -> None:
    one, two = np.array([1.0, 2.0]), np.array([[3.0]])
    # `printf '\0\0\200\077\0\0\0\100\0\0\100\100' | sha256sum`
    expected = "8e628779e6a74ee0b36991c10158f63cafec7d340ad4e075592502c8708524dd"
    assert weights_hash([one, two]) == weights_hash([one.astype(">f8"), two]) == expected
    assert weights_hash([two, one]) != expected


def test_best_weights_come_first(tmp_path: Path) -> None:
    for name in ("last", "best"):
        (tmp_path / f"{name}.weights.h5").write_bytes(b"no weights")
        assert weights_file(tmp_path) == tmp_path / f"{name}.weights.h5"
    assert weights_file(tmp_path, "last") == tmp_path / "last.weights.h5"
    with pytest.raises(ModelError, match=r"last\.weights\.h5: weights of the network"):
        load_weights(build_network(SMALL), tmp_path / "last.weights.h5")

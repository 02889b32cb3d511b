"""The moving average of the weights, by hand on a network of one weight."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from voxres_tf.config import TrainingConfig
from voxres_tf.errors import TrainingError, VoxResError
from voxres_tf.training.averages import RawWeights, averaged, save_weights
from voxres_tf.training.losses import build_optimizer

ONES = np.ones((1, 1), np.float32)


def one_weight(ema: float) -> keras.Model:
    """y = w x with w = 0; with the loss -y every step adds the learning rate, 1, to w."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.layers[0].kernel.assign(0 * ONES)
    config = TrainingConfig(learning_rate=1.0, momentum=0.0, decay_power=0.0, ema=ema)
    model.compile(build_optimizer(config), loss=lambda _, y: -y)
    return model


def weight(model: keras.Model) -> float:
    return float(model.layers[0].kernel.numpy()[0, 0])


def test_without_an_update_there_is_no_average() -> None:
    model = one_weight(0.75)
    model.optimizer.build(model.trainable_variables)
    model.layers[0].kernel.assign(2 * ONES)
    with averaged(model):
        assert weight(model) == 2
    assert weight(model) == 2


def test_the_average_and_the_raw_weights_again() -> None:
    model = one_weight(0.75)
    for _ in range(3):
        model.train_on_batch(ONES, ONES)
    assert weight(model) == 3
    with averaged(model):
        # 1, then 0.75 * 1 + 0.25 * 2 = 1.25, then 0.75 * 1.25 + 0.25 * 3 = 1.6875.
        assert weight(model) == 1.6875
    assert weight(model) == 3
    with pytest.raises(RuntimeError), averaged(model):
        raise RuntimeError
    assert weight(model) == 3


def test_without_an_average_the_weights_are_the_weights() -> None:
    model = one_weight(0.0)
    model.train_on_batch(ONES, ONES)
    with averaged(model):
        assert weight(model) == 1


def test_fit_leaves_the_raw_weights() -> None:
    model = one_weight(0.5)
    model.fit(ONES, ONES, epochs=2, verbose=0, callbacks=[RawWeights()])
    assert weight(model) == 2
    model.fit(ONES, ONES, verbose=0)
    assert weight(model) == 2.25  # what the callback is there for: 0.5 * 1.5 + 0.5 * 3


def test_a_full_disk_is_an_error_and_no_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, path = one_weight(0.0), tmp_path / "last.weights.h5"
    model.train_on_batch(ONES, ONES)
    save_weights(model, path)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    # HDF5 has no part in what lies where the results go.
    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(VoxResError, match=r"last\.weights\.h5: .*No space left"):
        save_weights(model, path)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [before]


def test_no_room_for_temporary_files_is_an_error_and_no_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = one_weight(0.0)
    model.train_on_batch(ONES, ONES)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**20))
    with pytest.raises(TrainingError, match=r"room for 1 MB of temporary files\. .*TMPDIR"):
        save_weights(model, tmp_path / "last.weights.h5")
    assert not list(tmp_path.iterdir())

"""Weights that an update blew up are neither saved nor measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voxres_tf.config import RunConfig
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.errors import TrainingError
from voxres_tf.model.stored import saved_step
from voxres_tf.training import callbacks, fit
from voxres_tf.training.history import read_history
from voxres_tf.training.run import RunFolder
from voxres_tf.training.validation import load_network


def explode_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an update leave infinite weights; its loss is that of the weights before it."""
    count = callbacks.StepCounter.on_train_batch_end

    def explode(counter: callbacks.StepCounter, batch: int, logs: Any = None) -> None:
        count(counter, batch, logs)
        if counter.step == step:
            weight = counter.model.trainable_variables[0]
            weight.assign(weight * np.inf)

    monkeypatch.setattr(callbacks.StepCounter, "on_train_batch_end", explode)


@pytest.mark.parametrize(("step", "minutes", "kept"), [(8, 10.0, 4), (6, 1e-9, 5)])
def test_weights_that_are_not_finite_stop_and_the_last_good_ones_are_kept(
    subjects: list[SubjectFiles],
    config: RunConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: int,
    minutes: float,
    kept: int,
) -> None:
    """Step 8 ends an epoch and the training; step 6 is inside an epoch, at a checkpoint by time."""
    config = config.updated(training={"checkpoint_minutes": minutes})
    run = fit.train(subjects, tmp_path / "run", config.updated(training={"steps": 4}))
    before = (run / "last.weights.h5").read_bytes()
    explode_at(step, monkeypatch)
    where = rf"epoch 1, step {step - 1}, subjects \d, \d"
    with pytest.raises(TrainingError, match=rf"{where}: the weights are finite.*in conv1a"):
        fit.train(subjects, run, config)
    assert saved_step(run / "state.npz") == kept
    # The weights for use go with the state.
    assert ((run / "last.weights.h5").read_bytes() == before) == (kept == 4)
    network = load_network(RunFolder(run), config)
    assert all(np.isfinite(array).all() for array in network.get_weights())
    assert [row["step"] for row in read_history(run / "history.csv")] == [4]

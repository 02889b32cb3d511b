"""The forecast of many trainings: what one network of each kind takes, start and steps."""

from __future__ import annotations

import pytest

from voxres_tf.crossval import run
from voxres_tf.crossval.plan import AutoContext
from voxres_tf.crossval.run import auto_context
from voxres_tf.dataset.folds import make_folds
from voxres_tf.training import fit, pace
from voxres_tf.training.pace import Pace, measure_pace


class StoppedError(Exception):
    """Ends the work where training would begin."""


@pytest.mark.parametrize("many", [20, 21])
def test_starts_and_steps_count_and_kinds_are_timed_once(
    subjects, config, tmp_path, monkeypatch, many
):
    def stop(*_):
        raise StoppedError

    timed, said = [], []

    def measured(config):
        timed.append(config.model.in_channels)
        return Pace(start_s=600, step_s=60)

    monkeypatch.setattr(pace, "measure_pace", measured)
    monkeypatch.setattr(fit, "train_prepared", stop)
    monkeypatch.setattr(run, "_MANY_STEPS", many)
    folds = make_folds(["1", "2", "3"], None, 0)
    steps = config.training.steps
    with pytest.raises(StoppedError):
        auto_context(subjects, tmp_path / "run", config, folds, AutoContext(), say=said.append)
    # One without each of three subjects, one with all, and the second stage.
    hours, minutes = divmod(5 * (10 + steps - 1), 60)
    forecast = f": about {hours} h {minutes:02d} min, one after the other"
    few = 5 * steps < many
    assert said[1] == "5 to do" + ("" if few else forecast)
    # More channels of the second stage change the first layer alone.
    assert timed == ([] if few else [config.model.in_channels])


def test_a_pace_is_measured(config):
    found = measure_pace(config)
    assert found.start_s > found.step_s > 0
    assert found.seconds(11) == pytest.approx(found.start_s + 10 * found.step_s)

"""Training: what a run folder holds, that interrupted runs end alike, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from voxres_tf.config import RunConfig
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.errors import DataError, TrainingError, VoxResError
from voxres_tf.files import locked
from voxres_tf.schema import load
from voxres_tf.training import callbacks, fit
from voxres_tf.training.history import read_history
from voxres_tf.training.run import RunFolder
from voxres_tf.training.validation import load_network


class KilledError(BaseException):
    """Stands for a process that ends at once."""


def weights(run: Path) -> dict[str, np.ndarray]:
    with np.load(run / "state.npz") as arrays:
        return {name: array for name, array in arrays.items() if not name.startswith("metric")}


def kernels(state: dict[str, np.ndarray], group: str) -> list[np.ndarray]:
    """The first layer's kernel as the network has it, or the averages of it in the optimiser."""
    ends = {"model": "conv1a/kernel", "optimizer": "conv1a_kernel_average"}
    return [a for n, a in state.items() if n.startswith(group) and n.endswith(ends[group])]


def rows(run: Path) -> list[dict[str, float | None]]:
    return [
        {k: v for k, v in row.items() if k != "seconds"}
        for row in read_history(run / "history.csv")
    ]


def die(*_: object) -> None:
    raise KilledError


def kill_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the training die right after `step` updates and their checkpoint."""
    save = callbacks.save_state

    def save_and_die(path: Path, model: keras.Model, at: int, planned: int) -> None:
        save(path, model, at, planned)
        if at == step:
            raise KilledError

    monkeypatch.setattr(callbacks, "save_state", save_and_die)


def test_a_run_folder_holds_the_whole_training(
    subjects: list[SubjectFiles], config: RunConfig, tmp_path: Path
) -> None:
    run = fit.train(subjects[:2], tmp_path / "run", config, val=subjects[2:])
    assert load(RunConfig, run / "config.json") == config
    summary = json.loads((run / "summary.json").read_text())
    assert summary["subjects"] == ["1", "2"]
    assert summary["validation_subjects"] == ["3"]
    history = rows(run)
    assert [row["step"] for row in history] == [4, 8]
    assert [row["aux_weight"] for row in history] == pytest.approx([1, 1e-3])
    assert all(row["val_dice_WM"] is None or 0 <= row["val_dice_WM"] <= 1 for row in history)
    # The objective is the fused loss, the weighted auxiliary ones and the L2 term.
    first = history[0]
    parts = first["main_loss"] + sum(first[f"aux{n}_loss"] for n in range(1, 5))
    assert 0 < first["loss"] - parts < 1
    for name in ("last.weights.h5", "best.weights.h5", "state.npz"):
        assert (run / name).is_file()
    assert list((run / "tensorboard").glob("events*"))
    assert not list(run.rglob(".partial*"))


def test_a_unet_has_no_auxiliary_columns_and_resumes_within_an_epoch(
    subjects: list[SubjectFiles],
    config: RunConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = config.updated(
        model={"architecture": "unet3d"},
        training={"checkpoint_minutes": 1e-9, "precision": "mixed_float16", "ema": 0.5},
    )
    whole = fit.train(subjects[:2], tmp_path / "whole", config, val=subjects[2:])
    for row in rows(whole):
        assert [row[f"aux{n}_loss"] for n in range(1, 5)] == [None] * 4
        assert row["aux_weight"] is None
        # The objective is the loss of the one output and the L2 term.
        assert 0 < row["loss"] - row["main_loss"] < 1
    with monkeypatch.context() as patch:
        kill_at(3, patch)
        with pytest.raises(KilledError):
            fit.train(subjects[:2], tmp_path / "killed", config, val=subjects[2:])
    resumed = fit.train(subjects[:2], tmp_path / "killed", config, val=subjects[2:])
    expected, found = weights(whole), weights(resumed)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
    assert rows(resumed) == rows(whole)


def test_it_learns(subjects: list[SubjectFiles], config: RunConfig, tmp_path: Path) -> None:
    longer = config.updated(
        model={"width": 4},
        training={"steps": 200, "steps_per_epoch": 100, "learning_rate": 0.01, "validate_every": 2},
    )
    run = fit.train(subjects[:2], tmp_path / "run", longer, val=subjects[2:])
    history = rows(run)
    assert history[-1]["main_loss"] < history[0]["main_loss"]
    assert history[-1]["val_dice_CSF"] > 0.6


@pytest.mark.parametrize(("optimizer", "step", "ema"), [("sgd", 3, 0.0), ("adam", 4, 0.9)])
def test_a_killed_run_ends_with_the_same_weights_and_history(
    subjects: list[SubjectFiles],
    config: RunConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    optimizer: str,
    step: int,
    ema: float,
) -> None:
    """Step 3 is inside an epoch, step 4 the end of one."""
    changes = {"optimizer": optimizer, "checkpoint_minutes": 1e-9, "ema": ema}
    config = config.updated(training=changes)
    whole = fit.train(subjects, tmp_path / "whole", config)
    with monkeypatch.context() as patch:
        kill_at(step, patch)
        with pytest.raises(KilledError):
            fit.train(subjects, tmp_path / "killed", config)
    # The weights for use are those of the state, even within an epoch.
    raw, average = (kernels(weights(tmp_path / "killed"), g) for g in ("model", "optimizer"))
    saved = load_network(RunFolder(tmp_path / "killed"), config).get_layer("conv1a").get_weights()
    np.testing.assert_array_equal(saved[0], average[0] if ema else raw[0])
    resumed = fit.train(subjects, tmp_path / "killed", config, resume="must")
    expected, found = weights(whole), weights(resumed)
    assert expected.keys() == found.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
    assert rows(resumed) == rows(whole)
    # What is saved for use is the average where there is one, else the raw weights.
    raw, average = kernels(expected, "model"), kernels(expected, "optimizer")
    saved = load_network(RunFolder(whole), config).get_layer("conv1a").get_weights()[0]
    assert len(average) == (1 if ema else 0)
    np.testing.assert_array_equal(saved, average[0] if ema else raw[0])
    assert not ema or not np.array_equal(raw[0], average[0])


def test_losses_of_a_run_that_is_made_longer_are_not_weighted_twice(
    subjects: list[SubjectFiles],
    config: RunConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = config.updated(training={"checkpoint_minutes": 1e-9})
    with monkeypatch.context() as patch:
        kill_at(7, patch)
        with pytest.raises(KilledError):
            fit.train(subjects[:2], tmp_path / "run", config)
    # The weight of the second of three epochs is 32 times that of the second of two. The longer
    # run dies too, before it has a checkpoint of its own.
    longer = config.updated(training={"steps": 12})
    with monkeypatch.context() as patch:
        patch.setattr(fit, "crop_dataset", die)
        with pytest.raises(KilledError):
            fit.train(subjects[:2], tmp_path / "run", longer)
    run = fit.train(subjects[:2], tmp_path / "run", longer)
    first, second, _ = (row["aux1_loss"] for row in rows(run))
    assert second > first / 2


def test_a_finished_run_is_left_as_it_is_but_steps_may_grow(
    subjects: list[SubjectFiles], config: RunConfig, tmp_path: Path
) -> None:
    run = fit.train(subjects, tmp_path / "run", config)
    before = (run / "state.npz").read_bytes()
    fit.train(subjects, run, config)
    assert (run / "state.npz").read_bytes() == before
    fit.train(subjects, run, config.updated(training={"steps": 12}))
    assert [row["step"] for row in rows(run)] == [4, 8, 12]
    with pytest.raises(TrainingError, match=r"at least the 12 steps that were made. Received: 8"):
        fit.train(subjects, run, config)


def test_a_longer_run_knows_the_best_of_an_epoch_that_was_cut_short(
    subjects: list[SubjectFiles],
    config: RunConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured = iter([0.1, 0.9, 0.5, 0.5])
    monkeypatch.setattr(fit, "mean_dice", lambda *_: {"GM": next(measured)})
    learning, held_out = subjects[:2], subjects[2:]
    short = config.updated(training={"steps": 6})
    run = fit.train(learning, tmp_path / "run", short, val=held_out)
    best = (run / "best.weights.h5").read_bytes()
    fit.train(learning, run, config.updated(training={"steps": 12}), val=held_out)
    assert not list(measured)
    assert (run / "best.weights.h5").read_bytes() == best
    # The short epoch keeps its row, so that a third call knows the best of all, too.
    assert [row["step"] for row in rows(run)] == [4, 6, 8, 12]
    measured = iter([0.6])
    fit.train(learning, run, config.updated(training={"steps": 16}), val=held_out)
    assert (run / "best.weights.h5").read_bytes() == best
    with pytest.raises(TrainingError, match="a resumed run keeps its validation subjects"):
        fit.train(learning, run, config.updated(training={"steps": 20}))


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_trains_and_resumes_with_its_loss_scale(
    subjects: list[SubjectFiles], config: RunConfig, tmp_path: Path, precision: str
) -> None:
    crop = (24, 16, 16)
    short = config.updated(training={"precision": precision, "steps": 4, "crop": crop})
    run = fit.train(subjects, tmp_path / "run", short)
    fit.train(subjects, run, short.updated(training={"steps": 8}))
    assert np.isfinite([row["loss"] for row in rows(run)]).all()
    scaled = [name for name in weights(run) if "dynamic_scale" in name]
    assert bool(scaled) == (precision == "mixed_float16")


def test_bfloat16_crops_that_the_processor_computes_wrongly_are_refused(
    subjects: list[SubjectFiles], config: RunConfig, tmp_path: Path
) -> None:
    narrow = config.updated(training={"precision": "mixed_bfloat16", "crop": (16, 24, 24)})
    with pytest.raises(TrainingError, match=r"at least 24 voxels.*Received: \(16, 24, 24\)"):
        fit.train(subjects, tmp_path / "run", narrow)


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_weights(
    subjects: list[SubjectFiles],
    config: RunConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = fit.train(subjects, tmp_path / "run", config.updated(training={"steps": 4}))
    before = (run / "state.npz").read_bytes()
    draw = fit.crop_dataset

    def broken(*args: object) -> object:
        return draw(*args).map(lambda x, y, w: (x * float("nan"), y, w))

    monkeypatch.setattr(fit, "crop_dataset", broken)
    with pytest.raises(TrainingError, match=r"epoch 1, step 4, subjects \d, \d: .*finite.*nan"):
        fit.train(subjects, run, config)
    assert (run / "state.npz").read_bytes() == before


def test_one_process_at_a_time(
    subjects: list[SubjectFiles], config: RunConfig, tmp_path: Path
) -> None:
    with locked(tmp_path / "run"), pytest.raises(VoxResError, match="one process at a time"):
        fit.train(subjects, tmp_path / "run", config)


def test_a_missing_modality_is_named(
    subjects: list[SubjectFiles], config: RunConfig, tmp_path: Path
) -> None:
    wants_more = config.updated(preprocess={"modalities": ("t1", "t1-ir")})
    with pytest.raises(DataError, match=r"subject 1.*t1-ir"):
        fit.train(subjects, tmp_path / "run", wants_more)


def test_a_run_that_dies_in_its_first_checkpoint_begins_again(
    subjects: list[SubjectFiles], config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config.updated(training={"checkpoint_minutes": 1e-9})
    with monkeypatch.context() as patch:
        kill_at(1, patch)
        with pytest.raises(KilledError):
            fit.train(subjects, tmp_path / "run", config)
    assert RunFolder(fit.train(subjects, tmp_path / "run", config)).last.is_file()


def test_a_cache_that_is_lost_meanwhile_is_told_in_one_line(
    subjects: list[SubjectFiles], config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = callbacks.save_state

    def save_and_lose(path: Path, model: keras.Model, step: int, planned: int) -> None:
        save(path, model, step, planned)
        if (tmp_path / "cache").exists():
            (tmp_path / "cache").rename(tmp_path / "elsewhere")

    monkeypatch.setattr(callbacks, "save_state", save_and_lose)
    config = config.updated(
        training={"steps": 40, "steps_per_epoch": 40, "checkpoint_minutes": 1e-9}
    )
    with pytest.raises(DataError, match="an array as it was prepared") as told:
        fit.train(subjects, tmp_path / "run", config, cache=tmp_path / "cache")
    assert "\n" not in str(told.value)

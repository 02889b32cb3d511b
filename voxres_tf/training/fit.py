"""One training, from subjects to a run folder; repeating the call resumes a killed training."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from voxres_tf.config import RunConfig, TrainingConfig
from voxres_tf.contract import OVERLAP
from voxres_tf.dataset.checks import require_sound
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.errors import TrainingError, VoxResError, message
from voxres_tf.files import locked, write_json
from voxres_tf.inference.tiling import Tiling
from voxres_tf.model.stored import planned_steps, saved_step
from voxres_tf.preprocess.cache import CachedSubject, cached
from voxres_tf.start import Start, habits_of, tile_of
from voxres_tf.training import callbacks as cb
from voxres_tf.training.averages import RawWeights, save_weights
from voxres_tf.training.build import compiled
from voxres_tf.training.checkpoint import restore_state
from voxres_tf.training.crops import subject_of
from voxres_tf.training.finite import FiniteGuard
from voxres_tf.training.history import columns, mean_val_dice, read_history
from voxres_tf.training.pipeline import crop_dataset
from voxres_tf.training.rules import (
    require_equal_parts,
    require_norm,
    require_one_stage,
    require_sound_kernels,
)
from voxres_tf.training.run import (
    Resume,
    RunFolder,
    check_resume,
    check_same_data,
    require_classes,
    summary_of,
)
from voxres_tf.training.schedules import auxiliary_weight
from voxres_tf.training.transfer import begin_with, recorded
from voxres_tf.training.validation import mean_dice, network_function


def train(
    subjects: Sequence[SubjectFiles],
    run: Path,
    config: RunConfig,
    *,
    val: Sequence[SubjectFiles] = (),
    resume: Resume = "auto",
    cache: Path | None = None,
    start: Start | None = None,
) -> Path:
    """Train the network of the config on the subjects (paper, section 2.2 and eq. 3).

    `config.training.seed` determines crops, weights and the order of the updates; on a CPU, a run
    that was killed and resumed ends with the same weights, bit for bit, as one that was not.

    Args:
        subjects: with labels; never empty.
        run: the run folder; see `run.RunFolder`.
        config: all settings.
        val: subjects whose whole volumes are segmented at intervals.
        resume: continue an existing run ("auto"), refuse one ("never") or require one ("must").
        cache: folder for prepared subjects, `run/cache` by default.
        start: a trained network whose weights a new run starts with; see `transfer.begin_with`.

    Returns:
        The run folder.

    Raises:
        ConfigError: if the network of the config cannot start with those weights, has other
            classes than the labels, or is a second stage.
        DataError: if a subject breaks a rule, or the labels do not all have the same classes.
        TrainingError: if the run cannot start or resume, or meets a loss or weights that are not
            finite.
    """
    if not subjects:
        raise TrainingError(message(run, "subjects to learn from", "none", "name some"))
    require_classes(config, [*subjects, *val])
    require_one_stage(config)
    _require_hardware(config.training)
    folder = RunFolder(run)
    with locked(run):
        check_resume(folder, config, resume)
        require_norm(folder, config, start)
        if start is not None:
            start.require_match(config)
        require_sound([*subjects, *val], config.preprocess.modalities, need_labels=True)
        prepared = cached([*subjects, *val], config.preprocess, cache or run / "cache")
        _fit(folder, config, prepared[: len(subjects)], prepared[len(subjects) :], start)
    return run


def train_prepared(subjects: Sequence[CachedSubject], run: Path, config: RunConfig) -> None:
    """Train on prepared subjects, or resume that training; otherwise like `train`.

    Args:
        subjects: already checked, with context if the config's network takes it; never empty.
        run: the run folder.
        config: all settings.
    """
    folder = RunFolder(run)
    _require_hardware(config.training)
    with locked(run):
        check_resume(folder, config, "auto")
        require_norm(folder, config, None)
        _fit(folder, config, subjects, ())


def forget_networks() -> None:
    """Release what Keras keeps about networks that are no longer used."""
    keras.backend.clear_session()


def _fit(
    folder: RunFolder,
    config: RunConfig,
    learning: Sequence[CachedSubject],
    held_out: Sequence[CachedSubject],
    start: Start | None = None,
) -> None:
    check_same_data(folder, learning, held_out)
    resumed = folder.state.is_file()
    source = recorded(folder, start) if resumed else {}
    if not resumed:
        folder.forget()
    write_json(folder.config, config.model_dump(mode="json"))
    training = config.training
    with _strategy().scope():
        model, losses = compiled(config)
    step, metrics = 0, {}
    if resumed:
        step = saved_step(folder.state)
        metrics = restore_state(folder.state, model)
        before = training.model_copy(update={"steps": planned_steps(folder.state)})
        epoch = step // training.steps_per_epoch
        if auxiliary_weight(before, epoch) != auxiliary_weight(training, epoch):
            metrics = {}  # sums of losses that were weighted otherwise
    elif start is not None:
        source = begin_with(model, config, start)
    write_json(folder.summary, summary_of(learning, held_out, config) | source)
    counter = cb.StepCounter(step, metrics)
    callbacks = _callbacks(folder, config, losses, counter, learning, held_out, model)
    progress = cb.Progress(counter, training.steps)
    faults: list[VoxResError] = []
    try:
        while counter.step < training.steps:
            epoch = counter.step // training.steps_per_epoch
            end = min((epoch + 1) * training.steps_per_epoch, training.steps)
            model.fit(
                crop_dataset(learning, training, list(losses), counter.step, end, faults),
                initial_epoch=epoch,
                epochs=epoch + 1,
                callbacks=[*callbacks, progress],
                shuffle=False,
                verbose=0,
            )
    except tf.errors.OpError as error:
        if faults:
            raise faults[0] from error
        raise
    finally:
        progress.close()
    if not folder.last.is_file():
        save_weights(model, folder.last)


def _callbacks(
    folder: RunFolder,
    config: RunConfig,
    losses: dict[str, Any],
    counter: cb.StepCounter,
    learning: Sequence[CachedSubject],
    held_out: Sequence[CachedSubject],
    model: keras.Model,
) -> list[keras.callbacks.Callback]:
    training = config.training

    def subjects_of_step(step: int) -> list[str]:
        numbers = range(step * training.batch, (step + 1) * training.batch)
        return [learning[subject_of(len(learning), training.seed, n)].id for n in numbers]

    # An epoch within which a shorter run ended keeps that run's row beside its final one.
    history = read_history(folder.history)
    rows = [row for row in history if (row["step"] or 0) <= counter.step]
    best = max((d for row in rows if (d := mean_val_dice(row)) is not None), default=-1.0)
    validation = []
    if held_out:
        overlap = habits_of(folder.path).get("overlap", OVERLAP)
        tiling = Tiling(tile_of(folder.path, training.crop), overlap)
        measure = partial(mean_dice, network_function(model), held_out, config, tiling)
        validation = [cb.Validation(measure, training, best, folder.best)]
    guard = FiniteGuard(counter, training, subjects_of_step)
    decay = [cb.AuxiliaryWeightDecay(losses, lambda e: auxiliary_weight(training, e))]
    return [
        counter,
        *(decay if len(losses) > 1 else []),
        guard,
        *validation,
        cb.Recorder(folder.history, folder.events, counter, rows, columns(config.classes)),
        cb.Checkpoint(folder.state, counter, training, folder.last, guard.require_weights),
        *([RawWeights()] if training.ema else []),
    ]


def _require_hardware(training: TrainingConfig) -> None:
    devices = training_devices()
    require_sound_kernels(training, on_cpu=not devices)
    require_equal_parts(training.batch, len(devices))


def _strategy() -> tf.distribute.Strategy:
    devices = training_devices()
    if len(devices) < 2:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy(devices)


def training_devices() -> list[str]:
    """Names of the devices that a batch is split across: all GPUs that TensorFlow sees."""
    return [device.name for device in tf.config.list_logical_devices("GPU")]

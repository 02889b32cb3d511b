"""Callbacks of a training: decaying loss weights, validation, checkpoints, a progress bar."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm
from typing_extensions import override

from voxres_tf.config import TrainingConfig
from voxres_tf.training.averages import averaged, save_weights
from voxres_tf.training.checkpoint import add_metrics, save_state
from voxres_tf.training.history import VAL_DICE, Row, mean_val_dice, write_history
from voxres_tf.training.losses import VoxelCrossEntropy

Logs = dict[str, Any] | None


class AuxiliaryWeightDecay(keras.callbacks.Callback):
    """Set the weights of the auxiliary losses at the start of each epoch (eq. 3), and log them.

    The logged losses of the outputs are divided by their weights, so that they can be compared
    across epochs; `loss` remains the weighted objective.

    Args:
        losses: losses of the outputs by name; the weights of all but `main` are set.
        schedule: epoch -> weight.
    """

    def __init__(
        self, losses: Mapping[str, VoxelCrossEntropy], schedule: Callable[[int], float]
    ) -> None:
        super().__init__()
        self._auxiliary = {name: loss for name, loss in losses.items() if name != "main"}
        self._schedule = schedule

    @override
    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Assign the epoch's weight."""
        for loss in self._auxiliary.values():
            loss.weight.assign(self._schedule(epoch))

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Log the weight and the unweighted losses."""
        if logs is not None:
            logs["aux_weight"] = weight = self._schedule(epoch)
            for name in self._auxiliary:
                logs[f"{name}_loss"] /= weight


class StepCounter(keras.callbacks.Callback):
    """Count updates over all epochs; other callbacks read the current step from it.

    Args:
        step: number of updates already made.
        metrics: sums behind the running means of the epoch that a killed run left unfinished.
    """

    def __init__(self, step: int, metrics: dict[str, np.ndarray[Any, Any]]) -> None:
        super().__init__()
        self.step = step
        self._metrics = metrics

    @override
    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Count an update; the first one of a resumed epoch restores the epoch's running means."""
        self.step += 1
        add_metrics(self.model, self._metrics)
        self._metrics = {}


class Validation(keras.callbacks.Callback):
    """Segment whole volumes at intervals and keep the best weights by mean Dice.

    Args:
        evaluate: returns the mean Dice of each tissue, None for one that no reference has.
        config: provides validate_every and epochs.
        best: the best mean so far.
        weights: file for the best weights.
    """

    def __init__(
        self,
        evaluate: Callable[[], Mapping[str, float | None]],
        config: TrainingConfig,
        best: float,
        weights: Path,
    ) -> None:
        super().__init__()
        self._evaluate, self._config, self._best, self._weights = evaluate, config, best, weights

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Validate after every `validate_every`-th epoch and after the last."""
        last = epoch + 1 == self._config.epochs
        if logs is None or ((epoch + 1) % self._config.validate_every and not last):
            return
        with averaged(self.model):
            logs.update({f"{VAL_DICE}{name}": dice for name, dice in self._evaluate().items()})
        mean = mean_val_dice(logs)
        if mean is not None and mean > self._best:
            self._best = mean
            save_weights(self.model, self._weights)


class Recorder(keras.callbacks.Callback):
    """Write an epoch's figures to the history and to TensorBoard's event files.

    Args:
        history: file of the history.
        events: folder of the event files.
        counter: counter of the steps.
        rows: rows of earlier epochs.
        columns: columns of each row, see `history.columns`.
    """

    def __init__(
        self,
        history: Path,
        events: Path,
        counter: StepCounter,
        rows: list[Row],
        columns: Sequence[str],
    ) -> None:
        super().__init__()
        self._history, self._counter, self._rows, self._columns = history, counter, rows, columns
        self._writer = tf.summary.create_file_writer(str(events))
        self._began = time.monotonic()

    @override
    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Start the clock."""
        self._began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Add the row of the epoch."""
        figures = dict(logs or {}) | {
            "epoch": epoch,
            "step": self._counter.step,
            "learning_rate": float(np.asarray(self.model.optimizer.learning_rate)),
            "seconds": round(time.monotonic() - self._began, 2),
        }
        row: Row = {name: figures.get(name) for name in self._columns}
        self._rows.append(row)
        write_history(self._history, self._rows)
        with self._writer.as_default(step=self._counter.step):
            for name, value in row.items():
                if value is not None and name not in ("epoch", "step"):
                    tf.summary.scalar(name, value)
        self._writer.flush()


class Checkpoint(keras.callbacks.Callback):
    """Save weights and the whole state at the end of each epoch and at intervals within it.

    Args:
        path: file of the state.
        counter: counter of the steps.
        config: provides checkpoint_minutes, the longest time between two checkpoints, and the
            length of epochs.
        weights: file for the weights.
        require_sound: raises if the weights are not fit to be saved. Called within an epoch only:
            at its end, an earlier callback has already checked them.
    """

    def __init__(
        self,
        path: Path,
        counter: StepCounter,
        config: TrainingConfig,
        weights: Path,
        require_sound: Callable[[], None],
    ) -> None:
        super().__init__()
        self._path, self._counter, self._config, self._weights = path, counter, config, weights
        self._require_sound = require_sound
        self._saved = time.monotonic()

    @override
    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Save if it is time, but not after an epoch's last step: `on_epoch_end` belongs to it."""
        step, config = self._counter.step, self._config
        inside = step % config.steps_per_epoch and step < config.steps
        if inside and time.monotonic() - self._saved >= 60 * config.checkpoint_minutes:
            self._require_sound()
            self._save()

    @override
    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Save the weights, and the state as at the start of the next epoch."""
        self.model.reset_metrics()
        self._save()

    def _save(self) -> None:
        # Weights first: a state whose weights are older would never write them again. But weights
        # without any state cannot be resumed.
        if not self._path.is_file():
            save_state(self._path, self.model, self._counter.step, self._config.steps)
        save_weights(self.model, self._weights)
        save_state(self._path, self.model, self._counter.step, self._config.steps)
        self._saved = time.monotonic()


class Progress(keras.callbacks.Callback):
    """A progress bar over all steps with the running loss; silent without a terminal.

    Args:
        counter: counter of the steps.
        steps: total number of steps.
    """

    def __init__(self, counter: StepCounter, steps: int) -> None:
        super().__init__()
        self._bar: tqdm[Any] = tqdm(
            total=steps, initial=counter.step, desc="Training", unit="step", disable=None
        )

    @override
    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Advance by one step."""
        self._bar.update()
        self._bar.set_postfix(loss=f"{float((logs or {})['loss']):.3f}", refresh=False)

    def close(self) -> None:
        """Close the bar, leaving it as it is."""
        self._bar.close()

"""Stop a training when its numbers are no longer finite, and keep the earlier weights."""

from __future__ import annotations

import math
from collections.abc import Callable

import keras
import numpy as np
from typing_extensions import override

from voxres_tf.config import TrainingConfig
from voxres_tf.errors import TrainingError, message
from voxres_tf.training.callbacks import Logs, StepCounter


class FiniteGuard(keras.callbacks.Callback):
    """Stop at the first loss or weight that is not finite; must run before weights are saved.

    Args:
        counter: counter of the steps.
        config: provides the length of epochs, for the epoch of a step.
        subjects_of_step: step (from 0) -> ids of the subjects in its batch.
    """

    def __init__(
        self,
        counter: StepCounter,
        config: TrainingConfig,
        subjects_of_step: Callable[[int], list[str]],
    ) -> None:
        super().__init__()
        self._counter, self._config, self._subjects = counter, config, subjects_of_step

    @override
    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Raise `TrainingError` naming epoch, step and subjects."""
        loss = float((logs or {})["loss"])
        if not math.isfinite(loss):
            raise self._stop("the loss is finite", loss)

    @override
    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Check the weights, which are validated and saved next."""
        self.require_weights()

    def require_weights(self) -> None:
        """Check the weights themselves, since the loss was computed before the last update.

        Raises:
            TrainingError: as for a loss, if a trainable weight is not finite.
        """
        for variable in self.model.trainable_variables:
            values = np.asarray(variable)
            bad = int(values.size - np.isfinite(values).sum())
            if bad:
                received = f"{bad} of {values.size} NaN or infinite in {variable.path}"
                raise self._stop("the weights are finite", received)

    def _stop(self, rule: str, received: object) -> TrainingError:
        step = self._counter.step - 1
        where = f"epoch {step // self._config.steps_per_epoch}, step {step}"
        return TrainingError(
            message(
                f"{where}, subjects {', '.join(self._subjects(step))}",
                rule,
                received,
                "look at these subjects, lower the learning rate or set clip_norm; the last "
                "good weights are kept, if there were any",
            )
        )

"""The moving average of the weights; if it is kept, validation and saved weights use it.

The optimiser keeps it, so it is part of the checkpoint. Training itself continues with the raw
weights.

The running mean and variance of batch normalisation stay those of the raw weights. They are running
means themselves, measured while the raw network ran; measuring them for the averaged weights would
need a pass over the data before every use. The two networks converge as the learning rate falls to
0, so the last weights suffer least; in the middle of a training, validation may show less than the
averaged weights could achieve.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
from typing_extensions import override

from voxres_tf.errors import TrainingError, message
from voxres_tf.files import atomic_path

_LEAST_ROOM = 2**20


@contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
    """Replace the trainable weights by their moving averages within the block.

    The raw weights are restored afterwards. If the optimiser keeps no averages, or has applied no
    update yet, nothing changes.

    Args:
        model: compiled.
    """
    # The averages begin with the first update; under float16 the first steps may apply none.
    if int(np.asarray(model.optimizer.iterations)) == 0:
        yield
        return
    raw = _raw_weights(model)
    model.optimizer.finalize_variable_values(model.trainable_variables)
    try:
        yield
    finally:
        _assign(model, raw)


def save_weights(model: keras.Model, path: Path) -> None:
    """Write `.weights.h5` atomically, with the moving average of the weights if there is one.

    It is written elsewhere and then copied, since on a full disk HDF5 would end the process.

    Raises:
        TrainingError: if the folder for temporary files has no room for it.
        VoxResError: if it cannot be written.
    """
    with averaged(model), TemporaryDirectory() as folder:
        _require_room(Path(folder), model)
        model.save_weights(Path(folder) / path.name)
        with atomic_path(path) as temporary:
            shutil.copyfile(Path(folder) / path.name, temporary)


def _require_room(folder: Path, model: keras.Model) -> None:
    variables = [*model.variables, *model.optimizer.variables]
    # HDF5 adds less than 1 MB; a variable takes 8 bytes a value at most.
    needed = sum(8 * prod(variable.shape) for variable in variables) + _LEAST_ROOM
    free = shutil.disk_usage(folder).free
    if free < needed:
        rule = f"room for {needed / 1e6:.0f} MB of temporary files"
        then = "free some, or set TMPDIR to another disk"
        raise TrainingError(message(folder, rule, f"{free / 1e6:.1f} MB", then))


class RawWeights(keras.callbacks.Callback):
    """Restore the raw weights at the end of `fit`, which replaces them by the averages.

    A training calls `fit` once per epoch and continues with the raw weights.
    """

    def __init__(self) -> None:
        super().__init__()
        self._raw: list[np.ndarray[Any, Any]] = []

    @override
    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Store the raw weights at the last point where they still exist."""
        self._raw = _raw_weights(self.model)

    @override
    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Restore the raw weights."""
        _assign(self.model, self._raw)


def _raw_weights(model: keras.Model) -> list[np.ndarray[Any, Any]]:
    return [np.array(variable) for variable in model.trainable_variables]


def _assign(model: keras.Model, weights: list[np.ndarray[Any, Any]]) -> None:
    for variable, array in zip(model.trainable_variables, weights, strict=True):
        variable.assign(array)

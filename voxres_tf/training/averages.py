"""The moving average of the weights: what validation and the saved weights take, if it is kept.

The optimiser keeps it, so that it is part of the checkpoint. The training goes on with the raw
weights.

The running mean and variance of batch normalisation are those of the raw weights and are left so.
They are running means themselves, measured while the raw network ran; to measure them for the
averaged weights would need a pass over the data before every use. The two networks come together
as the learning rate falls to 0, so that the last weights suffer least; in the middle of a training,
validation may show less than the averaged weights could do.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
from typing_extensions import override

from voxres_tf.files import atomic_path


@contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
    """Inside the block the trainable weights are their moving averages, behind it the raw ones.

    Where the optimiser keeps no averages, nothing changes.

    Args:
        model: compiled; at least one step has been made.
    """
    raw = _raw_weights(model)
    model.optimizer.finalize_variable_values(model.trainable_variables)
    try:
        yield
    finally:
        _assign(model, raw)


def save_weights(model: keras.Model, path: Path) -> None:
    """Write `.weights.h5` atomically; the moving average of the weights, if there is one.

    It is made elsewhere and copied: where a disk is full, HDF5 would end the process.
    """
    with averaged(model), TemporaryDirectory() as folder:
        model.save_weights(Path(folder) / path.name)
        with atomic_path(path) as temporary:
            shutil.copyfile(Path(folder) / path.name, temporary)


class RawWeights(keras.callbacks.Callback):
    """Keep the raw weights beyond `fit`, which ends by putting the averages in their place.

    A training is one call of `fit` per epoch, and goes on with the raw weights.
    """

    def __init__(self) -> None:
        super().__init__()
        self._raw: list[np.ndarray[Any, Any]] = []

    @override
    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep them: the last moment at which they are still there."""
        self._raw = _raw_weights(self.model)

    @override
    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Put them back."""
        _assign(self.model, self._raw)


def _raw_weights(model: keras.Model) -> list[np.ndarray[Any, Any]]:
    return [np.array(variable) for variable in model.trainable_variables]


def _assign(model: keras.Model, weights: list[np.ndarray[Any, Any]]) -> None:
    for variable, array in zip(model.trainable_variables, weights, strict=True):
        variable.assign(array)

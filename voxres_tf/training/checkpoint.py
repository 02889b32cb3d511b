"""The whole state of a training in one file: a killed run continues as if uninterrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np

from voxres_tf.errors import TrainingError, message
from voxres_tf.files import atomic_path
from voxres_tf.model.stored import PLANNED, STEP


def save_state(path: Path, model: keras.Model, step: int, planned: int) -> None:
    """Write weights, optimiser and running means after `step` of `planned` updates, atomically."""
    arrays: dict[str, Any] = {n: np.asarray(variable) for n, variable in _variables(model).items()}
    arrays |= {STEP: np.int64(step), PLANNED: np.int64(planned)}
    with atomic_path(path) as temporary:
        np.savez(temporary, **arrays)


def restore_state(path: Path, model: keras.Model) -> dict[str, np.ndarray[Any, Any]]:
    """Restore weights and optimiser of a compiled model; every variable must be there and fit.

    Returns:
        The sums behind the running means of the current epoch, for `add_metrics`: Keras creates
        these variables in the first step and resets them when an epoch starts.

    Raises:
        TrainingError: if the state is damaged, or belongs to another network or optimiser.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = dict(stored)
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise TrainingError(message(path, "a whole state", error, "start a new run")) from error
    variables = _variables(model)
    wanted = {name: tuple(variable.shape) for name, variable in variables.items()}
    found = {name: array.shape for name, array in arrays.items() if name not in (STEP, PLANNED)}
    differing = {n for n in wanted.keys() ^ found.keys() if not n.startswith("metric")}
    differing |= {n for n in wanted.keys() & found.keys() if wanted[n] != found[n]}
    if differing:
        raise TrainingError(
            message(
                path,
                "a state of this network and optimiser",
                f"{len(differing)} variables that differ, such as {min(differing)}",
                "use the configuration that the run began with",
            )
        )
    for name, variable in variables.items():
        if not name.startswith("metric"):
            variable.assign(arrays[name])
    return {name: array for name, array in arrays.items() if name.startswith("metric")}


def add_metrics(model: keras.Model, arrays: dict[str, np.ndarray[Any, Any]]) -> None:
    """Add the sums that `restore_state` returned to those of the steps made since.

    Every variable of a running mean is a sum of values or of weights, so afterwards the means are
    those of the whole epoch.
    """
    for name, variable in _variables(model).items():
        if name in arrays:
            variable.assign(variable + arrays[name])


def _variables(model: keras.Model) -> dict[str, Any]:
    groups = {
        "model": model.variables,
        "optimizer": model.optimizer.variables,
        "metric": model.metrics_variables,
    }
    # Keras numbers metrics over the whole process, so only their order identifies them.
    return {
        f"{group}/{number:03d}" + (f"/{variable.path}" if group != "metric" else ""): variable
        for group, variables in groups.items()
        for number, variable in enumerate(variables)
    }

"""Loading trained weights of a run or of an exported model from disk into a network."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from voxres_tf.errors import ModelError, message, shortened

Weights = Literal["best", "last"]

STATE_FILE, STEP, PLANNED = "state.npz", "step", "planned"
"""File of a training's last checkpoint, and the name of the number of updates in it."""

VARIABLES = Path("variables") / "variables"
"""Prefix of the files in which a SavedModel keeps its variables."""

_PREFIX, _SUFFIX = "weights/", "/.ATTRIBUTES/VARIABLE_VALUE"


def place_of_weights(run: Path, which: Weights) -> Path:
    """Where a run keeps these weights, whether or not it has them yet."""
    return run / f"{which}.weights.h5"


def weights_file(run: Path, weights: Weights | None = None) -> Path:
    """The file of a run's weights.

    Args:
        run: a run folder.
        weights: "best" by validation or "last"; by default, the best if there are any.

    Raises:
        ModelError: if there is no such file.
    """
    known: tuple[Weights, ...] = ("best", "last")
    there = [which for which in known if place_of_weights(run, which).is_file()]
    if not there or (weights is not None and weights not in there):
        raise ModelError(
            message(
                run,
                f"a run with {f'its {weights} weights' if weights else 'weights'}",
                f"{' and '.join(there) or 'no'} weights",
                f"take the {there[0]} ones" if there else "train it first",
            )
        )
    return place_of_weights(run, weights or there[0])


def saved_step(path: Path) -> int:
    """The number of updates in a training's state, without reading the rest of it.

    Raises:
        ModelError: if the file is not such a state.
    """
    return _number(path, STEP)


def planned_steps(path: Path) -> int:
    """How many updates the training was to have when it wrote its state; states of before do not
    tell, and count as those of finished trainings.

    Raises:
        ModelError: if the file is not such a state.
    """
    return _number(path, PLANNED, STEP)


def _number(path: Path, *names: str) -> int:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return int(arrays[next(name for name in names if name in arrays)])
    except (OSError, ValueError, StopIteration, EOFError, BadZipFile) as error:
        rule = "a state as training wrote it"
        raise ModelError(message(path, rule, error, "start a new run")) from error


def load_weights(model: keras.Model, file: Path) -> None:
    """Read a run's weights into the network that they belong to.

    Raises:
        ModelError: if they belong to another network, or are not weights at all.
    """
    try:
        with warnings.catch_warnings():
            # Keras only warns when it leaves a layer with the random weights it began with.
            warnings.simplefilter("error", UserWarning)
            model.load_weights(str(file))
    except (OSError, ValueError, KeyError, UserWarning) as error:
        raise ModelError(
            message(
                file,
                "weights of the network in config.json",
                shortened(error),
                "use a run folder as training left it, or remove it and train again",
            )
        ) from error


def stored_weights(saved_model: Path) -> list[NDArray[np.float32]]:
    """Weights of an exported model in the network's order, those of a first stage first.

    Args:
        saved_model: `<name>/<version>/`, as `export.saved_model` writes it.

    Raises:
        ModelError: if they cannot be read; TensorFlow verifies a checksum of each.
    """
    try:
        reader = tf.train.load_checkpoint(str(saved_model / VARIABLES))
        names = [name for name in reader.get_variable_to_shape_map() if name.startswith(_PREFIX)]
        return [reader.get_tensor(f"{_PREFIX}{n}{_SUFFIX}") for n in range(len(names))]
    except (OSError, ValueError, RuntimeError, LookupError, tf.errors.OpError) as error:
        raise ModelError(
            message(
                saved_model / VARIABLES,
                "the variables of an exported model",
                shortened(error),
                "install or export the model again",
            )
        ) from error


def assign_stored(model: keras.Model, saved_model: Path) -> None:
    """Assign the weights of an exported one-stage model to a network.

    Args:
        model: made by `build_network`, with the shape in the exported model's contract.
        saved_model: `<name>/<version>/`.

    Raises:
        ModelError: if they cannot be read or belong to another network.
    """
    arrays = stored_weights(saved_model)
    wanted, found = ([tuple(a.shape) for a in group] for group in (model.variables, arrays))
    if wanted != found:
        raise ModelError(
            message(
                saved_model,
                f"the {len(wanted)} weights of the network in its contract",
                f"{len(found)} weights, or other shapes",
                "export the model again",
            )
        )
    for variable, array in zip(model.variables, arrays, strict=True):
        variable.assign(array)


def weights_hash(weights: Iterable[Any]) -> str:
    """SHA-256 of weights in their order, as little-endian float32, in hexadecimal."""
    digest = hashlib.sha256()
    for array in weights:
        digest.update(np.ascontiguousarray(array, "<f4").tobytes())
    return digest.hexdigest()

"""What a server answers, held to what a model of voxres can answer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxres_tf.errors import ServerError, message

TOLERANCE = 1e-3
"""By how much probabilities may leave 0 to 1, and their sums 1."""


def checked_probabilities(
    answer: NDArray[Any], shape: tuple[int, ...], where: str
) -> NDArray[np.float32]:
    """Probabilities of the shape, float32, whose last axis are the classes.

    Args:
        answer: as it came.
        shape: it must have.
        where: it came from, for the message.

    Raises:
        ServerError: if its shape, its kind of numbers, its range or its sums are other ones.
    """
    found = ""
    if answer.shape != shape or answer.dtype.kind not in "fiu":
        found = f"{answer.dtype} {answer.shape}"
    elif not (answer.min() >= -TOLERANCE and answer.max() <= 1 + TOLERANCE):  # NaN is neither
        found = f"{answer.min():g} to {answer.max():g}"
    elif np.abs(answer.sum(-1, dtype=np.float64) - 1).max() > TOLERANCE:
        found = "sums other than 1"
    if found:
        raise _unsound(where, f"probabilities {shape} that sum to 1", found)
    return answer.astype(np.float32, copy=False)


def checked_labels(
    answer: NDArray[Any], shape: tuple[int, ...], classes: int, where: str
) -> NDArray[np.uint8]:
    """Labels of the shape, uint8, from 0 to one below the number of classes.

    Raises:
        ServerError: if its shape, its kind of numbers or its range are other ones.
    """
    found = ""
    if answer.shape != shape or answer.dtype.kind not in "iu":
        found = f"{answer.dtype} {answer.shape}"
    elif answer.min() < 0 or answer.max() >= classes:
        found = f"{answer.min()} to {answer.max()}"
    if found:
        raise _unsound(where, f"labels {shape} from 0 to {classes - 1}", found)
    return answer.astype(np.uint8, copy=False)


def _unsound(where: str, rule: str, found: str) -> ServerError:
    return ServerError(message(where, rule, found, "see whether this is a voxres model"))

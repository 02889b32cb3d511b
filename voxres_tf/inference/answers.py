"""Checks that a server's answers are ones that a voxres model can give."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxres_tf.errors import ServerError, message

TOLERANCE = 1e-3
"""How far probabilities may lie outside 0 to 1, and their sums may differ from 1."""


def checked_probabilities(
    answer: NDArray[Any], shape: tuple[int, ...], where: str
) -> NDArray[np.float32]:
    """An answer checked to be probabilities, as float32; the last axis is the classes.

    Args:
        answer: the answer as received.
        shape: the shape it must have.
        where: where it came from, for the message.

    Raises:
        ServerError: if its shape, kind of numbers, range or sums are wrong.
    """
    found = ""
    if answer.shape != shape or answer.dtype.kind not in "fiu":
        found = f"{answer.dtype} {answer.shape}"
    elif not (answer.min() >= -TOLERANCE and answer.max() <= 1 + TOLERANCE):  # NaN fails both
        found = f"{answer.min():g} to {answer.max():g}"
    elif np.abs(answer.sum(-1, dtype=np.float64) - 1).max() > TOLERANCE:
        found = "sums other than 1"
    if found:
        raise _unsound(where, f"probabilities {shape} that sum to 1", found)
    return answer.astype(np.float32, copy=False)


def checked_labels(
    answer: NDArray[Any], shape: tuple[int, ...], classes: int, where: str
) -> NDArray[np.uint8]:
    """An answer checked to be labels of a shape, uint8, from 0 to one below the class count.

    Raises:
        ServerError: if its shape, kind of numbers or range is wrong.
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

"""Rules that an exported graph holds its inputs to, in the words of the command line's errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from voxres_tf.errors import message
from voxres_tf.export.graph.filters import Tensor


def require(
    condition: Tensor, where: str | Tensor, rule: str, received: tuple[Any, ...], then: str
) -> Any:
    """An assertion whose line starts with "voxres: " and is ordered as `errors.message` orders it.

    A server answers it as INVALID_ARGUMENT.

    Args:
        condition: bool scalar.
        where: name of the input that is held to the rule, or a string scalar.
        rule: what it must be.
        received: a text with a "{}" for each tensor that follows it.
        then: what to do.

    Returns:
        The operation, which whatever relies on the rule must depend on (see `held`).

    Raises:
        tf.errors.InvalidArgumentError: called eagerly, if the condition is False.
    """
    text, *values = received
    rest = tf.strings.format(message("", rule, text, then), tuple(values), summarize=-1)
    return tf.debugging.Assert(condition, [tf.strings.join(["voxres: ", where, rest])])


def held(value: Tensor, assertions: Sequence[Any]) -> Tensor:
    """A tensor that is there only if the assertions hold."""
    # Called eagerly they have raised already and are None.
    with tf.control_dependencies([a for a in assertions if a is not None]):
        return tf.identity(value)

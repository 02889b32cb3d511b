"""Checks of an exported graph's inputs, worded like the command line's errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from voxres_tf.errors import message
from voxres_tf.export.graph.filters import Tensor


def require(
    condition: Tensor, where: str | Tensor, rule: str, received: tuple[Any, ...], then: str
) -> Any:
    """An assertion whose message starts with "voxres: " and is ordered like `errors.message`.

    A server reports its failure as INVALID_ARGUMENT.

    Args:
        condition: bool scalar.
        where: name of the input that is checked, or a string scalar.
        rule: what the input must be.
        received: a text with a "{}" for each tensor that follows it.
        then: what to do about a failure.

    Returns:
        The operation; whatever relies on the rule must depend on it (see `held`).

    Raises:
        tf.errors.InvalidArgumentError: when called eagerly, if the condition is False.
    """
    text, *values = received
    rest = tf.strings.format(message("", rule, text, then), tuple(values), summarize=-1)
    return tf.debugging.Assert(condition, [tf.strings.join(["voxres: ", where, rest])])


def held(value: Tensor, assertions: Sequence[Any]) -> Tensor:
    """A tensor that is available only if the assertions hold."""
    # When called eagerly, they have already raised if they failed, and are None.
    with tf.control_dependencies([a for a in assertions if a is not None]):
        return tf.identity(value)

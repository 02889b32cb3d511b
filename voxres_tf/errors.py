"""The errors of the package: one line each, naming file, rule, received value and next step."""

from __future__ import annotations

from collections.abc import Sequence


class VoxResError(Exception):
    """Base of every error that a user can fix; the commands print it and exit with code 1."""


class DataError(VoxResError):
    """An input file or data set that breaks a rule of its layout, grid, labels or values."""


class ConfigError(VoxResError):
    """A configuration value that is unknown, of the wrong type or out of range."""


class ModelError(VoxResError):
    """An exported model or a checkpoint that cannot be used as asked."""


class ServerError(VoxResError):
    """A model server that does not answer, or not as it should."""


class TrainingError(VoxResError):
    """A training that cannot start, resume or go on."""


class OutputExistsError(VoxResError):
    """An output that already exists and must not be overwritten."""


def message(where: object, rule: str, received: object, then: str) -> str:
    """One line in a fixed order: where it went wrong, the rule, what was received, what to do.

    >>> message("T1.nii", "a volume has three axes", "shape (4, 4)", "export it as a 3-D volume")
    'T1.nii: a volume has three axes. Received: shape (4, 4). Export it as a 3-D volume.'
    """
    step = then[:1].upper() + then[1:]
    line = f"{where}: {rule}. Received: {received}. {step.rstrip('.')}."
    return " ".join(part.strip() for part in line.splitlines())  # libraries' texts may have several


def shortened(text: object, most: int = 300) -> str:
    r"""A library's text as one line of at most so many characters.

    >>> shortened("one\n  two three", 7)
    'one two'
    """
    return " ".join(str(text).split())[:most]


def first_of(names: Sequence[str], most: int) -> str:
    """The first names of a list, and how many more there are.

    >>> first_of(["1", "2", "3"], 2)
    '1, 2 and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more

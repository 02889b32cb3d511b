"""The history of a training as CSV, one row per epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from voxres_tf.errors import DataError, message
from voxres_tf.files import csv_text, read_csv, write_text
from voxres_tf.model.network import ALL_OUTPUTS

VAL_DICE = "val_dice_"
"""Prefix of a class name, for the column of its mean Dice over the validation subjects."""

Row = dict[str, float | int | None]


def columns(classes: Sequence[str]) -> tuple[str, ...]:
    """The columns of a training's history.

    `loss` is the whole objective of eq. (3); the losses of the outputs are unweighted. Columns of
    what a network lacks, such as auxiliary outputs, are empty in all rows.

    Args:
        classes: names of the network's outputs, the background first.
    """
    return (
        "epoch",
        "step",
        "loss",
        *(f"{name}_loss" for name in ALL_OUTPUTS),
        "aux_weight",
        "learning_rate",
        *(f"{VAL_DICE}{name}" for name in classes[1:]),
        "seconds",
    )


def write_history(path: Path, rows: Sequence[Mapping[str, float | int | None]]) -> None:
    """Write one or more rows with the same `columns` atomically.

    Values that were not measured in an epoch become empty cells.
    """
    write_text(path, csv_text(list(rows[0]), [list(row.values()) for row in rows]))


def read_history(path: Path) -> list[Row]:
    """Read the rows of a history file.

    Returns:
        Rows of numbers, None for empty cells; no rows if there is no file.

    Raises:
        DataError: if the file is damaged.
    """
    if not path.is_file():
        return []
    header, lines = read_csv(path)
    if not {"epoch", "step"} <= set(header):
        rule, received = "columns epoch and step", ",".join(header) or "an empty file"
        raise DataError(message(path, rule, received, "start a new run"))
    try:
        return [dict(zip(header, map(_number, cells), strict=True)) for _, cells in lines]
    except ValueError as error:
        rule, then = "a row of numbers per epoch", "start a new run"
        raise DataError(message(path, rule, error, then)) from error


def mean_val_dice(row: Mapping[str, float | int | None]) -> float | None:
    """Mean of an epoch's validation Dice over the tissues, None where none was measured."""
    found = (value for name, value in row.items() if name.startswith(VAL_DICE))
    values = [value for value in found if value is not None]
    return sum(values) / len(values) if values else None


def _number(cell: str) -> float | int | None:
    if cell == "":
        return None
    return int(cell) if cell.lstrip("-").isdigit() else float(cell)

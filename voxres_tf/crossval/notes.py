"""Notes beside the scores of each row: with what settings and on what folds they were made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voxres_tf.crossval.network import deciding
from voxres_tf.crossval.plan import Keys
from voxres_tf.crossval.rows import RowSpec
from voxres_tf.crossval.tasks import NAME_LENGTH
from voxres_tf.dataset.folds import Folds
from voxres_tf.errors import DataError, OutputExistsError, message
from voxres_tf.evaluation.rows import read_rows
from voxres_tf.files import json_hash, read_json

_IDS = "ids"
"""Field of a note: the subjects of each fold. Under other ids, the networks are the same."""


def note_file(out: Path, row: RowSpec) -> Path:
    """The note of a row in a cross-validation's folder."""
    return (out / row.file).with_suffix(".json")


def told_of(row: RowSpec, keys: Keys, folds: Folds) -> dict[str, Any]:
    """With what settings and on what folds a row's networks were trained."""
    how = None if row.how is None else [row.how.context, row.how.first_stage]
    parts = sorted(sorted(keys[id_][:NAME_LENGTH] for id_ in fold) for fold in folds)
    return {
        "config": deciding(row.config),
        "auto_context": how,
        "folds": parts,
        _IDS: sorted(map(sorted, folds)),
    }


def require_same_row(out: Path, row: RowSpec, told: Mapping[str, Any]) -> None:
    """Refuse a row whose name stands for other networks in the folder.

    Raises:
        OutputExistsError: if the note of that name tells otherwise.
        DataError: if it cannot be read.
    """
    note = note_file(out, row)
    if not note.is_file():
        return
    before = read_json(note, "remove it")
    if not isinstance(before, dict) or {**before, _IDS: told[_IDS]} != told:
        rule = "a folder holds one row of a name"
        received = f"scores of {row.name} by another configuration, or on other folds"
        raise OutputExistsError(message(out / row.file, rule, received, "choose another folder"))


def other_rows(out: Path, notes: Mapping[RowSpec, Mapping[str, Any]]) -> dict[str, str]:
    """The rows of earlier calls on the same folds, as far as their scores are still there."""
    try:
        before = read_rows(str(out))
    except DataError:  # none, or damaged: it is written anew
        return {}
    ids, names = {json_hash(told[_IDS]) for told in notes.values()}, {row.name for row in notes}
    return {
        name: file.relative_to(out).as_posix()
        for name, file in before
        if name not in names and file.is_file() and json_hash(_ids_of(file)) in ids
    }


def _ids_of(scores: Path) -> Any:
    """The folds of a row that was scored earlier, None if its note does not tell them."""
    try:
        note = read_json(scores.with_suffix(".json"))
    except DataError:
        return None
    return note.get(_IDS) if isinstance(note, dict) else None

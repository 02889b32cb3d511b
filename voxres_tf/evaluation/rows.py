"""Which score files make which rows of a table, from the command line or `rows.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from voxres_tf.errors import ConfigError, DataError, message
from voxres_tf.files import read_json, write_json

ROWS_FILE = "rows.json"
"""In a cross-validation's folder: {"rows": [{"name": "T1", "scores": "scores/t1.csv"}, ...]}."""

NamedFile = tuple[str, Path]


def named_file(argument: str) -> NamedFile:
    """The name and the path of `NAME=scores.csv`; the first "=" separates them.

    Raises:
        ConfigError: if either is missing.
    """
    name, _, path = (part.strip() for part in argument.partition("="))
    if not (name and path):
        then = "give both, as in mine=scores.csv"
        raise ConfigError(message("scores", "NAME=scores.csv", repr(argument), then))
    return name, Path(path)


def read_rows(argument: str) -> list[NamedFile]:
    """The rows that one argument stands for, in order, without reading their scores.

    Args:
        argument: `NAME=scores.csv`, or a folder that holds `ROWS_FILE`.

    Raises:
        ConfigError: if it is neither a folder nor NAME=scores.csv.
        DataError: for a folder without a `ROWS_FILE`, or with a malformed one.
    """
    if argument and (folder := Path(argument)).is_dir():  # "" would be the working folder
        return _rows_of(folder)
    return [named_file(argument)]


def write_rows(folder: Path, rows: Mapping[str, str | PurePath]) -> None:
    """Write `folder/rows.json`, which `read_rows` understands, atomically.

    Args:
        folder: folder of a cross-validation.
        rows: name -> path of its scores relative to the folder; at least one, no empty names.

    Raises:
        DataError: if the rows break these rules.
    """
    target = folder / ROWS_FILE
    entries = [{"name": name, "scores": PurePath(path).as_posix()} for name, path in rows.items()]
    _require_form(target, {"rows": entries})
    write_json(target, {"rows": entries})


def _rows_of(folder: Path) -> list[NamedFile]:
    path = folder / ROWS_FILE
    if not path.is_file():
        then = "wait for the cross-validation to end, or pass NAME=scores.csv"
        raise DataError(message(folder, f"a folder with {ROWS_FILE}", "one without it", then))
    found = read_json(path, "mend the file")
    _require_form(path, found)
    return [(row["name"], folder / row["scores"]) for row in found["rows"]]


def _require_form(path: Path, found: Any) -> None:
    rows = found.get("rows") if isinstance(found, dict) else None
    if not isinstance(rows, list) or not rows or not all(_is_row(row) for row in rows):
        rule = '{"rows": [{"name": NAME, "scores": FILE}, ...]}, files relative to the folder'
        raise DataError(message(path, rule, json.dumps(found)[:200], "mend the rows"))
    names = [row["name"] for row in rows]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(message(path, "each name once", ", ".join(repeated), "rename the rows"))


def _is_row(row: Any) -> bool:
    if not isinstance(row, dict) or row.keys() != {"name", "scores"}:
        return False
    texts = all(isinstance(text, str) and text.strip() for text in row.values())
    return texts and not PurePath(row["scores"]).is_absolute()

"""Folds: which subjects are held out together, each exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from voxres_tf.dataset.layouts import natural_key
from voxres_tf.dataset.splits import shuffled
from voxres_tf.errors import ConfigError, DataError, message
from voxres_tf.files import read_csv

Folds = tuple[tuple[str, ...], ...]
"""Ids of the subjects of each fold; every subject is in exactly one."""


def make_folds(ids: Sequence[str], count: int | None, seed: int) -> Folds:
    """Divide subjects into folds that differ in size by at most one subject.

    Args:
        ids: ids of the subjects.
        count: number of folds; None leaves one subject out at a time.
        seed: another seed groups the subjects differently; has no effect if `count` is None.

    Raises:
        ConfigError: unless there are at least 2 folds and no more folds than subjects.
    """
    if not 2 <= (len(ids) if count is None else count) <= len(ids):
        raise ConfigError(
            message(
                "folds",
                f"2 folds or more, and no more than the {len(ids)} subjects",
                "loo" if count is None else count,
                "choose another number or add subjects",
            )
        )
    if count is None:
        return tuple((id_,) for id_ in ids)
    order = shuffled(ids, seed)
    return tuple(tuple(sorted(order[n::count], key=ids.index)) for n in range(count))


def read_folds(path: Path, ids: Sequence[str]) -> Folds:
    """Folds from a CSV file with the columns `subject` and `fold`.

    Args:
        path: the file; a fold may have any name.
        ids: ids of the subjects of the data set, each of which has exactly one line.

    Returns:
        Folds in the natural order of their names (see `layouts.natural_key`).

    Raises:
        DataError: naming subjects that are unknown, repeated or missing, or if there are fewer
            than two folds.
    """
    header, lines = read_csv(path)
    surplus = [f"line {n}" for n, cells in lines if any(map(str.strip, cells[len(header) :]))]
    names = [name for name in map(str.strip, header) if name]
    if surplus or len(set(names)) < len(names):
        rule, received = "each column once, and a cell for each", ",".join(header)
        received += f"; more cells in {', '.join(surplus)}" if surplus else ""
        raise DataError(message(path, rule, received, "mend these lines"))
    rows = [dict(zip(map(str.strip, header), cells, strict=False)) for _, cells in lines]
    pairs = [(row.get("subject", "").strip(), row.get("fold", "").strip()) for row in rows]
    empty = [f"line {n}" for (n, _), pair in zip(lines, pairs, strict=True) if not all(pair)]
    if not rows or empty:
        received = f"{', '.join(header)}, empty in {', '.join(empty)}" if rows else "no line"
        rule = "a subject and its fold on every line, below a header subject,fold"
        raise DataError(message(path, rule, received, "fill it in"))
    found = [subject for subject, _ in pairs]
    faults = [f"{s} is unknown" for s in dict.fromkeys(found) if s not in ids]
    faults += [f"{s} is there twice" for s in dict.fromkeys(found) if found.count(s) > 1]
    faults += [f"{s} is missing" for s in ids if s not in found]
    parts = sorted({fold for _, fold in pairs}, key=natural_key)
    if len(parts) < 2:
        faults.append("there is one fold")
    if faults:
        rule = f"two folds or more with each of the subjects {', '.join(ids)} once"
        raise DataError(message(path, rule, "; ".join(faults), "mend these lines"))
    members = {name: {s for s, fold in pairs if fold == name} for name in parts}
    return tuple(tuple(id_ for id_ in ids if id_ in members[name]) for name in parts)

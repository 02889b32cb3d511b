"""A data set as a table: one row per subject, one column per modality."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from voxres_tf.config import MODALITIES, SPELLINGS
from voxres_tf.dataset.subject import SubjectFiles, usable_id
from voxres_tf.errors import DataError, message
from voxres_tf.files import csv_text, read_csv, write_text
from voxres_tf.labels import SCHEMES, is_scheme_file
from voxres_tf.volume import voxels_of

_COLUMNS = ("subject", *MODALITIES, "label", "scheme")


@dataclass(frozen=True)
class _Row:
    """One row: its line in the file, its cells by column, and cells beyond the last column."""

    line: int
    cells: Mapping[str, str]
    surplus: Sequence[str]


def read_manifest(path: Path) -> list[SubjectFiles]:
    """The subjects of a CSV manifest, in its order.

    The header names `subject`, one column per modality (see `config.MODALITIES`; `t1_ir` and
    `t2_flair` are understood too), and optionally `label` and `scheme` (the JSON file of a custom
    scheme, or a name; `tissue` where empty). Paths are relative to the manifest. An empty cell
    means that the file does not exist.

    Raises:
        DataError: naming every fault with its line: unknown columns, ids that are missing, used
            twice or unusable as file names, unknown label schemes, rows without a scan. Missing
            files are faults of their subjects, which `checks.check_dataset` reports.
    """
    rows = _rows(path)
    seen: dict[str, int] = {}
    faults = [f"line {row.line}: {fault}" for row in rows for fault in _faults(row, seen)]
    if faults:
        raise DataError(message(path, "a sound manifest", "; ".join(faults), "mend these lines"))
    return [_subject(row, path) for row in rows]


def write_manifest(path: Path, subjects: Sequence[SubjectFiles]) -> None:
    """Write the manifest of these subjects, with paths relative to it.

    `read_manifest` returns the same subjects. Without subjects, only a header is written, which
    `read_manifest` refuses.
    """
    modalities = [m for m in MODALITIES if any(m in s.images for s in subjects)]
    rows = []
    for files in subjects:
        images = [_relative(files.images.get(m), path) for m in modalities]
        scheme = files.scheme
        own = _relative(Path(scheme), path) if is_scheme_file(scheme) else scheme
        rows.append([files.id, *images, _relative(files.labels, path), own])
    write_text(path, csv_text(["subject", *modalities, "label", "scheme"], rows))


def _rows(path: Path) -> list[_Row]:
    header, lines = read_csv(path)
    if not lines:
        received = "a header alone" if header else "an empty file"
        raise DataError(message(path, "a header and a row per subject", received, "fill it in"))
    columns = _columns(header)
    fault = _header_fault(columns)
    if fault:
        rule = f"columns are subject, label, scheme and the modalities {', '.join(MODALITIES)}"
        raise DataError(message(path, rule, fault, "mend the header"))
    n = len(columns)
    return [
        _Row(line, dict(zip(columns, cells, strict=False)), [c for c in cells[n:] if c])
        for line, cells in ((line, [cell.strip() for cell in cells]) for line, cells in lines)
    ]


def _columns(cells: Sequence[str]) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    return [SPELLINGS.get(name, name) for name in names]


def _header_fault(columns: Sequence[str]) -> str | None:
    unknown = [repr(name) for name in columns if name not in _COLUMNS]
    if unknown:
        return f"unknown columns {', '.join(unknown)}"
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        return f"columns that are there twice: {', '.join(twice)}"
    if "subject" not in columns:
        return "no column subject"
    return None if set(MODALITIES) & set(columns) else "no modality"


def _faults(row: _Row, seen: dict[str, int]) -> Iterator[str]:
    id_ = row.cells.get("subject", "")
    if not usable_id(id_):
        yield f"{id_!r} is no subject id"
    elif id_ in seen:
        yield f"subject {id_!r} is on line {seen[id_]} already"
    seen.setdefault(id_, row.line)
    if row.surplus:
        yield f"cells beyond the last column: {', '.join(row.surplus)}"
    if not any(row.cells.get(m) for m in MODALITIES):
        yield f"subject {id_!r} has no scan"
    scheme = row.cells.get("scheme") or "tissue"
    if scheme not in SCHEMES and not is_scheme_file(scheme):
        yield f"scheme {scheme!r} is none of {', '.join(SCHEMES)}, and no .json file"


def _subject(row: _Row, manifest: Path) -> SubjectFiles:
    cells = row.cells
    images = {m: voxels_of(manifest.parent / cells[m]) for m in MODALITIES if cells.get(m)}
    labels = voxels_of(manifest.parent / cells["label"]) if cells.get("label") else None
    scheme = cells.get("scheme") or "tissue"
    own = str(manifest.parent / scheme) if is_scheme_file(scheme) else scheme
    return SubjectFiles(cells["subject"], images, labels, own)


def _relative(file: Path | None, manifest: Path) -> str:
    if file is None:
        return ""
    relative = Path(os.path.relpath(file, manifest.parent))
    # If a folder above is a symbolic link, `..` may lead elsewhere.
    same = (manifest.parent / relative).resolve() == file.resolve()
    return (relative if same else file.absolute()).as_posix()

"""Files that are written completely or not at all, file hashes, and a lock for folders in use."""

from __future__ import annotations

import contextlib
import csv
import errno
import hashlib
import io
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from voxres_tf.errors import ConfigError, DataError, OutputExistsError, VoxResError, message

_PARTIAL = ".partial-"
_STALE_S = 3600


@contextlib.contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """A temporary path beside `target` that takes its place when the block ends without error.

    The temporary name keeps the suffixes of the target (`.nii.gz` stays `.nii.gz`), since writers
    choose their format by them. Works for files and folders; a folder must not exist yet. If
    nothing is written, the parent folders that were made for it are removed again. Unfinished
    outputs that killed processes left beside it more than an hour ago are removed, too.

    Raises:
        VoxResError: if nothing can be written there.
    """
    end = target.name[-48:]  # the name may already have the maximum length
    temporary = target.parent / f"{_PARTIAL}{secrets.token_hex(4)}-{end}"
    made: list[Path] = []
    try:
        made += [folder for folder in target.parents if not folder.exists()]
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent)
        yield temporary
        temporary.replace(target)
    except OSError as error:
        raise VoxResError(_unwritable(target, error)) from error
    finally:
        # Something is left only if the block failed; its error matters, not one of cleaning up.
        shutil.rmtree(temporary, ignore_errors=True)
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
            for folder in made:
                folder.rmdir()  # fails if it holds something, as it should


def _sweep(folder: Path) -> None:
    """Remove the unfinished outputs of killed processes, unless they changed within the hour.

    A younger one may belong to a process that is still writing it.
    """
    for left in folder.glob(f"{_PARTIAL}*"):
        with contextlib.suppress(OSError, VoxResError):
            if time.time() - left.stat().st_mtime > _STALE_S:
                remove(left)


def remove(path: Path) -> None:
    """Remove a file, a link or a whole folder, if it is there.

    Raises:
        VoxResError: if it cannot be removed.
    """
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        rule, why = "a path that can be replaced", error.strerror or error
        raise VoxResError(message(path, rule, why, "choose another output")) from error


def _unwritable(target: Path, error: OSError) -> str:
    if error.errno == errno.ENOTEMPTY:
        received = "one that another process has written meanwhile"
        return message(target, "a place that is free", received, "give the command again")
    why = error.strerror or str(error)
    return message(target, "a place that can be written", why, "choose another output")


def write_text(target: Path, text: str) -> None:
    """Write UTF-8 text atomically; bytes of paths that are not UTF-8 stay unchanged."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape")


def write_json(target: Path, value: Any) -> None:
    """Write JSON atomically: two spaces, sorted keys, a newline at the end; NaN is an error."""
    write_text(target, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(
    path: Path, then: str = "check the file", error: type[VoxResError] = DataError
) -> Any:
    """The content of a JSON file in UTF-8.

    Args:
        path: the file.
        then: what to do if it cannot be read, for the error message.
        error: kind of the error that is raised in that case.

    Raises:
        VoxResError: of that kind, if it cannot be read as JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        raise error(message(path, "JSON in UTF-8", cause, then)) from cause


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A CSV table as text; None is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


Lines = list[tuple[int, list[str]]]
"""Rows of a CSV file, each with the line on which it ends."""


def read_csv(path: Path, then: str = "check the file") -> tuple[list[str], Lines]:
    """The header of a CSV file and its other rows, blank ones left out; [] for an empty file.

    Args:
        path: the file, in UTF-8; the byte order mark that spreadsheets put first is left out.
        then: what to do if it is not a CSV file, for the error message.

    Raises:
        DataError: if it cannot be read as such.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            table = csv.reader(stream, strict=True)
            rows = [(table.line_num, cells) for cells in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(message(path, "a CSV file in UTF-8", error, then)) from error
    (_, header), *lines = [row for row in rows if any(c.strip() for c in row[1])] or [(1, [])]
    return header, lines


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def json_hash(value: Any) -> str:
    """SHA-256 of a JSON value, independent of the order of keys, in hexadecimal."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def refuse_inputs(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Refuse an output that is an input, or a folder that holds one: they are never overwritten.

    Raises:
        ConfigError: if there is one.
    """
    read = {_identity(part) for path in inputs for part in (path, *path.resolve().parents)}
    for path in outputs:
        if _identity(path) in read:
            rule, received = "an output must not be an input", "what is also read"
            raise ConfigError(message(path, rule, received, "name another output"))


def _identity(path: Path) -> object:
    """Equal for the same file under several names, as on a disk that is mounted twice."""
    try:
        stat = path.stat()
    except OSError:
        return path.resolve()
    return stat.st_dev, stat.st_ino


def refuse_existing(path: Path, *, overwrite: bool, inputs: Iterable[Path] = ()) -> None:
    """Refuse an output that already exists.

    Raises:
        OutputExistsError: if it must not be overwritten.
        ConfigError: as `refuse_inputs`.
    """
    refuse_inputs([path], inputs)
    if os.path.lexists(path) and not overwrite:
        raise OutputExistsError(
            message(path, "outputs are not replaced", "a path that exists", "pass --overwrite")
        )


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock `folder` for this process; a second process gets an error at once.

    The operating system releases the lock when the process ends, however it ends.

    Raises:
        VoxResError: if another process holds it, or the system or the disk has no such lock.
    """
    try:
        import fcntl
    except ModuleNotFoundError:
        rule, then = "Linux or macOS", "on Windows, use the Windows Subsystem for Linux"
        raise VoxResError(message("voxres", rule, sys.platform, then)) from None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise VoxResError(_unwritable(folder, error)) from error
    with lock as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise VoxResError(
                message(folder, "one process at a time", "a second", "wait for the first to end")
            ) from None
        except OSError as error:
            rule, then = "a disk on which files can be locked", "choose another folder"
            raise VoxResError(message(folder, rule, error.strerror or error, then)) from error
        yield

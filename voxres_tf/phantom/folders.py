"""Folders of phantom subjects: which ones were already made, and which block a new one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from tqdm import tqdm

from voxres_tf.dataset.layouts import find_subjects
from voxres_tf.errors import DataError, OutputExistsError, message
from voxres_tf.files import atomic_path, read_json, remove, write_json
from voxres_tf.phantom.heads import Head
from voxres_tf.volume import Volume, write_volume

NOTE_FILE = "made-from.json"
"""The recipe of a subject, stored in its folder: it tells what the folder was made from."""

RECIPE_FILE = "randomisation.json"
"""Stored beside randomised subjects: their recipe; a call with the same recipe continues them."""

JobT = TypeVar("JobT")


def named(head: Head) -> dict[str, str | None]:
    """A head as it is written in recipes."""
    return {"name": head.name, "sha256": head.sha256}


def files_of(heads: Sequence[Head]) -> list[Path]:
    """The files that heads are read from."""
    return [head.path for head in heads if head.path is not None]


def require_no_other(out: Path, *names: str) -> None:
    """Refuse a folder that holds any of these: of two data sets, readers would see only one.

    Raises:
        OutputExistsError: if it does.
    """
    for name in names:
        if (out / name).exists():
            _refuse(out, f"{name} of another")


def require_no_subjects(out: Path) -> None:
    """Refuse a folder that holds files of subjects which are no phantoms, for the same reason.

    Raises:
        OutputExistsError: if it does.
    """
    try:
        subjects = find_subjects(out)
    except DataError:
        return
    for files in subjects:
        there = [path for path in files.files if path.exists()]
        if there and not (there[0].parent / NOTE_FILE).is_file():
            _refuse(out, f"subject {files.id} of another")


def _refuse(out: Path, received: str) -> NoReturn:
    rule, then = "one data set in a folder", "choose another folder"
    raise OutputExistsError(message(out, rule, received, then))


def is_of(recipe: Mapping[str, Any], folder: Path) -> bool:
    """Whether a folder's note says that it was made from this recipe."""
    return bool(read_note(folder / NOTE_FILE) == recipe)


def is_made(folder: Path, recipe: Mapping[str, Any], names: Iterable[str]) -> bool:
    """Whether a folder holds a subject of this recipe with these volumes."""
    there = all((folder / f"{name}.nii.gz").is_file() for name in names)
    return there and is_of(recipe, folder)


def read_note(path: Path) -> Any:
    """The content of a JSON file, None if it cannot be read."""
    try:
        return read_json(path)
    except DataError:
        return None


def write_folder(
    folder: Path, volumes: Mapping[str, Volume], recipe: Mapping[str, Any] | None = None
) -> None:
    """Write `folder/<name>.nii.gz` for each volume, and the recipe if there is one, all or none.

    An existing folder is replaced.
    """
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        for name, volume in volumes.items():
            write_volume(temporary / f"{name}.nii.gz", volume.data, volume.grid)
        if recipe is not None:
            write_json(temporary / NOTE_FILE, recipe)
        remove(folder)


def shown(jobs: Sequence[JobT]) -> Iterable[JobT]:
    """The jobs, with a progress bar."""
    return tqdm(jobs, desc="phantom", unit="subject", disable=None)

"""Data sets of randomised subjects on disk, with their manifest."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from voxres_tf.dataset.layouts import MANIFEST_NAME
from voxres_tf.dataset.manifest import write_manifest
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.files import locked, refuse_existing, remove, write_json
from voxres_tf.phantom.folders import (
    NOTE_FILE,
    RECIPE_FILE,
    files_of,
    is_made,
    is_of,
    named,
    read_note,
    require_no_other,
    require_no_subjects,
    shown,
    write_folder,
)
from voxres_tf.phantom.generate import STEMS
from voxres_tf.phantom.heads import Head
from voxres_tf.phantom.randomisation import Randomisation
from voxres_tf.phantom.randomised import GENERATOR_FORMAT, randomised_subject

_VOLUMES = (*STEMS.values(), "labels")


def write_randomised(
    out: Path,
    subjects: int,
    seed: int,
    heads: Sequence[Head],
    config: Randomisation,
    *,
    overwrite: bool = False,
    inputs: Sequence[Path] = (),
) -> Path:
    """Write subjects of every contrast and resolution, `out/{1..subjects}`, and their manifest.

    After an interruption, or when asked for more subjects, a call continues with the existing ones.

    Args:
        out: folder; created if needed.
        subjects: how many.
        seed: 0 or more.
        heads: anatomies that the subjects take in turn.
        config: ranges to draw from.
        overwrite: whether existing output is replaced, even subjects of this recipe.
        inputs: files that are read besides the anatomies; they are never replaced.

    Returns:
        The manifest `out/manifest.csv`.

    Raises:
        OutputExistsError: if `out` holds subjects of another recipe, another data set, or a
            manifest or a folder that is in the way; raised before any subject is made.
        DataError: if an anatomy cannot be read; if it is the first, nothing has been replaced.
        ConfigError: as `randomised_subject`, or if an output is an input.
    """
    recipe = {
        "format": GENERATOR_FORMAT,
        "seed": seed,
        "heads": [named(head) for head in heads],
        "randomisation": config.model_dump(mode="json"),
    }
    with locked(out):
        require_no_other(out, "TrainingData", "TestData")
        if not overwrite:
            require_no_subjects(out)
        folders = [out / str(n) for n in range(1, subjects + 1)]
        goes_on = not overwrite and read_note(out / RECIPE_FILE) == recipe
        made = [goes_on and is_made(folder, recipe, _VOLUMES) for folder in folders]
        left = [(folder, n) for n, folder in enumerate(folders, start=1) if not made[n - 1]]
        old = [folder for folder, _ in left]
        if not goes_on:
            sheets = [out / RECIPE_FILE, out / MANIFEST_NAME]
            old = [*sheets, *old, *_randomised_before(out, folders)]
        for path in old:
            replaced = overwrite or (goes_on and is_of(recipe, path))
            refuse_existing(path, overwrite=replaced, inputs=[*files_of(heads), *inputs])
        drawn = (
            (folder, randomised_subject(heads[(n - 1) % len(heads)], config, seed, n))
            for folder, n in shown(left)
        )
        # Draw one subject first: faulty ranges or anatomies must not destroy existing output.
        first = list(islice(drawn, 1))
        if not goes_on:
            # The old recipe is removed first and the new one written last, so that a call killed in
            # between leaves nothing that a later call would continue with.
            for path in old:
                remove(path)
            write_json(out / RECIPE_FILE, recipe)
        for folder, volumes in chain(first, drawn):
            write_folder(folder, volumes, recipe)
        write_manifest(out / MANIFEST_NAME, [_files(folder) for folder in folders])
    return out / MANIFEST_NAME


def _files(folder: Path) -> SubjectFiles:
    images = {m: folder / f"{stem}.nii.gz" for m, stem in STEMS.items()}
    return SubjectFiles(folder.name, images, folder / "labels.nii.gz")


def _randomised_before(out: Path, folders: Sequence[Path]) -> list[Path]:
    """Folders of randomised subjects that are not among these."""
    noted = {note.parent for note in out.glob(f"*/{NOTE_FILE}")} - set(folders)
    return sorted(f for f in noted if f.name.isdigit() and _is_randomised(read_note(f / NOTE_FILE)))


def _is_randomised(note: Any) -> bool:
    return isinstance(note, dict) and "randomisation" in note

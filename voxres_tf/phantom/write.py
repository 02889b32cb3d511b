"""Phantom data sets on disk: MRBrainS13's layout, randomised ones, the packaged real scan."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from tqdm import tqdm

from voxres_tf.dataset.layouts import MANIFEST_NAME
from voxres_tf.dataset.manifest import write_manifest
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.errors import VoxResError, message
from voxres_tf.files import atomic_path, locked, refuse_existing, write_json
from voxres_tf.phantom.anatomy import mni_tissue, read_mni
from voxres_tf.phantom.generate import STEMS, generate_subject
from voxres_tf.phantom.heads import Head
from voxres_tf.phantom.mni import MniHead
from voxres_tf.phantom.randomisation import Randomisation
from voxres_tf.phantom.randomised import GENERATOR_FORMAT, randomised_subject
from voxres_tf.volume import Volume, write_volume

RECIPE_FILE = "randomisation.json"
"""Beside randomised subjects: what they were made from; the same recipe goes on with them."""

NOTE_FILE = "made-from.json"
"""The recipe of a subject, in its folder: it tells whose the folder is."""


def write_phantom(
    out: Path,
    subjects: int,
    seed: int,
    size: str = "full",
    *,
    test_subjects: int = 0,
    heads: Sequence[Head] = (MniHead(),),
    overwrite: bool = False,
) -> list[Path]:
    """Write `out/TrainingData/{1..subjects}` and `out/TestData/{1..test_subjects}`.

    Each folder appears when it is whole. A call that was interrupted, or one that asks for more
    subjects, goes on with what is there. With `overwrite` the folders of these subjects are made
    anew, others are left alone.

    Args:
        out: folder; created.
        subjects: of the training series.
        seed: 0 or more.
        size: a name in `sampling.SIZES`.
        test_subjects: of the test series.
        heads: anatomies, which the subjects take in turn, first those to learn from: with one for
            each subject, nobody is in both series.
        overwrite: whether what is there is replaced, equal subjects too.

    Returns:
        the folders of the subjects, in order; none for no subjects.

    Raises:
        OutputExistsError: if one of them is there and holds something else, before any is made.
        ConfigError, DataError: as `generate_subject`.
    """
    series = {"TrainingData": subjects, "TestData": test_subjects}
    parts = [(part, n) for part, count in series.items() for n in range(1, count + 1)]
    folders = [out / part / str(n) for part, n in parts]
    with locked(out):
        common = {"format": GENERATOR_FORMAT, "seed": seed, "size": size}
        recipes = cycle([common | {"head": _named(head)} for head in heads])
        jobs = zip(folders, parts, cycle(heads), recipes, strict=False)
        left = [job for job in jobs if overwrite or not _same_recipe(job[0] / NOTE_FILE, job[3])]
        for folder, *_ in left:
            refuse_existing(folder, overwrite=overwrite, inputs=_files_of(heads))
        progress = tqdm(left, desc="phantom", unit="subject", disable=None)
        for folder, (part, n), head, recipe in progress:
            volumes = generate_subject(size, seed, n, test=part == "TestData", head=head)
            _write_folder(folder, volumes, recipe)
    return folders


def write_randomised(
    out: Path,
    subjects: int,
    seed: int,
    heads: Sequence[Head],
    config: Randomisation,
    *,
    overwrite: bool = False,
) -> Path:
    """Write subjects of every contrast and resolution, `out/{1..subjects}`, and their manifest.

    A call that was interrupted, or one that asks for more subjects, goes on with what is there.

    Args:
        out: folder; created.
        subjects: how many.
        seed: 0 or more.
        heads: anatomies, which the subjects take in turn.
        config: the ranges.
        overwrite: whether what is there is replaced, subjects of this recipe too.

    Returns:
        the manifest `out/manifest.csv`.

    Raises:
        OutputExistsError: if `out` holds subjects of another recipe, or a manifest or a folder that
            is in the way; before any subject is made.
        DataError: if an anatomy cannot be read.
    """
    recipe = {
        "format": GENERATOR_FORMAT,
        "seed": seed,
        "heads": [_named(head) for head in heads],
        "randomisation": config.model_dump(mode="json"),
    }
    with locked(out):
        folders = [out / str(n) for n in range(1, subjects + 1)]
        made = _made_before(out, folders, recipe, _files_of(heads), overwrite=overwrite)
        files = []
        progress = tqdm(folders, desc="phantom", unit="subject", disable=None)
        for n, folder in enumerate(progress, start=1):
            if folder not in made:
                volumes = randomised_subject(heads[(n - 1) % len(heads)], config, seed, n)
                _write_folder(folder, volumes, recipe)
            images = {m: folder / f"{stem}.nii.gz" for m, stem in STEMS.items()}
            files.append(SubjectFiles(str(n), images, folder / "labels.nii.gz"))
        write_manifest(out / MANIFEST_NAME, files)
    return out / MANIFEST_NAME


def _named(head: Head) -> dict[str, str | None]:
    return {"name": head.name, "sha256": head.sha256}


def _files_of(heads: Sequence[Head]) -> list[Path]:
    return [head.path for head in heads if head.path is not None]


def _made_before(
    out: Path,
    folders: Sequence[Path],
    recipe: Mapping[str, Any],
    inputs: Sequence[Path],
    *,
    overwrite: bool,
) -> Collection[Path]:
    """Those of the folders that hold subjects of this recipe; what is in its way is removed.

    The old recipe goes first and the new one comes last, so that a call which is killed between
    them leaves nothing that a later one would go on with.
    """
    goes_on = not overwrite and _same_recipe(out / RECIPE_FILE, recipe)
    made = {folder for folder in folders if goes_on and _same_recipe(folder / NOTE_FILE, recipe)}
    old = [folder for folder in folders if folder not in made]
    if not goes_on:
        noted = {note.parent for note in out.glob(f"*/{NOTE_FILE}")} - set(folders)
        others = sorted(folder for folder in noted if folder.name.isdigit())
        old = [out / RECIPE_FILE, out / MANIFEST_NAME, *old, *others]
    for path in old:
        refuse_existing(path, overwrite=overwrite, inputs=inputs)
    if not goes_on:
        _remove(old)
        write_json(out / RECIPE_FILE, recipe)
    return made


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            why = error.strerror or error
            raise VoxResError(
                message(path, "a path that can be replaced", why, "choose another output")
            ) from error


def _same_recipe(path: Path, recipe: Mapping[str, Any]) -> bool:
    try:
        return bool(json.loads(path.read_text(encoding="utf-8")) == recipe)
    except (OSError, ValueError):
        return False


def write_real(out: Path, *, overwrite: bool = False) -> Path:
    """Write the packaged MNI152 T1 and its tissues as a data set of one subject.

    The T1 is an average of real scans, skull-stripped. Its labels are that of
    grey matter (2), white matter (3) and what they leave (1) which fills most of a voxel.

    Returns:
        the manifest `out/manifest.csv` (columns subject, t1, label, scheme); the volumes
        are `out/mni152/{T1,labels}.nii.gz`.

    Raises:
        OutputExistsError: if the manifest or the folder is there.
        DataError: if the packaged maps are missing.
    """
    folder, manifest = out / "mni152", out / MANIFEST_NAME
    t1, gm, wm = (read_mni(kind) for kind in ("t1", "gm", "wm"))
    codes = mni_tissue(t1.data > 0, gm.data, wm.data)
    files = SubjectFiles("mni152", {"t1": folder / "T1.nii.gz"}, folder / "labels.nii.gz")
    with locked(out):
        for path in (folder, manifest):
            refuse_existing(path, overwrite=overwrite)
        _write_folder(folder, {"T1": t1, "labels": Volume(codes, t1.grid)})
        write_manifest(manifest, [files])
    return manifest


def _write_folder(
    folder: Path, volumes: Mapping[str, Volume], recipe: Mapping[str, Any] | None = None
) -> None:
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        for name, volume in volumes.items():
            write_volume(temporary / f"{name}.nii.gz", volume.data, volume.grid)
        if recipe is not None:
            write_json(temporary / NOTE_FILE, recipe)
        if folder.exists():
            shutil.rmtree(folder)

"""Phantom data sets on disk: those in MRBrainS13's layout, and the packaged real scan."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from voxres_tf.dataset.layouts import MANIFEST_NAME
from voxres_tf.dataset.manifest import write_manifest
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.files import locked, refuse_existing, remove
from voxres_tf.phantom.anatomy import mni_tissue, read_mni
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
from voxres_tf.phantom.generate import STEMS, generate_subject
from voxres_tf.phantom.heads import Head
from voxres_tf.phantom.mni import MniHead
from voxres_tf.phantom.randomised import GENERATOR_FORMAT
from voxres_tf.volume import Volume

_REAL = {"format": 1, "real": "MNI152"}
_VOLUMES = (*STEMS.values(), "LabelsForTraining", "LabelsForTesting")


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

    Each folder appears once it is complete. After an interruption, or when asked for more subjects
    of the same people, a call continues with the existing ones. With `overwrite`, the folders of
    these subjects are made again, and those of another seed or size are removed first; a call
    without it then continues after an interruption.

    Args:
        out: folder; created if needed.
        subjects: number of subjects in the training series.
        seed: 0 or more.
        size: a name in `sampling.SIZES`.
        test_subjects: number of subjects in the test series.
        heads: anatomies that the subjects take in turn, the training series first: with one for
            each subject, nobody is in both series.
        overwrite: whether existing folders are replaced, even if they hold the same subjects.

    Returns:
        The folders of the subjects, in order; empty for no subjects.

    Raises:
        OutputExistsError: if one of them exists and holds something else, or `out` holds another
            data set's manifest or, without `overwrite`, its subjects; raised before any is made.
        ConfigError, DataError: as `generate_subject`.
    """
    series = {"TrainingData": subjects, "TestData": test_subjects}
    parts = [(part, n) for part, count in series.items() for n in range(1, count + 1)]
    folders = [out / part / str(n) for part, n in parts]
    common = {"format": GENERATOR_FORMAT, "seed": seed, "size": size}
    with locked(out):
        if not any((out / part).exists() for part in series):
            require_no_other(out, MANIFEST_NAME)
            if not overwrite:
                require_no_subjects(out)
        names = {head: named(head) for head in heads}
        left = []
        for folder, (part, n), head in zip(folders, parts, cycle(heads), strict=False):
            recipe = common | {"subject": f"{part}/{n}", "head": names[head]}
            if overwrite or not is_made(folder, recipe, _VOLUMES):
                replaced = overwrite or is_of(recipe, folder)
                refuse_existing(folder, overwrite=replaced, inputs=files_of(heads))
                left.append((folder, part, n, head, recipe))
        others = [
            folder
            for folder, note in (_made(out, *series) if overwrite else ())
            if any(note.get(name) != value for name, value in common.items())
        ]
        for folder in others:
            refuse_existing(folder, overwrite=True, inputs=files_of(heads))
        for folder, part, n, head, recipe in shown(left):
            volumes = generate_subject(size, seed, n, test=part == "TestData", head=head)
            while others:  # now that there is one to take their place
                remove(others.pop())
            write_folder(folder, volumes, recipe)
    return folders


def shared_people_note(out: Path) -> str | None:
    """A line about people who are in both series of `write_phantom`, None if there are none.

    Equal maps are one person, whatever their names.
    """
    people = {}
    for part in ("TrainingData", "TestData"):
        heads = [note["head"] for _, note in _made(out, part)]
        people[part] = [head["sha256"] or head["name"] for head in heads]
    every = people["TrainingData"] + people["TestData"]
    if not set(people["TrainingData"]) & set(people["TestData"]):
        return None
    few = f"anatomies: {len(set(every))}, subjects: {len(every)}"
    return f"TestData has people of TrainingData ({few})"


def _made(out: Path, *parts: str) -> list[tuple[Path, Any]]:
    """The folders of subjects that were made earlier, with their recipes."""
    folders = [folder for part in parts for folder in sorted((out / part).glob("*"))]
    notes = [(folder, read_note(folder / NOTE_FILE)) for folder in folders]
    sound = [(folder, note) for folder, note in notes if isinstance(note, dict)]
    return [(folder, note) for folder, note in sound if isinstance(note.get("head"), dict)]


def write_real(out: Path, *, overwrite: bool = False) -> Path:
    """Write the packaged MNI152 T1 and its tissues as a data set of one subject.

    The T1 is a skull-stripped average of real scans. The label of a voxel is what fills the largest
    part of it: grey matter (2), white matter (3) or the remainder (1). After an interruption, a
    call continues with the existing volumes.

    Returns:
        The manifest `out/manifest.csv` (columns subject, t1, label, scheme); the volumes
        are `out/mni152/{T1,labels}.nii.gz`.

    Raises:
        OutputExistsError: if the manifest, the folder, or another data set exists; its subjects may
            be there with `overwrite`.
        DataError: if the packaged maps are missing.
    """
    folder, manifest = out / "mni152", out / MANIFEST_NAME
    t1, gm, wm = (read_mni(kind) for kind in ("t1", "gm", "wm"))
    codes = mni_tissue(t1.data > 0, gm.data, wm.data)
    files = SubjectFiles("mni152", {"t1": folder / "T1.nii.gz"}, folder / "labels.nii.gz")
    with locked(out):
        require_no_other(out, "TrainingData", "TestData", RECIPE_FILE)
        if not overwrite:
            require_no_subjects(out)
        # Only the manifest is missing if a call was stopped before it.
        made = not (overwrite or manifest.exists()) and is_made(folder, _REAL, ("T1", "labels"))
        if not made:
            for path in (folder, manifest):
                refuse_existing(path, overwrite=overwrite)
            write_folder(folder, {"T1": t1, "labels": Volume(codes, t1.grid)}, _REAL)
        write_manifest(manifest, [files])
    return manifest

"""Finding the subjects of a folder: the layouts in which data sets come."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from voxres_tf.dataset.manifest import read_manifest
from voxres_tf.dataset.namings import NAMINGS, TEST_FOLDERS, TRAINING_FOLDERS, Naming
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.errors import ConfigError, DataError, first_of, message
from voxres_tf.volume import voxels_of

MANIFEST_NAME = "manifest.csv"
_SUFFIXES = (".nii.gz", ".nii", ".img", ".hdr")

LAYOUTS = ("manifest", *NAMINGS)
"""Names of the layouts, in the order in which `auto` tries them."""


def find_subjects(root: Path, *, layout: str = "auto") -> list[SubjectFiles]:
    """The subjects of a data set, sorted by id in natural order (2 before 10).

    Args:
        root: a folder of subjects, one subject's folder, or a `.csv` manifest. A folder above
            training and test folders (MRBrainS13's `TrainingData` and `TestData`) means the
            training subjects; name the test folder itself to get the others. In a folder that
            holds `manifest.csv`, the manifest is used.
        layout: one of `LAYOUTS`, or `auto` for the first of them that fits; layouts that find
            scans come before those that find only labels.

    Returns:
        At least one subject. A folder with a scan or labels of its layout is a subject, however
        incomplete; `checks.check_dataset` reports what it lacks and scans that exist twice.
        Subjects without labels have None.

    Raises:
        ConfigError: for an unknown layout.
        DataError: if nothing is found, or a manifest has faults.
    """
    if layout not in ("auto", *LAYOUTS):
        rule = f"a layout is auto, {', '.join(LAYOUTS)}"
        raise ConfigError(message("layout", rule, repr(layout), "choose one of these"))
    tried = LAYOUTS if layout == "auto" else (layout,)
    bare: list[SubjectFiles] = []
    for name in tried:
        found = _manifest(root) if name == "manifest" else _collect(root, NAMINGS[name])
        if found and (name == "manifest" or any(files.images for files in found)):
            break
        bare = bare or found
    else:
        found = bare  # Labels alone, which may be a stray file of another layout.
    if found:
        return sorted(found, key=lambda files: natural_key(files.id))
    raise DataError(
        message(
            root,
            f"subjects in the layout {' or '.join(tried)}",
            _contents(root),
            "check the path, or write a manifest (docs/data-formats.md)",
        )
    )


def left_out_note(root: Path, subjects: Sequence[SubjectFiles]) -> str | None:
    """A line about folders beside the subjects' that hold images but no subject, None if none do.

    Args:
        root: what `find_subjects` was given.
        subjects: what it found.
    """
    ids, used = {s.id for s in subjects}, {f for s in subjects for p in s.files for f in p.parents}
    missed = []
    for parent in (root, *(folder for folder in _folders(root) if folder in used)):
        beside = _folders(parent)
        if ids & {folder.name for folder in beside}:
            missed += [f.name for f in beside if f not in used and _holds_scans(f)]
    if not missed or (root / MANIFEST_NAME).is_file():
        return None
    return (
        f"{root}: the images in {first_of(missed, 5)} are left out, since they are not named like "
        "those of the other subjects. Rename them, or write a manifest (docs/data-formats.md)."
    )


def _holds_scans(folder: Path) -> bool:
    """Whether a folder holds images other than those that `voxres predict` writes."""
    return any(not stem.endswith(("_dseg", "_probseg")) for _, stem in _volumes(folder, None))


def subject_from_folder(folder: Path) -> SubjectFiles:
    """The one subject whose files lie in `folder`; its labels are not needed.

    Besides the layouts in `LAYOUTS`, any folder is accepted whose files are named `t1`, `t1_ir` or
    `t1-ir`, `flair`, `t2_flair` or `t2-flair`, and `t2`, in upper or lower case.

    Raises:
        DataError: if the folder holds no scan, or more than one subject.
    """
    for naming in NAMINGS.values():
        found = _read(folder, naming)
        if len(found) == 1 and found[0].images:
            return found[0]
    raise DataError(
        message(
            folder,
            "a subject's folder holds files such as T1, T1_IR and T2_FLAIR (.nii or .nii.gz)",
            _contents(folder),
            "name one subject's folder, or its files one by one",
        )
    )


def natural_key(text: str) -> tuple[list[str | int], str]:
    """Sorting key under which `s2` comes before `s10`; distinct texts have distinct keys."""
    parts = re.split(r"(\d+)", text)
    return [int(p) if i % 2 else p.lower() for i, p in enumerate(parts)], text


def _manifest(root: Path) -> list[SubjectFiles]:
    path = root / MANIFEST_NAME if root.is_dir() else root
    is_manifest = path.is_file() and path.suffix.lower() == ".csv"
    return read_manifest(path) if is_manifest else []


def _collect(root: Path, naming: Naming) -> list[SubjectFiles]:
    own = _read(root, naming)
    if own:
        return own
    folders = _folders(root)
    training = [p for p in folders if p.name.lower() in TRAINING_FOLDERS]
    if training:
        return [files for p in training for files in _within(p, naming)]
    test = [p for p in folders if p.name.lower() in TEST_FOLDERS]
    return _below(root, naming) or [files for p in test for files in _within(p, naming)]


def _within(parent: Path, naming: Naming) -> list[SubjectFiles]:
    """Subjects of a training or test folder: in folders of their own, or side by side."""
    return _below(parent, naming) or _read(parent, naming)


def _below(parent: Path, naming: Naming) -> list[SubjectFiles]:
    return [files for folder in _folders(parent) for files in _read(folder, naming)]


def _folders(parent: Path) -> list[Path]:
    return [p for p in _listing(parent) if p.is_dir() and not p.name.startswith(".")]


def _read(folder: Path, naming: Naming) -> list[SubjectFiles]:
    """The subjects whose files lie directly in this folder."""
    # "." and ".." are not usable as a subject's name.
    name = folder.name if folder.name not in ("", "..") else folder.resolve().name
    subjects: dict[str, dict[str, set[Path]]] = {}
    for path, stem in _volumes(folder, naming.below):
        if naming.pattern is None:
            stem = naming.spellings.get(stem.lower(), stem.lower())
            subjects.setdefault(name, {}).setdefault(stem, set()).add(path)
        elif match := naming.pattern.fullmatch(stem):
            found = subjects.setdefault(match["id"], {})
            found.setdefault(match["name"].lower(), set()).add(path)
    read = [_subject(id_, found, naming) for id_, found in subjects.items()]
    return [files for files in read if files.images or files.labels]


def _volumes(folder: Path, below: str | None) -> list[tuple[Path, str]]:
    """Image files of a folder with their names; of an .hdr/.img pair, the .img with the voxels."""
    entries = [(path, "") for path in _listing(folder)]
    if below is not None:
        entries += [(path, f"{below}/") for path in _listing(folder / below)]
    volumes = []
    for path, prefix in entries:
        suffix = next((s for s in _SUFFIXES if path.name.lower().endswith(s)), None)
        if suffix and not path.is_dir():
            stem = prefix + path.name[: -len(suffix)]
            volumes.append((voxels_of(path), stem))
    return volumes


def _subject(id_: str, found: Mapping[str, set[Path]], naming: Naming) -> SubjectFiles:
    used = {m: p for m, names in naming.images.items() if (p := _first(found, names))}
    images = {modality: min(paths) for modality, paths in used.items()}
    name = next((name for name in naming.labels if name in found), None)
    volumes = used | ({"labels": found[name]} if name else {})
    faults = {n: _twice(paths) for n, paths in volumes.items() if len(paths) > 1}
    if name is None:
        return SubjectFiles(id_, images, faults=faults)
    return SubjectFiles(id_, images, min(found[name]), naming.labels[name], faults)


def _first(found: Mapping[str, set[Path]], names: Sequence[str]) -> set[Path]:
    return next((found[name] for name in names if name in found), set())


def _twice(paths: set[Path]) -> str:
    both = " and ".join(sorted(path.name for path in paths))
    return message(min(paths).parent, "one file for one scan", both, "remove one of them")


def _listing(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise DataError(
            message(folder, "a folder that can be read", error, "mend its permissions")
        ) from error


def _contents(root: Path) -> str:
    if not root.is_dir():
        return "a file" if root.exists() else "nothing at that path"
    names = [path.name for path in _listing(root)]
    return first_of(names, 8) or "an empty folder"

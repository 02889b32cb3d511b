"""Match predictions and references by the names of files and folders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from voxres_tf.dataset.layouts import MANIFEST_NAME, find_subjects
from voxres_tf.dataset.manifest import read_manifest
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.errors import DataError, message
from voxres_tf.labels import is_scheme_file
from voxres_tf.volume import NIFTI_SUFFIXES, file_stem

TESTING_NAME, TRAINING_NAME = "labelsfortesting", "labelsfortraining"
_PARTS = ("trainingdata", "testdata", "training", "test")
FoundT = TypeVar("FoundT")


@dataclass(frozen=True)
class ReferenceFiles:
    """The files of one subject's reference.

    Attributes:
        labels: file of the classes.
        mask: MRBrainS13's LabelsForTraining if it lies beside LabelsForTesting; its codes tell what
            is not scored. None if there is only `labels`.
        scheme: name of the label scheme of `labels` if a manifest or a layout gives it; otherwise
            None, and the codes or the file's name tell it.
    """

    labels: Path
    mask: Path | None = None
    scheme: str | None = None


@dataclass(frozen=True)
class Pair:
    """A subject's prediction and reference."""

    subject: str
    prediction: Path
    reference: ReferenceFiles

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that are read."""
        mask, scheme = self.reference.mask, self.reference.scheme
        own = [Path(scheme)] if scheme and is_scheme_file(scheme) else []
        return self.prediction, self.reference.labels, *([mask] if mask else []), *own


def find_pairs(pred: Path, ref: Path, coding: str = "auto") -> list[Pair]:
    """Match predictions and references by subject.

    Args:
        pred: a file, or a folder with `<subject>_dseg` or, if it holds none of these, `<subject>`,
            ending in .nii, .nii.gz or .img.
        ref: a file (for one prediction), one subject's folder, a folder of subjects' folders (of
            MRBrainS13, MRBrainS18 or IBSR18), a folder above these, any other layout that
            training can read, a folder with files `<subject>*`, a manifest, or a
            folder with one named `manifest.csv`.
        coding: `training` reads MRBrainS13's LabelsForTraining, `testing` and `auto` prefer
            LabelsForTesting.

    Returns:
        At least one pair, in the order of the predictions' names.

    Raises:
        DataError: if either side is missing, empty, ambiguous, or lacks subjects of the other;
            the subjects are named. References without a prediction are ignored only if `pred`
            is a file.
    """
    predictions = _predictions(pred)
    references = _references(ref, predictions, coding)
    if pred.is_file() and len(references) == 1 and _is_one_subject(ref, references):
        references = dict.fromkeys(predictions, next(iter(references.values())))
    lacking = sorted(set(predictions) - set(references))
    if lacking:
        rule = "every prediction has a reference"
        raise DataError(message(ref, rule, f"none for {', '.join(lacking)}", "add or remove them"))
    extra = sorted(set(references) - set(predictions))
    if extra and pred.is_dir():
        rule = "every reference has a prediction"
        raise DataError(message(pred, rule, f"none for {', '.join(extra)}", "predict these too"))
    for name, path in predictions.items():
        labels = references[name].labels
        if labels.exists() and path.samefile(labels):
            rule, received = "a segmentation and a reference of two files", "one for both"
            raise DataError(message(path, rule, received, "check --pred and --ref"))
    return [Pair(name, path, references[name]) for name, path in predictions.items()]


def _predictions(pred: Path) -> dict[str, Path]:
    _require_there(pred)
    if pred.is_file():
        return {_subject(pred): pred}
    files = _labels_first(_niftis(pred))
    if not files:
        rule = "predictions <subject>_dseg.nii.gz or <subject>.nii.gz"
        raise DataError(message(pred, rule, "a folder without them", "check the path"))
    found: dict[str, Path] = {}
    for path in files:
        _add(found, _subject(path), path, path)
    return found


def _references(ref: Path, subjects: Iterable[str], coding: str) -> Mapping[str, ReferenceFiles]:
    _require_there(ref)
    table = ref if ref.suffix.lower() == ".csv" else ref / MANIFEST_NAME
    if table.is_file():
        return _told(read_manifest(table), subjects)
    if ref.is_file():
        return {_subject(ref): _with_mask(ref)}
    found = _subject_folders(ref, coding)
    if not found and coding == "auto":
        found = _by_layout(ref, subjects)
    # Last: if subjects' files lie side by side, this would take scans for references.
    found = found or _loose_files(ref, subjects)
    if not found:
        rule = f"references that --ref-coding {coding} can read, in subjects' folders or as files"
        raise DataError(message(ref, rule, "a folder without them", "check the path"))
    return found


def _is_one_subject(ref: Path, references: Mapping[str, ReferenceFiles]) -> bool:
    """Whether `ref` is an image, or a subject's folder, whose name is then the subject's id."""
    if ref.is_file():
        return ref.suffix.lower() != ".csv"
    ((name, files),) = references.items()
    return files.labels.parent == ref and name == ref.resolve().name


def _subject_folders(ref: Path, coding: str) -> dict[str, ReferenceFiles]:
    own = _in_folder(ref, coding)
    if own:
        return {ref.resolve().name: own}
    parts = [folder for folder in _folders(ref) if folder.name.lower() in _PARTS]
    found: dict[str, ReferenceFiles] = {}
    for folder in [f for parent in (ref, *parts) for f in _folders(parent)]:
        files = _in_folder(folder, coding)
        if files:
            _add(found, folder.name, files, folder)
    return found


def _in_folder(folder: Path, coding: str) -> ReferenceFiles | None:
    # A link counts by its own name, as in `dataset.layouts`; "." and ".." have none.
    name = (folder if folder.name not in ("", "..") else folder.resolve()).name.lower()
    others = ("segm", f"{name}_segtri_ana", f"{name}_seg_ana")
    named: dict[str, Path] = {}
    for path in _niftis(folder):
        key = file_stem(path).lower()
        if key in (TESTING_NAME, TRAINING_NAME, *others):
            _add(named, key, path, path)
    testing, training = named.get(TESTING_NAME), named.get(TRAINING_NAME)
    if testing and coding != "training":
        return ReferenceFiles(testing, training)
    if training and coding != "testing":
        return ReferenceFiles(training)
    other = next((named[key] for key in others if key in named), None)
    return ReferenceFiles(other) if other else None


def _loose_files(ref: Path, subjects: Iterable[str]) -> dict[str, ReferenceFiles]:
    found: dict[str, ReferenceFiles] = {}
    for path in _labels_first(_niftis(ref)):
        stem = file_stem(path)
        # "1" must not take the file of "10"; "a_2" fits "a_2_seg" better than "a" does.
        fitting = [s for s in subjects if stem == s or stem.startswith((f"{s}_", f"{s}-", f"{s}."))]
        _add(found, max(fitting, key=len, default=_subject(path)), ReferenceFiles(path), path)
    return found


def _by_layout(ref: Path, wanted: Iterable[str]) -> dict[str, ReferenceFiles]:
    try:
        subjects = find_subjects(ref)
    except DataError:
        return {}
    return _told(subjects, wanted)


def _told(subjects: Iterable[SubjectFiles], wanted: Iterable[str]) -> dict[str, ReferenceFiles]:
    """References whose label scheme is known; faults of those that are not wanted are ignored."""
    found: dict[str, ReferenceFiles] = {}
    for files in subjects:
        fault = files.faults.get("labels")
        if fault and files.id in wanted:
            raise DataError(fault)
        if files.labels is not None:
            found[files.id] = ReferenceFiles(files.labels, None, files.scheme)
    return found


def _with_mask(path: Path) -> ReferenceFiles:
    beside = [p for p in _niftis(path.parent) if file_stem(p).lower() == TRAINING_NAME]
    if file_stem(path).lower() != TESTING_NAME or not beside:
        return ReferenceFiles(path)
    if len(beside) > 1:
        received = " and ".join(found.name for found in beside)
        raise DataError(message(path.parent, "one file of a name", received, "remove one of them"))
    return ReferenceFiles(path, beside[0])


def _add(found: dict[str, FoundT], key: str, value: FoundT, path: Path) -> None:
    if key in found:
        rule = "one file per subject on each side"
        received = f"a second for {key}"
        raise DataError(message(path, rule, received, "name the folder or file that counts"))
    found[key] = value


def _folders(parent: Path) -> list[Path]:
    return sorted(p for p in parent.iterdir() if p.is_dir() and not p.name.startswith("."))


def _niftis(folder: Path) -> list[Path]:
    files = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    return [p for p in files if p.name.lower().endswith((*NIFTI_SUFFIXES, ".img"))]


def _labels_first(files: list[Path]) -> list[Path]:
    return [p for p in files if file_stem(p).endswith("_dseg")] or files


def _subject(path: Path) -> str:
    return file_stem(path).removesuffix("_dseg")


def _require_there(path: Path) -> None:
    if not path.exists():
        raise DataError(message(path, "an existing file or folder", "nothing", "check the path"))

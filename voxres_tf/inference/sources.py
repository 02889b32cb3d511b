"""What to predict: single files, folders of subjects or a manifest, as a list of subjects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from voxres_tf.dataset.layouts import find_subjects
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.errors import DataError, message
from voxres_tf.volume import NIFTI_SUFFIXES


def find_sources(
    images: Mapping[str, Path],
    folders: Sequence[Path],
    manifest: Path | None,
    takes: Sequence[str],
) -> list[SubjectFiles]:
    """The subjects of whichever way of naming them was used: images, folders or a manifest.

    Args:
        images: modality -> file of one subject.
        folders: of a subject or of a data set each.
        manifest: CSV of subjects.
        takes: the modalities of the model.

    Raises:
        DataError: if the input has faults, is none, or is of more than one kind.
    """
    if sum(map(bool, (images, folders, manifest))) != 1:
        raise DataError(
            message("input", "scans, folders or a manifest", "none or several", "name one kind")
        )
    if manifest is not None:
        return find_subjects(manifest, layout="manifest")
    return [subject_from_images(images, takes)] if images else subjects_from_folders(folders)


def subject_from_images(images: Mapping[str, Path], takes: Sequence[str]) -> SubjectFiles:
    """One subject from files that were named one by one; its id is the first file's stem.

    Args:
        images: modality -> file.
        takes: the modalities of the model, all of which are needed.

    Raises:
        DataError: if a modality is missing or one is not among the model's.
    """
    if set(images) != set(takes):
        raise DataError(
            message(
                "modalities",
                f"the model takes {', '.join(takes)}",
                ", ".join(images) or "none",
                "name a file for each of these and for no other",
            )
        )
    return SubjectFiles(file_stem(images[takes[0]]), dict(images))


def subjects_from_folders(folders: Sequence[Path]) -> list[SubjectFiles]:
    """The subjects of all folders, each of which is a subject or a data set.

    Raises:
        DataError: if a folder holds none, or two subjects have one id: their outputs would too.
    """
    subjects = [files for folder in folders for files in find_subjects(folder)]
    twice = sorted(id_ for id_, count in Counter(s.id for s in subjects).items() if count > 1)
    if twice:
        raise DataError(
            message(
                ", ".join(map(str, folders)),
                "ids that differ, since outputs are named by them",
                f"more than one subject {', '.join(twice)}",
                "predict these folders one by one",
            )
        )
    return subjects


def part_of(subjects: Sequence[SubjectFiles], parts: int, number: int) -> list[SubjectFiles]:
    """Part `number`, from 0, of the subjects dealt out to `parts` processes; it may be empty."""
    return list(subjects[number::parts])


def file_stem(path: Path) -> str:
    """Name of a file without `.nii` or `.nii.gz`, or without its last suffix."""
    for suffix in NIFTI_SUFFIXES:
        if path.name.lower().endswith(suffix):
            return path.name[: -len(suffix)]
    return path.stem

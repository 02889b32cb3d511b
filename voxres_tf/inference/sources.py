"""What to predict: single files, folders of subjects or a manifest, as a list of subjects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from voxres_tf.contract import Contract
from voxres_tf.dataset.layouts import find_subjects
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.errors import DataError, message
from voxres_tf.volume import file_stem


def find_sources(
    images: Mapping[str, Path],
    folders: Sequence[Path],
    manifest: Path | None,
    contract: Contract,
) -> list[SubjectFiles]:
    """The subjects, named in one of three ways.

    Args:
        images: modality -> file of one subject.
        folders: each the folder of a subject or of a data set.
        manifest: CSV of subjects.
        contract: the model's; it says which modalities are taken and which may be missing.

    Raises:
        DataError: if the input has faults.
    """
    if manifest is not None:
        return find_subjects(manifest, layout="manifest")
    return [subject_from_images(images, contract)] if images else subjects_from_folders(folders)


def subject_from_images(images: Mapping[str, Path], contract: Contract) -> SubjectFiles:
    """One subject from files that were named one by one.

    Args:
        images: modality -> file.
        contract: the model's; it says which modalities are taken and which may be missing.

    Returns:
        The subject; its id is the stem of the first file in the order of the model's modalities.

    Raises:
        DataError: if a modality is missing or one is not among the model's.
    """
    takes = contract.preprocess.modalities
    fault = contract.fault_of(images)
    if fault is None and not set(images) <= set(takes):
        fault = f"the model takes {', '.join(takes)}", ", ".join(images)
    if fault:
        raise DataError(message("modalities", *fault, "name files for these and for no other"))
    first = next(images[m] for m in takes if m in images)
    return SubjectFiles(file_stem(first), dict(images))


def subjects_from_folders(folders: Sequence[Path]) -> list[SubjectFiles]:
    """The subjects of all folders, each of which is a subject or a data set.

    Raises:
        DataError: if a folder has no subject, or two subjects share an id and so their outputs.
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
    """Part `number`, from 0, of the subjects split among `parts` processes; it may be empty."""
    return list(subjects[number::parts])

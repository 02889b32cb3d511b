"""Which files a prediction writes, and whether it may write them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from voxres_tf.dataset.subject import SubjectFiles, usable_id
from voxres_tf.errors import ConfigError, DataError, OutputExistsError, message
from voxres_tf.files import refuse_inputs
from voxres_tf.labels import is_scheme_file
from voxres_tf.volume import NIFTI_SUFFIXES, file_stem, image_parts


@dataclass(frozen=True)
class OutputPlan:
    """Which files a prediction writes.

    Attributes:
        out: the label file of a single subject if it ends in .nii or .nii.gz, else a folder.
        save_probabilities: write float32 [X, Y, Z, K] beside the labels.
        volumes: CSV of the tissues' volumes.
        report: JSON of versions, options, times and the outcome of every subject.
        overwrite: replace existing files; if no probabilities are to be saved, old ones are
            deleted.
        kept: input files other than scans, such as a manifest; never replaced.
    """

    out: Path
    save_probabilities: bool = False
    volumes: Path | None = None
    report: Path | None = None
    overwrite: bool = False
    kept: tuple[Path, ...] = ()

    def labels(self, subject: str) -> Path:
        """The subject's label file."""
        return self.out if self.is_file else self.out / f"{subject}_dseg.nii.gz"

    def probabilities(self, subject: str) -> Path:
        """The subject's probability file."""
        if not self.is_file:
            return self.out / f"{subject}_probseg.nii.gz"
        return self.out.with_name(f"{file_stem(self.out).removesuffix('_dseg')}_probseg.nii.gz")

    @property
    def is_file(self) -> bool:
        """Whether `out` names a file."""
        return self.out.name.endswith(NIFTI_SUFFIXES)

    def of_subject(self, subject: str) -> list[Path]:
        """All files of one subject, labels first."""
        extra = [self.probabilities(subject)] if self.save_probabilities else []
        return [self.labels(subject), *extra]

    def of_part(self, number: int, parts: int) -> OutputPlan:
        """The plan for one of several processes, with its own table and report.

        >>> OutputPlan(Path("out"), volumes=Path("ml.csv")).of_part(0, 2).volumes.name
        'ml_part-0.csv'
        """
        if parts == 1:
            return self

        def own(path: Path | None) -> Path | None:
            return path and path.with_name(f"{path.stem}_part-{number}{path.suffix}")

        return replace(self, volumes=own(self.volumes), report=own(self.report))


def check_target(subjects: Sequence[SubjectFiles], plan: OutputPlan) -> None:
    """Check the name of the output, given the subjects of all processes together.

    Raises:
        ConfigError: if one file is to hold several subjects, or is named where a folder is needed.
    """
    if plan.is_file and len(subjects) > 1:
        raise ConfigError(
            message(
                plan.out, "a file for one subject", f"{len(subjects)} subjects", "name a folder"
            )
        )
    image = plan.out.suffix.lower() in (".img", ".hdr", ".nii", ".gz", ".mgz", ".nrrd", ".mha")
    if not plan.is_file and (image or (plan.out.exists() and not plan.out.is_dir())):
        raise ConfigError(
            message(
                plan.out,
                "a folder, or a file that ends in .nii or .nii.gz",
                "a file that does not",
                "name another",
            )
        )


def check_outputs(subjects: Sequence[SubjectFiles], plan: OutputPlan) -> None:
    """Check all outputs before anything is read.

    Raises:
        OutputExistsError: if an output exists and the plan does not say overwrite.
        ConfigError: as in `check_target`; or if outputs would replace inputs or cannot be written.
    """
    check_target(subjects, plan)
    if wrong := [files.id for files in subjects if not usable_id(files.id)]:
        rule, then = "ids of subjects that can be file names", "rename these subjects"
        raise ConfigError(message(plan.out, rule, ", ".join(map(repr, wrong)), then))
    outputs = [path for files in subjects for path in plan.of_subject(files.id)]
    outputs += [path for path in (plan.volumes, plan.report) if path is not None]
    gone = [] if plan.save_probabilities else [plan.probabilities(files.id) for files in subjects]
    read = [path for files in subjects for path in _inputs(files)]
    refuse_inputs([*outputs, *gone], [*read, *plan.kept])
    twice = [path for path, count in Counter(p.resolve() for p in outputs).items() if count > 1]
    if twice:
        raise ConfigError(
            message(twice[0], "a file for each output", "one name for two", "name another output")
        )
    folders = {folder for path in outputs for folder in path.resolve().parents}
    as_folder = [path for path in outputs if path.resolve() in folders or path.is_dir()]
    if as_folder:
        raise ConfigError(
            message(as_folder[0], "a file for each output", "a folder", "name another output")
        )
    there = [str(path) for path in (*outputs, *gone) if os.path.lexists(path)]
    if there and not plan.overwrite:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise OutputExistsError(
            message(there[0], "outputs are not replaced", f"it{more} exists", "pass --overwrite")
        )
    for folder in dict.fromkeys(path.parent for path in outputs):
        _require_writable(folder)


def _require_writable(folder: Path) -> None:
    there = (folder.absolute(), *folder.absolute().parents)
    first = next(path for path in there if os.path.lexists(path))
    if not first.is_dir() or not os.access(first, os.W_OK | os.X_OK):
        received = f"{first}, " + ("read-only" if first.is_dir() else "no folder")
        rule, then = "a folder that can be written", "name another output"
        raise ConfigError(message(folder, rule, received, then))


def _inputs(files: SubjectFiles) -> list[Path]:
    own = [Path(files.scheme)] if is_scheme_file(files.scheme) else []
    return [part for scan in files.files for part in _parts(scan)] + own


def _parts(scan: Path) -> list[Path]:
    try:
        return image_parts(scan)
    except DataError:  # reported when the scan is read
        return [scan]

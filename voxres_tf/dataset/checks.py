"""Finding everything that is wrong with a data set in one pass."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from voxres_tf.config import MODALITIES
from voxres_tf.dataset.subject import SubjectFiles, require_finite, require_scan
from voxres_tf.errors import DataError, message
from voxres_tf.grid import Grid
from voxres_tf.headers import PLAUSIBLE_MM
from voxres_tf.labels import common_classes, listed, scheme
from voxres_tf.volume import Volume, read_grid, read_volume


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        subject: the subject's id.
        file: the file that has the problem, None if it is not a single one.
        text: the rule, and what was received.
    """

    subject: str
    file: Path | None
    text: str

    def __str__(self) -> str:
        """The problem as one line."""
        where = f"subject {self.subject}" + (f", {self.file}" if self.file else "")
        return " ".join(f"{where}: {self.text}".split())


def check_dataset(
    subjects: Sequence[SubjectFiles],
    modalities: Sequence[str] | None,
    *,
    need_labels: bool,
    quiet: bool = False,
) -> list[Problem]:
    """Read every file and report everything that is wrong; one bad file does not hide another.

    Args:
        subjects: those to check; without any, there are no problems.
        modalities: those that every subject must have; None for all that any subject has.
        need_labels: whether every subject must have labels. Existing labels are checked in any
            case.
        quiet: show no progress bar.

    Returns:
        Subject by subject: missing modalities and labels, files that cannot be read, values that
        are not finite, constant images, voxel sizes beyond `PLAUSIBLE_MM`, grids that differ (with
        the distance in mm), label codes that are unknown or not whole numbers, labels without
        tissue. Then, over all subjects: ids used twice and files with the same voxels as another.
    """
    wanted = modalities if modalities is not None else modalities_of(subjects)
    checks = [_SubjectCheck(files) for files in subjects]
    for check in tqdm(checks, desc="Checking", unit="subject", disable=quiet or None):
        check.run(wanted, need_labels=need_labels)
    own = [problem for check in checks for problem in check.problems]
    return [*own, *_repeated_ids(subjects), *_repeated_voxels(checks)]


def require_sound(
    subjects: Sequence[SubjectFiles], modalities: Sequence[str] | None, *, need_labels: bool
) -> None:
    """Raise an error if `check_dataset` finds any problem.

    Raises:
        DataError: listing every problem, one per line.
    """
    problems = check_dataset(subjects, modalities, need_labels=need_labels)
    if problems:
        first = message("data set", "sound files", f"{len(problems)} problems", "mend all of these")
        raise DataError("\n  ".join([first, *map(str, problems)]))


def modalities_of(subjects: Sequence[SubjectFiles]) -> tuple[str, ...]:
    """The modalities that at least one of the subjects has, in the order of `MODALITIES`."""
    return tuple(m for m in MODALITIES if any(m in files.images for files in subjects))


def classes_of(subjects: Sequence[SubjectFiles]) -> tuple[str, ...]:
    """The class names that the labels of the subjects share, the background first.

    Raises:
        DataError: if they differ, or a label scheme cannot be read.
    """
    return common_classes(files.scheme for files in subjects if files.labels)


def overview(subjects: Sequence[SubjectFiles]) -> list[str]:
    """One line per subject: id, shape, spacing in mm, modalities, label scheme; reads headers."""
    rows = [("subject", "shape", "spacing (mm)", "modalities", "labels")]
    for files in subjects:
        scheme_name = Path(files.scheme).name if files.labels else "-"
        rows.append((files.id, *_geometry(files), ",".join(files.images) or "-", scheme_name))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _geometry(files: SubjectFiles) -> tuple[str, str]:
    if not files.images:
        return "-", "-"
    try:
        grid = read_grid(next(iter(files.images.values())))
    except DataError:  # `check_dataset` says why
        return "unreadable", "-"
    return "x".join(map(str, grid.shape)), "x".join(f"{mm:.3g}" for mm in grid.spacing_mm)


@dataclass
class _SubjectCheck:
    """Reads one subject and collects its problems and the hashes of its voxels."""

    files: SubjectFiles
    problems: list[Problem] = field(default_factory=list)
    digests: list[tuple[str, Path]] = field(default_factory=list)
    _reference: tuple[Grid, Path] | None = field(default=None, init=False)

    def run(self, modalities: Sequence[str], *, need_labels: bool) -> None:
        """Check the files of the modalities, then the labels, against the first readable one."""
        for fault in self.files.faults.values():
            self._add(None, fault)
        for modality in modalities:
            if modality in self.files.images:
                self._image(self.files.images[modality])
            else:
                has = ", ".join(self.files.images) or "no scan"
                self._add(None, f"the modality {modality} is missing. Received: {has}.")
        if not (self.files.images or modalities):
            self._add(None, "a subject has a scan. Received: labels alone.")
        if self.files.labels is not None:
            self._labels(self.files.labels)
        elif need_labels:
            self._add(None, "labels are missing. Received: scans alone.")

    def _add(self, file: Path | None, text: str) -> None:
        self.problems.append(Problem(self.files.id, file, text))

    def _image(self, path: Path) -> None:
        volume = self._read(path)
        if volume is None:
            return
        with self._noting(path):
            self._digest(path, require_scan(volume, path))

    def _labels(self, path: Path) -> None:
        volume = self._read(path)
        if volume is None:
            return
        self._digest(path, volume)
        codes = np.unique(volume.data)
        broken = codes[codes != np.rint(codes)]
        if broken.size:
            self._add(path, f"label codes are whole numbers. Received: {listed(broken.tolist())}.")
            return
        with self._noting(None):
            rules = scheme(self.files.scheme)
            with self._noting(path):
                classes, scored = rules.merge(codes, path)
                if not np.any((classes > 0) & scored):
                    received = f"no code but {listed(codes.tolist())}"
                    self._add(path, f"labels mark tissue. Received: {received}.")

    def _read(self, path: Path) -> Volume | None:
        """The volume, None if it cannot be read or has values that are not finite."""
        with self._noting(path):
            volume = read_volume(path)
            self._grid(path, volume.grid)
            return require_finite(volume, path)
        return None

    @contextmanager
    def _noting(self, path: Path | None) -> Iterator[None]:
        """Make a problem of a rule that is broken within the block."""
        try:
            yield
        except DataError as error:
            self._add(path, str(error).removeprefix(f"{path}: "))

    def _grid(self, path: Path, grid: Grid) -> None:
        low, high = PLAUSIBLE_MM
        if not all(low <= mm <= high for mm in grid.spacing_mm):
            rule = f"voxels of a head are {low:g} to {high:g} mm long"
            received = " x ".join(f"{mm:.4g}" for mm in grid.spacing_mm)
            self._add(path, f"{rule}. Received: {received} mm. Mend the header's voxel sizes.")
            return
        if self._reference is None:
            self._reference = (grid, path)
            return
        reference, reference_path = self._reference
        fault = grid.fault(reference)
        if fault:
            self._add(path, f"one grid with {reference_path.name}. Received: {fault}.")

    def _digest(self, path: Path, volume: Volume) -> None:
        # Hash the voxels, not the file: a scan that was compressed again or stored as another type
        # is still the same scan. nibabel gives Fortran order, whose transpose is contiguous.
        voxels = np.ascontiguousarray(volume.data.T, np.float32)
        name = f"{voxels.shape} {hashlib.sha256(voxels.data).hexdigest()}"
        self.digests.append((name, path))


def _repeated_ids(subjects: Sequence[SubjectFiles]) -> Iterator[Problem]:
    ids = [files.id for files in subjects]
    for id_ in dict.fromkeys(ids):
        if ids.count(id_) > 1:
            yield Problem(id_, None, f"ids are unique. Received: {ids.count(id_)} subjects of it.")


def _repeated_voxels(checks: Sequence[_SubjectCheck]) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for check in checks:
        for digest, path in check.digests:
            if digest in first:
                text = f"every file has voxels of its own. Received: those of {first[digest]}."
                yield Problem(check.files.id, path, text)
            else:
                first[digest] = f"subject {check.files.id}, {path}"

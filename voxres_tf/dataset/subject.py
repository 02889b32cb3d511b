"""A subject: the files of one person's scan, and their volumes on one grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from voxres_tf.config import MODALITIES, SPELLINGS
from voxres_tf.dataset.regrid import resample_to as resample_volume
from voxres_tf.errors import ConfigError, DataError, message
from voxres_tf.grid import Grid
from voxres_tf.headers import ONE_SPACE
from voxres_tf.volume import Volume, read_grid, read_volume, real_values, require_lattice


@dataclass(frozen=True)
class SubjectFiles:
    """The files of one subject.

    Attributes:
        id: unique within its data set.
        images: modality (see `config.MODALITIES`) -> file.
        labels: file of the reference segmentation, None if there is none.
        scheme: name of the label scheme of that file, or a JSON file (see `labels.scheme`).
        faults: modality or "labels" -> what is wrong with its files; it cannot be read.
    """

    id: str
    images: Mapping[str, Path]
    labels: Path | None = None
    scheme: str = "tissue"
    faults: Mapping[str, str] = field(default_factory=dict)

    @property
    def files(self) -> tuple[Path, ...]:
        """The scans, then the labels if there are any."""
        return (*self.images.values(), *([self.labels] if self.labels else []))


@dataclass(frozen=True, eq=False)
class Subject:
    """One subject in memory: every volume has the shape and position of `grid`.

    Attributes:
        id: as in `SubjectFiles`.
        images: modality -> volume.
        grid: grid of the first modality, or of the one that others were resampled to; predictions
            are written on it.
        labels: codes as stored, None if there are none.
        scheme: name of their label scheme.
    """

    id: str
    images: Mapping[str, Volume]
    grid: Grid
    labels: Volume | None = None
    scheme: str = "tissue"


def usable_id(text: str) -> bool:
    """Whether a text may be a subject's id; ids become names of files."""
    return bool(text) and text not in (".", "..") and not set(text) & set("/\\\0\r\n")


def as_subject(given: Subject | SubjectFiles | Mapping[str, str | Path]) -> Subject | SubjectFiles:
    """Return a subject as it is, and files by modality as a subject with the id `scan`.

    Raises:
        ConfigError: if it is something else, or a modality is unknown or there twice.
    """
    if isinstance(given, Subject | SubjectFiles):
        return given
    then = 'give {"t1": "my.nii.gz"}'
    if not isinstance(given, Mapping) or not all(isinstance(f, str | Path) for f in given.values()):
        raise ConfigError(message("subject", "modality -> file", repr(given), then))
    names = [SPELLINGS.get(str(name).lower(), str(name).lower()) for name in given]
    if not set(names) <= set(MODALITIES) or len(set(names)) < len(names):
        rule = f"modalities {', '.join(MODALITIES)}, each once"
        raise ConfigError(message("subject", rule, ", ".join(map(str, given)), then))
    return SubjectFiles("scan", dict(zip(names, map(Path, given.values()), strict=True)))


def read_subject(
    files: SubjectFiles,
    modalities: Sequence[str],
    *,
    with_labels: bool = False,
    resample_to: str | None = None,
) -> Subject:
    """Read the requested volumes of a subject and check that they form a valid subject.

    Args:
        files: the subject's files.
        modalities: those to read, in this order; others are ignored.
        with_labels: read the labels too, which must then exist.
        resample_to: modality to whose grid the others are resampled (`regrid.resample_to`), and on
            whose grid the labels must lie; by default all must lie on the grid of the first.

    Raises:
        DataError: for faults of the files, a modality or labels that are missing, a file that
            cannot be read, grids that differ, values that are not finite, a scan of one value, or
            two modalities with equal voxels.
    """
    for name in (*modalities, *(["labels"] if with_labels else [])):
        if name in files.faults:
            raise DataError(files.faults[name])
    missing = [m for m in modalities if m not in files.images]
    if missing:
        raise DataError(
            message(
                f"subject {files.id}",
                f"modalities {', '.join(modalities)}",
                f"{', '.join(files.images) or 'none'} (missing: {', '.join(missing)})",
                "add the files or choose other modalities",
            )
        )
    first = resample_to or modalities[0]
    if first not in modalities:
        rule, then = f"{first}, whose grid is asked for", "name another modality"
        raise DataError(message(f"subject {files.id}", rule, ", ".join(modalities), then))
    images = {m: require_scan(read_volume(files.images[m]), files.images[m]) for m in modalities}
    grid = images[first].grid
    for name in modalities:
        if resample_to is None:
            require_grid(
                *(images[name].grid, files.images[name], grid, files.images[first]),
                "resample it to that grid (in voxres predict: --resample-to MODALITY)",
            )
        elif images[name].grid.fault(grid):
            images[name] = resample_volume(images[name], grid, files.images[name])
    _require_distinct(images, {m: files.images[m] for m in modalities})
    labels = None
    if with_labels:
        if files.labels is None:
            raise DataError(
                message(f"subject {files.id}", "a label file", "none", "add it or leave it out")
            )
        labels = require_finite(read_volume(files.labels), files.labels)
        require_grid(labels.grid, files.labels, grid, files.images[first])
    return Subject(files.id, images, grid, labels, files.scheme)


def orientation_note(
    subjects: Sequence[SubjectFiles], modalities: Sequence[str] = MODALITIES
) -> str | None:
    """A line about scans whose headers do not give their orientation, None if all do.

    Args:
        subjects: subjects whose headers are read; unreadable files are left to `read_subject`.
        modalities: modalities of the scans that matter.
    """
    scans = [files.images[m] for files in subjects for m in modalities if m in files.images]
    silent = [path for path in scans if not _oriented(path)]
    if not silent:
        return None
    others = f", like {len(silent) - 1} more," if silent[1:] else ""
    return (
        f"{silent[0]}{others} does not say how it lies (no sform and no qform with a code): taken "
        "as axial, its axes running left, anterior and superior. Check left and right in the "
        "labels, or set the sform and its code."
    )


def _oriented(path: Path) -> bool:
    try:
        return read_grid(path).oriented
    except DataError:
        return True


def require_subject(subject: Subject, modalities: Sequence[str]) -> None:
    """Check a subject in memory by the rules that `read_subject` applies to one on disk.

    Raises:
        DataError: if one of these modalities lies on another grid than the subject's, has values
            that are not real or not finite, has only one value, or has the voxels of another.
    """
    require_lattice(subject.grid.shape, subject.grid.affine, f"subject {subject.id}")
    for name in modalities:
        volume, where = subject.images[name], f"subject {subject.id}, {name}"
        if volume.data.shape != volume.grid.shape:
            rule = f"data of its grid's shape {volume.grid.shape}"
            raise DataError(message(where, rule, f"shape {volume.data.shape}", "mend the volume"))
        require_grid(volume.grid, where, subject.grid, "the subject")
        require_scan(replace(volume, data=real_values(volume.data, where)), where)
    places = {name: f"subject {subject.id}, {name}" for name in modalities}
    _require_distinct({name: subject.images[name] for name in modalities}, places)


def require_grid(
    grid: Grid,
    where: Path | str,
    reference: Grid,
    reference_name: Path | str,
    then: str = "resample it to that grid",
) -> None:
    """Raise `DataError` unless two files lie on the same grid, within `grid.GRID_TOLERANCE_MM`."""
    fault = grid.fault(reference)
    if fault:
        then = ONE_SPACE if grid.space_fault(reference) else then
        raise DataError(message(where, f"the grid of {reference_name}", fault, then))


def _require_distinct(images: Mapping[str, Volume], where: Mapping[str, object]) -> None:
    for one, other in combinations(images, 2):
        if np.array_equal(images[one].data, images[other].data):
            rule = f"{one} and {other} are two scans"
            received = f"the voxels of {where[one]}"
            raise DataError(message(where[other], rule, received, "name the file of each"))


def require_scan(volume: Volume, where: Path | str) -> Volume:
    """Raise `DataError` unless a scan has finite values, and more than one; return it."""
    require_finite(volume, where)
    # In float32, as networks take values: they cannot tell finer differences apart.
    low, high = volume.data.min(), volume.data.max()
    if np.float32(low) == np.float32(high):
        # Its channels would be 0, like those of a missing modality.
        received = f"{low} everywhere" if low == high else f"{low} to {high}, one float32 number"
        then = "leave this scan out, or export it again"
        raise DataError(message(where, "a scan has contrast", received, then))
    return volume


def require_finite(volume: Volume, where: Path | str) -> Volume:
    """Raise `DataError` if a value is NaN or infinite; return the volume."""
    bad = int(volume.data.size - np.isfinite(volume.data).sum())
    if bad:
        raise DataError(
            message(where, "finite values", f"{bad} voxels NaN or infinite", "set them to 0")
        )
    return volume

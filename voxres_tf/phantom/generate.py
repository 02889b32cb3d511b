"""Phantom subjects in MRBrainS13's layout, and a T1-only data set from the packaged real scan."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from voxres_tf.dataset.manifest import write_manifest
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.errors import ConfigError, message
from voxres_tf.files import atomic_path, refuse_existing
from voxres_tf.labels import scheme
from voxres_tf.phantom.anatomy import Anatomy, load_anatomy, read_mni
from voxres_tf.phantom.contrast import SEQUENCES, acquire, draw_signals
from voxres_tf.phantom.field import Floats
from voxres_tf.phantom.tissues import TRAINING_CODES, Individual, draw_individual, fractions
from voxres_tf.volume import Grid, Volume, write_volume


@dataclass(frozen=True)
class Size:
    """The grid of a phantom.

    Attributes:
        shape: voxels.
        spacing_mm: of the voxels.
        samples: points per voxel along each axis that its partial volume is averaged over.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    samples: tuple[int, int, int]

    @property
    def half_mm(self) -> tuple[float, float, float]:
        """Half the sides of the field of view."""
        x, y, z = (n * mm / 2 for n, mm in zip(self.shape, self.spacing_mm, strict=True))
        return (x, y, z)

    def grid(self) -> Grid:
        """RAS, voxel n / 2 at 0 mm, sform and qform both set with code 1."""
        affine = np.diag((*self.spacing_mm, 1.0))
        affine[:3, 3] = [-half for half in self.half_mm]
        return Grid(self.shape, affine, affine, 1, affine, 1)


SIZES: Mapping[str, Size] = MappingProxyType(
    {
        "full": Size((240, 240, 48), (0.958, 0.958, 3.0), (1, 1, 3)),
        "small": Size((96, 96, 24), (2.4, 2.4, 6.0), (2, 2, 2)),
    }
)


def generate_subject(size: str, seed: int, number: int, *, test: bool = False) -> dict[str, Volume]:
    """Make one subject; the same arguments give the same values, whatever else is made.

    Args:
        size: a name in `SIZES`: `full` is MRBrainS13's grid, `small` a coarse one for trials.
        seed: 0 or more.
        number: of the subject, 1 or more.
        test: draw from a second series, apart from the first.

    Returns:
        `T1`, `T1_IR`, `T2_FLAIR` (int16), `LabelsForTraining` and `LabelsForTesting` (uint8), all
        on one grid.

    Raises:
        ConfigError: for an unknown size or a negative seed or number.
        DataError: if the packaged maps are missing.
    """
    spec = _checked(size, seed, number)
    rng = np.random.default_rng([seed, number, int(test)])
    anatomy = load_anatomy()
    individual = draw_individual(rng, anatomy, spec.half_mm)
    signals = draw_signals(rng)
    codes = np.empty(spec.shape, np.uint8)
    images = np.empty((len(SEQUENCES), *spec.shape), np.float32)
    for k, mixed in enumerate(_slices(spec, anatomy, individual)):
        codes[:, :, k] = _largest(mixed)
        images[..., k] = np.tensordot(signals, mixed, axes=1)
    grid = spec.grid()
    found = {
        name: Volume(acquire(rng, name, image, spec.spacing_mm), grid)
        for name, image in zip(SEQUENCES, images, strict=True)
    }
    classes, _ = scheme("mrbrains13").merge(codes)
    return found | {
        "LabelsForTraining": Volume(codes, grid),
        "LabelsForTesting": Volume(classes, grid),
    }


def write_phantom(
    out: Path,
    subjects: int,
    seed: int,
    size: str = "full",
    *,
    test_subjects: int = 0,
    overwrite: bool = False,
) -> list[Path]:
    """Write `out/TrainingData/{1..subjects}` and `out/TestData/{1..test_subjects}`.

    Each folder appears when it is whole. With `overwrite` the folders that are made are replaced,
    others are left alone.

    Returns:
        the folders of the subjects, in order; none for no subjects.

    Raises:
        OutputExistsError: if one of them is there, before any is made.
        ConfigError, DataError: as `generate_subject`.
    """
    jobs = [(out / "TrainingData" / str(n), n, False) for n in range(1, subjects + 1)]
    jobs += [(out / "TestData" / str(n), n, True) for n in range(1, test_subjects + 1)]
    for folder, _, _ in jobs:
        refuse_existing(folder, overwrite=overwrite)
    for folder, number, test in tqdm(jobs, desc="phantom", unit="subject", disable=None):
        volumes = generate_subject(size, seed, number, test=test)
        _write_folder(folder, {f"{name}.nii.gz": volume for name, volume in volumes.items()})
    return [folder for folder, _, _ in jobs]


def write_real(out: Path, *, overwrite: bool = False) -> Path:
    """Write the packaged MNI152 T1 and its tissues as a data set of one subject.

    The T1 is an average of real scans, skull-stripped. Its labels are 2 where the map of grey
    matter is above one half, 3 likewise for white matter, 1 in the rest of the brain.

    Returns:
        the manifest `out/manifest.csv` (columns subject, t1, label, scheme); the volumes
        are `out/mni152/{T1,labels}.nii.gz`.

    Raises:
        OutputExistsError: if the manifest or the folder is there.
        DataError: if the packaged maps are missing.
    """
    folder, manifest = out / "mni152", out / "manifest.csv"
    for path in (folder, manifest):
        refuse_existing(path, overwrite=overwrite)
    t1, gm, wm = (read_mni(kind) for kind in ("t1", "gm", "wm"))
    codes = np.select([gm.data > 127, wm.data > 127, t1.data > 0], [2, 3, 1], 0).astype(np.uint8)
    _write_folder(folder, {"T1.nii.gz": t1, "labels.nii.gz": Volume(codes, t1.grid)})
    files = SubjectFiles("mni152", {"t1": folder / "T1.nii.gz"}, folder / "labels.nii.gz")
    write_manifest(manifest, [files])
    return manifest


def _checked(size: str, seed: int, number: int) -> Size:
    if size not in SIZES:
        raise ConfigError(
            message("phantom size", f"one of {', '.join(SIZES)}", repr(size), "choose one of these")
        )
    if seed < 0 or number < 0:
        raise ConfigError(
            message("phantom", "seed and number are 0 or more", f"{seed}, {number}", "change them")
        )
    return SIZES[size]


def _slices(spec: Size, anatomy: Anatomy, individual: Individual) -> Iterator[Floats]:
    """Fractions [14, X, Y] of one slice after another, averaged over the points of each voxel."""
    x, y, z = (
        _sample_mm(n, mm, samples)
        for n, mm, samples in zip(spec.shape, spec.spacing_mm, spec.samples, strict=True)
    )
    a, b, c = spec.samples
    for k in range(spec.shape[2]):
        points = np.stack(np.meshgrid(x, y, z[k * c : (k + 1) * c], indexing="ij"))
        fine = fractions(anatomy, individual, points)
        blocks = fine.reshape(-1, spec.shape[0], a, spec.shape[1], b, c)
        yield blocks.mean(axis=(2, 4, 5))


def _sample_mm(count: int, spacing_mm: float, samples: int) -> Floats:
    within = (np.arange(samples) + 0.5) / samples - 0.5
    centres = np.arange(count) - count / 2
    places = (centres[:, None] + within).ravel() * spacing_mm
    return places.astype(np.float32)


def _largest(mixed: Floats) -> NDArray[np.uint8]:
    """Code of LabelsForTraining with the largest fraction, [X, Y]."""
    codes = np.asarray(TRAINING_CODES)
    shares = [mixed[codes == code].sum(axis=0) for code in range(codes.max() + 1)]
    largest: NDArray[np.uint8] = np.argmax(shares, axis=0).astype(np.uint8)
    return largest


def _write_folder(folder: Path, volumes: Mapping[str, Volume]) -> None:
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        for name, volume in volumes.items():
            write_volume(temporary / name, volume.data, volume.grid)
        if folder.exists():
            shutil.rmtree(folder)

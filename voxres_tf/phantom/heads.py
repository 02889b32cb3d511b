"""Anatomies that people are made from, and people as functions of position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from scipy.stats import norm

from voxres_tf.errors import DataError, message
from voxres_tf.phantom.deformation import Pose
from voxres_tf.phantom.field import Field, Floats
from voxres_tf.phantom.labelmap import LabelHead
from voxres_tf.phantom.mni import MniHead
from voxres_tf.phantom.randomisation import Lesions
from voxres_tf.phantom.tissues import Tissue
from voxres_tf.volume import NIFTI_SUFFIXES

PACKAGED = "nilearn"
"""Name of the anatomy that comes with every installation."""

_SUFFIXES = (*NIFTI_SUFFIXES, ".mgz")


class Person(Protocol):
    """One person in a field of view around 0 mm, with axes right, anterior, superior."""

    def fractions(self, points_mm: Floats) -> Floats:
        """Fraction of every tissue at points [3, ...], float32 [T, ...]; they sum to 1."""

    def brain_mm(self, points_mm: Floats) -> Floats:
        """Signed distance of points [3, ...] to the surface of the brain, negative inside."""


class Head(Protocol):
    """An anatomy from which any number of people can be drawn."""

    @property
    def name(self) -> str:
        """Its name in the recipes of people made from it."""

    @property
    def path(self) -> Path | None:
        """Its file, None for an anatomy that its name alone identifies."""

    @property
    def sha256(self) -> str | None:
        """SHA-256 of its file's content, None without a file."""

    def person(
        self,
        rng: np.random.Generator,
        half_mm: tuple[float, float, float],
        pose: Pose,
        lesions: Lesions | None = None,
    ) -> Person:
        """Draw a person whose field of view is a box around 0 with sides of twice `half_mm`.

        Lesions are drawn from the given ranges, or from the anatomy's own if None.
        """


@dataclass(frozen=True, eq=False)
class _Changed:
    """A person derived from another one, `whole`, with the brain in the same place."""

    whole: Person

    def brain_mm(self, points_mm: Floats) -> Floats:
        """Same as the whole person's."""
        return self.whole.brain_mm(points_mm)


@dataclass(frozen=True, eq=False)
class Cleared(_Changed):
    """A person with nothing left beyond a distance from the brain, as after skull stripping.

    Attributes:
        whole: the original person.
        margin_mm: the distance; below 0 it cuts into the brain.
    """

    margin_mm: float

    def fractions(self, points_mm: Floats) -> Floats:
        """The whole person's fractions, with air beyond the distance."""
        found = self.whole.fractions(points_mm)
        gone = self.brain_mm(points_mm) > self.margin_mm
        found[:, gone] = 0
        found[Tissue.AIR, gone] = 1
        return found


@dataclass(frozen=True, eq=False)
class Marbled(_Changed):
    """A person whose fat outside the brain is muscle wherever a field exceeds a level.

    Attributes:
        whole: the original person.
        noise: the field, over the person's field of view.
        level: the level of the noise.
    """

    noise: Field
    level: float

    def fractions(self, points_mm: Floats) -> Floats:
        """The whole person's fractions, except where fat became muscle."""
        found = self.whole.fractions(points_mm)
        fat = found[Tissue.FAT] > 0
        lean = np.zeros_like(fat)
        lean[fat] = self.noise.at(points_mm[:, fat]) > self.level
        found[Tissue.MUSCLE, lean] += found[Tissue.FAT, lean]
        found[Tissue.FAT, lean] = 0
        return found


@dataclass(frozen=True, eq=False)
class Cluttered(_Changed):
    """A person in whom other materials replace some fat and muscle far from the brain.

    Faces and necks hold much that label maps do not distinguish: glands, tongue, discs, vessels.

    Attributes:
        whole: the original person.
        where: over the person's field of view; other materials lie where it exceeds `level`.
        what: likewise; it selects one of `materials`, which all fill about the same volume.
        level: the level of `where`.
        from_mm: distance from the brain below which there are no other materials.
        materials: number of other materials.
    """

    where: Field
    what: Field
    level: float
    from_mm: float
    materials: int

    def fractions(self, points_mm: Floats) -> Floats:
        """The whole person's fractions, then the materials': float32 [T + materials, ...]."""
        found = self.whole.fractions(points_mm)
        soft = found[Tissue.FAT] + found[Tissue.MUSCLE]
        there = (soft > 0) & (self.brain_mm(points_mm) > self.from_mm)
        there[there] = self.where.at(points_mm[:, there]) > self.level
        bounds = norm.ppf(np.arange(1, self.materials) / self.materials)
        kind = np.digitize(self.what.at(points_mm[:, there]), bounds)
        more = np.zeros((self.materials, *soft.shape), np.float32)
        for number, material in enumerate(more):
            material[there] = np.where(kind == number, soft[there], 0)
        found[Tissue.FAT, there] = found[Tissue.MUSCLE, there] = 0
        return np.concatenate([found, more])


def find_heads(sources: Sequence[str | Path]) -> list[Head]:
    """The anatomies given by files, folders of files, or the name `nilearn`.

    Label maps are read when their first person is drawn. In a folder, every NIfTI or MGZ file
    counts as a label map, in the order of the file names.

    Raises:
        DataError: if a source does not exist or a folder holds no such file.
    """
    heads: list[Head] = []
    for source in sources:
        path = Path(source)
        if not str(source).strip():  # Path would take it for the working folder
            raise DataError(message("anatomies", "a path", "an empty one", "check the path"))
        if str(source) == PACKAGED:
            heads.append(MniHead())
        elif path.is_dir():
            named = (f for f in path.iterdir() if not f.name.startswith("."))
            files = sorted(f for f in named if f.name.lower().endswith(_SUFFIXES))
            if not files:
                raise DataError(
                    message(path, "label maps in .nii, .nii.gz or .mgz", "none", "name another")
                )
            heads += [LabelHead(file) for file in files]
        elif path.is_file():
            heads.append(LabelHead(path))
        else:
            rule = f"a label map, a folder of them, or {PACKAGED}"
            raise DataError(message(path, rule, "nothing", "check the path"))
    return heads

"""Anatomies that people are made from, and people as functions of place."""

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
"""Name of the anatomy that every installation has."""

_SUFFIXES = (*NIFTI_SUFFIXES, ".mgz")


class Person(Protocol):
    """One person in a field of view around 0 mm, axes right, anterior, superior."""

    def fractions(self, points_mm: Floats) -> Floats:
        """Fraction of every tissue at points [3, ...], float32 [T, ...]; they sum to 1."""

    def brain_mm(self, points_mm: Floats) -> Floats:
        """Signed distance of points [3, ...] to the surface of the brain, negative inside."""


class Head(Protocol):
    """An anatomy from which any number of people can be drawn."""

    @property
    def name(self) -> str:
        """What it is called where its people are listed."""

    @property
    def path(self) -> Path | None:
        """Its file, None for an anatomy that its name tells."""

    @property
    def sha256(self) -> str | None:
        """Of its file's content, None where there is none."""

    def person(
        self,
        rng: np.random.Generator,
        half_mm: tuple[float, float, float],
        pose: Pose,
        lesions: Lesions | None = None,
    ) -> Person:
        """Draw a person whose field of view is a box around 0 with sides of twice `half_mm`.

        Its lesions are of these ranges, or of the anatomy's own.
        """


@dataclass(frozen=True, eq=False)
class _Changed:
    """A person made of another one, `whole`, with the brain in the same place."""

    whole: Person

    def brain_mm(self, points_mm: Floats) -> Floats:
        """As the whole person's."""
        return self.whole.brain_mm(points_mm)


@dataclass(frozen=True, eq=False)
class Cleared(_Changed):
    """A person of whom nothing is left beyond a distance from the brain, as after stripping.

    Attributes:
        whole: the person.
        margin_mm: the distance; below 0 it cuts into the brain.
    """

    margin_mm: float

    def fractions(self, points_mm: Floats) -> Floats:
        """As the whole person's, air beyond the distance."""
        found = self.whole.fractions(points_mm)
        gone = self.brain_mm(points_mm) > self.margin_mm
        found[:, gone] = 0
        found[Tissue.AIR, gone] = 1
        return found


@dataclass(frozen=True, eq=False)
class Marbled(_Changed):
    """A person whose fat outside the brain is muscle wherever a field exceeds a level.

    Attributes:
        whole: the person.
        noise: over the person's field of view.
        level: of the noise.
    """

    noise: Field
    level: float

    def fractions(self, points_mm: Floats) -> Floats:
        """As the whole person's, but for what was fat."""
        found = self.whole.fractions(points_mm)
        fat = found[Tissue.FAT] > 0
        lean = np.zeros_like(fat)
        lean[fat] = self.noise.at(points_mm[:, fat]) > self.level
        found[Tissue.MUSCLE, lean] += found[Tissue.FAT, lean]
        found[Tissue.FAT, lean] = 0
        return found


@dataclass(frozen=True, eq=False)
class Cluttered(_Changed):
    """A person some of whose fat and muscle, far from the brain, is of other materials.

    Faces and necks are full of what label maps do not tell apart: glands, tongue, discs, vessels.

    Attributes:
        whole: the person.
        where: over the person's field of view; other materials are where it exceeds `level`.
        what: likewise; it decides for one of `materials`, all of which fill about as much.
        level: of `where`.
        from_mm: nearer to the brain there are none.
        materials: how many.
    """

    where: Field
    what: Field
    level: float
    from_mm: float
    materials: int

    def fractions(self, points_mm: Floats) -> Floats:
        """As the whole person's, and behind these the materials': float32 [T + materials, ...]."""
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
    """The anatomies that files, folders of files, or the name `nilearn` stand for.

    Label maps are read when their first person is drawn; in a folder, every NIfTI or MGZ file is
    one, in the order of their names.

    Raises:
        DataError: if a source is not there or a folder holds no such file.
    """
    heads: list[Head] = []
    for source in sources:
        path = Path(source)
        if not str(source).strip():  # which Path takes for the working folder
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

"""People made from the packaged MNI152 maps: which tissue lies where, by simple rules.

The rules for deep grey matter, cerebellum and brainstem are ellipsoids and a roof for the
tentorium. They are approximations, accurate to a few millimetres, and not a parcellation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxres_tf.phantom.anatomy import Anatomy, Mask, ellipsoid, load_anatomy, ventricles
from voxres_tf.phantom.deformation import Deformation, Pose, random_deformation
from voxres_tf.phantom.field import Field, Floats, random_field
from voxres_tf.phantom.lesions import draw_lesions
from voxres_tf.phantom.randomisation import Lesions
from voxres_tf.phantom.tissues import Tissue

_SHARPNESS = 3.0
# The MNI152 average is larger than most people's brains.
_SIZE = (0.92, 0.92, 0.915)
_LESIONS = Lesions(count=(3, 8), radius_mm=(2.0, 5.0))


@dataclass(frozen=True)
class MniHead:
    """The packaged anatomy, read when the first person is drawn."""

    name: str = "mni152"
    path: None = None
    sha256: str | None = None

    def person(
        self,
        rng: np.random.Generator,
        half_mm: tuple[float, float, float],
        pose: Pose,
        lesions: Lesions | None = None,
    ) -> MniPerson:
        """Draw a person; see `heads.Head`."""
        anatomy = load_anatomy()
        deformation = random_deformation(rng, half_mm, pose, _SIZE)
        folding = (random_field(rng, half_mm, 3.0, 3.5), random_field(rng, half_mm, 3.0, 3.5))
        drawn = draw_lesions(rng, anatomy.lesion_sites_mm, lesions or _LESIONS)
        return MniPerson(
            anatomy,
            deformation=deformation,
            folding=folding,
            atrophy=float(np.exp(rng.normal(np.log(2.0), 0.15))),
            rim_mm=_thickness(rng, half_mm, 2.1, 0.45),
            scalp_mm=_thickness(rng, half_mm, 6.5, 1.0),
            lesions_mm=drawn,
        )


@dataclass(frozen=True, eq=False)
class MniPerson:
    """One person over the packaged anatomy; see `heads.Person`.

    Attributes:
        anatomy: the common one.
        deformation: from the person's space to the anatomy's.
        folding: two fields in the person's space that shift the boundaries of GM and of CSF.
        atrophy: weight of CSF against brain in the sulci; 1 leaves the maps as they are.
        rim_mm, scalp_mm: thickness of the subarachnoid space and of the scalp over the head.
        lesions_mm: float32 [N, 4], centre in MNI space and radius.
    """

    anatomy: Anatomy
    deformation: Deformation
    folding: tuple[Field, Field]
    atrophy: float
    rim_mm: Field
    scalp_mm: Field
    lesions_mm: Floats

    def brain_mm(self, points_mm: Floats) -> Floats:
        """Signed distance to the surface of the brain, negative inside."""
        return self.anatomy.brain_mm.at(self.deformation(points_mm))

    def fractions(self, points_mm: Floats) -> Floats:
        """Fraction of every tissue at points of the person.

        Args:
            points_mm: float32 [3, ...] in the person's space.

        Returns:
            float32 [T, ...] in the order of `Tissue`; the sum over tissues is 1.
        """
        points = points_mm.reshape(3, -1)
        place = self.deformation(points)
        brain_mm, skin_mm = self.anatomy.brain_mm.at(place), self.anatomy.head_mm.at(place)
        rim_mm = self.rim_mm.at(points)
        found = np.zeros((len(Tissue), points.shape[1]), np.float32)
        intracranial = brain_mm < rim_mm
        # Most of a scan is air and a fifth is brain, so each part is computed only where it lies.
        inner = np.flatnonzero(intracranial)
        found[:, inner] = _intracranial(self, points[:, inner], place[:, inner], brain_mm[inner])
        outer = np.flatnonzero(~intracranial & (skin_mm <= 0))
        bone = brain_mm[outer] < rim_mm[outer] + 6
        one = _outside(self, points[:, outer], place[:, outer], bone, skin_mm[outer])
        found[one, outer] = 1
        found[Tissue.AIR, ~intracranial & (skin_mm > 0)] = 1
        return found.reshape(len(Tissue), *points_mm.shape[1:])


def _thickness(
    rng: np.random.Generator, half_mm: tuple[float, float, float], mean: float, spread: float
) -> Field:
    field = random_field(rng, half_mm, 10.0, 25.0)
    values = np.maximum(np.float32(mean) + np.float32(spread) * field.values, np.float32(1.0))
    return Field(values, field.origin_mm, field.step_mm)


def _intracranial(person: MniPerson, points_mm: Floats, place: Floats, brain_mm: Floats) -> Floats:
    """Fractions [T, N] at points inside the skull's inner table."""
    gm, wm, csf = _matter(person, points_mm, place)
    stem, cerebellum = _hindbrain(place)
    cerebral = ~(stem | cerebellum)
    deep, lesion = _deep(place), _lesions(person, place)
    ventricular = ventricles(place) & (brain_mm < -5)
    found = np.zeros((len(Tissue), *gm.shape), np.float32)
    found[Tissue.BRAINSTEM] = (gm + wm) * stem
    found[Tissue.CEREBELLAR_GM] = gm * cerebellum
    found[Tissue.CEREBELLAR_WM] = wm * cerebellum
    found[Tissue.DEEP_GM] = gm * (cerebral & deep)
    found[Tissue.CORTEX] = gm * (cerebral & ~deep)
    found[Tissue.LESION] = wm * (cerebral & lesion)
    found[Tissue.WM] = wm * (cerebral & ~lesion)
    found[Tissue.VENTRICLE] = csf * ventricular
    found[Tissue.CSF] = csf * ~ventricular
    return found


def _matter(person: MniPerson, points_mm: Floats, place: Floats) -> tuple[Floats, Floats, Floats]:
    """Fractions of GM, WM and CSF, sharper than in the maps of the average; they sum to 1."""
    gm, wm = person.anatomy.gm.at(place), person.anatomy.wm.at(place)
    csf = np.maximum(1 - gm - wm, 0) * np.float32(person.atrophy)
    grey_shift, csf_shift = (np.exp(0.5 * field.at(points_mm)) for field in person.folding)
    # The average shows a rim of half grey matter around the ventricles; individuals have none.
    periventricular = ventricles(place) & ~_deep(place)
    gm = np.where(periventricular, np.float32(0.75), np.float32(1.0)) * gm
    weights = [gm**_SHARPNESS * grey_shift, wm**_SHARPNESS, csf**_SHARPNESS * csf_shift]
    total = weights[0] + weights[1] + weights[2]
    return weights[0] / total, weights[1] / total, weights[2] / total


def _outside(
    person: MniPerson, points_mm: Floats, place: Floats, bone: Mask, skin_mm: Floats
) -> NDArray[np.int8]:
    """The one tissue at each point [3, N] between the skull's inner table and the skin."""
    marbling = person.folding[1].at(points_mm) > 1.2
    found = np.where(marbling, Tissue.FAT, Tissue.MUSCLE).astype(np.int8)
    mirrored = np.stack([np.abs(place[0]), place[1], place[2]])
    found[ellipsoid(mirrored, (33, 62, -36), (12.5, 13, 12.5))] = Tissue.EYE
    found[ellipsoid(place, (0, 58, -50), (11, 22, 22))] = Tissue.AIR
    found[bone] = Tissue.BONE
    found[skin_mm > -person.scalp_mm.at(points_mm)] = Tissue.FAT
    return found


def _deep(place: Floats) -> Mask:
    """Caudate, putamen, pallidum and thalamus: an ellipsoid in each hemisphere."""
    mirrored = np.stack([np.abs(place[0]), place[1], place[2]])
    return ellipsoid(mirrored, (17, -2, 4), (16, 32, 19))


def _hindbrain(place: Floats) -> tuple[Mask, Mask]:
    """Brainstem and cerebellum: around an axis that leans forward, and below the tentorium."""
    x, y, z = place
    axis = np.where(z > -30, -24 + (z + 30) * 0.2, -24 + (z + 30) * 0.45)
    half_depth = np.where(z > -48, 15, 9)
    half_width = np.where(z > -48, 19, 11)
    round_ = (x / half_width) ** 2 + ((y - axis) / half_depth) ** 2 < 1
    stem = round_ & (z < -11)
    roof = 3 - 0.35 * np.abs(x) - 0.45 * np.maximum(-55 - y, 0)
    below = (z < roof) & ellipsoid(place, (0, -64, -32), (58, 38, 42))
    return stem, below & ~stem


def _lesions(person: MniPerson, place: Floats) -> Mask:
    hit = np.zeros(place.shape[1:], np.bool_)
    for x, y, z, radius in person.lesions_mm.tolist():
        hit |= ellipsoid(place, (x, y, z), (radius, radius, radius))
    return hit

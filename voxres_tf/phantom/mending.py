"""What label maps made by programs get wrong or leave out, mended."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from voxres_tf.phantom.field import Field
from voxres_tf.phantom.tissues import CLASSES, Tissue

BRAIN = np.isin(np.arange(len(Tissue)), [t for t in Tissue if CLASSES[t] and t != Tissue.CSF])
"""bool [T], which tissues are brain, ventricles included."""

NECK = np.array([Tissue.MUSCLE if CLASSES[t] else t for t in Tissue], np.uint8)
"""uint8 [T], what a tissue becomes in the neck: there is no brain in it."""

_NECK_MM2 = 3000
_FLUID_REACH_MM = 20.0
_LEAST_FLUID = 0.02  # Of the brain's volume.
_FLUID_RIM_MM = 2.0


def attached(tissues: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Keep the largest connected part: automated maps have stray bits outside the head."""
    parts, count = ndimage.label(tissues != Tissue.AIR)
    sizes = np.bincount(parts.ravel())[1:]
    if count < 2:
        return tissues
    head: NDArray[np.uint8] = np.where(parts == 1 + int(sizes.argmax()), tissues, np.uint8(0))
    return head


def clear_far_fluid(tissues: NDArray[np.uint8], brain_mm: Field) -> None:
    """Take what is called CSF in face and neck for soft tissue."""
    places = np.argwhere(tissues == Tissue.CSF)
    far = brain_mm.at(places.T.astype(np.float32)) > _FLUID_REACH_MM
    tissues[tuple(places[far].T)] = Tissue.MUSCLE


def fill_sulci(tissues: NDArray[np.uint8], brain_mm: Field) -> None:
    """Put fluid where nothing lies between the gyri, in a map that knows of none."""
    if (tissues == Tissue.CSF).sum() >= _LEAST_FLUID * BRAIN[tissues].sum():
        return
    around = int(_FLUID_RIM_MM) + 1
    box = tuple(
        slice(max(0, side.start - around), side.stop + around)
        for side in ndimage.find_objects(BRAIN[tissues].astype(np.int8))[0]
    )
    places = np.argwhere(tissues[box] == Tissue.AIR) + [side.start for side in box]
    near = brain_mm.at(places.T.astype(np.float32)) < _FLUID_RIM_MM
    tissues[tuple(places[near].T)] = Tissue.CSF


def cut(tissues: NDArray[np.uint8]) -> int | None:
    """The lowest slice of a map [X, Y, Z] of 1 mm that ends in the middle of a head.

    None for a map that ends by itself, as one of the brain alone does at the brainstem.
    """
    areas = (tissues != Tissue.AIR).sum(axis=(0, 1))
    lowest = int(np.argmax(areas > 0))
    # The first slices of a map that was turned are ragged.
    first = areas[lowest : lowest + 5]
    whole = lowest + int(np.argmax(first > 0.9 * first.max()))
    return whole if areas[whole] >= _NECK_MM2 else None

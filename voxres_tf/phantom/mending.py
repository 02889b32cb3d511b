"""Fixes for what automated label maps get wrong or leave out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from voxres_tf.phantom.field import Field
from voxres_tf.phantom.tissues import CLASSES, Tissue

BRAIN = np.isin(np.arange(len(Tissue)), [t for t in Tissue if CLASSES[t] and t != Tissue.CSF])
"""bool [T], which tissues are brain, ventricles included."""

NECK = np.array([Tissue.MUSCLE if CLASSES[t] else t for t in Tissue], np.uint8)
"""uint8 [T], what a tissue becomes in the neck, where there is no brain."""

_NECK_MM2 = 3000
_FLUID_REACH_MM = 20.0
_LEAST_FLUID = 0.02  # Share of the brain's volume.
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
    """Turn what is labelled CSF in face and neck into soft tissue."""
    places = np.argwhere(tissues == Tissue.CSF)
    far = brain_mm.at(places.T.astype(np.float32)) > _FLUID_REACH_MM
    tissues[tuple(places[far].T)] = Tissue.MUSCLE


def fill_sulci(tissues: NDArray[np.uint8], brain_mm: Field) -> None:
    """Fill the sulci and 2 mm around the brain's surface with fluid, in a map that lacks it."""
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
    """The lowest slice of a 1 mm map [X, Y, Z] that ends in the middle of a head.

    None for a map that ends naturally, as a map of only the brain does at the brainstem.
    """
    areas = (tissues != Tissue.AIR).sum(axis=(0, 1))
    lowest = int(np.argmax(areas > 0))
    # The lowest slices of a map that was rotated are ragged.
    first = areas[lowest : lowest + 5]
    whole = lowest + int(np.argmax(first > 0.9 * first.max()))
    return whole if areas[whole] >= _NECK_MM2 else None

"""Aligns the scans of a subject by the tissues that a model finds in each of them alone.

Contrasts differ too much to be compared voxel by voxel; tissues do not. Each scan is segmented
alone and moved rigidly to where its tissues agree best with those of the scan that stays in place.
`export.graph.align` does the same in a SavedModel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from voxres_tf.dataset.regrid import interpolated
from voxres_tf.inference.offset import Floats, Offset, Tissue, offset_of

FARTHEST = 20.0
"""Largest offset in mm or degrees; a head moves less than that between scans of one session."""

LEAST_SOFT_DICE = 0.75
"""A scan is not moved if its tissues agree less than this with the other's (see `offset_of`)."""


@dataclass(frozen=True)
class Alignment:
    """What was done to the scans of a subject.

    Attributes:
        onto: modality of the scan that stayed in place; None if there was nothing to move.
        offsets: modality -> how far its scan was off that one, for those that were moved.
        left: modality -> why its scan was left where it is.
    """

    onto: str | None = None
    offsets: dict[str, Offset] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)


def aligned(
    image: Floats,
    spacing_mm: Sequence[float],
    modalities: Sequence[str],
    segment: Callable[[Floats], Floats],
    onto: int = 0,
) -> tuple[Floats, Alignment]:
    """Move the scans onto one of them, and report how far each of the others was off it.

    If the first scan is missing, nothing is moved: labels follow that scan, as in training, and
    without it no single scan shows better than all of them together where the labels belong.

    Args:
        image: float32 [X, Y, Z, M], axes right, anterior, superior; a scan that is 0 everywhere
            counts as missing.
        spacing_mm: spacing of its voxels.
        modalities: names of the M scans.
        segment: an image with one scan -> probabilities, float32 [X, Y, Z, K], class 0 the
            background.
        onto: index of the scan that stays in place.
    """

    def found_in(number: int) -> Tissue | None:
        only = np.zeros_like(image)
        only[..., number] = image[..., number]
        return Tissue.of(segment(only), spacing_mm)

    there = [n for n in range(len(modalities)) if image[..., n].any()]
    if len(there) < 2 or there[0] or onto not in there:
        return image, Alignment()
    offsets: dict[str, Offset] = {}
    left: dict[str, str] = {}
    aim, result = found_in(onto), image.copy()
    for number in [n for n in there if n != onto]:
        name = modalities[number]
        own = found_in(number) if aim else None
        if aim is None or own is None:
            scarce = name if aim else modalities[onto]
            left[name] = f"hardly any tissue was found in {scarce} alone"
            continue
        offset, soft_dice = offset_of(own, aim, spacing_mm)
        if soft_dice < LEAST_SOFT_DICE:
            left[name] = f"the tissues found in either alone agree by {100 * soft_dice:.0f} % only"
        elif max(offset.size) > FARTHEST:
            left[name] = "they seem to lie {:.0f} degrees and {:.0f} mm apart".format(*offset.size)
        else:
            offsets[name] = offset
            result[..., number] = moved(image[..., number], offset, spacing_mm)
    return result, Alignment(modalities[onto], offsets, left)


def moved(scan: Floats, offset: Offset, spacing_mm: Sequence[float]) -> Floats:
    """A scan [X, Y, Z] with its offset undone; unchanged if that would leave nothing of it."""
    found = interpolated(scan, offset.to_scan(scan.shape, spacing_mm), scan.shape)
    return scan if found is None else found

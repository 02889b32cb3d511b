"""What a user should know about a subject that was segmented without an error."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxres_tf.grid import to_canonical
from voxres_tf.inference.align import Alignment
from voxres_tf.labels import CLASS_NAMES
from voxres_tf.volume import Volume

_COARSE = 1.5
"""A scan's voxels may be this many times as long as the network's without a note."""

_LONGEST_MM = (190.0, 210.0, 190.0)
"""Left to right, back to front, top to bottom: larger than any brain with the fluid around it."""

_SPECK_MM2 = 100.0
"""A plane with less tissue than this does not count; near a brain's pole it soon has more."""

_SPECKS_ML = 10.0
"""Less loose tissue than this gets no note."""

_LEAST_SHARE = 0.01
"""Of the voxels; a brain fills a tenth or more of a head's field of view, a slab of it less."""

_FAR_MM, _FAR_DEG = 2.0, 2.0
"""Scans of one session that are moved by less than this get no note."""

_OF_A_BRAIN = {"GM", "WM"}

_LEAST_LEVELS = 16
"""A scan of fewer different values than this gets a note; T1 scans of eight were segmented well."""

_LEAST_T1_CONTRAST = 0.2
"""(WM - GM) / (WM - CSF): 0.33 to 0.53 in the T1 scans tried, below 0.2 or negative in FLAIR."""

_ENOUGH_ML = 20.0
"""Less of a tissue than this does not tell how bright it is."""

_SAMPLE = 2**17


def extent_mm(labels: Volume) -> tuple[float, float, float]:
    """Extent along each axis of anything that is not background, ignoring specks.

    Args:
        labels: integer [X, Y, Z], 0 background.

    Returns:
        In mm along the scan's axes, in the order right, anterior, superior; 0 where there is none.
    """
    found = to_canonical(np.asarray(labels.data) > 0, labels.grid)
    spacing = labels.grid.canonical_spacing_mm
    extents = []
    for axis in range(3):
        across = tuple(a for a in range(3) if a != axis)
        area_mm2 = found.sum(axis=across) * spacing[across[0]] * spacing[across[1]]
        planes = np.flatnonzero(area_mm2 >= _SPECK_MM2)
        extents.append(float(np.ptp(planes) + 1) * spacing[axis] if planes.size else 0.0)
    x, y, z = extents
    return (x, y, z)


def coarse_note(own_mm: Sequence[float], seen_mm: Sequence[float]) -> str | None:
    """A note if voxels of `own_mm` are much longer than those the network saw; else None."""
    if not any(own > _COARSE * seen for own, seen in zip(own_mm, seen_mm, strict=True)):
        return None
    return (
        f"voxels of {_lengths(own_mm)} mm, interpolated to {_lengths(seen_mm)} mm for the model: "
        "what is thinner than a voxel is a guess; look at the result"
    )


def large_note(
    found_mm: Sequence[float], classes: Collection[str], *, oriented: bool
) -> str | None:
    """A note if tissue extends further than any brain does; else None.

    Args:
        found_mm: right, anterior and superior, as returned by `extent_mm`; or empty.
        classes: the model's; without GM and WM they are not brain tissues, and there is no note.
        oriented: whether it is known which axis is which.
    """
    limits = _LONGEST_MM if oriented else (max(_LONGEST_MM),) * 3
    if not found_mm or not set(classes) >= _OF_A_BRAIN:
        return None
    if all(found <= limit for found, limit in zip(found_mm, limits, strict=True)):
        return None
    return (
        f"tissue over {_lengths(found_mm)} mm, more than any brain: face, neck or scalp may be "
        "called tissue; look at the result, and cut the scan off below the cerebellum"
    )


def loose_note(loose_ml: float | None) -> str | None:
    """A note on tissue that was found apart from the brain, if that is more than a speck."""
    if loose_ml is None or loose_ml < _SPECKS_ML:
        return None
    return (
        f"{loose_ml:.0f} ml of tissue apart from the brain, as in face or neck, were made "
        "background; look at the result (--all-pieces keeps them)"
    )


def moved_notes(alignment: Alignment) -> list[str]:
    """A note on how far scans were moved before segmentation, and one on each that was not moved.

    Moves of less than `_FAR_MM` and `_FAR_DEG` need no note: hardly any head stays still.
    """
    sizes = {name: offset.size for name, offset in alignment.offsets.items()}
    far = {name: s for name, s in sizes.items() if s[0] >= _FAR_DEG or s[1] >= _FAR_MM}
    each = ("{} by {:.1f} mm and {:.1f} degrees".format(n, *s[::-1]) for n, s in far.items())
    onto = alignment.onto
    moved = [f"moved onto {onto}: {', '.join(each)}; look at the result"] if far else []
    return moved + [
        f"{name} was not moved onto {onto}: {why}; look at both scans"
        for name, why in alignment.left.items()
    ]


def scan_notes(
    scans: Mapping[str, NDArray[Any]],
    labels: NDArray[np.uint8],
    classes: Sequence[str],
    voxel_ml: float,
) -> list[str]:
    """Notes on scans that may not be what they were named.

    Args:
        scans: modality -> values [X, Y, Z].
        labels: positions in `classes`, uint8 [X, Y, Z].
        classes: the model's; without CSF, GM and WM nothing is known of their order in a T1.
        voxel_ml: volume of a voxel.
    """
    found = []
    for name, values in scans.items():
        levels = _levels(values)
        if levels < _LEAST_LEVELS:
            found.append(
                f"{name} has only {levels} different values, like a label map: look whether it is "
                "the scan"
            )
    contrast = None
    if "t1" in scans and set(CLASS_NAMES) <= set(classes):
        contrast = _t1_contrast(scans["t1"], labels, classes, voxel_ml)
    if contrast is not None and contrast < _LEAST_T1_CONTRAST:
        found.append(
            "white matter is hardly brighter than grey matter in t1, or darker, unlike in a T1: "
            "look whether the scans were named as what they are"
        )
    return found


def _levels(values: NDArray[Any]) -> int:
    """How many different values there are; if many, only a lower limit."""
    sample = np.unique(values.ravel()[:: max(1, values.size // _SAMPLE)]).size
    return int(sample if sample >= _LEAST_LEVELS else np.unique(values).size)


def _t1_contrast(
    t1: NDArray[Any], labels: NDArray[np.uint8], classes: Sequence[str], voxel_ml: float
) -> float | None:
    there = t1 != t1.min()  # what was stripped is as dark as nothing else
    masks = [(labels == classes.index(name)) & there for name in CLASS_NAMES[1:]]
    if min(np.count_nonzero(mask) for mask in masks) * voxel_ml < _ENOUGH_ML:
        return None
    csf, gm, wm = (float(np.median(t1[mask])) for mask in masks)
    return (wm - gm) / (wm - csf) if wm > csf else -1.0


def scarce_note(share: float | None, classes: Collection[str]) -> str | None:
    """A note if there is less tissue than in any scan of a head.

    Args:
        share: share of the voxels that are not background; None for no note.
        classes: as in `large_note`.
    """
    if share is None or share >= _LEAST_SHARE or not set(classes) >= _OF_A_BRAIN:
        return None
    return (
        f"{100 * share:.2g} % of the voxels are tissue, less than in any scan of a head: look at "
        "the result, and whether the scans were named as what they are"
    )


def _lengths(each_mm: Sequence[float]) -> str:
    return " x ".join(f"{mm:.3g}" for mm in each_mm)

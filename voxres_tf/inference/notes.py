"""What a person should know of a subject that was segmented without an error."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from voxres_tf.grid import to_canonical
from voxres_tf.inference.align import Alignment
from voxres_tf.volume import Volume

_COARSE = 1.5
"""How many times as long as the network's a scan's voxels may be without a note."""

_LONGEST_MM = (190.0, 210.0, 190.0)
"""Left to right, back to front and top to bottom: more than any brain with the fluid around it."""

_SPECK_MM2 = 100.0
"""A plane with less than that of what was found does not count; a brain's pole soon has more."""

_SPECKS_ML = 10.0
"""Less than that may be loose without a note."""

_LEAST_SHARE = 0.01
"""Of the voxels; a head's field of view holds a brain to a tenth or more, a slab of it less."""

_FAR_MM, _FAR_DEG = 2.0, 2.0
"""By less than that scans of one session are moved without a note."""

_OF_A_BRAIN = {"GM", "WM"}


def extent_mm(labels: Volume) -> tuple[float, float, float]:
    """Over how much of each axis anything but background was found, specks apart.

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
    """A word on voxels of `own_mm` that are much longer than those the network saw; else None."""
    if not any(own > _COARSE * seen for own, seen in zip(own_mm, seen_mm, strict=True)):
        return None
    return (
        f"voxels of {_lengths(own_mm)} mm, interpolated to {_lengths(seen_mm)} mm for the model: "
        "what is thinner than a voxel is a guess; look at the result"
    )


def large_note(
    found_mm: Sequence[float], classes: Collection[str], *, oriented: bool
) -> str | None:
    """A word on tissue over a longer way than any brain has; else None.

    Args:
        found_mm: right, anterior and superior, as `extent_mm` has them; or nothing.
        classes: of the model; without GM and WM they are no tissues of a brain, and no word is due.
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
    """A word on tissue that was found apart from the brain, if that is more than a speck."""
    if loose_ml is None or loose_ml < _SPECKS_ML:
        return None
    return (
        f"{loose_ml:.0f} ml of tissue apart from the brain, as in face or neck, were made "
        "background; look at the result (--all-pieces keeps them)"
    )


def moved_notes(alignment: Alignment) -> list[str]:
    """A word on how far scans were moved before they were segmented, and one on each that was not.

    What is moved by less than `_FAR_MM` and `_FAR_DEG` needs no word: hardly any head lies still.
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


def scarce_note(share: float | None, classes: Collection[str]) -> str | None:
    """A word on less tissue than any scan of a head has.

    Args:
        share: of the voxels that are no background; None for no word.
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

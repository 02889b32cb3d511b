"""Dice, HD95 and AVD of two masks, as the MRBrainS challenge defines them (Mendrik et al. 2015)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from voxres_tf.errors import DataError, message

Mask = NDArray[np.bool_]

# Slices lie along the third axis, so the erosion does not look across them.
_IN_PLANE = np.ones((3, 3, 1), np.bool_)


def dice(pred: Mask, ref: Mask) -> float | None:
    """Overlap of two masks, 2 |P and R| / (|P| + |R|).

    Args:
        pred: bool, any shape.
        ref: bool, of the same shape.

    Returns:
        0 to 1, 0 if one mask is empty, and None if both are.

    Raises:
        DataError: if the shapes differ.
    """
    _require_shapes(pred, ref)
    both = int(pred.sum()) + int(ref.sum())
    return 2.0 * int((pred & ref).sum()) / both if both else None


def avd_percent(pred: Mask, ref: Mask) -> float | None:
    """Absolute volume difference in percent of the reference, 100 | |P| - |R| | / |R|.

    Args:
        pred: bool, any shape.
        ref: bool, of the same shape.

    Returns:
        0 or more, 100 if `pred` is empty, and None if `ref` is.

    Raises:
        DataError: if the shapes differ.
    """
    _require_shapes(pred, ref)
    reference = int(ref.sum())
    return 100.0 * abs(int(pred.sum()) - reference) / reference if reference else None


def hd95_mm(pred: Mask, ref: Mask, spacing_mm: Sequence[float]) -> float | None:
    """Robust Hausdorff distance: the larger of the two directed 95th percentiles.

    A directed distance runs from the centre of each boundary voxel of one mask to the nearest
    centre of a boundary voxel of the other. Percentiles are interpolated linearly.

    Args:
        pred: bool [X, Y, Z], slices along the last axis.
        ref: bool, of the same shape.
        spacing_mm: distance between voxel centres along the three axes.

    Returns:
        Millimetres, and None if either mask is empty or has no boundary (see `boundary`).

    Raises:
        DataError: if the shapes differ or a mask does not have three axes.
    """
    _require_shapes(pred, ref)
    edges = boundary(pred), boundary(ref)
    if not (edges[0].any() and edges[1].any()):
        return None
    # All boundary voxels lie in the box, so distances within it are those of the whole volume.
    (box,) = ndimage.find_objects((edges[0] | edges[1]).astype(np.uint8))
    first, second = edges[0][box], edges[1][box]
    return max(_directed_mm(first, second, spacing_mm), _directed_mm(second, first, spacing_mm))


def boundary(mask: Mask) -> Mask:
    """The voxels of a mask that its in-plane 3x3 erosion removes.

    Everything beyond the border of the image counts as inside, so a mask that fills whole slices
    has no boundary there.

    Args:
        mask: bool [X, Y, Z], slices along the last axis.

    Returns:
        bool [X, Y, Z], empty for an empty mask.

    Raises:
        DataError: if there are not three axes.
    """
    if mask.ndim != 3:
        shape = f"shape {mask.shape}"
        raise DataError(message("mask", "three axes", shape, "pass one volume"))
    return mask & ~ndimage.binary_erosion(mask, _IN_PLANE, border_value=1)


def _directed_mm(start: Mask, end: Mask, spacing_mm: Sequence[float]) -> float:
    distances = ndimage.distance_transform_edt(~end, sampling=tuple(spacing_mm))
    return float(np.percentile(np.asarray(distances)[start], 95))


def _require_shapes(pred: Mask, ref: Mask) -> None:
    if pred.shape != ref.shape:
        received = f"{pred.shape} and {ref.shape}"
        raise DataError(message("masks", "one shape", received, "bring them to one grid"))

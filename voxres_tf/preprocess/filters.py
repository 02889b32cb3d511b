"""The filters of the paper's pre-processing, on volumes whose axial slices lie along axis 2."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.exposure import equalize_adapthist

Array = NDArray[np.float32]
HISTOGRAM_BINS = 256
ROBUST_PERCENTILES = (0.5, 99.5)
FLAT_DEVIATION = 1e-9
"""A slice whose SD is at most this share of its largest value is constant except for rounding."""


def normalise_slices(volume: NDArray[Any]) -> Array:
    """Bring every slice to zero mean and unit variance (paper, section 3.1).

    Args:
        volume: [X, Y, Z], any real dtype.

    Returns:
        float32 [X, Y, Z]; an empty or constant slice becomes zeros.
    """
    values = volume.astype(np.float64)
    centred = values - values.mean(axis=(0, 1), keepdims=True)
    deviation = centred.std(axis=(0, 1), keepdims=True)
    level = np.abs(values).max(axis=(0, 1), keepdims=True)
    flat = deviation <= FLAT_DEVIATION * level
    return np.where(flat, 0.0, centred / np.where(flat, 1.0, deviation)).astype(np.float32)


def subtract_gaussian(volume: NDArray[Any], *, sigma: float, radius: int) -> Array:
    """The volume minus its in-plane Gaussian-smoothed copy (paper, section 3.1).

    Slow changes of brightness, such as a coil's bias field, are removed with the smoothed copy.

    Args:
        volume: [X, Y, Z], any real dtype.
        sigma: SD of the Gaussian, in voxels.
        radius: the kernel is cut off at this many voxels from its centre.

    Returns:
        float32 [X, Y, Z].
    """
    values = volume.astype(np.float32)
    smooth = gaussian_filter(values, (sigma, sigma, 0), radius=(radius, radius, 0), mode="nearest")
    return values - smooth


def equalise_slices(volume: Array, *, tile: int, clip: float) -> Array:
    """Contrast-limited adaptive histogram equalisation of every slice (paper, section 3.1).

    Values are first clipped at two percentiles of the whole volume, so that one bright vessel does
    not squeeze the tissues into a few bins, and so that the result does not depend on the scale.

    Args:
        volume: float32 [X, Y, Z].
        tile: side of a tile in voxels, limited to the size of the slice.
        clip: contrast limit in multiples of a flat histogram's bin (OpenCV's scale).

    Returns:
        float32 [X, Y, Z] in 0..1; a constant volume becomes zeros.
    """
    low, high = np.percentile(volume, ROBUST_PERCENTILES)
    if not high > low:
        return np.zeros_like(volume)
    scaled = np.clip((volume - low) / (high - low), 0, 1)
    kernel = (min(tile, volume.shape[0]), min(tile, volume.shape[1]))
    slices = [
        equalize_adapthist(scaled[..., z], kernel, clip / HISTOGRAM_BINS, HISTOGRAM_BINS)
        if np.ptp(scaled[..., z]) > 0
        else np.zeros(volume.shape[:2])
        for z in range(volume.shape[2])
    ]
    return np.stack(slices, axis=2).astype(np.float32)

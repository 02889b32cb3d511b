"""A brain is one piece: tissue found apart from it, in neck, face or scalp, is background."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

BLOCK = (20, 20, 1)
"""Voxels of a block, right, anterior, superior, as slices may be thick there: 2 cm in plane."""

FULL = (4, 5)
"""A block is full if this share of its voxels is tissue: sulci may be missing, a cord has less."""

REACH = (1, 1, 8)
"""Tissue within this many blocks of a piece belongs to it."""

LARGE = 10
"""Pieces of at least 1 / LARGE of the largest stay: a field of view may cut a brain in pieces."""


def loose_tissue(tissue: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tissue not connected to the largest piece of tissue, or to one about as large.

    A piece consists of blocks full of tissue that share faces. The spinal cord, which joins the
    neck to the brain, fills no block.

    Args:
        tissue: bool [X, Y, Z], axes right, anterior, superior.

    Returns:
        bool [X, Y, Z]; nothing is loose if no block is full.
    """
    padded = np.pad(tissue, [(0, -size % b) for size, b in zip(tissue.shape, BLOCK, strict=True)])
    (x, y, z), (i, j, k) = padded.shape, BLOCK
    filled = padded.reshape(x // i, i, y // j, j, z // k, k).sum(axis=(1, 3, 5))
    pieces, count = ndimage.label(FULL[1] * filled >= FULL[0] * (i * j * k))
    if not count:
        return np.zeros_like(tissue)
    sizes = np.bincount(pieces.reshape(-1))
    sizes[0] = 0
    large = (LARGE * sizes >= sizes.max())[pieces]
    near = ndimage.maximum_filter(large, [2 * blocks + 1 for blocks in REACH], mode="constant")
    for axis, block in enumerate(BLOCK):
        near = near.repeat(block, axis)
    loose: NDArray[np.bool_] = tissue & ~near[tuple(map(slice, tissue.shape))]
    return loose


def drop_loose(probabilities: NDArray[np.float32]) -> int:
    """Turn loose tissue into background, in place.

    Args:
        probabilities: float32 [X, Y, Z, K], class 0 the background; a voxel counts as tissue if
            any other class is the most likely one.

    Returns:
        How many voxels were changed.
    """
    tissue: NDArray[np.bool_] = np.any(probabilities[..., 1:] > probabilities[..., :1], axis=-1)
    loose = loose_tissue(tissue)
    probabilities[loose] = np.eye(1, probabilities.shape[-1], dtype=np.float32)
    return int(loose.sum())

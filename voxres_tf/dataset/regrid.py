"""Resampling a scan to another scan's grid, by the affines of both."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter

from voxres_tf.errors import DataError, message
from voxres_tf.grid import Affine, Grid
from voxres_tf.headers import ONE_SPACE
from voxres_tf.volume import Volume

FWHM_PER_SD = 2 * math.sqrt(2 * math.log(2))
"""Full width at half maximum of a Gaussian of SD 1."""

LEAST_OVERLAP = 0.25
"""Fields of view that overlap less, as a share of the smaller one, are not those of one head."""

HALF_VOXEL = 0.5 + 1e-3
"""How far a voxel reaches from its centre; the small excess allows for rounding in affines."""


def smoothing_sigma(factor: float) -> float:
    """SD, in voxels, of the Gaussian applied before sampling every `factor`-th voxel.

    Its full width at half maximum makes voxels of width 1 as wide as `factor` (Cardoso et al.
    2015, scale factor point spread function matching); 0 if voxels do not grow.
    """
    return math.sqrt(factor**2 - 1) / FWHM_PER_SD if factor > 1 else 0.0


def resample_to(volume: Volume, grid: Grid, where: object = "scan") -> Volume:
    """Resample a scan to a grid of any spacing and orientation, including oblique ones.

    Values are interpolated linearly, after a Gaussian along axes whose voxels grow. Voxels beyond
    the scan's field of view get the median of its six border faces, which is air in most scans;
    the lowest value would be tissue in signed T1-IR.

    Args:
        volume: the scan, any real dtype.
        grid: grid of the result.
        where: the scan's file, for error messages.

    Returns:
        float32 [X, Y, Z] on `grid`.

    Raises:
        DataError: if scan and grid overlap by less than `LEAST_OVERLAP`, or only one of them is in
            a template's space.
    """
    space = volume.grid.space_fault(grid)
    if space:
        raise DataError(message(where, "scans of one subject lie in one space", space, ONE_SPACE))
    to_scan = np.linalg.inv(volume.grid.affine) @ grid.affine
    # How many voxels of the scan, along each of its axes, a voxel of the grid covers.
    sigmas = [smoothing_sigma(factor) for factor in np.linalg.norm(to_scan[:3, :3], axis=1)]
    smaller = min(math.prod(volume.grid.shape), math.prod(grid.shape) * abs(np.linalg.det(to_scan)))
    common = np.count_nonzero(_inside(to_scan, grid.shape, volume.grid.shape))
    overlap = common * abs(np.linalg.det(to_scan)) / smaller
    result = interpolated(volume.data.astype(np.float32), to_scan, grid.shape, sigmas)
    if result is None or overlap < LEAST_OVERLAP:
        rule = f"scans of one subject overlap by at least {LEAST_OVERLAP:.0%} of the smaller one"
        received, then = f"{overlap:.1%}", "register them, or leave this one out"
        raise DataError(message(where, rule, received, then))
    return Volume(result, grid)


def interpolated(
    values: NDArray[np.float32],
    to_scan: Affine,
    shape: tuple[int, ...],
    sigmas: Sequence[float] = (0, 0, 0),
) -> NDArray[np.float32] | None:
    """A scan interpolated at other positions, in the way of `resample_to`.

    Args:
        values: values of the scan, float32 [X, Y, Z].
        to_scan: [4, 4], indices of the result -> indices of the scan.
        shape: shape of the result.
        sigmas: SDs of the Gaussian applied before, in voxels of the scan along each axis.

    Returns:
        float32 of that shape; None if none of it lies in the scan.
    """
    faces = [np.take(values, [0, -1], axis).ravel() for axis in range(3)]
    beyond = np.median(np.concatenate(faces))
    if any(sigmas):
        values = gaussian_filter(values, sigmas, mode="nearest")
    inside = _inside(to_scan, shape, values.shape)
    if not inside.any():
        return None
    result: NDArray[np.float32] = affine_transform(
        values, to_scan, output_shape=shape, order=1, mode="nearest"
    )
    result[~inside] = beyond
    return result


def _inside(to_scan: Affine, shape: Sequence[int], scan: Sequence[int]) -> NDArray[np.bool_]:
    """Which voxels of a grid of this shape lie in a scan of that shape."""
    x, y, z = np.ogrid[tuple(slice(size) for size in shape)]
    inside = np.ones(tuple(shape), np.bool_)
    for (along_x, along_y, along_z, start), size in zip(to_scan[:3], scan, strict=True):
        place = start + along_x * x + along_y * y + along_z * z
        inside &= (place >= -HALF_VOXEL) & (place <= size - 1 + HALF_VOXEL)
    return inside

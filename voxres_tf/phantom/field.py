"""Values on a lattice in millimetres: maps, distances, displacements and random fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Field:
    """A scalar field sampled on a lattice whose axes are those of its millimetre space.

    Attributes:
        values: float32 [X, Y, Z].
        origin_mm: position of voxel (0, 0, 0).
        step_mm: distance between lattice points, the same along every axis.
    """

    values: Floats
    origin_mm: tuple[float, float, float]
    step_mm: float

    def at(self, points_mm: Floats) -> Floats:
        """Interpolate linearly; points outside the lattice take the nearest value on it.

        Args:
            points_mm: [3, ...], in mm.

        Returns:
            float32 of shape [...]; empty for no points.
        """
        origin = np.asarray(self.origin_mm, np.float32).reshape(3, *[1] * (points_mm.ndim - 1))
        index = (points_mm - origin) / np.float32(self.step_mm)
        found: Floats = ndimage.map_coordinates(
            self.values, index, output=np.float32, order=1, mode="nearest"
        )
        return found


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, ...], sigma: float | Sequence[float]
) -> Floats:
    """A Gaussian random field of mean 0 and standard deviation 1.

    Args:
        rng: source of randomness.
        shape: shape of the result; no axis may have length 0.
        sigma: SD of the smoothing kernel in voxels, one for all axes or one per axis.

    Returns:
        float32 of that shape.
    """
    noise = rng.standard_normal(shape, dtype=np.float32)
    # A periodic border keeps the variance the same at the edges of the lattice.
    smooth = ndimage.gaussian_filter(noise, sigma, mode="wrap")
    scaled: Floats = (smooth - smooth.mean()) / np.maximum(smooth.std(), np.float32(1e-12))
    return scaled


def random_field(
    rng: np.random.Generator, half_mm: tuple[float, float, float], step_mm: float, sigma_mm: float
) -> Field:
    """Smooth noise of standard deviation 1 over a box centred at 0.

    Args:
        rng: source of randomness.
        half_mm: half the side lengths of the box.
        step_mm: step of the lattice.
        sigma_mm: SD of the smoothing kernel.
    """
    cells = [int(np.ceil(half / step_mm)) for half in half_mm]
    shape = tuple(2 * n + 1 for n in cells)
    x, y, z = (-n * step_mm for n in cells)
    return Field(smooth_noise(rng, shape, sigma_mm / step_mm), (x, y, z), step_mm)

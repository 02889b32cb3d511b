"""Pose and shape of one subject: a rigid pose, a size, and a smooth warp that can be undone.

The warp is the flow of a stationary velocity field, integrated by scaling and squaring (Arsigny
et al. 2006), so it has an inverse: the flow of the negated field.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from voxres_tf.errors import VoxResError, message
from voxres_tf.phantom.field import Field, Floats, random_field

_SQUARINGS = 6
_STEP_MM = 5.0


@dataclass(frozen=True, eq=False)
class Warp:
    """A displacement in mm along x, y and z."""

    parts: tuple[Field, Field, Field]

    def __call__(self, points_mm: Floats) -> Floats:
        """Move points [3, ...] in mm; float32 of the same shape."""
        return points_mm + np.stack([part.at(points_mm) for part in self.parts])

    def jacobian(self) -> NDArray[np.float64]:
        """Determinant of the derivative of the warp at its lattice points, [X, Y, Z]."""
        rows = [np.stack(np.gradient(p.values.astype(float), p.step_mm)) for p in self.parts]
        derivative = np.moveaxis(np.stack(rows), (0, 1), (-2, -1)) + np.eye(3)
        determinant: NDArray[np.float64] = np.linalg.det(derivative)
        return determinant


def integrate(velocity: tuple[Field, Field, Field]) -> Warp:
    """The flow of a velocity field (mm per unit of time, all on one lattice) after one unit.

    Raises:
        VoxResError: if it folds, that is, if its Jacobian determinant is not positive throughout.
    """
    x, y, z = (Field(v.values / 2**_SQUARINGS, v.origin_mm, v.step_mm) for v in velocity)
    warp = Warp((x, y, z))
    points = _lattice_points(x)
    for _ in range(_SQUARINGS):
        moved = warp(warp(points)) - points
        x, y, z = (Field(part, x.origin_mm, x.step_mm) for part in moved)
        warp = Warp((x, y, z))
    least = float(warp.jacobian().min())
    if least <= 0:
        raise VoxResError(
            message("warp", "Jacobians above 0", f"{least:.3f}", "use a smoother or weaker field")
        )
    return warp


def random_warp(rng: np.random.Generator, half_mm: tuple[float, float, float]) -> Warp:
    """A warp of about 3 mm at the scale of lobes and 1 mm at that of gyri, over a centred box.

    Args:
        rng: where the randomness comes from.
        half_mm: half the sides of the box.
    """
    parts = []
    for _ in range(3):
        broad = random_field(rng, half_mm, _STEP_MM, 25.0)
        fine = random_field(rng, half_mm, _STEP_MM, 9.0)
        values = np.float32(3.2) * broad.values + np.float32(1.0) * fine.values
        parts.append(Field(values, broad.origin_mm, _STEP_MM))
    x, y, z = parts
    return integrate((x, y, z))


@dataclass(frozen=True, eq=False)
class Deformation:
    """From a subject's space to the anatomy's: first the warp, then matrix and shift.

    Attributes:
        warp: in the subject's space.
        matrix: float32 [3, 3], rotation and size.
        shift_mm: float32 [3], where the centre of the subject's field of view comes to lie.
    """

    warp: Warp
    matrix: Floats
    shift_mm: Floats

    def __call__(self, points_mm: Floats) -> Floats:
        """Move points [3, ...] of the subject into MNI space, in mm."""
        moved = np.tensordot(self.matrix, self.warp(points_mm), axes=1)
        placed: Floats = moved + self.shift_mm.reshape(3, *[1] * (points_mm.ndim - 1))
        return placed


def random_deformation(
    rng: np.random.Generator, half_mm: tuple[float, float, float]
) -> Deformation:
    """A pose of a few degrees and millimetres, a size of about 92 % of MNI's, and a warp.

    The MNI152 average is larger than most people's brains, hence the size.
    """
    angles = rng.normal(0.0, (4.0, 2.0, 3.0))
    size = rng.normal((0.92, 0.92, 0.915), 0.015)
    centre = rng.normal((0.0, -18.0, 7.0), (2.0, 2.5, 1.5))
    rotation = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    matrix = (rotation / size).astype(np.float32)
    return Deformation(random_warp(rng, half_mm), matrix, centre.astype(np.float32))


def _lattice_points(field: Field) -> Floats:
    index = np.indices(field.values.shape, dtype=np.float32)
    origin = np.asarray(field.origin_mm, np.float32).reshape(3, 1, 1, 1)
    return index * np.float32(field.step_mm) + origin

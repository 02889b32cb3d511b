"""Pose and shape of one subject: a rigid pose, a size, and a smooth, invertible warp.

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
        VoxResError: if the warp folds: its Jacobian determinant is not positive everywhere.
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
        then = "lower lobes_mm and gyri_mm"
        raise VoxResError(message("warp", "Jacobians above 0", f"{least:.3f}", then))
    return warp


def random_warp(
    rng: np.random.Generator,
    half_mm: tuple[float, float, float],
    strength_mm: tuple[float, float],
) -> Warp:
    """A smooth random warp over a centred box.

    Args:
        rng: source of randomness.
        half_mm: half the side lengths of the box.
        strength_mm: SD at the scale of lobes (25 mm) and at that of gyri (9 mm).
    """
    lobes, gyri = strength_mm
    parts = []
    for _ in range(3):
        broad = random_field(rng, half_mm, _STEP_MM, 25.0)
        fine = random_field(rng, half_mm, _STEP_MM, 9.0)
        values = np.float32(lobes) * broad.values + np.float32(gyri) * fine.values
        parts.append(Field(values, broad.origin_mm, _STEP_MM))
    x, y, z = parts
    return integrate((x, y, z))


@dataclass(frozen=True, eq=False)
class Deformation:
    """Maps a subject's space to the anatomy's: first the warp, then matrix and shift.

    Attributes:
        warp: in the subject's space.
        matrix: float32 [3, 3], rotation and size.
        shift_mm: float32 [3], where the centre of the subject's field of view is mapped to.
    """

    warp: Warp
    matrix: Floats
    shift_mm: Floats

    def __call__(self, points_mm: Floats) -> Floats:
        """Move points [3, ...] of the subject into MNI space, in mm."""
        moved = np.tensordot(self.matrix, self.warp(points_mm), axes=1)
        placed: Floats = moved + self.shift_mm.reshape(3, *[1] * (points_mm.ndim - 1))
        return placed


@dataclass(frozen=True)
class Pose:
    """How people differ in position, size and shape.

    Attributes:
        angles_deg: SD of the rotations about x (nodding), y and z.
        size_sd: SD of the size along each axis.
        centre_mm, centre_sd_mm: mean and SD of the middle of the field of view, in MNI space.
        warp_mm: see `random_warp`.
        mirrored: share of people who are mirrored left-right.
    """

    angles_deg: tuple[float, float, float] = (4.0, 2.0, 3.0)
    size_sd: float = 0.015
    centre_mm: tuple[float, float, float] = (0.0, -18.0, 7.0)
    centre_sd_mm: tuple[float, float, float] = (2.0, 2.5, 1.5)
    warp_mm: tuple[float, float] = (3.2, 1.0)
    mirrored: float = 0.0


def random_deformation(
    rng: np.random.Generator,
    half_mm: tuple[float, float, float],
    pose: Pose,
    size: tuple[float, float, float],
) -> Deformation:
    """Draw the deformation that maps one person to an anatomy.

    Args:
        rng: source of randomness.
        half_mm: half the side lengths of the field of view.
        pose: how people differ.
        size: size of the average person relative to the anatomy.
    """
    angles = rng.normal(0.0, pose.angles_deg)
    factors = rng.normal(size, pose.size_sd)
    centre = rng.normal(pose.centre_mm, pose.centre_sd_mm)
    rotation = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    matrix = (rotation / factors).astype(np.float32)
    if pose.mirrored and rng.random() < pose.mirrored:
        matrix[0] *= -1
        centre[0] *= -1
    return Deformation(random_warp(rng, half_mm, pose.warp_mm), matrix, centre.astype(np.float32))


def _lattice_points(field: Field) -> Floats:
    index = np.indices(field.values.shape, dtype=np.float32)
    origin = np.asarray(field.origin_mm, np.float32).reshape(3, 1, 1, 1)
    return index * np.float32(field.step_mm) + origin

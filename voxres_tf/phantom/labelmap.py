"""People made from whole-head or brain label maps with FreeSurfer's codes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from voxres_tf.errors import DataError, message
from voxres_tf.files import file_hash
from voxres_tf.grid import to_canonical
from voxres_tf.phantom.anatomy import LATTICE_STEP_MM, closed, ellipsoid, signed_mm
from voxres_tf.phantom.deformation import Deformation, Pose, random_deformation
from voxres_tf.phantom.field import Field, Floats
from voxres_tf.phantom.freesurfer import TISSUE_OF
from voxres_tf.phantom.landmarks import common_pose
from voxres_tf.phantom.lesions import draw_lesions
from voxres_tf.phantom.mending import (
    BRAIN,
    NECK,
    attached,
    clear_far_fluid,
    cut,
    fill_sulci,
)
from voxres_tf.phantom.randomisation import Lesions
from voxres_tf.phantom.tissues import Tissue
from voxres_tf.phantom.wholeness import require_whole
from voxres_tf.volume import read_volume

_SPACING_TOLERANCE = 0.05


@dataclass(frozen=True)
class LabelHead:
    """A label map on disk, in any orientation, with or without what lies outside the brain.

    It is read when a person is drawn, in about three seconds; the last sixteen maps are cached.
    """

    path: Path

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def sha256(self) -> str:
        """SHA-256 of the file's content.

        Raises:
            DataError: if it cannot be read.
        """
        try:
            return file_hash(self.path)
        except OSError as error:
            why = error.strerror or error
            raise DataError(
                message(self.path, "a file that can be read", why, "check the path")
            ) from error

    def person(
        self,
        rng: np.random.Generator,
        half_mm: tuple[float, float, float],
        pose: Pose,
        lesions: Lesions | None = None,
    ) -> LabelPerson:
        """Draw a person; see `heads.Head`.

        Raises:
            DataError: if the file is not such a map.
        """
        lattice = _remembered(self.path)
        deformation = random_deformation(rng, half_mm, pose, (1.0, 1.0, 1.0))
        drawn = draw_lesions(rng, lattice.lesion_sites_mm, lesions or Lesions())
        return LabelPerson(lattice, deformation, drawn)


@dataclass(frozen=True, eq=False)
class LabelLattice:
    """A label map as tissues, with its pose; its coordinates in mm are its voxel indices.

    Attributes:
        tissues: uint8 [X, Y, Z], axes right, anterior, superior.
        matrix, shift_mm: rigid motion from MNI space to the lattice, which brings all heads to a
            common pose.
        brain_mm: signed distance to the surface of the brain, with gaps under 16 mm filled.
        lesion_sites_mm: float32 [N, 3], points in the white matter 3 to 10 mm from a ventricle.
        cut: the lowest slice, if it cuts through the head; what lies outside the brain there
            continues below it, as a neck.
    """

    tissues: NDArray[np.uint8]
    matrix: Floats
    shift_mm: Floats
    brain_mm: Field
    lesion_sites_mm: Floats
    cut: int | None

    def place(self, points_mm: Floats) -> Floats:
        """Map points [3, ...] from MNI space to the lattice."""
        shift = self.shift_mm.reshape(3, *[1] * (points_mm.ndim - 1))
        moved: Floats = np.tensordot(self.matrix, points_mm, axes=1) + shift
        return moved

    def at(self, place: Floats) -> NDArray[np.uint8]:
        """The tissue at points [3, ...] of the lattice; air outside it, except for the neck."""
        index = np.rint(place).astype(np.int16)
        below = np.zeros(index.shape[1:], np.bool_)
        if self.cut is not None:
            below = index[2] < self.cut
            index[2, below] = self.cut
        size = np.array(self.tissues.shape, np.int16).reshape(3, *[1] * (place.ndim - 1))
        inside = ((index >= 0) & (index < size)).all(axis=0)
        x, y, z = np.clip(index, 0, size - 1)
        found: NDArray[np.uint8] = np.where(inside, self.tissues[x, y, z], np.uint8(Tissue.AIR))
        found[below] = NECK[found[below]]
        return found


@dataclass(frozen=True, eq=False)
class LabelPerson:
    """One person over a label map; see `heads.Person`.

    Attributes:
        lattice: the map.
        deformation: from the person's space to MNI space.
        lesions_mm: float32 [N, 4], centre in the lattice and radius of further lesions.
    """

    lattice: LabelLattice
    deformation: Deformation
    lesions_mm: Floats

    def fractions(self, points_mm: Floats) -> Floats:
        """1 for the tissue at each point, 0 for all others, float32 [T, ...]."""
        place = self.lattice.place(self.deformation(points_mm))
        tissues = self.lattice.at(place)
        for x, y, z, radius in self.lesions_mm.tolist():
            hit = ellipsoid(place, (x, y, z), (radius, radius, radius))
            tissues[hit & (tissues == Tissue.WM)] = Tissue.LESION
        every = np.arange(len(Tissue), dtype=np.uint8).reshape(-1, *[1] * tissues.ndim)
        found: Floats = (tissues == every).astype(np.float32)
        return found

    def brain_mm(self, points_mm: Floats) -> Floats:
        """Signed distance to the surface of the brain, negative inside."""
        place = self.lattice.place(self.deformation(points_mm))
        # Below its lattice, a field only repeats the values at its border.
        beneath: Floats = np.maximum(-place[2], 0)
        return self.lattice.brain_mm.at(place) + beneath


def read_lattice(path: Path) -> LabelLattice:
    """Read a label map, fix what automated ones get wrong, and find its pose.

    Parts not attached to the head are dropped, and fluid far from the brain becomes soft tissue.
    In a map without fluid around the brain, such as aseg, fluid fills the sulci and 2 mm around the
    brain's surface.

    Raises:
        DataError: if it cannot be read, has unknown codes or voxels of other than 1 mm, lacks the
            structures that determine its pose, cortex, white matter or cerebellum, or has
            structures where no head has them.
    """
    volume = read_volume(path)
    if not np.allclose(volume.grid.spacing_mm, 1.0, atol=_SPACING_TOLERANCE):
        raise DataError(
            message(path, "a label map of 1 mm", volume.grid.spacing_mm, "resample it to 1 mm")
        )
    codes = to_canonical(volume.data, volume.grid)
    tissues = _tissues(codes, path)
    whole = int(np.count_nonzero(BRAIN[tissues]))
    tissues = attached(tissues)
    matrix, shift = common_pose(codes, path)
    require_whole(tissues, whole, (matrix, shift), path)
    coarse = tissues[(slice(None, None, LATTICE_STEP_MM),) * 3]
    distance = signed_mm(closed(BRAIN[coarse], 8), 0.8)
    brain_mm = Field(distance, (0.0, 0.0, 0.0), float(LATTICE_STEP_MM))
    clear_far_fluid(tissues, brain_mm)
    fill_sulci(tissues, brain_mm)
    return LabelLattice(tissues, matrix, shift, brain_mm, _lesion_sites(coarse), cut(tissues))


_remembered = lru_cache(maxsize=16)(read_lattice)
"""Each map takes some 30 MiB."""


def _tissues(codes: NDArray[Any], path: Path) -> NDArray[np.uint8]:
    found = np.unique(codes)
    unknown = [code for code in found.tolist() if code not in TISSUE_OF]
    if unknown:
        raise DataError(
            message(path, "FreeSurfer's codes", f"{unknown[:10]}", "map them to FreeSurfer's first")
        )
    table = np.zeros(int(found.max()) + 1, np.uint8)
    for code in found.astype(int).tolist():
        table[code] = TISSUE_OF[code]
    return table[codes.astype(np.int64)]


def _lesion_sites(coarse: NDArray[np.uint8]) -> Floats:
    ventricle = coarse == Tissue.VENTRICLE
    distance = LATTICE_STEP_MM * ndimage.distance_transform_edt(~ventricle)
    sites = np.argwhere((coarse == Tissue.WM) & (distance > 3) & (distance < 10))
    places: Floats = (LATTICE_STEP_MM * sites).astype(np.float32)
    return places

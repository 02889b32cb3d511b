"""The packaged anatomy: MNI152 tissue maps from nilearn, with a simple head built around them.

The maps are the symmetric ICBM 2009a average of 152 people, at 1 mm. They contain only the brain,
with hardly any CSF in the sulci. Distances to the brain and to the surface of a head made of simple
shapes determine where subarachnoid CSF, skull, soft tissue and scalp go (see `mni`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from voxres_tf.errors import DataError, message
from voxres_tf.phantom.field import Field, Floats
from voxres_tf.volume import Volume, read_volume

MNI_FILE = "mni_icbm152_{kind}_tal_nlin_sym_09a_converted.nii.gz"
LATTICE_STEP_MM = 3
"""Step of the coarse lattice on which distances are computed."""

# Room around the maps for the head, in lattice points of 3 mm: (before, after) along x, y, z.
_HEAD_PAD = ((11, 11), (9, 11), (20, 3))
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Anatomy:
    """The common anatomy in MNI space (mm, RAS+).

    Attributes:
        gm, wm: fractions of grey and white matter, 0..1, at 1 mm.
        brain_mm: signed distance to the surface of the brain, with gaps under 16 mm filled.
        head_mm: signed distance to the skin; both distances are negative inside, at 3 mm.
        lesion_sites_mm: float32 [N, 3], points in the white matter 3 to 10 mm from a ventricle.
    """

    gm: Field
    wm: Field
    brain_mm: Field
    head_mm: Field
    lesion_sites_mm: Floats


def ellipsoid(
    points_mm: Floats, centre: tuple[float, float, float], radii: tuple[float, float, float]
) -> Mask:
    """Which of the points [3, ...] lie inside an axis-aligned ellipsoid; bool [...]."""
    parts = [((p - c) / r) ** 2 for p, c, r in zip(points_mm, centre, radii, strict=True)]
    inside: Mask = parts[0] + parts[1] + parts[2] < 1
    return inside


def ventricles(points_mm: Floats) -> Mask:
    """Where CSF counts as ventricular: inside either of two approximate ellipsoids.

    One contains the lateral and third ventricles, the other the fourth. CSF of the nearby ambient
    cisterns counts as ventricle too; scoring merges CSF and ventricles.
    """
    upper = ellipsoid(points_mm, (0, -14, 9), (34, 50, 24))
    return upper | ellipsoid(points_mm, (0, -45, -32), (9, 10, 13))


def read_mni(kind: str) -> Volume:
    """Read a packaged map: `t1`, `gm` or `wm`, uint8 0..255 [197, 233, 189], 1 mm, RAS.

    Raises:
        DataError: if the installed nilearn does not include it.
    """
    path = Path(str(resources.files("nilearn"))) / "datasets" / "data" / MNI_FILE.format(kind=kind)
    if not path.is_file():
        raise DataError(
            message(path, "nilearn carries the MNI152 maps", "no such file", "reinstall nilearn")
        )
    return read_volume(path)


def mni_tissue(brain: Mask, grey: NDArray[Any], white: NDArray[Any]) -> NDArray[np.uint8]:
    """The tissue that fills the largest part of each voxel, according to the packaged maps.

    Args:
        brain: bool [X, Y, Z].
        grey: fraction of grey matter times 255, [X, Y, Z], any numeric dtype.
        white: the same for white matter; the remainder is fluid.

    Returns:
        uint8 [X, Y, Z]: 0 outside the brain, 1 CSF, 2 GM, 3 WM.
    """
    grey, white = grey.astype(np.float32), white.astype(np.float32)
    largest = np.argmax([255 - grey - white, grey, white], axis=0) + 1
    return np.where(brain, largest, 0).astype(np.uint8)


@lru_cache(maxsize=1)
def load_anatomy() -> Anatomy:
    """Read the maps and build the head around them; takes about two seconds, then is cached.

    Raises:
        DataError: as `read_mni`.
    """
    t1, gm, wm = (read_mni(kind) for kind in ("t1", "gm", "wm"))
    x, y, z = t1.grid.affine[:3, 3].tolist()
    grey, white = (
        Field(v.data.astype(np.float32) / np.float32(255), (x, y, z), 1.0) for v in (gm, wm)
    )
    # Padding with edge values continues the brainstem below the maps.
    brain = np.pad(
        t1.data[::LATTICE_STEP_MM, ::LATTICE_STEP_MM, ::LATTICE_STEP_MM] > 0, _HEAD_PAD, "edge"
    )
    before = [LATTICE_STEP_MM * pad[0] for pad in _HEAD_PAD]
    origin = (x - before[0], y - before[1], z - before[2])

    def lattice(values: Floats) -> Field:
        return Field(values, origin, float(LATTICE_STEP_MM))

    head = _head(brain, _coordinates(brain.shape, origin))
    return Anatomy(
        gm=grey,
        wm=white,
        brain_mm=lattice(signed_mm(closed(brain, 8), 0.8)),
        head_mm=lattice(signed_mm(head, 2.5)),
        lesion_sites_mm=_lesion_sites(grey, white, t1.data > 0),
    )


def _head(brain: Mask, points_mm: Floats) -> Mask:
    """A head: a vault 15 mm from the brain's convexity, a face and a neck."""
    hull = closed(brain, 40)
    vault = LATTICE_STEP_MM * ndimage.distance_transform_edt(~hull) < 15
    face = ellipsoid(points_mm, (0, 28, -62), (66, 72, 66))
    nose = ellipsoid(points_mm, (0, 98, -60), (15, 18, 26))
    neck = ellipsoid(points_mm, (0, -28, -125), (76, 80, 130))
    return closed(vault | face | nose | neck, 15)


def _lesion_sites(gm: Field, wm: Field, brain: Mask) -> Floats:
    coarse = (slice(None, None, LATTICE_STEP_MM),) * 3
    grey, white = gm.values[coarse], wm.values[coarse]
    points = _coordinates(white.shape, wm.origin_mm)
    ventricle = (1 - grey - white > 0.5) & brain[coarse] & ventricles(points)
    distance = LATTICE_STEP_MM * ndimage.distance_transform_edt(~ventricle)
    sites = (white > 0.95) & (distance > 3) & (distance < 10) & (points[2] > 5)
    return np.ascontiguousarray(points[:, sites].T)


def _coordinates(shape: tuple[int, ...], origin: tuple[float, float, float]) -> Floats:
    """Coordinates in mm of a lattice with step `LATTICE_STEP_MM`, float32 [3, X, Y, Z]."""
    axes = [
        np.float32(o + LATTICE_STEP_MM * np.arange(n)) for o, n in zip(origin, shape, strict=True)
    ]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


def closed(mask: Mask, radius_mm: float) -> Mask:
    """Morphological closing with a ball on the coarse lattice, whose border is not an edge."""
    radius = radius_mm / LATTICE_STEP_MM
    dilated = ndimage.distance_transform_edt(~mask) <= radius
    closed: Mask = ndimage.distance_transform_edt(dilated) > radius
    return closed | mask


def signed_mm(mask: Mask, sigma: float) -> Floats:
    """Distance to the surface in mm, negative inside, smoothed by `sigma` lattice steps."""
    outside = ndimage.distance_transform_edt(~mask)
    inside = ndimage.distance_transform_edt(mask)
    # Averaged over directions, the surface lies some 0.3 steps from the centres on its far side.
    voxels = np.where(mask, 0.3 - inside, outside - 0.3)
    signed = np.float32(LATTICE_STEP_MM) * voxels.astype(np.float32)
    smooth: Floats = ndimage.gaussian_filter(signed, sigma, mode="nearest")
    return smooth

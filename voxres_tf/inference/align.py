"""The scans of a subject put onto each other, by what a model finds in each of them alone.

Contrasts differ too much to be compared voxel by voxel; tissues do not. Each scan is segmented
alone, and moved rigidly to where its tissues agree best with those of the first one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from voxres_tf.dataset.regrid import resample_to
from voxres_tf.dataset.subject import Subject
from voxres_tf.errors import DataError, message
from voxres_tf.volume import Affine, Grid, Volume

_SMOOTH_MM = (4.0, 1.0)
"""SDs by which maps of tissues are smoothed, one after the other: from afar, then closely."""

_POINTS = 60_000
"""Voxels in and around tissue that are compared, from so many to twice that: for six numbers."""

_ROUNDS = 10
"""Steps of Gauss and Newton at most for each of these; two to four are usual."""

_UNITS = np.array([0.01, 0.01, 0.01, 1.0, 1.0, 1.0])
"""Radians and millimetres that change about as much."""

_LEAST_ML = 50.0
"""A scan in which less tissue is found is not moved by it."""

_FARTHEST = 20.0
"""Millimetres or degrees, more than a head moves between the scans of one session."""

_SAME = 0.02
"""Millimetres or degrees: less is left as it is, since interpolation costs more."""


@dataclass(frozen=True)
class Offset:
    """How a scan lies off another on the same grid: turned about the grid's middle, and shifted.

    Attributes:
        turn_deg: rotation vector, degrees, towards right, anterior and superior.
        shift_mm: likewise.
    """

    turn_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def size(self) -> tuple[float, float]:
        """Degrees and millimetres in all."""
        return float(np.linalg.norm(self.turn_deg)), float(np.linalg.norm(self.shift_mm))

    def affine(self, grid: Grid) -> Affine:
        """Affine [4, 4] of the scan's voxels once they lie where they belong, in mm."""
        middle = grid.affine @ (*((np.array(grid.shape) - 1) / 2), 1)
        turn = Rotation.from_rotvec(self.turn_deg, degrees=True).as_matrix()
        there = np.eye(4)
        there[:3, :3] = turn
        there[:3, 3] = middle[:3] - turn @ middle[:3] + self.shift_mm
        return np.asarray(np.linalg.inv(there) @ grid.affine)


def aligned(
    subject: Subject, modalities: Sequence[str], segment: Callable[[Subject], Volume | None]
) -> tuple[Subject, dict[str, Offset]]:
    """A subject whose scans lie on the first one, and how each of the others lay off it.

    Args:
        subject: scans on one grid.
        modalities: those to align, the first of which stays.
        segment: a subject -> probabilities [X, Y, Z, K] on its grid, class 0 the background.

    Raises:
        DataError: if a scan has too little tissue to go by, or lies further off than heads move.
    """

    def alone(name: str) -> NDArray[np.float32]:
        found = segment(replace(subject, images={name: subject.images[name]}, labels=None))
        if found is None or (found.data[..., 0] < 0.5).sum() * subject.grid.voxel_ml < _LEAST_ML:
            raise DataError(_unaligned(subject, name, "tissue to go by", "hardly any"))
        return np.asarray(found.data)

    images, offsets = dict(subject.images), dict[str, Offset]()
    first, *others = modalities
    if not others:
        return subject, offsets
    aim = alone(first)
    for name in others:
        offset = offset_of(alone(name), aim, subject.grid)
        if max(offset.size) > _FARTHEST:
            there = "{:.0f} degrees, {:.0f} mm".format(*offset.size)
            rule = f"at most {_FARTHEST:.0f} degrees and mm off {first}"
            raise DataError(_unaligned(subject, name, rule, there))
        images[name], offsets[name] = put_back(images[name], offset), offset
    return replace(subject, images=images), offsets


def put_back(scan: Volume, offset: Offset) -> Volume:
    """A scan without its offset, see `regrid`; as it is where that is next to none."""
    if max(offset.size) < _SAME:
        return scan
    grid = scan.grid
    return resample_to(Volume(scan.data, replace(grid, affine=offset.affine(grid))), grid)


def offset_of(own: NDArray[np.float32], aim: NDArray[np.float32], grid: Grid) -> Offset:
    """How one scan lies off another, by the tissues found in both.

    The least squares of the differences of their smoothed probabilities, by Gauss and Newton.

    Args:
        own: probabilities of the scan that lies off, [X, Y, Z, K], class 0 the background.
        aim: of the other one, likewise.
        grid: of both.
    """
    spacing = np.array(grid.spacing_mm)
    tissue = (own[..., 0] < 0.5) | (aim[..., 0] < 0.5)
    points = np.argwhere(ndimage.binary_dilation(tissue, iterations=2))
    points = points[:: max(1, len(points) // _POINTS)]
    found = np.zeros(6)
    for sd_mm in _SMOOTH_MM:
        sds = (*(sd_mm / spacing), 0)
        here, there = (ndimage.gaussian_filter(p[..., 1:], sds) for p in (own, aim))
        wanted = there[tuple(points.T)]
        found = _least_squares(_differences(here, wanted, points, grid), found)
    return _offset(found)


def _differences(
    maps: NDArray[np.float32],
    wanted: NDArray[np.float32],
    points: NDArray[np.intp],
    grid: Grid,
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Six numbers of an offset -> what the maps [X, Y, Z, K] then have too much at the points."""

    def differences(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        to_scan = np.linalg.inv(_offset(numbers).affine(grid)) @ grid.affine
        places = to_scan[:3, :3] @ points.T + to_scan[:3, 3:]
        each = np.moveaxis(maps, -1, 0)
        found = [ndimage.map_coordinates(m, places, order=1, mode="nearest") for m in each]
        return np.asarray(np.stack(found, axis=-1) - wanted, dtype=np.float64).reshape(-1)

    return differences


def _least_squares(
    residuals: Callable[[NDArray[np.float64]], NDArray[np.float64]], start: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The best of the steps of Gauss and Newton from a start, by central differences."""
    best, least = start, np.inf
    numbers, step = start, 0.1
    for _ in range(_ROUNDS):
        here = residuals(numbers)
        if (cost := float(here @ here)) >= least:
            break
        best, least = numbers, cost
        sides = [(residuals(numbers + e), residuals(numbers - e)) for e in step * np.eye(6)]
        slopes = np.stack([(more - less) / (2 * step) for more, less in sides], axis=-1)
        change = np.linalg.lstsq(slopes, -here, rcond=None)[0]
        numbers = numbers + change
        if np.abs(change).max() < 0.005:
            return numbers
    return best


def _offset(numbers: NDArray[np.float64]) -> Offset:
    turn, shift = np.split(numbers * _UNITS, 2)
    a, b, c = np.degrees(turn).tolist()
    x, y, z = shift.tolist()
    return Offset((a, b, c), (x, y, z))


def _unaligned(subject: Subject, name: str, rule: str, received: str) -> str:
    then = "look at the scans, or predict without --align"
    return message(f"subject {subject.id}, {name}", f"to be aligned, {rule}", received, then)

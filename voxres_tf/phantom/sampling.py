"""The grid of a phantom, and a person sampled on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from voxres_tf.grid import Grid
from voxres_tf.phantom.field import Floats
from voxres_tf.phantom.heads import Person


@dataclass(frozen=True)
class Size:
    """The grid of a phantom.

    Attributes:
        shape: voxels along each axis.
        spacing_mm: voxel spacing.
        samples: points per voxel along each axis over which partial volume is averaged. Odd, so
            that no voxel is half one tissue and half another: `largest_share` would always give
            it to the same one and so enlarge that tissue.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    samples: tuple[int, int, int]

    @property
    def half_mm(self) -> tuple[float, float, float]:
        """Half the side lengths of the field of view."""
        x, y, z = (n * mm / 2 for n, mm in zip(self.shape, self.spacing_mm, strict=True))
        return (x, y, z)

    @property
    def slice_axis(self) -> int:
        """The axis across the slices: the last one with the most points per voxel."""
        return 2 - int(np.argmax(self.samples[::-1]))

    def grid(self) -> Grid:
        """The grid in RAS, with voxel n / 2 at 0 mm, and sform and qform both set with code 1."""
        affine = np.diag((*self.spacing_mm, 1.0))
        affine[:3, 3] = [-half for half in self.half_mm]
        return Grid(self.shape, affine, affine, 1, affine, 1)


SIZES: Mapping[str, Size] = MappingProxyType(
    {
        "full": Size((240, 240, 48), (0.958, 0.958, 3.0), (1, 1, 3)),
        "small": Size((96, 96, 24), (2.4, 2.4, 6.0), (3, 3, 3)),
    }
)


def slices_of(spec: Size, person: Person) -> Iterator[Floats]:
    """Fractions [T, X, Y] of one slice after another, averaged over the points of each voxel."""
    x, y, z = (
        _sample_mm(n, mm, samples)
        for n, mm, samples in zip(spec.shape, spec.spacing_mm, spec.samples, strict=True)
    )
    a, b, c = spec.samples
    for k in range(spec.shape[2]):
        points = np.stack(np.meshgrid(x, y, z[k * c : (k + 1) * c], indexing="ij"))
        fine = person.fractions(points)
        blocks = fine.reshape(-1, spec.shape[0], a, spec.shape[1], b, c)
        yield blocks.mean(axis=(2, 4, 5))


def largest_share(mixed: Floats, codes: Sequence[int]) -> NDArray[np.uint8]:
    """The code that fills the largest part of each voxel.

    Args:
        mixed: fractions of the tissues, float32 [T, ...].
        codes: code of each tissue, 0 or more; several tissues may share one. If two codes fill
            equal parts, the lower wins.

    Returns:
        uint8 [...].
    """
    table = np.asarray(codes)
    shares = [mixed[table == code].sum(axis=0) for code in range(table.max() + 1)]
    largest: NDArray[np.uint8] = np.argmax(shares, axis=0).astype(np.uint8)
    return largest


def _sample_mm(count: int, spacing_mm: float, samples: int) -> Floats:
    within = (np.arange(samples) + 0.5) / samples - 0.5
    centres = np.arange(count) - count / 2
    places = (centres[:, None] + within).ravel() * spacing_mm
    return places.astype(np.float32)

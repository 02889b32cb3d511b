"""How far an exported model's answers are from the trained network's, road by road."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voxres_tf.errors import ConfigError, ModelError
from voxres_tf.schema import Config, load

CERTIFICATE_FILE = Path("assets.extra") / "verification.json"
"""Beside the contract: a `Certificate`."""

TOLERANCE = 1e-4
"""A difference of a probability below it counts as rounding; fused kernels round differently."""

LEAST_EQUAL = 0.999
"""Least share of the voxels whose label must be the same."""


@dataclass(frozen=True)
class Agreement:
    """One road to an answer, held against the live network's.

    Attributes:
        road: what was asked, and how.
        voxels: how many were compared.
        largest_difference: of a probability; NaN where an answer has NaN, infinity where it has
            another shape.
        equal_labels: share of the voxels whose label is the same.
    """

    road: str
    voxels: int
    largest_difference: float
    equal_labels: float

    @property
    def holds(self) -> bool:
        """Whether the differences are rounding; not so with NaN."""
        return self.largest_difference < TOLERANCE and self.equal_labels >= LEAST_EQUAL

    @property
    def figures(self) -> str:
        """For people."""
        share = f"{100 * self.equal_labels:.6g} % of {self.voxels} labels equal"
        return f"largest difference {self.largest_difference:.1e}, {share}"


class Certificate(Config):
    """`assets.extra/verification.json` of a SavedModel: what its export was held to, and found.

    Attributes:
        shape, spacing_mm: of the reference scan.
        tolerance: every difference is below it.
        least_equal_labels: every share of equal labels is at least this.
        roads: at least one.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    tolerance: float = TOLERANCE
    least_equal_labels: float = LEAST_EQUAL
    roads: tuple[Agreement, ...]

    def lines(self) -> Iterator[str]:
        """For people: what it is about, then a line for each road."""
        scan = " x ".join(map(str, self.shape))
        yield f"against the trained network, on a simulated scan of {scan} voxels:"
        width = max(len(found.road) for found in self.roads)
        yield from (f"  {found.road:<{width}}  {found.figures}" for found in self.roads)


def agreement(
    road: str,
    probabilities: Sequence[NDArray[np.float32]],
    labels: Sequence[NDArray[np.uint8]],
    expected: Sequence[NDArray[np.float32]],
) -> Agreement:
    """Hold the answers to any number of inputs against the live network's.

    Args:
        road: what they came by.
        probabilities: float32 [..., K] of each input.
        labels: integers [...] of each input.
        expected: float32 [..., K] of each input.
    """
    voxels = sum(wanted[..., 0].size for wanted in expected)
    fitting = [
        (found.shape, classes.shape) == (wanted.shape, wanted.shape[:-1])
        for found, classes, wanted in zip(probabilities, labels, expected, strict=True)
    ]
    if not all(fitting):
        return Agreement(road, voxels, float("inf"), 0.0)
    pairs = zip(probabilities, expected, strict=True)
    difference = np.max([np.abs(found - wanted).max() for found, wanted in pairs])
    equal = sum(
        int((classes == wanted.argmax(axis=-1)).sum())
        for classes, wanted in zip(labels, expected, strict=True)
    )
    return Agreement(road, voxels, float(difference), equal / voxels)


def read_certificate(folder: Path) -> Certificate:
    """What the export of the SavedModel in that folder found.

    Raises:
        ModelError: if there is no certificate, or one of another form.
    """
    try:
        return load(Certificate, folder / CERTIFICATE_FILE)
    except ConfigError as error:
        raise ModelError(str(error)) from error

"""How far an exported model's answers are from the trained network's, for each road to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from voxres_tf.errors import ModelError
from voxres_tf.schema import Config, load

CERTIFICATE_FILE = Path("assets.extra") / "verification.json"
"""Beside the contract: a `Certificate`."""

TOLERANCE = 1e-4
"""Probability differences below this count as rounding; fused kernels round differently."""

LEAST_EQUAL = 0.999
"""Minimum share of the voxels whose labels must be equal."""


@dataclass(frozen=True)
class Agreement:
    """The answers by one road, compared with the live network's.

    Attributes:
        road: what was run, and how.
        voxels: how many were compared.
        largest_difference: of a probability; NaN if an answer contains NaN, infinity if it has
            another shape.
        equal_labels: share of the voxels whose labels are equal.
    """

    road: str
    voxels: int
    largest_difference: float
    equal_labels: float

    @property
    def holds(self) -> bool:
        """Whether the differences are only rounding; False with NaN."""
        return self.largest_difference < TOLERANCE and self.equal_labels >= LEAST_EQUAL

    @property
    def figures(self) -> str:
        """The comparison as human-readable text."""
        share = f"{100 * self.equal_labels:.6g} % of {self.voxels} labels equal"
        return f"largest difference {self.largest_difference:.1e}, {share}"


class Certificate(Config):
    """`assets.extra/verification.json` of a SavedModel: its export's limits and findings.

    Attributes:
        shape, spacing_mm: of the reference scan.
        tolerance: every difference is below this.
        least_equal_labels: every share of equal labels is at least this.
        roads: at least one.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    tolerance: float = TOLERANCE
    least_equal_labels: float = LEAST_EQUAL
    roads: Annotated[tuple[Agreement, ...], Field(min_length=1)]

    def lines(self) -> Iterator[str]:
        """Human-readable lines: what was compared, then one line per road."""
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
    """Compare the answers to any number of inputs with the live network's.

    Args:
        road: how they were obtained.
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
    """Read what the export of the SavedModel in a folder found.

    Raises:
        ModelError: if there is no certificate, or it is malformed.
    """
    return load(Certificate, folder / CERTIFICATE_FILE, ModelError)

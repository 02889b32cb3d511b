"""The result of predicting one subject."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from voxres_tf.inference.align import Alignment
from voxres_tf.volume import Volume


@dataclass(frozen=True, eq=False)
class Prediction:
    """The tissues of one subject, on its own grid.

    Attributes:
        id: id of the subject.
        labels: uint8 [X, Y, Z], the index of the most probable class in the model's order
            (0 background, 1 CSF, 2 GM, 3 WM unless the model has its own classes).
        probabilities: float32 [X, Y, Z, K], which sum to 1 over K; None if not requested.
        volumes_ml: class name -> millilitres, without the background; 0 for an absent class.
        seconds: stage ("read", "prepare", "align", "predict") -> wall time.
        modalities: those that the prediction was made from, in the model's order.
        spacing_mm: spacing at which the network saw the subject, along its right, anterior and
            superior axes; differs from the scan's own if that was resampled.
        loose_ml: tissue that was found apart from the rest and turned into background, see
            `pieces`; None if it was not looked for, or a server did this in volume mode.
        alignment: which scans were moved onto which, and which could not be.
        scan_notes: lines about scans that may not be what they were named.
    """

    id: str
    labels: Volume
    probabilities: Volume | None
    volumes_ml: dict[str, float]
    seconds: dict[str, float]
    modalities: tuple[str, ...]
    spacing_mm: tuple[float, float, float]
    loose_ml: float | None = None
    alignment: Alignment = field(default_factory=Alignment)
    scan_notes: tuple[str, ...] = ()


def volumes_ml(
    labels: NDArray[np.uint8], voxel_ml: float, classes: Sequence[str]
) -> dict[str, float]:
    """Class name -> millilitres, without the background; 0 for an absent class."""
    counts = np.bincount(labels.reshape(-1), minlength=len(classes))
    return {name: int(counts[code]) * voxel_ml for code, name in enumerate(classes) if code}


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Add the wall time of the block to that of a stage."""
    start = time.perf_counter()
    yield
    seconds[stage] = seconds.get(stage, 0.0) + time.perf_counter() - start

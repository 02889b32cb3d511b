"""Subjects so small that a network trains on them in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.volume import Grid, write_volume


def write_subject(folder: Path, number: int, codes: NDArray[np.uint8], scheme: str) -> SubjectFiles:
    """Write a T1 and a FLAIR as bright as their codes, with noise of their own, and the labels."""
    random = np.random.default_rng(number)
    grid = Grid(codes.shape, np.diag([1.0, 1.0, 3.0, 1.0]))
    images = {}
    for name in ("t1", "flair"):
        noisy = 100 * codes + 20 * random.standard_normal(codes.shape)
        images[name] = folder / f"{number}-{name}.nii"
        write_volume(images[name], noisy.astype(np.float32), grid)
    labels = folder / f"{number}-labels.nii"
    write_volume(labels, codes, grid)
    return SubjectFiles(str(number), images, labels, scheme)

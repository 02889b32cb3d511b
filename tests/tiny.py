"""What keeps tests short: tiny subjects, and a stand-in for what export does in a fresh process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.export.agreement import Agreement, Certificate
from voxres_tf.grid import Grid
from voxres_tf.volume import write_volume


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


def agreed(*_: object) -> Certificate:
    """What `compare_in_fresh_process` says of a model that gives the right answers."""
    return Certificate(
        shape=(2, 2, 2), spacing_mm=(1, 1, 3), roads=(Agreement("some road", 8, 2e-7, 1.0),)
    )

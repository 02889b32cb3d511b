"""Tiny subjects that differ, and a configuration that trains on them in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from voxres_tf.config import RunConfig
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.volume import Grid, write_volume

SHAPE = (16, 16, 8)


def write_subject(folder: Path, number: int) -> SubjectFiles:
    random = np.random.default_rng(number)
    codes = np.zeros(SHAPE, np.uint8)
    codes[3:13, 3:13, 1:7], codes[5:11, 5:11, 2:6], codes[7:9, 6:10, 3:5] = 1, 2, 3
    codes[3, 3 + number % 8, 1] = 3
    grid = Grid(SHAPE, np.diag([1.0, 1.0, 3.0, 1.0]))
    images = {}
    for name in ("t1", "flair"):
        images[name] = folder / f"{number}-{name}.nii"
        noisy = 100 * codes + 20 * random.standard_normal(SHAPE)
        write_volume(images[name], noisy.astype(np.float32), grid)
    labels = folder / f"{number}-labels.nii"
    write_volume(labels, codes, grid)
    return SubjectFiles(str(number), images, labels, "tissue")


@pytest.fixture
def subjects(tmp_path: Path) -> list[SubjectFiles]:
    return [write_subject(tmp_path / "data", number) for number in (1, 2, 3)]


@pytest.fixture
def config() -> RunConfig:
    return RunConfig().updated(
        preprocess={"modalities": ("t1", "flair"), "filtered": False},
        model={"width": 2},
        training={
            "crop": (16, 16, 8),
            "steps": 4,
            "steps_per_epoch": 2,
            "optimizer": "adam",
            "learning_rate": 0.01,
        },
    )

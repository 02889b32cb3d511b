"""Two tiny subjects on disk: a bright cube of tissue in a darker box, with noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from voxres_tf.config import RunConfig
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.volume import Grid, write_volume

SHAPE = (20, 24, 10)


def write_subject(folder: Path, number: int) -> SubjectFiles:
    random = np.random.default_rng(number)
    codes = np.zeros(SHAPE, np.uint8)
    codes[4:16, 4:20, 2:9], codes[6:14, 6:18, 3:8], codes[8:12, 8:14, 4:7] = 5, 1, 3
    codes[4:8, 4:8, 2:4], codes[0, 0, number] = 7, 1
    grid = Grid(SHAPE, np.diag([1.0, 1.0, 3.0, 1.0]))
    files = {}
    for name in ("t1", "flair"):
        image = 100 * codes + 20 * random.standard_normal(SHAPE)
        files[name] = folder / f"{number}-{name}.nii"
        write_volume(files[name], image.astype(np.float32), grid)
    labels = folder / f"{number}-labels.nii"
    write_volume(labels, codes, grid)
    return SubjectFiles(str(number), files, labels, "mrbrains13")


@pytest.fixture
def subjects(tmp_path: Path) -> list[SubjectFiles]:
    return [write_subject(tmp_path, number) for number in (1, 2, 3)]


@pytest.fixture
def config() -> RunConfig:
    return RunConfig().updated(
        preprocess={"modalities": ("t1", "flair"), "filtered": False},
        model={"width": 2},
        training={
            "crop": (16, 16, 16),
            "batch": 2,
            "steps": 8,
            "steps_per_epoch": 4,
            "optimizer": "adam",
            "validate_every": 1,
            "seed": 3,
        },
    )

"""Two tiny subjects on disk: a bright cube of tissue in a darker box, with noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.tiny import write_subject
from voxres_tf.config import RunConfig
from voxres_tf.dataset.subject import SubjectFiles

SHAPE = (20, 24, 10)


def draw(number: int) -> NDArray[np.uint8]:
    """Boxes of MRBrainS13's codes with a cerebellum (7), and a voxel that tells subjects apart."""
    codes = np.zeros(SHAPE, np.uint8)
    codes[4:16, 4:20, 2:9], codes[6:14, 6:18, 3:8], codes[8:12, 8:14, 4:7] = 5, 1, 3
    codes[4:8, 4:8, 2:4], codes[0, 0, number] = 7, 1
    return codes


@pytest.fixture
def subjects(tmp_path: Path) -> list[SubjectFiles]:
    return [write_subject(tmp_path, number, draw(number), "mrbrains13") for number in (1, 2, 3)]


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

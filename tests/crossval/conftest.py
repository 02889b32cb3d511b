"""Tiny subjects that differ, and a configuration that trains on them in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.tiny import write_subject
from voxres_tf.config import RunConfig
from voxres_tf.dataset.subject import SubjectFiles

SHAPE = (16, 16, 8)


def draw(number: int) -> NDArray[np.uint8]:
    """Boxes of the three tissues, one inside the other, and a voxel that tells subjects apart."""
    codes = np.zeros(SHAPE, np.uint8)
    codes[3:13, 3:13, 1:7], codes[5:11, 5:11, 2:6], codes[7:9, 6:10, 3:5] = 1, 2, 3
    codes[3, 3 + number % 8, 1] = 3
    return codes


@pytest.fixture
def subjects(tmp_path: Path) -> list[SubjectFiles]:
    return [
        write_subject(tmp_path / "data", number, draw(number), "tissue") for number in (1, 2, 3)
    ]


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

"""What validation says of a prediction, and so which weights are the best."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from voxres_tf.config import RunConfig
from voxres_tf.errors import ModelError
from voxres_tf.inference.tiling import Tiling
from voxres_tf.training.history import VAL_DICE, mean_val_dice
from voxres_tf.training.run import RunFolder
from voxres_tf.training.validation import load_network, mean_dice

BLOCKS = np.repeat(np.arange(4), 4)[:, None, None] * np.ones((1, 16, 16), np.int64)
"""Four voxels of each class along the first axis."""


def subject(prediction: NDArray[Any], reference: NDArray[Any]) -> SimpleNamespace:
    """A subject whose channels are the probabilities of a prediction."""
    return SimpleNamespace(
        channels=lambda: np.eye(4, dtype=np.float32)[prediction],
        classes=reference.astype(np.uint8),
        scored=np.ones(reference.shape, np.bool_),
    )


def measured(config: RunConfig, *subjects: SimpleNamespace) -> list[float | None]:
    # A network that passes on what it is given.
    found = mean_dice(lambda tiles: tiles, subjects, config, Tiling(config.training.crop))
    assert list(found) == ["CSF", "GM", "WM"]
    return list(found.values())


def test_a_tissue_that_the_prediction_misses_has_dice_0(config: RunConfig) -> None:
    white = np.where(BLOCKS == 3, 3, 0)
    assert measured(config, subject(white, BLOCKS)) == [0, 0, 1]
    assert measured(config, subject(white, BLOCKS), subject(BLOCKS, BLOCKS)) == [0.5, 0.5, 1]


def test_a_tissue_that_the_reference_lacks_has_no_dice(config: RunConfig) -> None:
    without = np.where(BLOCKS == 1, 0, BLOCKS)
    assert measured(config, subject(BLOCKS, without)) == [None, 1, 1]
    assert measured(config, subject(BLOCKS, without), subject(BLOCKS, BLOCKS)) == [1, 1, 1]


def test_weights_that_miss_tissues_are_not_the_best(config: RunConfig) -> None:
    def mean(prediction: NDArray[Any]) -> float:
        scores = measured(config, subject(prediction, BLOCKS))
        names = [f"{VAL_DICE}{tissue}" for tissue in ("CSF", "GM", "WM")]
        return mean_val_dice(dict(zip(names, scores, strict=True)))

    # Three voxels of four in their place: 2 * 3 / (4 + 4) for each tissue.
    assert mean(np.roll(BLOCKS, 1, axis=0)) == 0.75
    assert mean(np.where(BLOCKS == 3, 3, 0)) == pytest.approx(1 / 3)


def test_damaged_weights_are_named(config: RunConfig, tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.last.write_text("junk")
    with pytest.raises(ModelError, match=r"last\.weights\.h5: weights of the network"):
        load_network(run, config)

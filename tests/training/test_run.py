"""What a run is held to before anything is prepared."""

from __future__ import annotations

from pathlib import Path

import pytest

from voxres_tf.config import RunConfig
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.errors import ConfigError
from voxres_tf.training import fit


def test_a_training_has_the_classes_of_its_labels(
    subjects: list[SubjectFiles], config: RunConfig, tmp_path: Path
) -> None:
    other = config.for_classes(["background", "brain"])
    rule = r"^classes: .* of its labels, background, CSF, GM, WM\. Received: background, brain\. "
    with pytest.raises(ConfigError, match=rule):
        fit.train(subjects, tmp_path / "run", other)
    assert not (tmp_path / "run").exists()


def test_a_second_stage_is_not_trained_alone(
    subjects: list[SubjectFiles], config: RunConfig, tmp_path: Path
) -> None:
    second = config.updated(model={"context_channels": 4})
    with pytest.raises(ConfigError, match=r"context_channels: a network of one stage.*Received: 4"):
        fit.train(subjects, tmp_path / "run", second)
    assert not (tmp_path / "run").exists()

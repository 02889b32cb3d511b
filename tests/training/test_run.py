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
    other = config.updated(model={"classes": 3})
    rule = r"model\.classes: .*the 4 classes .*background, CSF, GM, WM\. Received: 3\. Set .* to 4"
    with pytest.raises(ConfigError, match=rule):
        fit.train(subjects, tmp_path / "run", other)
    with pytest.raises(ConfigError, match=rule):
        fit.train_prepared([], tmp_path / "run", other)
    assert not (tmp_path / "run").exists()

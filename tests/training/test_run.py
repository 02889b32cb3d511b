"""What a run is held to before anything is prepared."""

from __future__ import annotations

from pathlib import Path

import pytest

from voxres_tf.config import RunConfig
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.errors import ConfigError, DataError, TrainingError
from voxres_tf.start import read_summary
from voxres_tf.training import fit
from voxres_tf.training.checkpoint import restore_state
from voxres_tf.training.history import read_history
from voxres_tf.training.run import RunFolder, check_resume


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


def test_damaged_files_of_a_run_are_named(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for path in (folder.summary, folder.history, folder.state):
        path.write_bytes(b"epoch,step\n1\n")
    for read, error, fault in (
        (lambda: read_summary(tmp_path), ConfigError, r"summary\.json: JSON in UTF-8"),
        (lambda: read_history(folder.history), DataError, r"history\.csv: a row of numbers"),
        (lambda: restore_state(folder.state, None), TrainingError, r"state\.npz: a whole state"),
        (lambda: check_resume(folder, RunConfig(), "auto"), TrainingError, r"config\.json that it"),
    ):
        with pytest.raises(error, match=fault):
            read()

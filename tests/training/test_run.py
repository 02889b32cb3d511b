"""Run folders: what is refused before training, and what an earlier run leaves behind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from voxres_tf.config import RunConfig
from voxres_tf.dataset.checks import classes_of
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.errors import ConfigError, DataError, TrainingError, VoxResError
from voxres_tf.files import write_json
from voxres_tf.model.stored import PLANNED, STEP
from voxres_tf.start import read_summary
from voxres_tf.training import callbacks, fit
from voxres_tf.training.checkpoint import restore_state
from voxres_tf.training.history import read_history
from voxres_tf.training.run import NETWORKS_FOLDER, RunFolder, check_resume


def test_a_training_has_the_classes_of_its_labels(
    subjects: list[SubjectFiles], config: RunConfig, tmp_path: Path
) -> None:
    other = config.for_classes(["background", "brain"])
    rule = r"^classes: .* of its labels, background, CSF, GM, WM\. Received: background, brain\. "
    with pytest.raises(ConfigError, match=rule):
        fit.train(subjects, tmp_path / "run", other)
    assert not (tmp_path / "run").exists()


def test_subjects_without_labels_have_no_say_in_the_classes(
    subjects: list[SubjectFiles], tmp_path: Path
) -> None:
    own = tmp_path / "own.json"
    write_json(
        own, {"classes": ["background", "lesion"], "codes": {"0": "background", "1": "lesion"}}
    )
    first, second, _ = subjects
    given = [replace(first, scheme=str(own)), replace(second, labels=None)]
    assert classes_of(given) == ("background", "lesion")
    with pytest.raises(DataError, match="all labels of a training have the same classes"):
        classes_of([*given, second])


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


def test_what_resume_refuses(
    subjects: list[SubjectFiles], config: RunConfig, tmp_path: Path
) -> None:
    for wrong in ("Never", False):
        with pytest.raises(ConfigError, match="resume: one of auto, never, must"):
            fit.train(subjects, tmp_path / "none", config, resume=wrong)
    with pytest.raises(TrainingError, match="a run to resume"):
        fit.train(subjects, tmp_path / "none", config, resume="must")
    run = fit.train(subjects, tmp_path / "run", config.updated(training={"steps": 4}))
    with pytest.raises(TrainingError, match="a new run folder"):
        fit.train(subjects, run, config, resume="never")
    with pytest.raises(TrainingError, match=r"training\.seed 3 -> 4"):
        fit.train(subjects, run, config.updated(training={"seed": 4}))
    with pytest.raises(TrainingError, match=r"model\.architecture voxresnet -> unet3d"):
        fit.train(subjects, run, config.updated(model={"architecture": "unet3d"}))
    with pytest.raises(TrainingError, match="keeps its training subjects"):
        fit.train(subjects[:2], run, config)
    with pytest.raises(DataError, match="subject 1: ids are unique"):
        fit.train(subjects, tmp_path / "leak", config, val=subjects[:1])


def test_what_a_run_left_that_had_no_checkpoint_is_not_the_next_ones(
    subjects: list[SubjectFiles],
    config: RunConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    short = config.updated(training={"steps": 4})
    with monkeypatch.context() as patch:
        patch.setattr(callbacks, "write_history", die)
        with pytest.raises(KeyboardInterrupt):
            fit.train(subjects[:2], tmp_path, short, val=subjects[2:])
    assert (tmp_path / "best.weights.h5").is_file()
    fit.train(subjects[:2], tmp_path, short)
    assert not (tmp_path / "best.weights.h5").exists()
    assert [row["step"] for row in read_history(tmp_path / "history.csv")] == [4]
    # Weights that were lost are written again, without a step.
    last, state = ((tmp_path / name).read_bytes() for name in ("last.weights.h5", "state.npz"))
    (tmp_path / "last.weights.h5").unlink()
    fit.train(subjects[:2], tmp_path, short)
    assert (tmp_path / "last.weights.h5").read_bytes() == last
    assert (tmp_path / "state.npz").read_bytes() == state
    # Nobody could say whether these are the same subjects.
    (tmp_path / "summary.json").unlink()
    with pytest.raises(TrainingError, match=r"the summary\.json that it began with"):
        fit.train(subjects[:2], tmp_path, config)
    # Weights are not lost for want of a state.
    (tmp_path / "state.npz").unlink()
    with pytest.raises(TrainingError, match=r"the state\.npz of its weights"):
        fit.train(subjects[:2], tmp_path, config)
    assert (tmp_path / "last.weights.h5").read_bytes() == last


def test_a_run_does_not_end_where_it_stopped_within_an_epoch(tmp_path: Path) -> None:
    config = RunConfig().updated(training={"steps": 20, "steps_per_epoch": 10})
    folder = RunFolder(tmp_path)
    write_json(folder.config, config.model_dump(mode="json"))
    np.savez(folder.state, **{STEP: np.int64(17), PLANNED: np.int64(20)})
    short, longer = (config.updated(training={"steps": steps}) for steps in (17, 18))
    with pytest.raises(TrainingError, match=r"more than the 17 steps that were made.*Ask for more"):
        check_resume(folder, short, "auto")
    check_resume(folder, longer, "auto")
    np.savez(folder.state, **{STEP: np.int64(17)})  # by an earlier version
    check_resume(folder, short, "auto")
    np.savez(folder.state, **{STEP: np.int64(17), PLANNED: np.int64(17)})  # it was done
    check_resume(folder, short, "auto")


def test_a_training_does_not_begin_among_those_of_a_cross_validation(tmp_path: Path) -> None:
    (tmp_path / NETWORKS_FOLDER).mkdir()
    with pytest.raises(TrainingError, match="one of voxres auto-context or cross-validate"):
        check_resume(RunFolder(tmp_path), RunConfig(), "auto")


@pytest.mark.parametrize("name", ["best.weights.h5", "history.csv", "config.json"])
def test_a_new_run_is_asked_for_where_one_began(
    name: str, config: RunConfig, tmp_path: Path
) -> None:
    (tmp_path / name).touch()
    with pytest.raises(TrainingError, match="a new run folder"):
        check_resume(RunFolder(tmp_path), config, "never")


def test_no_subjects(config: RunConfig, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="subjects to learn from"):
        fit.train([], tmp_path / "run", config)


@pytest.mark.parametrize("text", ["[]", '"text"'])
def test_a_summary_of_another_kind_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text(text)
    with pytest.raises(VoxResError, match=r"summary\.json: names and values"):
        read_summary(tmp_path)


def test_a_run_without_a_checkpoint_may_begin_anew_with_other_settings(
    config: RunConfig, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path)
    write_json(folder.config, config.model_dump(mode="json"))
    other = config.updated(training={"seed": 9})
    check_resume(folder, other, "auto")
    folder.state.write_bytes(b"no state")
    with pytest.raises(VoxResError, match=r"state\.npz: a state as training wrote it"):
        check_resume(folder, other, "auto")
    folder.state.write_bytes(b"")
    with pytest.raises(VoxResError, match=r"state\.npz: a state as training wrote it"):
        check_resume(folder, other, "auto")
    np.savez(folder.state, step=1, planned=1)
    with pytest.raises(TrainingError, match=r"training\.seed 3 -> 9"):
        check_resume(folder, other, "auto")
    (tmp_path / "cascade.json").touch()
    with pytest.raises(TrainingError, match="a folder for one training"):
        check_resume(folder, config, "never")

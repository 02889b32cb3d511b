"""A run's folder: its files, whether it may be resumed, and what it was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args

from voxres_tf import __version__
from voxres_tf.config import CASCADE_FILE, CONFIG_FILE, SUMMARY_FILE, RunConfig
from voxres_tf.dataset.checks import classes_of
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.errors import ConfigError, TrainingError, message
from voxres_tf.model.stored import STATE_FILE, place_of_weights, planned_steps, saved_step
from voxres_tf.preprocess.cache import CachedSubject
from voxres_tf.schema import load
from voxres_tf.start import read_summary

Resume = Literal["auto", "never", "must"]
NETWORKS_FOLDER = "networks"
"""In the folder of a cross-validation or an auto-context training: its trainings' run folders."""

MAY_CHANGE = {"steps", "validate_every", "checkpoint_minutes"}
"""Fields of the training config that a resumed run may change."""


@dataclass(frozen=True)
class RunFolder:
    """The files of a run."""

    path: Path

    @property
    def config(self) -> Path:
        """RunConfig as JSON."""
        return self.path / CONFIG_FILE

    @property
    def summary(self) -> Path:
        """What the run was trained on, and with which versions."""
        return self.path / SUMMARY_FILE

    @property
    def state(self) -> Path:
        """The last checkpoint."""
        return self.path / STATE_FILE

    @property
    def history(self) -> Path:
        """The history, one row per epoch."""
        return self.path / "history.csv"

    @property
    def curves(self) -> Path:
        """The history as a picture."""
        return self.path / "curves.png"

    @property
    def events(self) -> Path:
        """TensorBoard's event files."""
        return self.path / "tensorboard"

    @property
    def last(self) -> Path:
        """Weights of the last checkpoint."""
        return place_of_weights(self.path, "last")

    @property
    def best(self) -> Path:
        """Weights of the epoch with the best validation result."""
        return place_of_weights(self.path, "best")

    @property
    def begun(self) -> bool:
        """Whether a run has begun here."""
        files = (self.config, self.state, self.last, self.best, self.history)
        return any(path.is_file() for path in files)

    def forget(self) -> None:
        """Remove what a run left that ended within its first epoch: another run begins."""
        for path in (self.best, self.history):
            path.unlink(missing_ok=True)

    def finished(self, config: RunConfig) -> bool:
        """Whether all steps of the config were made and the last weights written."""
        if not (self.state.is_file() and self.last.is_file()):
            return False
        return saved_step(self.state) >= config.training.steps


def require_classes(config: RunConfig, subjects: Sequence[SubjectFiles]) -> None:
    """Refuse to train a network whose classes are not those that the labels are merged into.

    Raises:
        ConfigError: if the config names others.
        DataError: if the labels do not all have the same classes.
    """
    names = classes_of(subjects)
    if config.classes != names:
        rule = f"a training has the classes of its labels, {', '.join(names)}"
        then = "leave classes out of the file, or in Python take config.for_classes"
        raise ConfigError(message("classes", rule, ", ".join(config.classes), then))


def check_resume(folder: RunFolder, config: RunConfig, resume: Resume) -> None:
    """Check a folder against `resume`: a run must exist, must not, or must keep its settings.

    Raises:
        ConfigError: for another value of `resume`.
        TrainingError: if the check fails.
    """
    if resume not in get_args(Resume):
        rule, then = f"one of {', '.join(get_args(Resume))}", "choose one of these"
        raise ConfigError(message("resume", rule, repr(resume), then))
    if (folder.path / CASCADE_FILE).is_file() or (folder.path / NETWORKS_FOLDER).is_dir():
        rule, then = "a folder for one training", "choose another"
        received = "one of voxres auto-context or cross-validate"
        raise TrainingError(message(folder.path, rule, received, then))
    if resume == "must" and not folder.state.is_file():
        raise TrainingError(message(folder.path, "a run to resume", "none", "drop --resume must"))
    if resume == "never" and folder.begun:
        raise TrainingError(
            message(folder.path, "a new run folder", "one that holds a run", "choose another")
        )
    if folder.state.is_file():
        _check_settings(folder, config)
    elif folder.last.is_file():
        rule, then = "the state.npz of its weights", "put it back, or choose another folder"
        raise TrainingError(message(folder.path, rule, "none", then))


def _check_settings(folder: RunFolder, config: RunConfig) -> None:
    if not folder.config.is_file():
        rule, then = "the config.json that it began with", "put it back, or start a new run"
        raise TrainingError(message(folder.path, rule, "none", then))
    made = saved_step(folder.state)
    if config.training.steps < made:
        raise TrainingError(
            message(
                folder.path,
                f"a resumed run has at least the {made} steps that were made",
                config.training.steps,
                "ask for more steps, or start a new run",
            )
        )
    within = made % config.training.steps_per_epoch and planned_steps(folder.state) != made
    if config.training.steps == made and within:
        rule = f"more than the {made} steps that were made, since they end within an epoch"
        raise TrainingError(message(folder.path, rule, made, "ask for more steps"))
    before, now = (_fixed(c) for c in (load(RunConfig, folder.config), config))
    changed = sorted(key for key in now if now[key] != before.get(key))
    if changed:
        received = "; ".join(f"{key} {before.get(key)} -> {now[key]}" for key in changed)
        raise TrainingError(
            message(folder.path, "a resumed run keeps its settings", received, "start a new run")
        )


def _fixed(config: RunConfig) -> dict[str, Any]:
    values = config.model_dump(mode="json")
    flat = {"classes": values.pop("classes")}
    flat |= {f"{s}.{key}": v for s, fields in values.items() for key, v in fields.items()}
    return {key: v for key, v in flat.items() if key.removeprefix("training.") not in MAY_CHANGE}


def check_same_data(
    folder: RunFolder, learning: Sequence[CachedSubject], held_out: Sequence[CachedSubject]
) -> None:
    """Refuse to resume a run with subjects other than those it began with.

    With other validation subjects, its best weights would be chosen by two different measures.

    Raises:
        TrainingError: if their voxels or their order differ, or the run's record of them is gone.
    """
    if not folder.state.is_file():
        return
    if not folder.summary.is_file():
        rule, then = "the summary.json that it began with", "put it back, or start a new run"
        raise TrainingError(message(folder.path, rule, "none", then))
    before = read_summary(folder.path)
    for part, keys, known in (
        ("training", _keys(learning), before.get("data")),
        ("validation", _keys(held_out), before.get("validation_data")),
    ):
        if keys != known:
            rule = f"a resumed run keeps its {part} subjects"
            received = "other files or another order"
            raise TrainingError(message(folder.path, rule, received, "start a new run"))


def _keys(subjects: Sequence[CachedSubject]) -> list[str]:
    return [subject.key for subject in subjects]


def summary_of(
    learning: Sequence[CachedSubject], held_out: Sequence[CachedSubject], config: RunConfig
) -> dict[str, str | int | float | list[str]]:
    """The contents of `summary.json`: subjects, keys of their voxels, length and versions."""
    return {
        "subjects": [s.id for s in learning],
        "validation_subjects": [s.id for s in held_out],
        "data": _keys(learning),
        "validation_data": _keys(held_out),
        "steps": config.training.steps,
        "versions": [
            f"voxres-tf {__version__}",
            *(f"{name} {version(name)}" for name in ("tensorflow", "keras", "numpy")),
        ],
    }

"""Demonstrations on heads that come with the package, by the shipped model or a new one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from voxres_tf.dataset.layouts import find_subjects, subject_from_folder
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.errors import ModelError, OutputExistsError, message
from voxres_tf.evaluation.evaluate import Evaluation, evaluate
from voxres_tf.evaluation.scores import write_scores
from voxres_tf.export.saved_model import export_once
from voxres_tf.files import write_text
from voxres_tf.inference.models import shipped_models
from voxres_tf.inference.predict import Predictor
from voxres_tf.phantom.write import write_phantom, write_real
from voxres_tf.presets import PRESETS
from voxres_tf.report.curves import training_curves
from voxres_tf.report.figure import segmentation_figure
from voxres_tf.report.picture import compared_case
from voxres_tf.training.fit import train
from voxres_tf.training.history import read_history
from voxres_tf.training.run import RunFolder
from voxres_tf.volume import write_volume

SHIPPED = "brain-tissue"
SIZE = "full"
TRAINING_SUBJECTS = 4
SEED = 1
SCORES = "scores.csv"
MARK = ".voxres-demo"
"""File that marks the folder of a demonstration, which may therefore continue in it."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Demo:
    """What a demonstration produces.

    Attributes:
        segmentations: labels of each subject.
        evaluations: their scores, each by its protocol.
        scores: CSV file of all scores.
        picture: slices with outlines, beside those of the references.
        model: the SavedModel that segmented them.
    """

    segmentations: tuple[Path, ...]
    evaluations: tuple[Evaluation, ...]
    scores: Path
    picture: Path
    model: Path


@dataclass(frozen=True)
class Task:
    """A subject to segment: its scans, the file of its labels, and the protocol that fits these."""

    files: SubjectFiles
    reference: Path
    protocol: str


def run_demo(out: Path, say: Say, *, model: Path | None = None) -> Demo:
    """Segment, score and draw a phantom from its three scans and the MNI152 average from its T1.

    Args:
        out: folder for everything; created if needed. Existing subjects are kept.
        say: called with one line about each step.
        model: folder of an exported model; that of the shipped one by default.

    Raises:
        OutputExistsError: if `out` holds a finished demonstration, or other files.
        ModelError: if the model is missing or cannot be used.
        VoxResError: whatever a stage finds wrong.
    """
    say = _numbered(say, 4)
    # Without these, it takes a fraction of the time.
    predictor = Predictor(model or _shipped(), tta=False, align=False, progress=True)
    _begin(out)
    say(f"Making a phantom, and unpacking the MNI152 average: {out}")
    phantom, average = out / "phantom" / "TrainingData" / "1", out / "real" / "mni152"
    write_phantom(out / "phantom", 1, SEED, SIZE)
    if not average.is_dir():
        write_real(out / "real", overwrite=True)
    simulated = replace(subject_from_folder(phantom), id="phantom")
    tasks = [
        Task(simulated, phantom / "LabelsForTraining.nii.gz", "mrbrains13"),
        Task(subject_from_folder(average), average / "labels.nii.gz", "plain"),
    ]
    return _segment(out, predictor, tasks, say)


def train_demo(out: Path, say: Say, *, steps: int | None = None) -> Demo:
    """Make phantom subjects, train on some, segment and score another, draw it.

    An interrupted demonstration continues: finished subjects are kept, the training resumes.

    Args:
        out: folder for everything; created if needed.
        say: called with one line about each step.
        steps: number of training steps; that of the preset `tiny` by default.

    Raises:
        OutputExistsError: if `out` holds a finished demonstration, or other files.
        VoxResError: whatever a stage finds wrong.
    """
    _begin(out)
    say = _numbered(say, 5)
    config = PRESETS["tiny"].updated(training={"steps": steps} if steps else {})
    data, run = out / "data", out / "run"
    say(f"Making {TRAINING_SUBJECTS} subjects to learn from and 1 to segment: {data}")
    unseen = data / "TestData" / "1"
    write_phantom(data, TRAINING_SUBJECTS, SEED, "small", test_subjects=1)
    say(f"Training a small VoxResNet for {config.training.steps} steps: {run}")
    folder = RunFolder(train(find_subjects(data / "TrainingData"), run, config))
    training_curves(folder.curves, read_history(folder.history))
    say(f"Exporting it and checking the export in a fresh process: {out / 'model'}")
    predictor = Predictor(export_once(run, out / "model"), progress=True)
    task = Task(subject_from_folder(unseen), unseen / "LabelsForTraining.nii.gz", "mrbrains13")
    return _segment(out, predictor, [task], say)


def _segment(out: Path, predictor: Predictor, tasks: Sequence[Task], say: Say) -> Demo:
    """Segment every subject, then score and draw all of them; the scores are written last."""
    segmentations, evaluations, cases = [], [], []
    for task in tasks:
        say(f"Segmenting {task.files.id} from {', '.join(task.files.images)}")
        labels = predictor(task.files).labels
        path = out / f"{task.files.id}_dseg.nii.gz"
        write_volume(path, labels.data, labels.grid)
        evaluation = evaluate(path, task.reference, protocol=task.protocol)
        segmentations.append(path)
        evaluations.append(evaluation)
        cases.append(
            compared_case(
                next(iter(task.files.images.values())),
                path,
                task.reference,
                title=f"{task.files.id}: {', '.join(task.files.images)}",
                dice={score.class_name: score.dice for score in evaluation.scores},
                protocol=task.protocol,
            )
        )
    say("Drawing")
    segmentation_figure(out / "picture.png", cases)
    scores = [score for evaluation in evaluations for score in evaluation.scores]
    write_scores(out / SCORES, scores)
    return Demo(
        tuple(segmentations), tuple(evaluations), out / SCORES, out / "picture.png", predictor.path
    )


def _shipped() -> Path:
    found = shipped_models()
    if SHIPPED not in found:
        rule = "this model ships with voxres"
        then = "install voxres again, or train a small model with voxres demo --train"
        raise ModelError(message(SHIPPED, rule, "an installation without it", then))
    return found[SHIPPED]


def _numbered(say: Say, total: int) -> Say:
    numbers = count(1)
    return lambda text: say(f"{next(numbers)}/{total} {text}")


def _begin(out: Path) -> None:
    then = "pass another folder with -o"
    if (out / SCORES).exists():
        rule = "a demonstration replaces nothing"
        raise OutputExistsError(message(out / SCORES, rule, "a finished one", then))
    if out.is_dir() and any(out.iterdir()) and not (out / MARK).exists():
        rule = "a folder that is empty, or that of a demonstration which was cut short"
        raise OutputExistsError(message(out, rule, "other files", then))
    write_text(out / MARK, "")

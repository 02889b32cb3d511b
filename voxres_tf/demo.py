"""The whole tool at work on a brain that ships with it, from phantom to picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from voxres_tf.dataset.layouts import find_subjects
from voxres_tf.dataset.subject import SubjectFiles, read_subject
from voxres_tf.evaluation.evaluate import Evaluation, evaluate
from voxres_tf.evaluation.scores import Score, write_scores
from voxres_tf.export.saved_model import export_run
from voxres_tf.files import refuse_existing
from voxres_tf.inference.predict import Predictor
from voxres_tf.labels import scheme
from voxres_tf.phantom.write import write_phantom
from voxres_tf.presets import PRESETS
from voxres_tf.report.curves import training_curves
from voxres_tf.report.figure import segmentation_figure
from voxres_tf.training.fit import train
from voxres_tf.training.history import read_history
from voxres_tf.training.run import RunFolder
from voxres_tf.volume import Volume, to_canonical, write_volume

TRAINING_SUBJECTS = 4
SEED = 1


@dataclass(frozen=True)
class Demo:
    """What a demonstration leaves.

    Attributes:
        segmentation: labels of the subject that was not trained on.
        scores: CSV of its scores.
        picture: its slices with outlines, beside the reference.
        model: the exported SavedModel.
        evaluation: the scores.
    """

    segmentation: Path
    scores: Path
    picture: Path
    model: Path
    evaluation: Evaluation


def run_demo(out: Path, say: Callable[[str], None], *, steps: int | None = None) -> Demo:
    """Make phantom subjects, train on some, segment and score another, draw it.

    A demonstration that was interrupted goes on: finished subjects are kept, the training resumes.

    Args:
        out: folder for everything; created.
        say: told what is being done, a line each time.
        steps: of the training; those of the preset `tiny` by default.

    Raises:
        OutputExistsError: if `out` holds a finished demonstration.
        VoxResError: whatever a stage finds wrong.
    """
    refuse_existing(out / "scores.csv", overwrite=False)
    config = PRESETS["tiny"].updated(training={"steps": steps} if steps else {})
    data, run = out / "data", out / "run"
    say(f"1/5 Making {TRAINING_SUBJECTS} subjects to learn from and 1 to segment: {data}")
    if not (data / "TestData" / "1").is_dir():
        write_phantom(data, TRAINING_SUBJECTS, SEED, "small", test_subjects=1, overwrite=True)
    say(f"2/5 Training a small VoxResNet for {config.training.steps} steps: {run}")
    folder = RunFolder(train(find_subjects(data / "TrainingData"), run, config))
    training_curves(folder.curves, read_history(folder.history))
    say(f"3/5 Exporting it and checking the export in a fresh process: {out / 'model'}")
    model = export_run(run, out / "model")
    say(f"4/5 Segmenting the subject that it has not seen: {out}")
    unseen = find_subjects(data / "TestData")[0]
    prediction = Predictor(model, progress=True)(unseen)
    segmentation = out / f"{unseen.id}_dseg.nii.gz"
    write_volume(segmentation, prediction.labels.data, prediction.labels.grid)
    say("5/5 Scoring and drawing it")
    evaluation = evaluate(out, data / "TestData")
    picture = out / "picture.png"
    draw(picture, unseen, prediction.labels, evaluation.scores)
    write_scores(out / "scores.csv", evaluation.scores)
    return Demo(segmentation, out / "scores.csv", picture, model, evaluation)


def draw(
    picture: Path, files: SubjectFiles, prediction: Volume, scores: Sequence[Score] = ()
) -> None:
    """Draw a subject's first modality with the outlines of its tissues, and of its reference.

    Args:
        picture: PNG file.
        files: of the subject; without labels there is no reference to draw.
        prediction: classes 0..3 on the subject's grid.
        scores: those of this subject go into the title.

    Raises:
        DataError: if the subject cannot be read.
    """
    modality = next(iter(files.images))
    subject = read_subject(files, (modality,), with_labels=files.labels is not None)
    reference = scored = None
    if subject.labels is not None:
        codes = to_canonical(subject.labels.data, subject.grid)
        reference, scored = scheme(subject.scheme).merge(codes)
    segmentation_figure(
        picture,
        to_canonical(subject.images[modality].data, subject.grid),
        to_canonical(prediction.data, subject.grid),
        reference,
        subject.grid.canonical_spacing_mm,
        f"subject {subject.id}",
        dice={s.class_name: s.dice for s in scores if s.subject == subject.id} or None,
        scored=scored,
    )

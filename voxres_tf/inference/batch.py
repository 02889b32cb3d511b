"""Predicts many subjects to files; a failing one stops no other, and nothing is half written."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.errors import ConfigError, VoxResError, message
from voxres_tf.files import write_json, write_text
from voxres_tf.inference.notes import extent_mm
from voxres_tf.inference.outcome import Outcome, report, volumes_table
from voxres_tf.inference.outputs import OutputPlan, check_outputs
from voxres_tf.inference.predict import Predictor
from voxres_tf.inference.prediction import Prediction
from voxres_tf.volume import write_volumes


def predict_all(
    predictor: Predictor,
    subjects: Iterable[SubjectFiles],
    plan: OutputPlan,
    *,
    tell: Callable[[Outcome], object] = lambda _: None,
) -> list[Outcome]:
    """Segment subjects and write what the plan asks for.

    Outputs are checked before anything is read. A subject that fails does not stop the others.
    However it ends, the report is written, with the subjects that are done.

    Args:
        predictor: the model and its options.
        subjects: with distinct ids; if there are none, tables have no rows.
        plan: the files to write.
        tell: called with each outcome as soon as its subject is done.

    Returns:
        One outcome per subject, in order.

    Raises:
        OutputExistsError: if an output exists and the plan does not say overwrite.
        ConfigError: if one file is to hold several subjects, outputs would replace inputs, or the
            device does not exist.
        ModelError: if the network cannot be loaded.
    """
    subjects = list(subjects)
    check_outputs(subjects, plan)
    if plan.save_probabilities and not predictor.keep_probabilities:
        rule = "a predictor that keeps probabilities, to save them"
        raise ConfigError(message(plan.out, rule, "one that does not", "make another"))
    start = time.perf_counter()
    if subjects:
        _ = predictor.engine
    load = time.perf_counter() - start
    outcomes = []
    try:
        for files in subjects:
            outcomes.append(_predict_one(predictor, files, plan))
            tell(outcomes[-1])
        if plan.volumes is not None:
            write_text(plan.volumes, volumes_table(outcomes, predictor.contract.classes[1:]))
    finally:
        if plan.report is not None:
            seconds = {"load": load, "total": time.perf_counter() - start}
            whole = len(outcomes) == len(subjects)
            write_json(plan.report, report(predictor, plan, outcomes, seconds, complete=whole))
    return outcomes


def _predict_one(predictor: Predictor, files: SubjectFiles, plan: OutputPlan) -> Outcome:
    try:
        prediction = predictor(files)
        start = time.perf_counter()
        outputs = _write(prediction, plan)
    except (VoxResError, OSError) as error:
        return Outcome(files.id, str(error) or type(error).__name__, _trace(error))
    except Exception as error:  # whatever goes wrong with one subject, the others go on
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}, line {place.lineno}"
        failure = f"{type(error).__name__}: {error} ({where})"
        return Outcome(files.id, failure, _trace(error))
    seconds = {**prediction.seconds, "write": time.perf_counter() - start}
    return Outcome(
        files.id,
        volumes_ml=prediction.volumes_ml,
        seconds=seconds,
        outputs=[str(path) for path in outputs],
        modalities=list(prediction.modalities),
        spacing_mm=list(prediction.spacing_mm),
        own_spacing_mm=list(prediction.labels.grid.canonical_spacing_mm),
        extent_mm=list(extent_mm(prediction.labels)),
        tissue_share=float(np.mean(prediction.labels.data > 0)),
        loose_ml=prediction.loose_ml,
        alignment=prediction.alignment,
        scan_notes=list(prediction.scan_notes),
        oriented=prediction.labels.grid.oriented,
        oblique_deg=round(prediction.labels.grid.oblique_deg, 2),
    )


def _trace(error: Exception) -> str:
    return "".join(traceback.format_exception(error))


def _write(prediction: Prediction, plan: OutputPlan) -> list[Path]:
    found = (prediction.labels, prediction.probabilities)
    paths = plan.of_subject(prediction.id)
    volumes = {path: v.data for path, v in zip(paths, found, strict=False) if v is not None}
    write_volumes(volumes, prediction.labels.grid)
    if not plan.save_probabilities:  # they belong to old labels
        plan.probabilities(prediction.id).unlink(missing_ok=True)
    return paths

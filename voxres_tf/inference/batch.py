"""Predicts many subjects to files; a failing one stops no other, and nothing is half written."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from voxres_tf import __version__
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.errors import ConfigError, VoxResError, message
from voxres_tf.files import csv_text, write_json, write_text
from voxres_tf.inference.align import Alignment
from voxres_tf.inference.notes import (
    coarse_note,
    extent_mm,
    large_note,
    loose_note,
    moved_notes,
    scarce_note,
)
from voxres_tf.inference.outputs import OutputPlan, check_outputs
from voxres_tf.inference.predict import Predictor
from voxres_tf.inference.prediction import Prediction
from voxres_tf.volume import write_volumes


@dataclass
class Outcome:
    """The outcome for one subject.

    Attributes:
        id: id of the subject.
        failure: why there is no output; None if there is one.
        trace: traceback of the failure, for debugging the code; not part of the report.
        volumes_ml: class name -> millilitres; empty after a failure.
        seconds: stage -> wall time; empty after a failure.
        outputs: files written.
        modalities: those that the prediction was made from; empty after a failure.
        spacing_mm: spacing at which the network saw the subject, along right, anterior and
            superior; empty after a failure.
        own_spacing_mm: spacing of the scan whose grid the labels have, likewise.
        extent_mm: extent of the tissue found along that scan's axes, likewise.
        tissue_share: share of the voxels that are not background; None after a failure.
        loose_ml: see `Prediction`; None after a failure too.
        alignment: which scans were moved onto the first one, and which could not be.
        oriented: whether the header of the scan whose grid the labels have states its
            orientation; None after a failure.
        oblique_deg: the largest angle between an axis of that scan and the closest world axis;
            None after a failure.
    """

    id: str
    failure: str | None = None
    trace: str | None = None
    volumes_ml: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    modalities: list[str] = field(default_factory=list)
    spacing_mm: list[float] = field(default_factory=list)
    own_spacing_mm: list[float] = field(default_factory=list)
    extent_mm: list[float] = field(default_factory=list)
    tissue_share: float | None = None
    loose_ml: float | None = None
    alignment: Alignment = field(default_factory=Alignment)
    oriented: bool | None = None
    oblique_deg: float | None = None

    @property
    def notes(self) -> list[str]:
        """What a user should know about the result, a line each."""
        found = (
            coarse_note(self.own_spacing_mm, self.spacing_mm),
            large_note(self.extent_mm, self.volumes_ml, oriented=bool(self.oriented)),
            loose_note(self.loose_ml),
            *moved_notes(self.alignment),
            scarce_note(self.tissue_share, self.volumes_ml),
        )
        return [f"{self.id}: {note}" for note in found if note]


def predict_all(
    predictor: Predictor,
    subjects: Sequence[SubjectFiles],
    plan: OutputPlan,
    *,
    tell: Callable[[Outcome], object] = lambda _: None,
) -> list[Outcome]:
    """Segment subjects and write what the plan asks for.

    Outputs are checked before anything is read. A subject that fails does not stop the others.

    Args:
        predictor: the model and its options.
        subjects: with distinct ids; if there are none, tables have no rows.
        plan: the files to write.
        tell: called with each outcome as soon as its subject is done.

    However it ends, the report is written, with the subjects that are done.

    Returns:
        One outcome per subject, in order.

    Raises:
        OutputExistsError: if an output exists and the plan does not say overwrite.
        ConfigError: if one file is to hold several subjects, outputs would replace inputs, or the
            device does not exist.
        ModelError: if the network cannot be loaded.
    """
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
            write_json(plan.report, _report(predictor, plan, outcomes, seconds))
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


def volumes_table(outcomes: Sequence[Outcome], classes: Sequence[str]) -> str:
    """CSV with `subject`, a column of millilitres per class, and `reason`.

    Absent classes and failed subjects have empty cells, and `reason` says why: a volume of 0 ml
    would not be a measurement.
    """
    rows = []
    for outcome in outcomes:
        cells = [outcome.volumes_ml.get(name) or None for name in classes]
        absent = [name for name, cell in zip(classes, cells, strict=True) if cell is None]
        reason = outcome.failure or (f"no voxels of {', '.join(absent)}" if absent else "")
        rows.append([outcome.id, *(c and f"{c:.3f}" for c in cells), reason])
    return csv_text(["subject", *(f"{name}_ml" for name in classes), "reason"], rows)


def _report(
    predictor: Predictor,
    plan: OutputPlan,
    outcomes: Sequence[Outcome],
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    contract, server = predictor.contract, predictor.server
    libraries = ("tensorflow", "keras", "numpy", "nibabel", "scikit-image")
    return {
        "versions": {"voxres-tf": __version__, **{name: version(name) for name in libraries}},
        "model": {
            "path": predictor.source,
            **contract.model_dump(
                mode="json",
                include={
                    "name",
                    "version",
                    "channels",
                    "optional_modalities",
                    "classes",
                    "patch",
                    "weights_sha256",
                },
            ),
        },
        "options": {
            "overlap": predictor.tiling.overlap,
            "blend": predictor.tiling.blend,
            "tile": list(predictor.tiling.tile),
            "batch": predictor.tiling.batch,
            "device": None if server else predictor.device,
            "server": server.model_dump(mode="json") if server else None,
            "tta": predictor.tta,
            "one_piece": predictor.one_piece,
            "keep_spacing": predictor.keep_spacing,
            "resample_to": predictor.resample_to,
            "align": predictor.align,
            "save_probabilities": plan.save_probabilities,
            "overwrite": plan.overwrite,
        },
        "seconds": dict(seconds),
        "subjects": [
            {"status": "failed" if outcome.failure else "ok", **_told(outcome)}
            for outcome in outcomes
        ],
    }


def _told(outcome: Outcome) -> dict[str, Any]:
    fields = asdict(outcome)
    del fields["trace"]
    return fields

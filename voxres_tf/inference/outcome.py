"""What became of each subject: notes for its user, the table of volumes, and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any

from voxres_tf import __version__
from voxres_tf.files import csv_text
from voxres_tf.inference.align import Alignment
from voxres_tf.inference.notes import (
    coarse_note,
    large_note,
    loose_note,
    moved_notes,
    scarce_note,
)
from voxres_tf.inference.outputs import OutputPlan
from voxres_tf.inference.predict import Predictor


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
        alignment: which scans were moved onto which, and which could not be.
        scan_notes: as in `Prediction`.
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
    scan_notes: list[str] = field(default_factory=list)
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
            *self.scan_notes,
        )
        return [f"{self.id}: {note}" for note in found if note]


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


def report(
    predictor: Predictor,
    plan: OutputPlan,
    outcomes: Sequence[Outcome],
    seconds: Mapping[str, float],
    *,
    complete: bool,
) -> dict[str, Any]:
    """The report of a prediction as JSON: versions, model, options, times, and all outcomes.

    It is not `complete` if an interruption left subjects out.
    """
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
        "complete": complete,
        "subjects": [
            {"status": "failed" if outcome.failure else "ok", **_told(outcome)}
            for outcome in outcomes
        ],
    }


def _told(outcome: Outcome) -> dict[str, Any]:
    fields = asdict(outcome)
    del fields["trace"]
    return fields

"""Many subjects to files: good ones finish even if one is bad, and nothing is half written."""

from __future__ import annotations

import csv
import io
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from voxres_tf import __version__
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.errors import ConfigError, OutputExistsError, VoxResError, message
from voxres_tf.files import write_json, write_text
from voxres_tf.inference.predict import Prediction, Predictor
from voxres_tf.inference.sources import file_stem
from voxres_tf.volume import NIFTI_SUFFIXES, write_volume


@dataclass(frozen=True)
class OutputPlan:
    """Which files a prediction writes.

    Attributes:
        out: the label file of a single subject if it ends in .nii or .nii.gz, else a folder.
        save_probabilities: write float32 [X, Y, Z, K] beside the labels.
        volumes: CSV of the tissues' volumes.
        report: JSON of versions, options, times and what became of every subject.
        overwrite: replace files that are there.
    """

    out: Path
    save_probabilities: bool = False
    volumes: Path | None = None
    report: Path | None = None
    overwrite: bool = False

    def labels(self, subject: str) -> Path:
        """The subject's label file."""
        return self.out if self.is_file else self.out / f"{subject}_dseg.nii.gz"

    def probabilities(self, subject: str) -> Path:
        """The subject's probability file."""
        if not self.is_file:
            return self.out / f"{subject}_probseg.nii.gz"
        return self.out.with_name(f"{file_stem(self.out).removesuffix('_dseg')}_probseg.nii.gz")

    @property
    def is_file(self) -> bool:
        """Whether `out` names a file."""
        return self.out.name.endswith(NIFTI_SUFFIXES)

    def of_subject(self, subject: str) -> list[Path]:
        """All files of one subject, labels first."""
        extra = [self.probabilities(subject)] if self.save_probabilities else []
        return [self.labels(subject), *extra]


@dataclass
class Outcome:
    """What became of one subject.

    Attributes:
        id: of the subject.
        failure: why there is no output, None if there is.
        volumes_ml: class name -> millilitres; empty after a failure.
        seconds: stage -> wall time; empty after a failure.
        outputs: files written.
        modalities: those that the prediction was made from; empty after a failure.
        spacing_mm: at which the network saw the subject; empty after a failure.
    """

    id: str
    failure: str | None = None
    volumes_ml: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    modalities: list[str] = field(default_factory=list)
    spacing_mm: list[float] = field(default_factory=list)


def predict_all(
    predictor: Predictor, subjects: Sequence[SubjectFiles], plan: OutputPlan
) -> list[Outcome]:
    """Segment subjects and write what the plan asks for.

    Outputs are checked before anything is read. A subject that fails does not stop the others.

    Args:
        predictor: the model and its options.
        subjects: with ids that differ; none gives tables without rows.
        plan: the files.

    Returns:
        One outcome per subject, in order.

    Raises:
        OutputExistsError: if an output is there and the plan does not say overwrite.
        ConfigError: if one file is to hold several subjects, outputs would replace inputs, or the
            device is not there.
        ModelError: if the network cannot be loaded.
    """
    _check_outputs(subjects, plan)
    start = time.perf_counter()
    if subjects:
        _ = predictor.engine
    load = time.perf_counter() - start
    outcomes = [_predict_one(predictor, files, plan) for files in subjects]
    if plan.volumes is not None:
        write_text(plan.volumes, volumes_table(outcomes, predictor.contract.classes[1:]))
    if plan.report is not None:
        seconds = {"load": load, "total": time.perf_counter() - start}
        write_json(plan.report, _report(predictor, plan, outcomes, seconds))
    return outcomes


def _check_outputs(subjects: Sequence[SubjectFiles], plan: OutputPlan) -> None:
    if plan.is_file and len(subjects) > 1:
        raise ConfigError(
            message(
                plan.out, "a file for one subject", f"{len(subjects)} subjects", "name a folder"
            )
        )
    image = plan.out.suffix.lower() in (".img", ".hdr", ".nii", ".gz", ".mgz", ".nrrd", ".mha")
    if not plan.is_file and (image or (plan.out.exists() and not plan.out.is_dir())):
        raise ConfigError(
            message(
                plan.out,
                "a folder, or a file that ends in .nii or .nii.gz",
                "a file that does not",
                "name another",
            )
        )
    outputs = [path for files in subjects for path in plan.of_subject(files.id)]
    outputs += [path for path in (plan.volumes, plan.report) if path is not None]
    inputs = {path.resolve() for files in subjects for path in _inputs(files)}
    clash = [str(path) for path in outputs if path.resolve() in inputs]
    if clash:
        raise ConfigError(
            message(clash[0], "outputs are no inputs", "a scan of a subject", "name another output")
        )
    twice = [path for path, count in Counter(p.resolve() for p in outputs).items() if count > 1]
    if twice:
        raise ConfigError(
            message(twice[0], "a file for each output", "one name for two", "name another output")
        )
    there = [str(path) for path in outputs if path.exists()]
    if there and not plan.overwrite:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise OutputExistsError(
            message(there[0], "outputs are not replaced", f"it{more} exists", "pass --overwrite")
        )


def _inputs(files: SubjectFiles) -> list[Path]:
    return [*files.images.values(), *([files.labels] if files.labels else [])]


def _predict_one(predictor: Predictor, files: SubjectFiles, plan: OutputPlan) -> Outcome:
    try:
        prediction = predictor(files)
        start = time.perf_counter()
        outputs = _write(prediction, plan)
    except (VoxResError, OSError, MemoryError) as error:
        return Outcome(files.id, failure=str(error) or type(error).__name__)
    seconds = {**prediction.seconds, "write": time.perf_counter() - start}
    return Outcome(
        files.id,
        volumes_ml=prediction.volumes_ml,
        seconds=seconds,
        outputs=[str(path) for path in outputs],
        modalities=list(prediction.modalities),
        spacing_mm=list(prediction.spacing_mm),
    )


def _write(prediction: Prediction, plan: OutputPlan) -> list[Path]:
    grid = prediction.labels.grid
    volumes = (prediction.labels.data, prediction.probabilities.data)
    paths = plan.of_subject(prediction.id)
    for path, data in zip(paths, volumes, strict=False):
        write_volume(path, data, grid)
    return paths


def volumes_table(outcomes: Sequence[Outcome], classes: Sequence[str]) -> str:
    """CSV with `subject`, a column of millilitres per class, and `reason`.

    An absent class and a subject that failed have empty cells, and `reason` says why: a volume of
    0 ml is no measurement.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["subject", *(f"{name}_ml" for name in classes), "reason"])
    for outcome in outcomes:
        cells = [outcome.volumes_ml.get(name) or None for name in classes]
        absent = [name for name, cell in zip(classes, cells, strict=True) if cell is None]
        reason = outcome.failure or (f"no voxels of {', '.join(absent)}" if absent else "")
        table.writerow([outcome.id, *("" if c is None else f"{c:.3f}" for c in cells), reason])
    return text.getvalue()


def _report(
    predictor: Predictor,
    plan: OutputPlan,
    outcomes: Sequence[Outcome],
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    contract = predictor.contract
    libraries = ("tensorflow", "keras", "numpy", "nibabel", "scikit-image")
    return {
        "versions": {"voxres-tf": __version__, **{name: version(name) for name in libraries}},
        "model": {
            "path": str(predictor.path),
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
            "overlap": predictor.overlap,
            "blend": predictor.blend,
            "tile": list(predictor.tile),
            "batch": predictor.batch,
            "device": predictor.device,
            "tta": predictor.tta,
            "keep_spacing": predictor.keep_spacing,
            "resample_to": predictor.resample_to,
            "save_probabilities": plan.save_probabilities,
            "overwrite": plan.overwrite,
        },
        "seconds": dict(seconds),
        "subjects": [
            {"status": "failed" if outcome.failure else "ok", **asdict(outcome)}
            for outcome in outcomes
        ],
    }

"""Scores as CSV, one row per subject and tissue, and their summaries over the subjects."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxres_tf.errors import DataError, message
from voxres_tf.evaluation.metrics import avd_percent, dice, hd95_mm
from voxres_tf.files import csv_text, read_csv, write_text
from voxres_tf.labels import CLASS_NAMES

COLUMNS = ("subject", "class", "dice", "hd95_mm", "avd_percent", "ref_ml", "pred_ml")


class Figure(NamedTuple):
    """How one figure of a score is called and shown.

    Attributes:
        title: its name.
        paper: its name in the paper's tables.
        unit: the unit of those tables.
        scale: factor from the unit of score files to that unit.
        higher_is_better: whether a higher value is the better one.
    """

    title: str
    paper: str
    unit: str
    scale: float = 1.0
    higher_is_better: bool = False


FIGURES = MappingProxyType(
    {
        "dice": Figure("Dice", "DC", "%", 100.0, higher_is_better=True),
        "hd95_mm": Figure("HD95", "HD", "mm"),
        "avd_percent": Figure("AVD", "AVD", "%"),
    }
)


@dataclass(frozen=True)
class Score:
    """The figures of one tissue of one subject, None where undefined.

    Attributes:
        subject: id of the subject.
        class_name: one of `labels.CLASS_NAMES` or of a custom scheme; not the background.
        dice: 0 to 1.
        hd95_mm: robust Hausdorff distance in mm.
        avd_percent: absolute volume difference in percent of the reference.
        ref_ml, pred_ml: volumes in ml, over the scored voxels.
    """

    subject: str
    class_name: str
    dice: float | None
    hd95_mm: float | None
    avd_percent: float | None
    ref_ml: float
    pred_ml: float

    @property
    def reason(self) -> str | None:
        """Why figures are undefined, None if all are defined."""
        sides = [("reference", self.ref_ml), ("prediction", self.pred_ml)]
        absent = [name for name, volume in sides if not volume]
        if absent:
            return f"absent from the {' and the '.join(absent)}"
        return "fills whole slices, so there is no boundary" if self.hd95_mm is None else None


def score_subject(
    subject: str,
    prediction: NDArray[np.uint8],
    reference: NDArray[np.uint8],
    spacing_mm: Sequence[float],
    scored: NDArray[np.bool_] | None = None,
    class_names: Sequence[str] = CLASS_NAMES,
    voxel_ml: float | None = None,
) -> list[Score]:
    """Score a segmentation by the MRBrainS definitions (Mendrik et al. 2015).

    Args:
        subject: its id.
        prediction: classes 0..K-1, [X, Y, Z], slices along the last axis.
        reference: classes 0..K-1, of the same shape.
        spacing_mm: distance between voxel centres along the three axes.
        scored: bool [X, Y, Z]; voxels where it is False are left out of both. None scores all.
        class_names: K names, the background first.
        voxel_ml: volume of a voxel; by default of one whose sides are perpendicular.

    Returns:
        A score for each class but the background. A class that one image lacks has a Dice of 0 and
        no HD95; one that the reference lacks has no AVD either; one that both lack has no figures.

    Raises:
        DataError: if the shapes differ or there are not three axes.
    """
    voxel_ml = float(np.prod(spacing_mm)) / 1000.0 if voxel_ml is None else voxel_ml
    inside = np.ones(reference.shape, np.bool_) if scored is None else scored
    scores = []
    for number, name in enumerate(class_names[1:], start=1):
        pred, ref = (prediction == number) & inside, (reference == number) & inside
        figures = dice(pred, ref), hd95_mm(pred, ref, spacing_mm), avd_percent(pred, ref)
        volumes = int(ref.sum()) * voxel_ml, int(pred.sum()) * voxel_ml
        scores.append(Score(subject, name, *figures, *volumes))
    return scores


def write_scores(path: Path, scores: Iterable[Score]) -> None:
    """Write a CSV file with the columns `COLUMNS`, atomically; undefined figures are empty."""
    write_text(path, csv_text(COLUMNS, map(astuple, scores)))


def read_scores(path: Path) -> list[Score]:
    """Read what `write_scores` wrote: the same scores, to the last digit.

    Raises:
        DataError: if the file is missing, is not a CSV file in UTF-8, has other columns, or has
            cells that are not numbers.
    """
    if not path.is_file():
        raise DataError(message(path, "an existing file", "nothing", "run voxres evaluate first"))
    then = "pass scores of voxres evaluate"
    header, rows = read_csv(path, then)
    if tuple(header) != COLUMNS:
        rule = f"columns {','.join(COLUMNS)}"
        raise DataError(message(path, rule, ",".join(header), then))
    return [_score(path, line, row) for line, row in rows]


def _score(path: Path, line: int, row: list[str]) -> Score:
    try:
        subject, name, *cells = row
        overlap, distance, difference = (float(c) if c else None for c in cells[:-2])
        reference, predicted = (float(c) for c in cells[-2:])
    except ValueError as error:
        rule = f"line {line} holds two names and five numbers"
        raise DataError(message(path, rule, ",".join(row), "mend the line")) from error
    return Score(subject, name, overlap, distance, difference, reference, predicted)


@dataclass(frozen=True)
class Summary:
    """One figure of one tissue over the subjects that define it.

    Attributes:
        class_name, figure: the class and the column (`FIGURES`).
        n: number of subjects in which the figure is defined.
        mean, median: None if n is 0.
        sd: standard deviation of the sample (n - 1), None if n is below 2.
    """

    class_name: str
    figure: str
    n: int
    mean: float | None
    sd: float | None
    median: float | None


def summarise(
    scores: Sequence[Score], class_names: Sequence[str] = CLASS_NAMES[1:]
) -> list[Summary]:
    """Mean, SD and median per class and figure; undefined figures do not count towards n.

    Returns:
        Classes in the order of `class_names`, and within them `FIGURES`. All of them are included,
        with n = 0 if `scores` is empty.
    """
    summaries = []
    for name in class_names:
        for figure in FIGURES:
            found = [getattr(s, figure) for s in scores if s.class_name == name]
            summaries.append(_summary(name, figure, [v for v in found if v is not None]))
    return summaries


def _summary(name: str, figure: str, values: list[float]) -> Summary:
    if not values:
        return Summary(name, figure, 0, None, None, None)
    sd = statistics.stdev(values) if len(values) > 1 else None
    return Summary(
        name, figure, len(values), statistics.fmean(values), sd, statistics.median(values)
    )

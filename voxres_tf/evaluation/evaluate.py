"""From two paths to scores and to the table on the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from voxres_tf.errors import DataError, first_of, message
from voxres_tf.evaluation.pairs import Pair, find_pairs
from voxres_tf.evaluation.reference import (
    Reference,
    read_prediction,
    read_reference,
    to_common_axes,
)
from voxres_tf.evaluation.scores import FIGURES, Score, Summary, score_subject, summarise
from voxres_tf.labels import CLASS_NAMES, common_classes, is_scheme_file

_LEFT_OUT = {
    "mrbrains13": "cerebellum and brainstem left out",
    "mrbrains18": "cerebellum, brainstem, infarction and other left out",
    "plain": "every voxel scored",
}
_CODES = {"testing": "0..3", "training": "as LabelsForTraining"}


@dataclass(frozen=True)
class Evaluation:
    """The scores of a set of subjects.

    Attributes:
        protocol: protocol under which they were scored.
        scores: one per subject and class.
        unmasked: subjects whose reference does not mark what the protocol leaves out.
        class_names: names of the classes, the background first.
        own_scheme: whether a reference is coded by a label scheme from a file.
        codings: what the codes of the references were taken for, see `reference.Reference`.
    """

    protocol: str
    scores: tuple[Score, ...]
    unmasked: tuple[str, ...] = ()
    class_names: tuple[str, ...] = CLASS_NAMES
    own_scheme: bool = False
    codings: tuple[str, ...] = ()


def evaluate(
    pred: Path, ref: Path, *, protocol: str = "mrbrains13", coding: str = "auto"
) -> Evaluation:
    """Score predictions against references; both are files, or both folders.

    Args:
        pred: a segmentation or a folder of them, see `pairs.find_pairs`.
        ref: a reference or a folder of them, see there.
        protocol: what is left out, see `reference.read_reference`.
        coding: coding of the reference, see there.

    Raises:
        ConfigError: for an unknown protocol or coding.
        DataError: for subjects without a partner, and as `score_pairs`.
    """
    return score_pairs(find_pairs(pred, ref, coding), protocol=protocol, coding=coding)


def score_pairs(
    pairs: Sequence[Pair], *, protocol: str = "mrbrains13", coding: str = "auto"
) -> Evaluation:
    """Score pairs of a prediction and its reference, see `evaluate`.

    Raises:
        ConfigError: for an unknown protocol or coding.
        DataError: for files that cannot be read, codes that are not part of their coding,
            references whose classes differ, or seem to have different codings by their codes
            alone, and grids that differ.
    """
    scores: list[Score] = []
    unmasked = []
    codings: dict[str, Path] = {}
    guesses: dict[str, Path] = {}
    schemes = [pair.reference.scheme or "tissue" for pair in pairs]
    names, own = common_classes(schemes), any(map(is_scheme_file, schemes))
    for pair in tqdm(pairs, "evaluate", unit="subject", disable=None):
        found, reference = _score_pair(pair, protocol, coding)
        scores += found
        if not reference.knows_unscored:
            unmasked.append(pair.subject)
        codings.setdefault(reference.coding, pair.reference.labels)
        if reference.guessed:
            guesses.setdefault(reference.coding, pair.reference.labels)
            _require_one_coding(guesses)
    return Evaluation(protocol, tuple(scores), tuple(unmasked), names, own, tuple(codings))


def _require_one_coding(guesses: Mapping[str, Path]) -> None:
    if len(guesses) > 1:
        received = " and ".join(f"{_CODES[coding]} in {path}" for coding, path in guesses.items())
        then = "pass --ref-coding training if all are MRBrainS's, or name schemes in a manifest"
        raise DataError(message("references", "one coding", received, then))


def _score_pair(pair: Pair, protocol: str, coding: str) -> tuple[list[Score], Reference]:
    reference = read_reference(pair.reference, protocol, coding)
    prediction = read_prediction(pair.prediction, reference.class_names)
    classes, reference, _ = to_common_axes(
        prediction, pair.prediction, reference, pair.reference.labels
    )
    grid = reference.grid
    scores = score_subject(
        pair.subject,
        classes,
        reference.classes,
        grid.spacing_mm,
        scored=reference.scored,
        class_names=reference.class_names,
        voxel_ml=grid.voxel_ml,
    )
    return scores, reference


def table(evaluation: Evaluation) -> str:
    """The evaluation for the screen: protocol, means with counts, and what is undefined and why."""
    scores = evaluation.scores
    subjects = len({score.subject for score in scores})
    left_out = _LEFT_OUT[evaluation.protocol]
    if evaluation.own_scheme and evaluation.protocol != "plain":
        left_out = "what the label scheme does not score left out"
    names = evaluation.class_names[1:]
    width = max(6, *map(len, names)) + 2
    lines = [
        f"{subjects} subject{'s' * (subjects != 1)}, protocol {evaluation.protocol}: "
        f"{left_out}; HD95 between in-plane boundaries (MRBrainS); references coded "
        f"{', '.join(_CODES.get(coding, coding) for coding in evaluation.codings)}",
        f"{'tissue':{width}}{'figure':10}{'mean':>9}{'SD':>9}{'median':>9}{'n':>5}",
        *(_row(summary, width) for summary in summarise(scores, names)),
    ]
    if evaluation.unmasked:
        lines.append(
            f"The reference of {first_of(evaluation.unmasked, 5)} does not mark what the protocol "
            "leaves out; every voxel was scored there."
        )
    lines += [_undefined(score) for score in scores if score.reason]
    return "\n".join(lines)


def _undefined(score: Score) -> str:
    figures = [f.title for name, f in FIGURES.items() if getattr(score, name) is None]
    return f"Undefined: {score.subject} {score.class_name} {', '.join(figures)}: {score.reason}"


def _row(summary: Summary, width: int) -> str:
    cells = [_cell(value) for value in (summary.mean, summary.sd, summary.median)]
    tissue = summary.class_name if summary.figure == "dice" else ""
    figure = FIGURES[summary.figure]
    title = figure.title if figure.scale != 1 else f"{figure.title} ({figure.unit})"
    return f"{tissue:{width}}{title:10}{''.join(cells)}{summary.n:>5}"


def _cell(value: float | None) -> str:
    return f"{'-':>9}" if value is None else f"{value:>9.3f}"

"""The checked scores of one row or team, and notes to read before comparing several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from voxres_tf.errors import DataError, first_of, message
from voxres_tf.evaluation.scores import FIGURES, Score, Summary, read_scores, summarise

Key = tuple[str, str]
"""A tissue and a figure."""

_LARGEST = 1e9
"""Beyond any figure of a head; sums of larger ones could overflow."""

TISSUES = ("GM", "WM", "CSF")
"""In the order of the paper's tables."""

KEYS: tuple[Key, ...] = tuple((tissue, figure) for tissue in TISSUES for figure in FIGURES)


@dataclass(frozen=True)
class Results:
    """The scores of one row of a table, or of one team.

    Attributes:
        name: name of the row or team.
        scores: at most one per subject and tissue.
    """

    name: str
    scores: tuple[Score, ...]

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """Ids of the subjects, each once, in the order of the scores."""
        return tuple(dict.fromkeys(score.subject for score in self.scores))

    @cached_property
    def summaries(self) -> Mapping[Key, Summary]:
        """Mean, SD and median of every key of `KEYS`, in the units of score files."""
        return {(s.class_name, s.figure): s for s in summarise(self.scores)}

    def values(self, key: Key) -> dict[str, float]:
        """Subject -> figure, where it is defined, in the units of score files."""
        tissue, figure = key
        found = {s.subject: getattr(s, figure) for s in self.scores if s.class_name == tissue}
        return {subject: value for subject, value in found.items() if value is not None}


def read_results(files: Iterable[tuple[str, Path]]) -> list[Results]:
    """Read the score files of several rows or teams, in order; no files give an empty list.

    Args:
        files: pairs of a name and a CSV file from `voxres evaluate`.

    Raises:
        DataError: for a name that is used twice, a file that `scores.read_scores` refuses, or one
            with no scores, unknown tissues, a subject's tissue twice, or impossible figures.
    """
    named = list(files)
    require_once([name for name, _ in named])
    return [Results(name, tuple(_checked(path, read_scores(path)))) for name, path in named]


def require_once(names: Sequence[str]) -> None:
    """Raise `DataError` if two rows or teams have the same name: they must be distinguishable."""
    for name, count in Counter(names).items():
        if count > 1:
            rule = "each name stands for one set of scores"
            then = "rename one, as in NAME=scores.csv"
            raise DataError(message(repr(name), rule, f"{count} of that name", then))


def _checked(path: Path, scores: list[Score]) -> list[Score]:
    if not scores:
        then = "run voxres evaluate on segmentations"
        raise DataError(message(path, "at least one score", "none", then))
    for score in scores:
        where = f"{path}, subject {score.subject}"
        if score.class_name not in TISSUES:
            rule = f"tissues are {', '.join(TISSUES)}"
            raise DataError(message(where, rule, repr(score.class_name), "mend the line"))
        figures = [getattr(score, name) for name in FIGURES] + [score.ref_ml, score.pred_ml]
        defined = [figure for figure in figures if figure is not None]
        if not all(0 <= f < _LARGEST for f in defined) or (score.dice or 0.0) > 1:
            rule = f"figures and volumes from 0 to {_LARGEST:g}, Dice at most 1"
            raise DataError(message(where, rule, ", ".join(map(str, defined)), "mend the line"))
    for (subject, tissue), count in Counter((s.subject, s.class_name) for s in scores).items():
        if count > 1:
            received = f"{count} for {tissue} of {subject}"
            then = "remove the others, or score the subjects under names of their own"
            raise DataError(message(path, "one score per subject and tissue", received, then))
    return scores


def notes(results: Sequence[Results]) -> list[str]:
    """What to know before comparing: differing subjects, and means over only some of them.

    Returns:
        One line each; none if all results have the same subjects and every figure is defined.
    """
    every = dict.fromkeys(subject for r in results for subject in r.subjects)
    lines = []
    for r in results:
        lacking = [subject for subject in every if subject not in r.subjects]
        if lacking:
            lines.append(f"{r.name} was not scored on {_listed(lacking)}; others were.")
    for r in results:
        for tissue, figure in KEYS:
            defined = r.values((tissue, figure))
            undefined = [subject for subject in r.subjects if subject not in defined]
            if undefined:
                over = f"its mean is over {len(defined)} of {len(r.subjects)} subjects"
                what = f"{tissue} {FIGURES[figure].paper} is undefined for {_listed(undefined)}"
                lines.append(f"{r.name}: {what}; {over if defined else 'it has no mean'}.")
    return lines


def _listed(subjects: Sequence[str]) -> str:
    return f"subject{'s' * (len(subjects) != 1)} {first_of(subjects, 5)}"

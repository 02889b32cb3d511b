"""Paired differences between rows, with bootstrap intervals over the subjects."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from voxres_tf.evaluation.results import KEYS, TISSUES, Results
from voxres_tf.evaluation.scores import FIGURES
from voxres_tf.files import csv_text

FEWEST = 3
"""Fewest subjects for which an interval is given."""

COLUMNS = ("row_a", "row_b", "class", "figure", "n", "mean_difference", "low", "high")
_RESAMPLES, _SEED = 9999, 0
_TAIL = 250  # of 9999 sorted means, the 250th from either end bounds the middle 95 %
_NOT_SHOWN = "no difference shown"


@dataclass(frozen=True)
class Difference:
    """Row B minus row A in one figure of one tissue, over the subjects where both are defined.

    Attributes:
        row_a, row_b: names of the rows.
        class_name, figure: the tissue and the column, see `scores.FIGURES`.
        n: number of subjects.
        mean: in the units of score files, None if n is 0.
        interval: percentile bootstrap interval of 95 % for the mean, None if n is below `FEWEST`.
    """

    row_a: str
    row_b: str
    class_name: str
    figure: str
    n: int
    mean: float | None
    interval: tuple[float, float] | None

    @property
    def verdict(self) -> str:
        """Whether B is `better` or `worse`; an interval that includes 0 shows neither."""
        if self.interval is None or self.interval[0] <= 0 <= self.interval[1]:
            return _NOT_SHOWN
        higher = self.interval[0] > 0
        return "better" if higher == FIGURES[self.figure].higher_is_better else "worse"

    @property
    def reason(self) -> str | None:
        """Why there is no interval, None if there is one."""
        if self.interval is not None:
            return None
        common = f"{self.n} common subject{'s' * (self.n != 1)}"
        return f"{common}, and an interval needs {FEWEST}"


def compare(a: Results, b: Results) -> list[Difference]:
    """The differences B minus A for every key of `results.KEYS`.

    Swapping A and B flips their signs and changes nothing else.
    """
    differences = []
    for key in KEYS:
        first, second = a.values(key), b.values(key)
        both = sorted(first.keys() & second.keys())
        values = [second[subject] - first[subject] for subject in both]
        mean = statistics.fmean(values) if values else None
        differences.append(
            Difference(a.name, b.name, *key, len(values), mean, bootstrap_interval(values))
        )
    return differences


def compare_all(results: Sequence[Results]) -> list[Difference]:
    """The differences of every pair of rows, later minus earlier; fewer than two rows have none."""
    return [d for a, b in combinations(results, 2) for d in compare(a, b)]


def bootstrap_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % percentile interval of the mean, from 9,999 resamples that are always the same.

    Returns:
        None for fewer than `FEWEST` values.
    """
    if len(values) < FEWEST:
        return None
    chosen = np.random.default_rng(_SEED).integers(len(values), size=(_RESAMPLES, len(values)))
    means = np.sort(np.asarray(values, np.float64)[chosen].mean(axis=1))
    # Order statistics, not interpolated, so the interval of -x is that of x with flipped signs.
    return float(means[_TAIL - 1]), float(means[-_TAIL])


def differences_csv(differences: Sequence[Difference]) -> str:
    """One line per pair, tissue and figure, in the units of score files, empty where undefined."""
    rows = [
        (
            *(d.row_a, d.row_b, d.class_name, d.figure, d.n, d.mean),
            *(d.interval or (None, None)),
            *(d.verdict, d.reason),
        )
        for d in differences
    ]
    return csv_text((*COLUMNS, "row_b_is", "no_interval_because"), rows)


def differences_markdown(differences: Sequence[Difference]) -> list[str]:
    """Lines of a table with a row per pair and tissue; a sentence if there is no pair."""
    if not differences:
        return ["There is one row, so there is nothing to compare."]
    titles = " | ".join(figure.paper for figure in FIGURES.values())
    found = {(d.row_a, d.row_b, d.class_name, d.figure): d for d in differences}
    lines = [f"| B minus A | tissue | {titles} |", "|---|---|---|---|---|"]
    for a, b in dict.fromkeys((d.row_a, d.row_b) for d in differences):
        for tissue in TISSUES:
            cells = [_cell(found[a, b, tissue, figure]) for figure in FIGURES]
            lines.append(f"| {escaped(b)} minus {escaped(a)} | {tissue} | {' | '.join(cells)} |")
    return lines


def escaped(name: str) -> str:
    """A name escaped so that it does not end the cell of a Markdown table."""
    return name.replace("|", r"\|")


def _cell(d: Difference) -> str:
    if d.mean is None:
        return f"- ({d.reason})"
    scale = FIGURES[d.figure].scale
    mean = f"{scale * d.mean:+.2f}"
    if d.interval is None:
        return f"{mean} ({d.reason})"
    low, high = (f"{scale * end:+.2f}" for end in d.interval)
    return f"{mean} [{low}, {high}], n = {d.n}: {d.verdict}"

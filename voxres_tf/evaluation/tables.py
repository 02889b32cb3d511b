"""The paper's Table 1 from score files: means, SD and medians per row, tissue and figure."""

from __future__ import annotations

from collections.abc import Sequence

from voxres_tf.evaluation.comparisons import Difference, differences_markdown, escaped
from voxres_tf.evaluation.results import KEYS, TISSUES, Results, notes
from voxres_tf.evaluation.scores import FIGURES, Summary
from voxres_tf.files import csv_text

COLUMNS = ("row", "class", "figure", "n", "mean", "sd", "median")

_HEAD = """\
# Scores per row

DC is the Dice coefficient in %, HD the 95th percentile of the Hausdorff distance in mm, AVD the
absolute volume difference in %. Protocol: MRBrainS (Mendrik et al. 2015); HD runs between in-plane
boundaries, from voxel centre to voxel centre, and is the larger of the two directions.
`voxres evaluate --protocol` decided which voxels were left out; score files do not record it.

Cells: mean ± SD over the subjects (median). `n` is the number of subjects; a cell shows its own `n`
if its figure is undefined for some of them. A dash means that there is nothing to compute from.
"""
_PAPER = """\
All HD figures of the paper's Table 1 are exact distances between voxel centres. Means hardly ever
are, so the paper's figures are probably medians: compare them with the medians here.

![One point per subject, in a panel per tissue and figure](distributions.png)
"""
_DIFFERENCES = """\
## Differences between rows

Row B minus row A over the subjects that both have; DC and AVD in percentage points, HD in mm. In
brackets: 95 % percentile bootstrap interval of the mean over the subjects (9,999 resamples). B is
called better or worse only where the interval excludes 0. With few subjects such intervals are too
narrow, and they are not corrected for the number of comparisons.
"""


def table_csv(results: Sequence[Results]) -> str:
    """Table 1 in long form, in the units of score files; undefined numbers are empty."""
    rows = [
        (r.name, *key, s.n, s.mean, s.sd, s.median)
        for r in results
        for key, s in ((key, r.summaries[key]) for key in KEYS)
    ]
    return csv_text(COLUMNS, rows)


def table_markdown(results: Sequence[Results], differences: Sequence[Difference]) -> str:
    """Table 1 as the paper lays it out, then its limitations, then the paired differences.

    Args:
        results: the rows in their order; no rows give a table of only a header.
        differences: from `comparisons.compare_all`.
    """
    titles = " | ".join(f"{tissue} {FIGURES[figure].paper}" for tissue, figure in KEYS)
    table = [f"| row | n | {titles} |", f"|---|---|{'---|' * len(KEYS)}"]
    for r in results:
        cells = " | ".join(_cell(r.summaries[key], len(r.subjects)) for key in KEYS)
        table.append(f"| {escaped(r.name)} | {len(r.subjects)} | {cells} |")
    remarks = [f"- {note}" for note in notes(results)]
    parts = [_HEAD, *table, "", *remarks, *([""] if remarks else []), _PAPER, _DIFFERENCES]
    return "\n".join([*parts, *differences_markdown(differences), ""])


def _cell(summary: Summary, subjects: int) -> str:
    scale = FIGURES[summary.figure].scale
    own = f", n = {summary.n}" if summary.n != subjects else ""
    if summary.mean is None or summary.median is None:
        return f"-{own}"
    spread = "" if summary.sd is None else f" ± {scale * summary.sd:.2f}"
    return f"{scale * summary.mean:.2f}{spread} ({scale * summary.median:.2f}){own}"


def dice_in_short(results: Results) -> str:
    """Mean Dice per tissue in % and the number of subjects, as one line."""
    found = [(tissue, results.summaries[tissue, "dice"]) for tissue in TISSUES]
    cells = [f"{t} {'-' if s.mean is None else f'{100 * s.mean:.2f}'}" for t, s in found]
    return f"mean DC {', '.join(cells)} over {len(results.subjects)} subjects"

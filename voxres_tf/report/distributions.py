"""The scores of every subject as a picture: points and boxes, a panel per tissue and figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from voxres_tf.evaluation.results import TISSUES, Results
from voxres_tf.evaluation.scores import FIGURES
from voxres_tf.report.panels import literal
from voxres_tf.report.png import write_png

# Blue and vermilion of Okabe and Ito, which colour-blind people can tell apart.
POINT, MEDIAN, BOX, LINE = "#0072b2", "#d55e00", "#e9edf2", "#6b7480"
_CAPTION = "One point per subject. Box: quartiles; orange: median; line: smallest to largest."
_LONGEST = 40  # characters of a name beside the panels
_GOLDEN = 0.618  # successive multiples of it spread evenly over 0 to 1


def distributions(path: Path, results: Sequence[Results]) -> None:
    """Draw how the subjects of each row are distributed, per tissue and figure.

    Args:
        path: PNG file, written atomically.
        results: the rows, drawn from top to bottom in their order; no rows give empty axes.
            Undefined figures are not drawn; the number of defined ones is then written beside the
            row.
    """
    row_inches = 0.42 * max(len(results), 1)
    figure = Figure(figsize=(12.0, 3 * (row_inches + 0.75) + 0.6), facecolor="white")
    figure.set_layout_engine("constrained")
    grid = figure.subplots(len(TISSUES), len(FIGURES), squeeze=False, sharey=True)
    for across, tissue in zip(grid, TISSUES, strict=True):
        for axes, column in zip(across, FIGURES, strict=True):
            for level, row in enumerate(results):
                _row(axes, level, row, (tissue, column))
            shown = FIGURES[column]
            axes.set_title(f"{tissue} {shown.paper} ({shown.unit})", fontsize=11)
            _finish(axes)
    grid[0, 0].set_yticks(range(len(results)), [literal(_short(r.name)) for r in results])
    grid[0, 0].set_ylim(max(len(results), 1) - 0.45, -0.55)
    figure.supxlabel(_CAPTION, fontsize=9.5, color="#333333")
    write_png(path, figure, 110)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _row(axes: Axes, level: int, results: Results, key: tuple[str, str]) -> None:
    found = results.values(key)
    values = np.array(list(found.values())) * FIGURES[key[1]].scale
    if len(found) < len(results.subjects):
        count = f"n = {len(found)} of {len(results.subjects)}"
        axes.text(
            1.0, level - 0.33, count, fontsize=8, color="#333333",
            ha="right", va="bottom", transform=axes.get_yaxis_transform(),
        )  # fmt: skip
    if not found:
        return
    low, first, middle, third, high = np.percentile(values, (0, 25, 50, 75, 100))
    axes.plot([low, high], [level, level], color=LINE, linewidth=1.2, zorder=2)
    axes.barh(
        level, third - first, 0.62, left=first, color=BOX, edgecolor=LINE, linewidth=1.0, zorder=3
    )
    axes.plot([middle] * 2, [level - 0.31, level + 0.31], color=MEDIAN, linewidth=2.4, zorder=4)
    # A subject keeps its height in every panel and row that has the same subjects.
    places = {subject: n for n, subject in enumerate(sorted(results.subjects))}
    heights = [level + 0.44 * (places[subject] * _GOLDEN % 1 - 0.5) for subject in found]
    axes.scatter(
        values, heights, s=20, color=POINT, alpha=0.8, edgecolors="white", linewidths=0.5, zorder=5
    )


def _finish(axes: Axes) -> None:
    axes.grid(visible=True, axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.06)

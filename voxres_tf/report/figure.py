"""Pictures: segmentations beside their references, slice by slice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from voxres_tf.report.cases import Case, View
from voxres_tf.report.panels import (
    BACKGROUND,
    DIFFERENCE,
    INK,
    class_colours,
    draw_panel,
    literal,
    name_row,
    name_sides,
)
from voxres_tf.report.png import write_png

_COLUMNS = 4
_PANEL_INCHES = 2.6
_NARROWEST_INCHES = 5.5
"""Least width of a picture, so that its heading and its legend have room."""

_LETTERS_PER_INCH = 10
"""Letters per inch of the legend, including the space between its entries."""

_DIFFERS = "prediction differs from reference"
_SLIMMEST = 3.0
"""A panel is at most this many times as long as it is wide, or the other way round."""


def segmentation_figure(path: Path, cases: Sequence[Case]) -> None:
    """Draw axial slices of each case: the scan, the outlines of the tissues, where they disagree.

    One case gets four slices, two get two each, more get one each, all at one scale. Slices are
    shown as radiologists do: the subject's right is on the left.

    Args:
        path: PNG file, written atomically.
        cases: one or more; if none has a reference, the rows for it are left out.
    """
    figure = _draw([View(case, max(1, _COLUMNS // len(cases))) for case in cases])
    write_png(path, figure, 105)


def _draw(views: Sequence[View]) -> Figure:
    referenced = any(view.case.reference is not None for view in views)
    rows = ["scan", "prediction", *(["reference", "disagreement"] if referenced else [])]
    columns = [(view, level) for view in views for level in view.levels]
    width, height = (max(view.extent_mm[axis] for view in views) for axis in (0, 1))
    width, height = max(width, height / _SLIMMEST), max(height, width / _SLIMMEST)
    panel = _PANEL_INCHES * height / width
    names = list(dict.fromkeys(name for view in views for name in view.case.class_names[1:]))
    across = max(_PANEL_INCHES * len(columns) + 0.4, _NARROWEST_INCHES)
    letters = sum(len(name) + 4 for name in names) + len(_DIFFERS) * referenced
    lines = math.ceil(letters / (_LETTERS_PER_INCH * across))
    size = (across, panel * len(rows) + 0.9 + 0.2 * lines)
    figure = Figure(figsize=size, facecolor=BACKGROUND)
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    left = 0.4 / size[0]
    figure.subplots_adjust(
        left=left,
        right=1.0,
        bottom=(0.25 + 0.2 * lines) / size[1],
        top=1 - 0.65 / size[1],
        wspace=0.02,
        hspace=0.02,
    )
    for column, (view, level) in enumerate(columns):
        for row, name in enumerate(rows):
            draw_panel(grid[row, column], view.plane(level), name, (width, height))
    for row, name in enumerate(rows):
        name_row(grid[row, 0], name)
    first = 0
    for view in views:
        name_sides(grid[0, first])
        middle = left + (1 - left) * (first + len(view.levels) / 2) / len(columns)
        text = literal(_heading(view.case))
        figure.text(
            middle, 1 - 0.2 / size[1], text, color=INK, fontsize=13, ha="center", va="top"
        )  # fmt: skip
        first += len(view.levels)
    _legend(figure, names, lines, with_difference=referenced, bottom=0.08 / size[1])
    return figure


def _legend(
    figure: Figure, names: Sequence[str], lines: int, *, with_difference: bool, bottom: float
) -> None:
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=colour, linewidth=2.5, label=literal(name))
        for name, colour in class_colours(names).items()
    ]
    if with_difference:
        handles.append(Patch(color=DIFFERENCE, label=_DIFFERS))
    figure.legend(
        handles=handles,
        loc="lower center",
        bbox_to_anchor=(0.5, bottom),
        ncols=math.ceil(len(handles) / lines),
        frameon=False,
        labelcolor=INK,
        fontsize=10,
        borderpad=0.0,
    )


def _heading(case: Case) -> str:
    dice, names = case.dice, case.class_names[1:]
    if dice is None:
        return case.title
    figures = ("-" if dice.get(n) is None else f"{dice[n]:.3f}" for n in names)
    named = "   ".join(f"{n} {f}" for n, f in zip(names, figures, strict=True))
    return f"{case.title}\nDice: {named}"

"""The history of a training as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from voxres_tf.report.panels import class_colours
from voxres_tf.report.png import write_png

_OUTPUTS = ("main", "aux1", "aux2", "aux3", "aux4")
# The fused output stands out; the auxiliary ones go from light to dark with their depth.
_OUTPUT_COLOURS = ("#d55e00", "#a6c8e0", "#7ba9cc", "#4d86b4", "#23608f")
_DICE = "val_dice_"
Cell = float | int | str | None


def training_curves(path: Path, history_rows: Sequence[Mapping[str, Cell]]) -> None:
    """Draw losses, validation Dice, learning rate and auxiliary weight over the epochs.

    Args:
        path: PNG file, written atomically.
        history_rows: rows of a training's history, in order: `epoch`, `main_loss`, `aux1_loss` to
            `aux4_loss`, `aux_weight`, `learning_rate`, and `val_dice_` followed by the name of each
            class. A cell that is missing, None or empty is not drawn. No rows give empty axes.
    """
    figure = Figure(figsize=(12.0, 3.6), facecolor="white", layout="constrained")
    losses, overlap, rates = figure.subplots(1, 3)
    for name, colour in zip(_OUTPUTS, _OUTPUT_COLOURS, strict=True):
        width = 2.0 if name == "main" else 1.2
        _curve(losses, history_rows, f"{name}_loss", name, colour, width)
    measured = dict.fromkeys(c for row in history_rows for c in row if c.startswith(_DICE))
    classes = [column.removeprefix(_DICE) for column in measured]
    for name, colour in class_colours(classes).items():
        _curve(overlap, history_rows, _DICE + name, name, colour, 1.8, marker="o")
    _curve(rates, history_rows, "learning_rate", "learning rate", "#0072b2", 1.8)
    _curve(rates, history_rows, "aux_weight", "auxiliary weight", "#999999", 1.8)
    for axes, title in (
        (losses, "Cross-entropy per output"),
        (overlap, "Dice of the validation subjects"),
        (rates, "Schedules"),
    ):
        _finish(axes, title, logarithmic=axes is not overlap)
    write_png(path, figure, 110)


def _curve(
    axes: Axes,
    rows: Sequence[Mapping[str, Cell]],
    column: str,
    name: str,
    colour: str,
    width: float,
    marker: str = "",
) -> None:
    points = [
        (float(epoch), float(value))
        for row in rows
        if (epoch := row.get("epoch")) not in (None, "")
        and (value := row.get(column)) not in (None, "")
    ]
    if not points:
        return
    epochs, values = zip(*points, strict=True)
    # A single point draws no line.
    marker = marker or ("o" if len(points) == 1 else "")
    axes.plot(
        epochs, values, color=colour, linewidth=width, marker=marker, markersize=3.5, label=name
    )


def _finish(axes: Axes, title: str, *, logarithmic: bool) -> None:
    axes.set_title(title, fontsize=11)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=True, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    # A logarithmic axis cannot draw a rate of 0, so it needs at least one larger value.
    if logarithmic and any(np.max(line.get_ydata()) > 0 for line in axes.lines):
        axes.set_yscale("log")
    if axes.lines:
        axes.legend(frameon=False, fontsize=9)

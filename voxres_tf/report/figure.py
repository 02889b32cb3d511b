"""Pictures: a segmentation beside its reference, slice by slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from voxres_tf.errors import DataError, message
from voxres_tf.files import atomic_path
from voxres_tf.labels import CLASS_NAMES

TISSUE_COLOURS = {"CSF": "#56b4e9", "GM": "#f0c419", "WM": "#e2609f"}
"""From palettes that colour-blind people can tell apart, on grey and on white."""

_BACKGROUND, _INK = "#0b0d10", "#eceff4"
_DIFFERENCE = "#ff5a36"
_SLICES = 4
_MARGIN_MM = 14.0
_PANEL_INCHES = 2.6
ValueT = TypeVar("ValueT", bound=np.generic)


def segmentation_figure(
    path: Path,
    image: NDArray[Any],
    prediction: NDArray[np.uint8],
    reference: NDArray[np.uint8] | None,
    spacing_mm: Sequence[float],
    title: str,
    *,
    dice: Mapping[str, float | None] | None = None,
    scored: NDArray[np.bool_] | None = None,
) -> None:
    """Draw four axial slices: the scan, the outlines of the tissues, and where they disagree.

    Slices are shown as radiologists do: the subject's right is on the left.

    Args:
        path: PNG file, written atomically.
        image: any real numbers, [X, Y, Z] in right-anterior-superior order.
        prediction: classes 0..3, of that shape.
        reference: classes 0..3, of that shape; None leaves its rows out.
        spacing_mm: distance between voxel centres along the three axes.
        title: stands above.
        dice: tissue -> Dice, added to the title; None is drawn as "-".
        scored: bool, of that shape; voxels where it is False get no outlines.

    Raises:
        DataError: if the shapes differ or there are not three axes.
    """
    parts = [p for p in (prediction, reference, scored) if p is not None]
    if image.ndim != 3 or any(p.shape != image.shape for p in parts):
        received = ", ".join(str(p.shape) for p in (image, *parts))
        rule = "image and labels are [X, Y, Z] of one shape"
        raise DataError(message("picture", rule, received, "bring them to one grid"))
    labels = {"prediction": prediction, "reference": reference}
    shown = {
        name: np.where(scored, classes, 0) if scored is not None else classes
        for name, classes in labels.items()
        if classes is not None
    }
    box = _box(np.any([classes > 0 for classes in shown.values()], axis=0), spacing_mm)
    _write(path, _draw(image, shown, box, spacing_mm, _heading(title, dice)))


def _draw(
    image: NDArray[Any],
    labels: Mapping[str, NDArray[np.uint8]],
    box: tuple[slice, slice, slice],
    spacing_mm: Sequence[float],
    heading: str,
) -> Figure:
    rows = ["scan", *labels] + (["disagreement"] if len(labels) == 2 else [])
    levels = _levels(box[2])
    grey = _window(image[box[0], box[1]], box[2])
    width, height = (n * s for n, s in zip(grey.shape[:2], spacing_mm[:2], strict=True))
    panel = _PANEL_INCHES * height / width
    size = (_PANEL_INCHES * len(levels) + 0.4, panel * len(rows) + 1.1)
    figure = Figure(figsize=size, facecolor=_BACKGROUND)
    grid = figure.subplots(len(rows), len(levels), squeeze=False)
    figure.subplots_adjust(
        left=0.4 / size[0],
        right=1.0,
        bottom=0.45 / size[1],
        top=1 - 0.65 / size[1],
        wspace=0.02,
        hspace=0.02,
    )
    for column, level in enumerate(levels):
        maps = {n: _plane(classes[box[0], box[1], level]) for n, classes in labels.items()}
        for row, name in enumerate(rows):
            _panel(grid[row, column], _plane(grey[:, :, level]), name, maps, (width, height))
    for row, name in enumerate(rows):
        _row_name(grid[row, 0], name)
    _sides(grid[0, 0])
    figure.suptitle(heading, color=_INK, fontsize=13, y=1 - 0.2 / size[1], va="top")
    _legend(figure, with_difference="disagreement" in rows, bottom=0.08 / size[1])
    return figure


def _plane(values: NDArray[ValueT]) -> NDArray[ValueT]:
    """A slice as it is drawn: x grows to the subject's right, which goes on the left."""
    return values[::-1]


def _panel(
    axes: Axes,
    grey: NDArray[np.float32],
    name: str,
    maps: Mapping[str, NDArray[np.uint8]],
    extent_mm: tuple[float, float],
) -> None:
    axes.set_axis_off()
    width, height = extent_mm
    extent = (0.0, width, 0.0, height)
    shade = grey if name == "scan" else grey * (0.45 if name == "disagreement" else 0.8)
    axes.imshow(
        shade.T, cmap="gray", vmin=0, vmax=1, origin="lower", extent=extent, interpolation="bicubic"
    )
    if name == "disagreement":
        differs = np.asarray(maps["prediction"] != maps["reference"])
        overlay = np.zeros((*differs.T.shape, 4))
        overlay[differs.T] = (*_rgb(_DIFFERENCE), 0.9)
        axes.imshow(overlay, origin="lower", extent=extent, interpolation="nearest")
    elif name != "scan":
        _outlines(axes, maps[name], extent_mm)
    axes.set_xlim(0.0, width)
    axes.set_ylim(0.0, height)
    axes.set_aspect("equal")


def _outlines(axes: Axes, classes: NDArray[np.uint8], extent_mm: tuple[float, float]) -> None:
    columns, rows = classes.shape
    width, height = extent_mm
    extent = (0.0, width, 0.0, height)
    centres = (
        (np.arange(columns) + 0.5) * width / columns,
        (np.arange(rows) + 0.5) * height / rows,
    )
    for number, name in enumerate(CLASS_NAMES[1:], start=1):
        mask = (classes == number).astype(np.float32)
        if mask.any() and not mask.all():
            colour = TISSUE_COLOURS[name]
            tint = ListedColormap([(*_rgb(colour), 0.0), (*_rgb(colour), 0.22)])
            axes.imshow(mask.T, cmap=tint, origin="lower", extent=extent, interpolation="nearest")
            # Above one half the line runs inside its own tissue, so neighbours do not cover it.
            axes.contour(*centres, mask.T, levels=[0.75], colors=[colour], linewidths=0.7)


def _row_name(axes: Axes, name: str) -> None:
    axes.text(
        -0.03, 0.5, name, color=_INK, fontsize=11, rotation=90,
        ha="right", va="center", transform=axes.transAxes,
    )  # fmt: skip


def _sides(axes: Axes) -> None:
    for x, side in ((0.05, "R"), (0.95, "L")):
        axes.text(
            x, 0.96, side, color=_INK, fontsize=11, fontweight="bold",
            ha="center", va="center", transform=axes.transAxes,
            path_effects=[withStroke(linewidth=2.5, foreground=_BACKGROUND)],
        )  # fmt: skip


def _legend(figure: Figure, *, with_difference: bool, bottom: float) -> None:
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=colour, linewidth=2.5, label=name)
        for name, colour in TISSUE_COLOURS.items()
    ]
    if with_difference:
        handles.append(Patch(color=_DIFFERENCE, label="prediction differs from reference"))
    figure.legend(
        handles=handles,
        loc="lower center",
        bbox_to_anchor=(0.5, bottom),
        ncols=len(handles),
        frameon=False,
        labelcolor=_INK,
        fontsize=10,
        borderpad=0.0,
    )


def _heading(title: str, dice: Mapping[str, float | None] | None) -> str:
    if dice is None:
        return title
    figures = ("-" if dice.get(n) is None else f"{dice[n]:.3f}" for n in TISSUE_COLOURS)
    named = "   ".join(f"{n} {f}" for n, f in zip(TISSUE_COLOURS, figures, strict=True))
    return f"{title}\nDice: {named}"


def _box(inside: NDArray[np.bool_], spacing_mm: Sequence[float]) -> tuple[slice, slice, slice]:
    """The bounding box of the labels with a margin in plane; the whole volume if there are none."""
    box = []
    for axis, step in enumerate(spacing_mm):
        others = tuple(a for a in range(3) if a != axis)
        found = np.flatnonzero(inside.any(axis=others))
        first, last = (int(found[0]), int(found[-1])) if found.size else (0, inside.shape[axis] - 1)
        margin = round(_MARGIN_MM / step) if axis < 2 else 0
        box.append(slice(max(0, first - margin), min(inside.shape[axis], last + margin + 1)))
    return box[0], box[1], box[2]


def _levels(extent: slice) -> list[int]:
    """Slices between the base and the top of the brain, where all three tissues are to be seen."""
    wanted = np.linspace(0.42, 0.85, _SLICES) * (extent.stop - 1 - extent.start)
    return sorted({extent.start + round(float(w)) for w in wanted})


def _window(image: NDArray[Any], levels: slice) -> NDArray[np.float32]:
    """Grey values 0 to 1 between the 1st and 99.7th percentile; zeros for a constant image."""
    values = np.nan_to_num(image.astype(np.float32))
    low, high = np.percentile(values[:, :, levels], (1.0, 99.7))
    window: NDArray[np.float32] = np.clip((values - low) / max(high - low, 1e-6), 0, 1)
    return window


def _rgb(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def _write(path: Path, figure: Figure) -> None:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=105, facecolor=figure.get_facecolor())

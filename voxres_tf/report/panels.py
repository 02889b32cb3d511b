"""One panel of a picture: a slice with the outlines of its tissues."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_rgba
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from voxres_tf.report.cases import Plane

TISSUE_COLOURS = {"CSF": "#56b4e9", "GM": "#f0c419", "WM": "#e2609f"}
"""From palettes that colour-blind people can tell apart, on grey and on white."""

_OTHER_COLOURS = ("#3fc8a0", "#ff9f43", "#a29bfe", "#b5d34a", "#c98b6b", "#d0d4da")

BACKGROUND, INK = "#0b0d10", "#eceff4"
DIFFERENCE = "#ff5a36"


def class_colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for each class but the background, the usual ones for CSF, GM and WM.

    Args:
        names: names of the classes without the background; after six others, colours repeat.
    """
    others = [name for name in names if name not in TISSUE_COLOURS]
    free = {name: _OTHER_COLOURS[n % len(_OTHER_COLOURS)] for n, name in enumerate(others)}
    return {name: TISSUE_COLOURS.get(name) or free[name] for name in names}


def literal(text: str) -> str:
    """A text as it can be drawn: no dollar sign starts a formula, and all of it is UTF-8."""
    return text.encode("utf-8", "replace").decode().replace("$", r"\$")


def draw_panel(axes: Axes, plane: Plane, name: str, sides_mm: tuple[float, float]) -> None:
    """Draw the panel of a slice in one row.

    Args:
        axes: axes to draw on; left empty if `plane` lacks what the row shows.
        plane: the slice.
        name: "scan", "prediction", "reference" or "disagreement".
        sides_mm: sides of the panel; the slice is drawn in its middle.
    """
    axes.set_axis_off()
    width, height = plane.extent_mm
    axes.set_xlim((width - sides_mm[0]) / 2, (width + sides_mm[0]) / 2)
    axes.set_ylim((height - sides_mm[1]) / 2, (height + sides_mm[1]) / 2)
    axes.set_aspect("equal")
    if name not in ("scan", "prediction") and "reference" not in plane.labels:
        return
    extent = (0.0, width, 0.0, height)
    shade = plane.grey * {"scan": 1.0, "disagreement": 0.45}.get(name, 0.8)
    axes.imshow(
        shade.T, cmap="gray", vmin=0, vmax=1, origin="lower", extent=extent, interpolation="bicubic"
    )
    if name == "disagreement":
        differs = np.asarray(plane.labels["prediction"] != plane.labels["reference"])
        overlay = np.zeros((*differs.T.shape, 4))
        overlay[differs.T] = to_rgba(DIFFERENCE, 0.9)
        axes.imshow(overlay, origin="lower", extent=extent, interpolation="nearest")
    elif name != "scan":
        _outlines(axes, plane.labels[name], plane.class_names, plane.extent_mm)


def name_row(axes: Axes, name: str) -> None:
    """Write what a row shows beside its first panel."""
    axes.text(
        -0.03, 0.5, name, color=INK, fontsize=11, rotation=90,
        ha="right", va="center", transform=axes.transAxes,
    )  # fmt: skip


def name_sides(axes: Axes) -> None:
    """Write R and L into the upper corners of a panel."""
    for x, side in ((0.05, "R"), (0.95, "L")):
        axes.text(
            x, 0.96, side, color=INK, fontsize=11, fontweight="bold",
            ha="center", va="center", transform=axes.transAxes,
            path_effects=[withStroke(linewidth=2.5, foreground=BACKGROUND)],
        )  # fmt: skip


def _outlines(
    axes: Axes,
    classes: NDArray[np.uint8],
    class_names: Sequence[str],
    extent_mm: tuple[float, float],
) -> None:
    columns, rows = classes.shape
    width, height = extent_mm
    extent = (0.0, width, 0.0, height)
    centres = (
        (np.arange(columns) + 0.5) * width / columns,
        (np.arange(rows) + 0.5) * height / rows,
    )
    for number, colour in enumerate(class_colours(class_names[1:]).values(), start=1):
        mask = (classes == number).astype(np.float32)
        if mask.any() and not mask.all():
            tint = ListedColormap([to_rgba(colour, 0.0), to_rgba(colour, 0.22)])
            axes.imshow(mask.T, cmap=tint, origin="lower", extent=extent, interpolation="nearest")
            # Above 0.5, the line runs inside its own tissue, so neighbours do not cover it.
            if min(mask.shape) > 1:
                axes.contour(*centres, mask.T, levels=[0.75], colors=[colour], linewidths=0.7)

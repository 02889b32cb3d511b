"""Figures as PNG files."""

from __future__ import annotations

import warnings
from pathlib import Path

from matplotlib.figure import Figure

from voxres_tf.files import atomic_path


def write_png(path: Path, figure: Figure, dpi: int) -> None:
    """Write a figure atomically.

    Matplotlib's warnings are suppressed: they concern characters that no font has, and labels that
    are too long for their panel.
    """
    with atomic_path(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        figure.savefig(temporary, format="png", dpi=dpi, facecolor=figure.get_facecolor())

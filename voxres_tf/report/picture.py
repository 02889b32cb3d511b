"""Cases for pictures from files: a segmentation over its scan, and beside a reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from voxres_tf.errors import DataError, message
from voxres_tf.evaluation.pairs import find_pairs
from voxres_tf.evaluation.reference import read_prediction, read_reference, to_common_axes
from voxres_tf.grid import Grid, to_canonical
from voxres_tf.labels import CLASS_NAMES
from voxres_tf.report.cases import Case
from voxres_tf.volume import read_volume


def segmented_case(
    scan: Path,
    segmentation: Path,
    *,
    title: str,
    class_names: Sequence[str] = CLASS_NAMES,
) -> Case:
    """The case of a scan and its segmentation.

    Args:
        scan: of any axis order and dtype.
        segmentation: codes 0.. on the scan's grid, positions in `class_names`.
        title: text above the slices.
        class_names: the background first.

    Raises:
        DataError: if a file cannot be read, has other codes, or lies on another grid.
    """
    labels = read_prediction(segmentation, tuple(class_names))
    return Case(
        _canonical_scan(scan, labels.grid, segmentation),
        to_canonical(labels.data, labels.grid),
        None,
        labels.grid.canonical_spacing_mm,
        title,
        class_names=class_names,
    )


def compared_case(
    scan: Path,
    segmentation: Path,
    reference: Path,
    *,
    title: str,
    dice: Mapping[str, float | None] | None = None,
    protocol: str = "mrbrains13",
    coding: str = "auto",
) -> Case:
    """The case of a scan and its segmentation beside a reference.

    Args:
        scan: see `segmented_case`.
        segmentation: codes on the scan's grid, positions in the reference's classes.
        reference: its file, or a manifest that names it; what the protocol leaves out is not drawn.
        title: text above the slices.
        dice: class -> Dice, written below the title.
        protocol: see `evaluation.reference.read_reference`.
        coding: see there.

    Raises:
        ConfigError: for an unknown protocol or coding.
        DataError: as `segmented_case`, for the reference too.
    """
    (pair,) = find_pairs(segmentation, reference, coding)
    found = read_reference(pair.reference, protocol, coding)
    labels = read_prediction(segmentation, found.class_names)
    prediction, common, grid = to_common_axes(labels, segmentation, found, reference)
    return Case(
        _canonical_scan(scan, grid, segmentation),
        prediction,
        common.classes,
        common.grid.spacing_mm,
        title,
        dice,
        common.scored,
        found.class_names,
    )


def _canonical_scan(scan: Path, grid: Grid, segmentation: Path) -> NDArray[Any]:
    image = read_volume(scan)
    if fault := grid.fault(image.grid):
        rule, then = f"the grid of {scan}", "name the scan that it was made from"
        raise DataError(message(segmentation, rule, fault, then))
    return to_canonical(image.data, grid)

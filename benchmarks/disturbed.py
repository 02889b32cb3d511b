"""Compare what a model finds in a disturbed scan with what it finds in the scan as it is.

    python -m benchmarks.disturbed MODEL SCAN [--modality t1] [--only NAME ...]

No reference is needed or used: the labels of the undisturbed scan are taken as true. For each
disturbance, the output is the Dice of CSF, GM and WM with these labels, the tissue found outside
theirs ("false") and the part of theirs that was missed. Take a scan that is segmented well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from voxres_tf.dataset.subject import Subject
from voxres_tf.evaluation.metrics import dice
from voxres_tf.grid import Grid, to_canonical
from voxres_tf.inference.predict import Predictor
from voxres_tf.phantom.acquisition import as_ratio, broad_field
from voxres_tf.preprocess.geometry import WorkingGrid, resample_labels
from voxres_tf.volume import Volume, read_volume

Values = NDArray[np.float32]
AXES = {"sagittal": 0, "coronal": 1, "axial": 2}


@dataclass(frozen=True, eq=False)
class Head:
    """A scan in canonical order, with white matter at about 1, and its labels; both [X, Y, Z]."""

    values: Values
    labels: NDArray[np.uint8]
    spacing_mm: NDArray[np.float64]

    def off_brain_mm(self) -> NDArray[np.float64]:
        """Distance to the brain including its fluid, 0 inside."""
        brain = ndimage.binary_closing(self.labels > 0, iterations=4)
        filled = ndimage.binary_fill_holes(brain)
        return np.asarray(ndimage.distance_transform_edt(~filled, self.spacing_mm))


Disturbed = tuple[Values, NDArray[np.uint8], NDArray[np.float64]]
"""Values, their true labels, and the spacing in mm."""
Disturbance = Callable[[Head, np.random.Generator], Disturbed]


def slices(axis: str, mm: float, head: Head, _: np.random.Generator) -> Disturbed:
    along = AXES[axis]
    n = max(1, round(mm / head.spacing_mm[along]))
    count = head.values.shape[along] // n
    whole = np.moveaxis(head.values, along, 0)[: count * n]
    means = np.moveaxis(whole.reshape(-1, n, *whole.shape[1:]).mean(1), 0, along)
    labels = np.take(head.labels, range(count * n), along)
    (nx, ny, nz), (mx, my, mz) = labels.shape, means.shape
    thick = head.spacing_mm * np.where(np.arange(3) == along, n, 1)
    (ax, ay, az), (bx, by, bz) = head.spacing_mm.tolist(), thick.tolist()
    working = WorkingGrid((nx, ny, nz), (ax, ay, az), (mx, my, mz), (bx, by, bz))
    shared, _scored = resample_labels(labels, np.ones(labels.shape, np.bool_), working)
    return means, shared, thick


def noise(sigma: float, head: Head, rng: np.random.Generator) -> Disturbed:
    real, imaginary = np.float32(sigma) * rng.standard_normal((2, *head.values.shape), np.float32)
    return np.hypot(head.values + real, imaginary), head.labels, head.spacing_mm


def bias(sd: float, head: Head, rng: np.random.Generator) -> Disturbed:
    x, y, z = head.spacing_mm.tolist()
    field = np.exp(np.float32(sd) * broad_field(rng, head.values.shape, (x, y, z), 50.0))
    return head.values * field, head.labels, head.spacing_mm


def coil(mm: float, head: Head, _: np.random.Generator) -> Disturbed:
    """Let brightness fall by a factor of e per `mm` from back to front."""
    along = (np.arange(head.values.shape[1]) * head.spacing_mm[1])[None, :, None]
    return head.values * np.exp(np.float32(-along / mm)), head.labels, head.spacing_mm


def power(exponent: float, head: Head, _: np.random.Generator) -> Disturbed:
    return np.maximum(head.values, 0) ** np.float32(exponent), head.labels, head.spacing_mm


def ratio(head: Head, rng: np.random.Generator) -> Disturbed:
    void = ((head.values < 0.12) & (head.off_brain_mm() > 0)).astype(np.float32)
    return as_ratio(rng, head.values, void), head.labels, head.spacing_mm


def padded(mm: float, head: Head, _: np.random.Generator) -> Disturbed:
    widths = [(round(mm / step),) * 2 for step in head.spacing_mm]
    return np.pad(head.values, widths), np.pad(head.labels, widths), head.spacing_mm


def stripped(mm: float, head: Head, _: np.random.Generator) -> Disturbed:
    kept = head.off_brain_mm() <= mm
    return np.where(kept, head.values, np.float32(0)), head.labels, head.spacing_mm


def left_half(head: Head, _: np.random.Generator) -> Disturbed:
    middle = round(float(np.argwhere(head.labels)[:, 0].mean()))
    return head.values[:middle], head.labels[:middle], head.spacing_mm


def _disturbances() -> dict[str, Disturbance]:
    found: dict[str, Disturbance] = {}
    for axis in AXES:
        for mm in (3, 5):
            found[f"{axis} slices of {mm} mm"] = partial(slices, axis, mm)
    found |= {f"noise of {sigma}": partial(noise, sigma) for sigma in (0.04, 0.08)}
    found |= {f"bias of {sd}": partial(bias, sd) for sd in (0.2, 0.35)}
    found |= {f"surface coil, {mm} mm": partial(coil, mm) for mm in (180, 90)}
    found |= {f"power {exponent}": partial(power, exponent) for exponent in (0.6, 1.6)}
    found |= {"ratio image": ratio, "padded by 40 mm": partial(padded, 40)}
    found |= {f"stripped at {mm} mm": partial(stripped, mm) for mm in (0, 2, 6)}
    return found | {"left half": left_half}


DISTURBANCES = _disturbances()


@click.command()
@click.argument("model")
@click.argument("scan", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--modality", default="t1", show_default=True)
@click.option("--only", multiple=True, type=click.Choice(list(DISTURBANCES)), help="Repeatable.")
def main(model: str, scan: Path, modality: str, only: tuple[str, ...]) -> None:
    predictor = Predictor(model, probabilities=False)
    read = read_volume(scan)
    values = to_canonical(read.data, read.grid).astype(np.float32)
    spacing = np.array(read.grid.canonical_spacing_mm)

    def found(values: Values, spacing: NDArray[np.float64]) -> NDArray[np.uint8]:
        grid = Grid(values.shape, np.diag((*spacing, 1.0)))
        labels = predictor(Subject(scan.name, {modality: Volume(values, grid)}, grid)).labels
        return np.asarray(labels.data)

    labels = found(values, spacing)
    if not (labels == 3).any():
        raise click.ClickException(f"{scan}: no white matter was found in it; take another scan")
    head = Head(values / np.median(values[labels == 3]), labels, spacing)
    for name in only or DISTURBANCES:
        disturbed, expected, spacing = DISTURBANCES[name](head, np.random.default_rng(0))
        mine, ml = found(disturbed, spacing), float(np.prod(spacing)) / 1000
        found_dice = [dice(mine == code, expected == code) for code in (1, 2, 3)]
        overlaps = " / ".join("-" if d is None else f"{d:.3f}" for d in found_dice)
        false, missed = ((mine > 0) & (expected == 0)).sum(), ((mine == 0) & (expected > 0)).sum()
        click.echo(f"{name}: {overlaps}, {false * ml:.0f} ml false, {missed * ml:.0f} ml missed")


if __name__ == "__main__":
    main()

"""What a picture shows of a segmented subject: which part, which slices, at what grey values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from voxres_tf.errors import DataError, message
from voxres_tf.labels import CLASS_NAMES

_MARGIN_MM = 14.0
# Fractions of the height between the brain's base and top where all tissues are visible.
_LOWEST, _HIGHEST = 0.35, 0.92
ValueT = TypeVar("ValueT", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Case:
    """A segmented subject, its axes in right-anterior-superior order.

    Attributes:
        image: any real numbers, [X, Y, Z].
        prediction: classes as positions in `class_names`, of the same shape.
        reference: the same for a reference; None if there is none.
        spacing_mm: distance between voxel centres along the three axes.
        title: text above the slices.
        dice: class -> Dice, added to the title; None is drawn as "-".
        scored: bool, of the same shape; voxels where it is False get no outlines.
        class_names: the background first.

    Raises:
        DataError: if the shapes differ or there are not three axes.
    """

    image: NDArray[Any]
    prediction: NDArray[np.uint8]
    reference: NDArray[np.uint8] | None
    spacing_mm: Sequence[float]
    title: str
    dice: Mapping[str, float | None] | None = None
    scored: NDArray[np.bool_] | None = None
    class_names: Sequence[str] = CLASS_NAMES

    def __post_init__(self) -> None:
        parts = [p for p in (self.prediction, self.reference, self.scored) if p is not None]
        if self.image.ndim != 3 or any(p.shape != self.image.shape for p in parts):
            received = ", ".join(str(p.shape) for p in (self.image, *parts))
            rule = "image and labels are [X, Y, Z] of one shape"
            raise DataError(message("picture", rule, received, "bring them to one grid"))


@dataclass(frozen=True, eq=False)
class Plane:
    """A slice as it is drawn, the subject's right on the left: x grows to the subject's left.

    Attributes:
        grey: 0..1, [X, Y].
        labels: "prediction" and, where there is one, "reference" -> classes, [X, Y].
        extent_mm: lengths of its sides.
        class_names: the background first.
    """

    grey: NDArray[np.float32]
    labels: Mapping[str, NDArray[np.uint8]]
    extent_mm: tuple[float, float]
    class_names: Sequence[str] = CLASS_NAMES


@dataclass(frozen=True, eq=False)
class View:
    """The part of a case that is drawn.

    Attributes:
        case: the case.
        slices: number of slices, at most.
    """

    case: Case
    slices: int

    @cached_property
    def labels(self) -> dict[str, NDArray[np.uint8]]:
        """Classes by name of the row, 0 where they are not scored."""
        scored = self.case.scored
        both = {"prediction": self.case.prediction, "reference": self.case.reference}
        return {
            name: classes if scored is None else np.where(scored, classes, np.uint8(0))
            for name, classes in both.items()
            if classes is not None
        }

    @cached_property
    def box(self) -> tuple[slice, slice, slice]:
        """Bounds of the labels with a margin in plane; the whole volume if there are none."""
        inside = np.any([classes > 0 for classes in self.labels.values()], axis=0)
        whole = tuple(slice(0, length) for length in inside.shape)
        x, y, z = next(iter(ndimage.find_objects(inside.astype(np.uint8))), whole)
        return self._wider(x, 0), self._wider(y, 1), z

    def _wider(self, side: slice, axis: int) -> slice:
        margin = round(_MARGIN_MM / self.case.spacing_mm[axis])
        length = self.case.prediction.shape[axis]
        return slice(max(0, side.start - margin), min(length, side.stop + margin))

    @cached_property
    def levels(self) -> list[int]:
        """Slices in the middles of equal parts of the height from `_LOWEST` to `_HIGHEST`."""
        z = self.box[2]
        shares = (np.arange(self.slices) + 0.5) / self.slices
        wanted = (_LOWEST + (_HIGHEST - _LOWEST) * shares) * (z.stop - 1 - z.start)
        return sorted({z.start + round(float(w)) for w in wanted})

    @cached_property
    def grey(self) -> NDArray[np.float32]:
        """The image scaled to 0..1 between two percentiles of the box; zeros if it is constant.

        Values that are not finite count as 0.
        """
        given = self.case.image[self.box[:2]].astype(np.float32)
        values = np.nan_to_num(given, posinf=0.0, neginf=0.0)
        low, high = np.percentile(values[:, :, self.box[2]], (1.0, 99.7))
        span = high - low if high > low else 1.0
        window: NDArray[np.float32] = np.clip((values - low) / span, 0, 1)
        return window

    @property
    def extent_mm(self) -> tuple[float, float]:
        """Sides of the box in plane."""
        x, y = (
            (side.stop - side.start) * step
            for side, step in zip(self.box[:2], self.case.spacing_mm[:2], strict=True)
        )
        return x, y

    def plane(self, level: int) -> Plane:
        """One slice."""
        x, y, _ = self.box
        labels = {name: _flipped(classes[x, y, level]) for name, classes in self.labels.items()}
        grey = _flipped(self.grey[:, :, level])
        return Plane(grey, labels, self.extent_mm, self.case.class_names)


def _flipped(values: NDArray[ValueT]) -> NDArray[ValueT]:
    return values[::-1]

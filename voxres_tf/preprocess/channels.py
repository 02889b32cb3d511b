"""Subject -> Prepared: the network's input channels and the classes to learn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxres_tf.config import PreprocessConfig
from voxres_tf.dataset.subject import Subject
from voxres_tf.grid import Grid, from_canonical, to_canonical
from voxres_tf.labels import scheme
from voxres_tf.preprocess.filters import equalise_slices, normalise_slices, subtract_gaussian
from voxres_tf.preprocess.geometry import (
    WorkingGrid,
    labels_back,
    resample_back,
    resample_image,
    resample_labels,
    working_grid,
)


@dataclass(frozen=True, eq=False)
class Prepared:
    """What the network sees of a subject, in canonical right-anterior-superior order.

    Attributes:
        id: id of the subject.
        image: float32 [X, Y, Z, C], with the channels named in `channels`.
        channels: their names, from the config.
        grid: the subject's own grid; `on_own_grid` leads back to it.
        working: the voxels of `image`, `classes` and `scored`.
        classes: uint8 [X, Y, Z], in the order of the class names, or None without labels.
        scored: bool [X, Y, Z], False where a voxel has no weight, or None without labels.
    """

    id: str
    image: NDArray[np.float32]
    channels: tuple[str, ...]
    grid: Grid
    working: WorkingGrid
    classes: NDArray[np.uint8] | None = None
    scored: NDArray[np.bool_] | None = None

    def on_own_grid(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring a network's output for `image` to the voxels and axes of the subject's own grid.

        Args:
            probabilities: float32 [X, Y, Z, K], of the shape of `image`.
        """
        return from_canonical(resample_back(probabilities, self.working), self.grid)

    def labels_on_own_grid(self, probabilities: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The most probable class of each voxel of the subject's own grid, uint8 [X, Y, Z].

        Args:
            probabilities: as in `on_own_grid`.
        """
        return from_canonical(labels_back(probabilities, self.working), self.grid)


def prepare(subject: Subject, config: PreprocessConfig) -> Prepared:
    """Make the channels of a subject, and merge its labels if it has any (paper, section 3.1).

    Spacings that the config's resolution does not accept are resampled before anything else. Each
    modality gives a channel and, if the config says so, a second one: itself minus its
    Gaussian-smoothed copy, then CLAHE. Every axial slice of every channel has zero mean and unit
    variance. The channels of a modality that the subject lacks are 0, the mean of every slice; the
    caller has to check beforehand that the network accepts such a subject.

    Raises:
        DataError: if a label code is unknown to the subject's scheme, or a spacing is absurd.
    """
    raw = stack_modalities(subject, config)
    prepared = with_channels(raw, config)
    if subject.labels is None:
        return prepared
    codes = to_canonical(subject.labels.data, subject.grid)
    classes, scored = scheme(subject.scheme).merge(codes, f"subject {subject.id}: labels")
    classes, scored = resample_labels(classes, scored, raw.working)
    return replace(prepared, classes=classes, scored=scored)


def stack_modalities(subject: Subject, config: PreprocessConfig) -> Prepared:
    """Stack the raw modalities of a subject, from which `with_channels` makes the network's input.

    Args:
        subject: the subject; its labels are ignored.
        config: the model's config; its resolution applies as in `prepare`.

    Returns:
        A subject whose `image` is float32 [X, Y, Z, M] in the order of `config.modalities`; a
        modality that the subject lacks is 0.

    Raises:
        DataError: if a spacing is absurd.
    """
    working = working_grid(subject.grid, config.resolution, f"subject {subject.id}: spacing")
    image = np.zeros((*working.shape, len(config.modalities)), np.float32)
    for number, modality in enumerate(config.modalities):
        if modality in subject.images:
            volume = to_canonical(subject.images[modality].data, subject.grid)
            image[..., number] = resample_image(volume, working)
    return Prepared(subject.id, image, config.modalities, subject.grid, working)


def with_channels(raw: Prepared, config: PreprocessConfig) -> Prepared:
    """Make the channels from `stack_modalities`' result; those of a modality that is 0 are 0."""
    originals = np.moveaxis(raw.image, -1, 0)
    channels = [normalise_slices(volume) for volume in originals]
    if config.filtered:
        channels += [_detail(v, config) if v.any() else np.zeros_like(v) for v in originals]
    return replace(raw, image=np.stack(channels, axis=-1), channels=config.channels)


def _detail(volume: NDArray[Any], config: PreprocessConfig) -> NDArray[np.float32]:
    detail = subtract_gaussian(volume, sigma=config.gaussian_sigma, radius=config.gaussian_radius)
    detail = equalise_slices(detail, tile=config.clahe_tile, clip=config.clahe_clip)
    return normalise_slices(detail)

"""Random training crops: crop number n is a pure function of the subjects, the seed and n."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from voxres_tf.config import TrainingConfig
from voxres_tf.preprocess.cache import CachedSubject

ScalarT = TypeVar("ScalarT", bound=np.generic)
Crop = tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.float32]]
"""Image [X, Y, Z, C], classes [X, Y, Z] and loss weights [X, Y, Z]."""


def subject_of(count: int, seed: int, number: int) -> int:
    """Index of the subject that crop `number` comes from; each round of `count` uses all once."""
    order = np.random.default_rng([seed, 0, number // count]).permutation(count)
    return int(order[number % count])


def draw_crop(subjects: Sequence[CachedSubject], config: TrainingConfig, number: int) -> Crop:
    """Cut out crop `number`, padded where the volume is smaller than the crop.

    Args:
        subjects: in a fixed order.
        config: provides crop, foreground_share, flip, jitter, modality_dropout and seed.
        number: number of the crop, from 0.

    Returns:
        float32 [*crop, C], uint8 [*crop] and float32 [*crop]; padding and unscored voxels have
        weight 0, all others 1.
    """
    subject = subjects[subject_of(len(subjects), config.seed, number)]
    random = np.random.default_rng([config.seed, 1, number])
    origin = _origin(subject, config, random)
    # Scans are jittered and may be dropped; a first stage's probabilities are neither.
    image, *context = [cut(part, origin, config.crop) for part in subject.parts]
    classes = cut(subject.classes, origin, config.crop)
    weight = cut(subject.scored, origin, config.crop).astype(np.float32)
    mirrored = config.flip and random.random() < 0.5
    if config.jitter:
        channels = image.shape[-1]
        gain = np.float32(1 + config.jitter * random.standard_normal(channels))
        offset = np.float32(config.jitter * random.standard_normal(channels))
        # The padding around a volume stays 0, as in prediction.
        whole = np.broadcast_to(np.float32(1), (*subject.classes.shape, 1))
        image = image * gain + offset * cut(whole, origin, config.crop)
    if config.modality_dropout:
        # Drawn last, so that cut and jitter are the same as without dropout.
        image = image * _present(subject.channel_names, config.modality_dropout, random)
    if context:
        image = np.concatenate([image, *context], axis=-1, dtype=np.float32)
    if mirrored:
        image, classes, weight = image[::-1], classes[::-1], weight[::-1]
    return np.ascontiguousarray(image), np.ascontiguousarray(classes), np.ascontiguousarray(weight)


def cut(array: NDArray[ScalarT], origin: Sequence[int], shape: Sequence[int]) -> NDArray[ScalarT]:
    """Cut a part out of `array`, starting at `origin`; voxels outside the array are 0.

    Args:
        array: [X, Y, Z] or [X, Y, Z, C].
        origin: first voxel, possibly negative.
        shape: lengths of the result's first three axes.
    """
    result = np.zeros((*shape, *array.shape[3:]), array.dtype)
    spans = [
        (max(0, -start), min(length, size - start), start)
        for start, length, size in zip(origin, shape, array.shape[:3], strict=True)
    ]
    inside = tuple(slice(low, high) for low, high, _ in spans)
    source = tuple(slice(low + start, high + start) for low, high, start in spans)
    result[inside] = array[source]
    return result


def _present(
    channels: Sequence[str], dropout: float, random: np.random.Generator
) -> NDArray[np.float32]:
    """Draw the modalities to keep: float32 [C], 1 for their channels, 0 for the others."""
    modality_of = [name.partition(":")[0] for name in channels]
    modalities = list(dict.fromkeys(modality_of))
    # Draw among all non-empty subsets by their probability: no draw has to be repeated.
    subsets = np.array(list(product((0, 1), repeat=len(modalities)))[1:], np.float32)
    kept = subsets.sum(axis=1, dtype=np.float64)
    chance = (1 - dropout) ** kept * dropout ** (len(modalities) - kept)
    subset = subsets[random.choice(len(subsets), p=chance / chance.sum())]
    per_channel: NDArray[np.float32] = subset[[modalities.index(name) for name in modality_of]]
    return per_channel


def _origin(
    subject: CachedSubject, config: TrainingConfig, random: np.random.Generator
) -> tuple[int, int, int]:
    room = [size - length for size, length in zip(subject.classes.shape, config.crop, strict=True)]
    centred = random.random() < config.foreground_share
    tissue = subject.tissue
    point = tissue[random.integers(len(tissue))]
    x, y, z = (
        # A volume that is too short along an axis is centred, like the tiles of prediction.
        -(-free // 2)
        if free < 0
        else int(np.clip(point[axis] - config.crop[axis] // 2, 0, free))
        if centred
        else int(random.integers(free + 1))
        for axis, free in enumerate(room)
    )
    return x, y, z

"""The input pipeline: crops drawn on the fly from memory-mapped subjects (paper, section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from voxres_tf.config import TrainingConfig
from voxres_tf.errors import VoxResError
from voxres_tf.preprocess.cache import CachedSubject
from voxres_tf.training.crops import Crop, draw_crop

READ_AHEAD = 2
"""Batches that wait for the network; the pipeline keeps only these and the ones being cut."""


def crop_dataset(
    subjects: Sequence[CachedSubject],
    config: TrainingConfig,
    outputs: Sequence[str],
    begin: int,
    end: int,
    faults: list[VoxResError] | None = None,
) -> tf.data.Dataset:
    """The batches of the steps `begin` to `end`, the same on every call.

    The pipeline starts from crop numbers, not volumes, so memory does not grow with the subjects.

    Args:
        subjects: subjects that crops are drawn from; never empty.
        config: settings of the crops.
        outputs: names of the network's outputs, all of which have the same target.
        begin: the first step.
        end: the step after the last.
        faults: errors of subjects are added here, since TensorFlow raises another in their place.

    Returns:
        A dataset of (image float32 [B, X, Y, Z, C], {output: classes uint8 [B, X, Y, Z]},
        {output: weights float32 [B, X, Y, Z]}).
    """
    for subject in subjects:
        subject.look()
    channels = sum(part.shape[-1] for part in subjects[0].parts)

    def drawn(number: Any) -> Crop:
        try:
            return draw_crop(subjects, config, int(number))
        except VoxResError as error:
            if faults is not None:
                faults.append(error)
            raise

    def crop(number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        image, classes, weight = tf.numpy_function(
            drawn, [number], (tf.float32, tf.uint8, tf.float32), stateful=False
        )
        return (
            tf.ensure_shape(image, (*config.crop, channels)),
            tf.ensure_shape(classes, config.crop),
            tf.ensure_shape(weight, config.crop),
        )

    def for_all_outputs(image: Any, classes: Any, weight: Any) -> tuple[Any, Any, Any]:
        return image, dict.fromkeys(outputs, classes), dict.fromkeys(outputs, weight)

    return (
        tf.data.Dataset.range(begin * config.batch, end * config.batch)
        .map(crop, num_parallel_calls=config.batch, deterministic=True)
        .batch(config.batch, drop_remainder=True)
        .map(for_all_outputs)
        .prefetch(READ_AHEAD)
    )

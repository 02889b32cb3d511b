"""Validation as users will see the network: tiled prediction of whole volumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from voxres_tf.config import RunConfig
from voxres_tf.evaluation.metrics import dice
from voxres_tf.inference.tiling import predict_tiled
from voxres_tf.preprocess.cache import CachedSubject


def mean_dice(
    model: keras.Model, subjects: Sequence[CachedSubject], config: RunConfig
) -> list[float | None]:
    """Mean Dice of each tissue class over the subjects, unscored voxels left out.

    Returns:
        One figure per class 1..K-1; None where no subject defines it.
    """
    classes = config.model.classes

    @tf.function(reduce_retracing=True)
    def forward(tiles: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(model(tiles, training=False)["main"])

    scores: list[list[float]] = [[] for _ in range(1, classes)]
    for subject in subjects:
        probabilities = predict_tiled(
            np.asarray(subject.image),
            lambda tiles: np.asarray(forward(tf.constant(tiles))),
            classes,
            config.training.crop,
        )
        labels = probabilities.argmax(-1)
        for number in range(1, classes):
            score = _dice(labels, subject, number)
            if score is not None:
                scores[number - 1].append(score)
    return [float(np.mean(values)) if values else None for values in scores]


def _dice(labels: Any, subject: CachedSubject, number: int) -> float | None:
    scored = np.asarray(subject.scored)
    return dice((labels == number) & scored, (subject.classes == number) & scored)

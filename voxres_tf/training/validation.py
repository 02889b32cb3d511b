"""Validation as users will run the network: tiled prediction of whole volumes."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from voxres_tf.config import RunConfig
from voxres_tf.evaluation.metrics import dice
from voxres_tf.inference.tiling import TileFunction, Tiling, predict_tiled
from voxres_tf.model.network import build_network
from voxres_tf.model.stored import load_weights
from voxres_tf.preprocess.cache import CachedSubject
from voxres_tf.training.run import RunFolder


def mean_dice(
    network: TileFunction, subjects: Sequence[CachedSubject], config: RunConfig, tiling: Tiling
) -> dict[str, float | None]:
    """Mean Dice of each class but the background over the subjects, ignoring unscored voxels.

    Args:
        network: tiles -> probabilities, see `network_function`.
        subjects: subjects whose whole volumes are segmented.
        config: config of the run.
        tiling: tiles and overlap.

    Returns:
        Class name -> mean, None if no subject's reference has the class. A subject in which the
        network misses the class counts as 0.
    """
    found: dict[str, list[float]] = {name: [] for name in config.classes[1:]}
    for subject in subjects:
        probabilities = predict_tiled(subject.channels(), network, config.model.classes, tiling)
        labels = probabilities.argmax(-1)
        classes, scored = np.asarray(subject.classes), np.asarray(subject.scored)
        for number, name in enumerate(found, 1):
            reference = (classes == number) & scored
            if reference.any():
                # Otherwise weights that miss a tissue would be judged by the others alone.
                found[name].append(dice((labels == number) & scored, reference) or 0.0)
    return {name: float(np.mean(values)) if values else None for name, values in found.items()}


def segment(
    model: keras.Model, image: NDArray[np.float32], config: RunConfig
) -> NDArray[np.float32]:
    """Probabilities of a whole volume, as `voxres predict` computes them by default.

    Args:
        model: built by `build_network`.
        image: float32 [X, Y, Z, C], all channels of the model.
        config: config of its run; the tile is the training crop.

    Returns:
        float32 [X, Y, Z, K].
    """
    tiling = Tiling(config.training.crop)
    return predict_tiled(image, network_function(model), config.model.classes, tiling)


def load_network(run: RunFolder, config: RunConfig) -> keras.Model:
    """The trained network of a run in float32, with its last weights.

    Raises:
        ModelError: if the weights are damaged.
    """
    model = build_network(config.model)
    load_weights(model, run.last)
    return model


def network_function(model: keras.Model) -> TileFunction:
    """A function of tiles -> probabilities of the fused output, traced once for all tile sizes.

    It always uses the model's current weights.
    """

    @tf.function
    def forward(tiles: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(model(tiles, training=False)["main"])

    spec = tf.TensorSpec((None, None, None, None, model.input_shape[-1]), tf.float32)
    concrete = forward.get_concrete_function(spec)
    return lambda tiles: np.asarray(concrete(tf.constant(tiles)))

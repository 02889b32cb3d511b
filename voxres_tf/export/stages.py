"""The networks of a run folder, in float32, and what each signature of their export computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from voxres_tf.config import CASCADE_FILE, CONFIG_FILE, CascadeConfig, RunConfig
from voxres_tf.contract import FIRST_STAGE, SECOND_STAGE
from voxres_tf.export.fuse import fused
from voxres_tf.model.network import build_network
from voxres_tf.model.stored import Weights, load_weights, weights_file, weights_hash
from voxres_tf.schema import load

Answer = Callable[[Any], Any]
"""Channels of tiles, float32 [B, X, Y, Z, C] -> probabilities, float32 [B, X, Y, Z, K]."""


@dataclass(frozen=True)
class Stage:
    """A trained network and its run folder."""

    run: Path
    config: RunConfig
    model: keras.Model


@dataclass(frozen=True)
class Stages:
    """The networks that predict: the last one and, with auto-context, those of the first stage."""

    first: tuple[Stage, ...]
    last: Stage

    @property
    def networks(self) -> tuple[Stage, ...]:
        """All networks, in the order in which they see a subject."""
        return (*self.first, self.last)

    @property
    def optional_modalities(self) -> tuple[str, ...]:
        """Modalities a subject may lack: all if every network was trained with modality dropout."""
        learned = all(stage.config.training.modality_dropout for stage in self.networks)
        return self.last.config.preprocess.modalities if learned else ()

    def answer(self, signature: str, *, fuse: bool) -> Answer:
        """The function behind a signature of tiles (paper, section 2.3).

        Args:
            signature: one of `Contract.tile_channels`.
            fuse: use the networks of `fuse.fused`, whose kernels are computed by this call, instead
                of the live ones.
        """
        if not self.first or signature == SECOND_STAGE:
            return _probabilities(self.last.model, fuse)
        firsts = [_probabilities(stage.model, fuse) for stage in self.first]

        def maps(image: Any) -> Any:
            return tf.add_n([first(image) for first in firsts]) / float(len(firsts))

        if signature == FIRST_STAGE:
            return maps
        second = _probabilities(self.last.model, fuse)
        return lambda image: second(tf.concat([image, maps(image)], axis=-1))

    def weights_hash(self) -> str:
        """SHA-256 over all weights, as little-endian float32 in the networks' order."""
        return weights_hash(v.numpy() for stage in self.networks for v in stage.model.weights)


def load_stages(run: Path, weights: Weights | None = None) -> Stages:
    """Build the networks of a training, or of an auto-context training, with their weights.

    A run may have been trained in mixed precision; the loaded networks are always float32.

    Args:
        run: folder of `voxres train` or `voxres auto-context`.
        weights: "best" by validation or "last"; by default best if there are any.

    Raises:
        ConfigError: if a config cannot be read.
        ModelError: if a run has no such weights, or they belong to another network.
    """
    if not (run / CASCADE_FILE).is_file():
        return Stages((), _load(run, weights))
    cascade = load(CascadeConfig, run / CASCADE_FILE)
    first = tuple(_load(run / folder, weights) for folder in cascade.first)
    return Stages(first, _load(run / cascade.second, weights))


def _probabilities(model: keras.Model, fuse: bool) -> Answer:
    if fuse:
        logits = fused(model)
        return lambda image: tf.nn.softmax(logits(image))
    return lambda image: tf.nn.softmax(model(image, training=False)["main"])


def _load(run: Path, weights: Weights | None) -> Stage:
    config = load(RunConfig, run / CONFIG_FILE)
    source = weights_file(run, weights)
    model = build_network(config.model)
    load_weights(model, source)
    return Stage(run, config, model)

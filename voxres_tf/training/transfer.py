"""Weights of a trained network as the start of another, with its own channels and classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from voxres_tf.config import RunConfig
from voxres_tf.errors import ModelError, TrainingError, message
from voxres_tf.model.network import build_network
from voxres_tf.model.stored import assign_stored, load_weights, weights_file, weights_hash
from voxres_tf.start import Start, read_summary
from voxres_tf.training.run import RunFolder

NEW_CHANNEL = 0.1
"""Scale of the random kernels of channels that the source does not know.

Small, since the layers behind have learnt to expect the known channels: at full size as many
random channels as known ones would change every filter's answer by half, and the first steps would
go into undoing that. Not zero, so that the new channel has a part in the answer from the start.
"""

Record = dict[str, str | int | list[int] | dict[str, Any]]
"""`init_name`, `init_version`, `init_weights_sha256`, `init_patch` and `init_habits` of
summary.json; empty without a source."""


def begin_with(model: keras.Model, config: RunConfig, start: Start) -> Record:
    """Give a new network the weights of a trained one, layer by layer, by name.

    The kernels of the first convolution go by the names of the channels; those of channels that are
    new stay random, `NEW_CHANNEL` times as large. Those of the classifiers go by the names of the
    classes, in capitals or not; what is new there stays as it is. The optimiser begins anew.

    Args:
        model: of `build_network` and the config, with its random weights.
        config: of the new training.
        start: the source.

    Returns:
        What summary.json says about the source.

    Raises:
        ConfigError: if the two networks differ otherwise.
        ModelError: if the source's weights cannot be read or are not those of its contract.
    """
    start.require_match(config)
    source = _source_network(start)
    known, wanted = start.preprocess.channels, config.preprocess.channels
    weighty = [layer for layer in model.layers if layer.weights]
    for layer in weighty:
        given = source.get_layer(layer.name).get_weights()
        if layer is weighty[0]:
            fresh = np.float32(NEW_CHANNEL) * layer.get_weights()[0]
            given[0] = by_name(given[0], fresh, known, wanted, axis=-2)
        elif _is_classifier(layer):
            given = [
                by_name(*pair, start.classes, config.classes, axis=-1)
                for pair in zip(given, layer.get_weights(), strict=True)
            ]
        layer.set_weights(given)
    record: Record = {
        "init_name": start.name,
        "init_weights_sha256": weights_hash(v.numpy() for v in source.weights),
        "init_patch": list(start.patch),
        "init_habits": start.handed_on(config),
    }
    return record | ({"init_version": start.version} if start.version is not None else {})


def by_name(
    trained: NDArray[np.float32],
    fresh: NDArray[np.float32],
    known: Sequence[str],
    wanted: Sequence[str],
    axis: int,
) -> NDArray[np.float32]:
    """A layer's weights for other channels or classes, each where its name stands.

    Args:
        trained: float32, of the names `known` along the axis.
        fresh: float32, of the names `wanted` along the axis, else of the same shape.
        known: names of the source's channels or classes.
        wanted: those of the new network.
        axis: along which they stand.

    Returns:
        float32, of the shape of `fresh`: trained where a name is known, else fresh.
    """
    found = np.moveaxis(fresh, axis, 0).copy()
    places = {name.casefold(): place for place, name in enumerate(known)}
    places |= {name: place for place, name in enumerate(known)}
    for number, name in enumerate(wanted):
        place = places.get(name, places.get(name.casefold()))
        if place is not None:
            found[number] = trained.take(place, axis)
    return np.moveaxis(found, 0, axis)


def recorded(folder: RunFolder, start: Start | None) -> Record:
    """What a run that is resumed began with; its state has all, so that nothing is loaded again.

    Args:
        folder: of a run with a state.
        start: the source that is asked for now; None asks for nothing.

    Raises:
        TrainingError: if the run began with another one, or with none.
    """
    told = read_summary(folder.path).items()
    record = {name: value for name, value in told if name.startswith("init_")}
    if start is None:
        return record
    asked = {"init_name": start.name, "init_version": start.version}
    if start.weights_sha256:  # a run's weights may have gone on since
        asked["init_weights_sha256"] = start.weights_sha256
    if any(record.get(name) != value for name, value in asked.items()):
        names = [str(value) for value in record.values() if not isinstance(value, list | dict)]
        began = " ".join(names) or "random weights"
        raise TrainingError(
            message(
                folder.path,
                f"a resumed run keeps its first weights, here {began}",
                f"init from {start.path}",
                "leave --init as it was, or start a new run",
            )
        )
    return {"init_patch": list(start.patch)} | record


def _source_network(start: Start) -> keras.Model:
    network = build_network(start.model)
    if start.weights_sha256 is None:
        load_weights(network, weights_file(start.path))
        return network
    assign_stored(network, start.path)
    found = weights_hash(v.numpy() for v in network.weights)
    if found != start.weights_sha256:
        raise ModelError(
            message(
                start.path,
                f"weights with the SHA-256 of the contract, {start.weights_sha256[:16]}...",
                f"{found[:16]}...",
                "install or export the model again",
            )
        )
    return network


def _is_classifier(layer: Any) -> bool:
    """Classifiers are the networks' only convolutions of one voxel."""
    return isinstance(layer, keras.layers.Conv3D) and layer.kernel_size == (1, 1, 1)

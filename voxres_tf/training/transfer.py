"""Start a network with channels and classes of its own from the weights of a trained one."""

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

Small, since the layers that follow have learnt to expect the known channels: at full size, as many
random channels as known ones would change every filter's response by half, and the first steps
would be spent undoing that. Not zero, so that a new channel contributes from the start.
"""

Record = dict[str, str | int | list[int] | dict[str, Any]]
"""`init_name`, `init_version`, `init_weights_sha256`, `init_patch` and `init_habits` of
summary.json; empty without a source."""


def begin_with(model: keras.Model, config: RunConfig, start: Start) -> Record:
    """Copy the weights of a trained network into a new one, matching layers by name.

    The kernels of the first convolution are matched by channel name; those of new channels stay
    random, scaled by `NEW_CHANNEL`. The weights of the classifiers are matched by class name,
    ignoring case; those of new classes stay as they are. The optimiser starts afresh.

    Args:
        model: built by `build_network` from the config, with its random weights.
        config: config of the new training.
        start: the source, whose network matches the config (`Start.require_match`).

    Returns:
        What summary.json says about the source.

    Raises:
        ModelError: if the source's weights cannot be read or are not those of its contract.
    """
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
    """A layer's weights rearranged for other channels or classes, matched by name.

    Args:
        trained: float32, with the names `known` along the axis.
        fresh: float32, with the names `wanted` along the axis, otherwise of the same shape.
        known: names of the source's channels or classes.
        wanted: those of the new network.
        axis: axis of the channels or classes.

    Returns:
        float32, of the shape of `fresh`: trained where a name is known, otherwise fresh.
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
    """What a resumed run started from; its state holds all weights, so nothing is loaded again.

    Args:
        folder: folder of a run with a state.
        start: the source requested now; None requests nothing.

    Raises:
        TrainingError: if the run started from another source, or from none.
    """
    told = read_summary(folder.path).items()
    record = {name: value for name, value in told if name.startswith("init_")}
    if start is None:
        return record
    asked = {"init_name": start.name, "init_version": start.version}
    if start.weights_sha256:  # a run may have been trained further since
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
    return record


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
    """Whether a layer is a classifier: these are the networks' only convolutions of one voxel."""
    return isinstance(layer, keras.layers.Conv3D) and layer.kernel_size == (1, 1, 1)

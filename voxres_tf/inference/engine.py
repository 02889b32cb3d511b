"""The only part of prediction that uses TensorFlow: a SavedModel that predicts tiles."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxres_tf.contract import Contract
from voxres_tf.errors import ConfigError, ModelError, message, shortened
from voxres_tf.runtime import DEVICES, import_tensorflow

tf = import_tensorflow()


def resolve_device(device: str) -> str:
    """TensorFlow's name of the requested device.

    Args:
        device: "auto" (the first GPU, else the CPU), "cpu", "gpu" or "gpu:N".

    Raises:
        ConfigError: if it is none of these, or a GPU that does not exist.
    """
    count = len(tf.config.list_physical_devices("GPU"))
    match = re.fullmatch(DEVICES, device)
    if match is None:
        raise ConfigError(message("device", "auto, cpu, gpu or gpu:N", repr(device), "choose one"))
    if device == "cpu" or (device == "auto" and not count):
        return "/CPU:0"
    number = int(match[1] or 0)
    if number >= count:
        there = ", ".join(["cpu", *(f"gpu:{n}" for n in range(count))])
        raise ConfigError(
            message("device", f"one that TensorFlow finds: {there}", device, "choose one of these")
        )
    return f"/GPU:{number}"


class SavedModelEngine:
    """An exported model on one device, whose stages predict tiles.

    Args:
        path: the SavedModel's folder, `<name>/<version>/`.
        contract: its contract.
        device: see `resolve_device`.

    Raises:
        ModelError: if TensorFlow cannot load it or it lacks an expected signature.
        ConfigError: if the device does not exist.
    """

    def __init__(self, path: Path, contract: Contract, device: str = "auto") -> None:
        self.device = resolve_device(device)
        self._path = path
        try:
            with tf.device(self.device):
                # Kept, since the signature alone does not keep the weights alive.
                self._loaded = tf.saved_model.load(str(path))
        except (OSError, ValueError, LookupError, tf.errors.OpError) as error:
            raise ModelError(
                message(path, "a SavedModel", shortened(error), "export the model again")
            ) from error
        channels = contract.tile_channels
        self._functions = {name: self._signature(name, channels[name]) for name in contract.passes}

    def _signature(self, name: str, channels: int) -> Any:
        signatures = self._loaded.signatures
        if name not in signatures:
            raise ModelError(
                message(self._path, f"a signature {name}", list(signatures), "export it again")
            )
        function = signatures[name]
        spec = function.structured_input_signature[1].get("image")
        outputs = function.structured_outputs
        if spec is None or spec.shape[-1] != channels or "probabilities" not in outputs:
            raise ModelError(
                message(
                    self._path,
                    f"{name}: image [..., {channels}] -> probabilities, as in its contract",
                    f"image {None if spec is None else spec.shape} -> {sorted(outputs)}",
                    "export the model again",
                )
            )
        return function

    def run(self, signature: str, array: NDArray[np.float32]) -> NDArray[np.float32]:
        """Predict a batch of tiles with one signature.

        Args:
            signature: one of `Contract.passes`.
            array: float32 tiles [B, x, y, z, C], sizes multiples of 8.

        Returns:
            float32 [B, x, y, z, K].

        Raises:
            ModelError: if TensorFlow refuses the tiles or runs out of memory.
        """
        try:
            with tf.device(self.device):
                answer = self._functions[signature](image=tf.constant(array, tf.float32))
        except (tf.errors.OpError, TypeError, ValueError) as error:
            raise ModelError(
                message(
                    self._path,
                    "tiles that it can take",
                    f"tiles {array.shape} and {shortened(error)}",
                    "choose another tile or a smaller batch",
                )
            ) from error
        probabilities: NDArray[np.float32] = answer["probabilities"].numpy()
        return probabilities

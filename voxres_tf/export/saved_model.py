"""A run folder -> a SavedModel with its contract, compared with the live network first."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from voxres_tf import __version__
from voxres_tf.config import STRIDE, RunConfig, load
from voxres_tf.contract import CONTRACT_FILE, Contract
from voxres_tf.errors import ModelError, OutputExistsError, message
from voxres_tf.export.compare import compare_in_fresh_process
from voxres_tf.files import atomic_path, write_json
from voxres_tf.model.voxresnet import build_voxresnet

Weights = Literal["best", "last"]

VERIFICATION_FILE = Path("assets.extra") / "verification.json"
"""Beside the contract: how far the reloaded model was from the live one, and on which inputs."""


def export_run(
    run: Path,
    output: Path,
    *,
    weights: Weights | None = None,
    name: str | None = None,
    version: int | None = None,
) -> Path:
    """Write `<output>/<version>/`, a float32 SavedModel that answers probabilities.

    Its signature `serving_default` takes `image`, float32 [B, X, Y, Z, C] with X, Y, Z multiples
    of 8, and gives `probabilities`, float32 [B, X, Y, Z, K]: the softmax of the fused output. The
    folder appears only after a fresh process has loaded it and agreed with the live network.

    Args:
        run: folder of a training.
        output: folder of the model's versions, usually `saved_models/<name>`.
        weights: "best" by validation or "last"; best where there are any by default.
        name: of the model in its contract; the output folder's by default.
        version: 1 or more; one above the highest that is there by default.

    Returns:
        The folder of the version.

    Raises:
        ConfigError: if the run's config cannot be read.
        ModelError: if the run has no such weights, or the reloaded model differs from the live one.
        OutputExistsError: if that version is there already.
    """
    config = load(RunConfig, run / "config.json")
    source = _weights_file(run, weights)
    number = _next_version(output) if version is None else version
    target = output / str(number)
    if target.exists():
        raise OutputExistsError(
            message(target, "exported versions are not replaced", "one", "choose another version")
        )
    # A run may have been trained in mixed precision; what serves is always float32. On the CPU,
    # because there the live and the reloaded network agree to the last few bits.
    with tf.device("/CPU:0"):
        model = build_voxresnet(config.model)
        _load_weights(model, source)
        contract = _contract(run, config, model, name or output.resolve().name, number)
        predict = serving_function(model, config.model.in_channels)
        with atomic_path(target) as folder:
            _save(folder, model, predict)
            write_json(folder / CONTRACT_FILE, contract.model_dump(mode="json"))
            report = compare_in_fresh_process(folder, _live(model), config.model.in_channels)
            write_json(folder / VERIFICATION_FILE, report)
    return target


def serving_function(model: keras.Model, channels: int) -> Any:
    """The traced function of the signature: guards, network in inference mode, softmax.

    Args:
        model: see `build_voxresnet`.
        channels: C.

    Returns:
        A `tf.function` of `image`, float32 [B, X, Y, Z, C], to a dict with `probabilities`.
    """
    shape = [None, None, None, None, channels]

    def predict(image: tf.Tensor) -> dict[str, tf.Tensor]:
        # A session, which is what TF Serving runs, checks no fed shape against the signature.
        sizes = tf.shape(image)
        guard = tf.debugging.assert_equal(
            sizes[1:4] % STRIDE,
            0,
            message=f"voxres: X, Y and Z of image [B, X, Y, Z, C] must be multiples of {STRIDE}",
        )
        with tf.control_dependencies([guard]):
            image = tf.raw_ops.EnsureShape(input=image, shape=shape)
        logits = model(image, training=False)["main"]
        return {"probabilities": tf.nn.softmax(logits, name="probabilities")}

    return tf.function(predict, input_signature=[tf.TensorSpec(shape, tf.float32, "image")])


def _save(folder: Path, model: keras.Model, predict: Any) -> None:
    module = tf.Module()
    # Variables only, not the Keras model: saving its layers too would store every weight twice.
    module.weights = [variable.value for variable in model.variables]
    module.predict = predict
    tf.saved_model.save(module, str(folder), signatures={"serving_default": predict})


def _live(model: keras.Model) -> Callable[[Any], Any]:
    return lambda image: tf.nn.softmax(model(image, training=False)["main"]).numpy()


def _weights_file(run: Path, weights: Weights | None) -> Path:
    there = [name for name in ("best", "last") if (run / f"{name}.weights.h5").is_file()]
    if not there or (weights is not None and weights not in there):
        raise ModelError(
            message(
                run,
                f"a run with {f'its {weights} weights' if weights else 'weights'}",
                f"{' and '.join(there) or 'no'} weights",
                f"export the {there[0]} ones" if there else "train it first",
            )
        )
    return run / f"{weights or there[0]}.weights.h5"


def _load_weights(model: keras.Model, path: Path) -> None:
    try:
        with warnings.catch_warnings():
            # Keras only warns when it leaves a layer with the random weights it began with.
            warnings.simplefilter("error", UserWarning)
            model.load_weights(str(path))
    except (OSError, ValueError, KeyError, UserWarning) as error:
        raise ModelError(
            message(
                path,
                "weights of the network in config.json",
                " ".join(str(error).split())[:200],
                "export a run folder as training left it",
            )
        ) from error


def _next_version(output: Path) -> int:
    if not output.is_dir():
        return 1
    names = [child.name for child in output.iterdir()]
    return 1 + max((int(n) for n in names if n.isascii() and n.isdigit()), default=0)


def _contract(
    run: Path, config: RunConfig, model: keras.Model, name: str, version: int
) -> Contract:
    summary = run / "summary.json"
    return Contract(
        name=name,
        version=version,
        preprocess=config.preprocess,
        channels=config.preprocess.channels,
        model=config.model,
        patch=config.training.crop,
        context_channels=0,
        training=json.loads(summary.read_text(encoding="utf-8")) if summary.is_file() else {},
        versions={
            "voxres-tf": __version__,
            **{library: library_version(library) for library in ("tensorflow", "keras", "numpy")},
        },
        weights_sha256=weights_hash(model),
    )


def weights_hash(model: keras.Model) -> str:
    """SHA-256 over all weights, as little-endian float32 in the network's order, in hexadecimal."""
    digest = hashlib.sha256()
    for variable in model.weights:
        digest.update(np.ascontiguousarray(variable.numpy(), "<f4").tobytes())
    return digest.hexdigest()

"""Exports a run folder to a SavedModel with its contract, after comparing it with the network."""

from __future__ import annotations

from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any

import tensorflow as tf

from voxres_tf import __version__
from voxres_tf.config import STRIDE
from voxres_tf.contract import (
    CONTRACT,
    CONTRACT_FILE,
    FORMAT_VERSION,
    Contract,
    read_contract,
)
from voxres_tf.errors import ConfigError, OutputExistsError, message
from voxres_tf.export.agreement import CERTIFICATE_FILE
from voxres_tf.export.compare import compare_in_fresh_process
from voxres_tf.export.graph.segment import volume_functions
from voxres_tf.export.integrity import write_hashes
from voxres_tf.export.serving import check_name, write_settings, write_warmup
from voxres_tf.export.stages import Stages, load_stages
from voxres_tf.files import atomic_path, write_json
from voxres_tf.inference.models import model_versions
from voxres_tf.model.stored import STATE_FILE, Weights, saved_step
from voxres_tf.schema import parse
from voxres_tf.start import habits_of, read_summary, tile_of


def export_run(
    run: Path,
    output: Path,
    *,
    weights: Weights | None = None,
    name: str | None = None,
    version: int | None = None,
    tile: tuple[int, int, int] | None = None,
    overlap: float | None = None,
    tta: bool | None = None,
    one_piece: bool | None = None,
    align: bool | None = None,
    serving: bool = False,
) -> Path:
    """Write `<output>/<version>/`, a float32 SavedModel that predicts probabilities.

    Its signature `serving_default` takes `image`, float32 [B, X, Y, Z, C] with X, Y, Z multiples
    of 8, and returns `probabilities`, float32 [B, X, Y, Z, K]: the softmax of the output `main`. A
    two-stage model also has `first_stage` and `second_stage`, which `voxres predict` runs one after
    the other, so that the second sees maps of the whole volume. `segment_volume` and
    `segment_volume_probabilities` take a whole subject (see `graph.segment`), `segment_nifti` its
    files (see `graph.nifti`). All of them run fused networks (see `fuse`). `contract` takes
    `format_version`, int32 [B], and returns `contract`, the JSON of the contract, string [B], so
    that a client needs nothing but the server. The folder appears only after a fresh process has
    loaded it and its answers for tiles and volumes agreed with the live networks (see `compare`).

    Args:
        run: folder of a training, or of an auto-context training.
        output: folder of the model's versions, usually `saved_models/<name>`.
        weights: "best" by validation or "last"; by default best if there are any.
        name: the model's name in its contract; by default that of the output folder.
        version: 1 or more; by default one above the highest existing version.
        tile: voxels of the tiles for predicting whole volumes, multiples of 8; by default the
            training's crop, or the tile of the model it started from where that is larger. The
            networks see nothing beyond a tile, so a larger one is often better, but takes more
            memory.
        overlap: least share of a tile that its neighbour also covers, from 0 to below 1.
        tta: average over tiles and their mirror images.
        one_piece: turn tissue separate from the largest piece into background.
        align: first move a subject's other scans onto its first one (see `inference.align`);
            `segment_nifti` does so, since it is given their spacing. These five set what the
            whole-volume signatures do, and `voxres predict` unless it is told otherwise. The last
            four default to those of the model that the training started from, if they suit it (see
            `Start.handed_on`), else to 0.5 and False.
        serving: write warm-up requests into the version, and beside it the files that TF Serving
            reads (see `serving.write_settings`).

    Returns:
        The folder of the version.

    Raises:
        ConfigError: if the run's config cannot be read, tile or overlap are out of range, `align`
            is set for a network that needs all its scans, or a server could not use the name.
        ModelError: if the run has no such weights, or the reloaded model differs from the live one.
        OutputExistsError: if that version already exists, or `output` is itself a version.
    """
    if (output / CONTRACT_FILE).is_file():
        rule, then = "the folder of a model's versions", "name the folder above it"
        raise OutputExistsError(message(output, rule, "one of its versions", then))
    there = model_versions(output)
    number = 1 + max(there, default=0) if version is None else version
    target = there.get(number, output / str(number))
    if target.exists():
        raise OutputExistsError(
            message(target, "exported versions are not replaced", "one", "choose another version")
        )
    if serving:
        check_name(output)
    # On the CPU, because there the live and the reloaded network agree to the last few bits.
    with tf.device("/CPU:0"):
        stages = load_stages(run, weights)
        contract = _contract(stages, name or output.resolve().name, number, tile)
        asked = {"overlap": overlap, "tta": tta, "one_piece": one_piece, "align": align}
        given = {name: value for name, value in asked.items() if value is not None}
        habits = habits_of(stages.last.run) | given
        contract = parse(Contract, contract.model_dump() | habits, "export options")
        if contract.align and not contract.takes_each_alone:
            rule = "a network that takes each of its scans alone, as --modality-dropout trains it"
            raise ConfigError(message("align", rule, "one that does not", "leave it out"))
        with atomic_path(target) as folder:
            _save(folder, stages, contract)
            write_json(folder / CONTRACT_FILE, contract.model_dump(mode="json"))
            certificate = compare_in_fresh_process(folder, stages, contract)
            write_json(folder / CERTIFICATE_FILE, certificate.model_dump(mode="json"))
            if serving:
                write_warmup(folder, contract)
                write_settings(output)
            write_hashes(folder)
    return target


def export_once(run: Path, output: Path) -> Path:
    """Like `export_run`, but keep the newest version if it already holds these weights.

    Returns:
        The folder of the newest version.
    """
    _, newest = max(model_versions(output).items(), default=(0, None))
    if newest and read_contract(newest).weights_sha256 == load_stages(run).weights_hash():
        return newest
    return export_run(run, output)


def serving_function(stages: Stages, signature: str, channels: int) -> Any:
    """The traced function of a signature: input checks, then the fused networks.

    Args:
        stages: the networks, as trained.
        signature: one of `Contract.tile_channels`.
        channels: C of its input.

    Returns:
        A `tf.function` from `image`, float32 [B, X, Y, Z, C], to a dict with `probabilities`.
    """
    shape = [None, None, None, None, channels]

    def predict(image: tf.Tensor) -> dict[str, tf.Tensor]:
        # A session, which TF Serving uses, does not check fed shapes against the signature.
        sizes = tf.shape(image)
        guard = tf.debugging.assert_equal(
            sizes[1:4] % STRIDE,
            0,
            message=f"voxres: X, Y and Z of image [B, X, Y, Z, C] must be multiples of {STRIDE}",
        )
        with tf.control_dependencies([guard]):
            image = tf.raw_ops.EnsureShape(input=image, shape=shape)
        answer = stages.answer(signature, fuse=True)
        return {"probabilities": tf.identity(answer(image), name="probabilities")}

    return tf.function(predict, input_signature=[tf.TensorSpec(shape, tf.float32, "image")])


def contract_function(contract: Contract) -> Any:
    """The traced function of the signature `contract`.

    It has a first axis, although one answer is enough, since a server that batches requests
    requires one on every input and output.

    Returns:
        A `tf.function` from `format_version`, int32 [B], to a dict with `contract`, string [B].
    """
    text = contract.model_dump_json()

    def tell(format_version: tf.Tensor) -> dict[str, tf.Tensor]:
        guard = tf.debugging.assert_equal(
            format_version,
            FORMAT_VERSION,
            message=f"voxres: the contract of this model is of format {FORMAT_VERSION}",
        )
        with tf.control_dependencies([guard]):
            return {"contract": tf.fill(tf.shape(format_version), text)}

    return tf.function(tell, input_signature=[tf.TensorSpec([None], tf.int32, "format_version")])


def _save(folder: Path, stages: Stages, contract: Contract) -> None:
    module = tf.Module()
    # Variables only, not the Keras models: saving their layers too would store weights twice.
    # Stored as trained: the signatures fuse them, so a training can still start from them.
    module.weights = [v.value for stage in stages.networks for v in stage.model.variables]
    tiles = {name: serving_function(stages, name, c) for name, c in contract.tile_channels.items()}
    volumes = volume_functions(stages, contract)
    signatures = {**tiles, **volumes, CONTRACT: contract_function(contract)}
    tf.saved_model.save(module, str(folder), signatures=signatures)


def _contract(
    stages: Stages, name: str, version: int, tile: tuple[int, int, int] | None
) -> Contract:
    last = stages.last
    tile = tile or tile_of(last.run, last.config.training.crop)
    # Checked by the same rules as a crop.
    config = last.config.updated(training={"crop": tile})
    values = {
        "name": name,
        "version": version,
        "preprocess": last.config.preprocess,
        "channels": last.config.preprocess.channels,
        "optional_modalities": stages.optional_modalities,
        "model": last.config.model,
        "classes": last.config.classes,
        "first_stage": tuple(stage.config.model for stage in stages.first),
        "patch": config.training.crop,
        "training": _training(last.run),
        "versions": {
            "voxres-tf": __version__,
            **{library: library_version(library) for library in ("tensorflow", "keras", "numpy")},
        },
        "fused": True,
        "weights_sha256": stages.weights_hash(),
    }
    return parse(Contract, values, "export options")


def _training(run: Path) -> dict[str, Any]:
    """A run's summary, with the number of steps made if it was stopped before its end."""
    told, state = read_summary(run), run / STATE_FILE
    for name in ("init_patch", "init_habits"):
        told.pop(name, None)
    made = saved_step(state) if state.is_file() else None
    planned = told.get("steps")
    if made is not None and planned is not None and made < planned:
        told |= {"steps": made, "steps_planned": planned}
    return told

"""The signatures that take a whole subject: from raw modalities or their files to tissues."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import tensorflow as tf

from voxres_tf.config import PreprocessConfig
from voxres_tf.contract import SEGMENT, SEGMENT_NIFTI, SEGMENT_PROBABILITIES, Contract
from voxres_tf.export.graph.align import aligned
from voxres_tf.export.graph.channels import prepare
from voxres_tf.export.graph.checks import held, require
from voxres_tf.export.graph.filters import Tensor
from voxres_tf.export.graph.nifti import nifti_function
from voxres_tf.export.graph.pieces import without_loose
from voxres_tf.export.graph.tiling import mirrored_too, predict_tiled
from voxres_tf.export.stages import Stages


def volume_functions(stages: Stages, contract: Contract) -> Mapping[str, Any]:
    """The traced functions of the three signatures.

    They do what `voxres predict` does with its default options: channels, tiles of the contract's
    patch, both stages of auto-context, and mirroring and one piece if the contract says so. The two
    that take arrays work on the given grid: nothing is resampled, reoriented or aligned.
    `nifti.nifti_function` makes the third.

    Args:
        stages: the networks.
        contract: says how channels are made, volumes are tiled and answers are cleaned.

    Returns:
        Name -> `tf.function`. Two take `images`, float32 [X, Y, Z, M], finite, no two modalities
        equal unless 0, with axes in right-anterior-superior order and modalities in the contract's;
        they return `labels`, uint8
        [X, Y, Z], and `probabilities`, float32 [X, Y, Z, K], respectively.
    """
    config = contract.preprocess
    spec = [tf.TensorSpec([None, None, None, len(config.modalities)], tf.float32, "images")]

    def traced(function: Callable[[Tensor], Any]) -> Any:
        return tf.function(function, input_signature=spec, autograph=False)

    # All signatures call this one function, so that its graph is stored once.
    probabilities = traced(
        lambda images: _probabilities(_guarded(images, config), stages, contract)
    )

    alone = traced(lambda images: _probabilities(images, stages, contract.rough))

    def align(images: Tensor, spacing_mm: Tensor) -> Tensor:
        return aligned(images, spacing_mm, alone) if contract.align else images

    def labels(images: Tensor) -> dict[str, Tensor]:
        classes = tf.argmax(probabilities(images), axis=-1, output_type=tf.int32)
        return {"labels": tf.cast(classes, tf.uint8)}

    def shares(images: Tensor) -> dict[str, Tensor]:
        return {"probabilities": tf.identity(probabilities(images))}

    return {
        SEGMENT: traced(labels),
        SEGMENT_PROBABILITIES: traced(shares),
        SEGMENT_NIFTI: nifti_function(probabilities, contract, align),
    }


def _probabilities(images: Tensor, stages: Stages, contract: Contract) -> Tensor:
    image = [prepare(images, contract.preprocess)]
    answer: list[Tensor] = []
    for name in contract.passes:
        # Outside the loop over the tiles, so that the kernels are computed once per volume.
        network = stages.answer(name, fuse=True)
        if contract.tta:
            network = mirrored_too(network)
        tiles = (len(contract.classes), contract.patch, contract.overlap)
        answer = [predict_tiled(image + answer, network, *tiles)]
    return without_loose(answer[0]) if contract.one_piece else answer[0]


def _guarded(images: Tensor, config: PreprocessConfig) -> Tensor:
    """The images, after checking the array fed to a session against the signature."""
    names = ", ".join(config.modalities)
    wanted = f"images [X, Y, Z, {len(config.modalities)}] ({names})"
    images = tf.raw_ops.EnsureShape(input=images, shape=[None, None, None, len(config.modalities)])
    filled = tf.debugging.assert_positive(
        tf.size(images), message=f"voxres: {wanted} must have a voxel"
    )
    finite = tf.debugging.check_numerics(held(images, [filled]), f"voxres: {wanted} must be finite")
    return held(finite, list(_distinct(finite, config.modalities)))


def _distinct(images: Tensor, modalities: Sequence[str]) -> Iterator[Any]:
    """The check of `dataset.subject` that no scan is sent as two; missing scans are 0."""
    scans = dict(zip(modalities, tf.unstack(images, axis=-1), strict=True))
    for one, other in combinations(modalities, 2):
        same = tf.reduce_all(scans[one] == scans[other]) & tf.reduce_any(scans[one] != 0)
        rule, received = f"{one} and {other} are two scans", ("equal voxels",)
        yield require(~same, other, rule, received, "send each its own")

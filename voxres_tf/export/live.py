"""The trained networks' own answers for the reference scan, by the NumPy pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxres_tf.contract import Contract
from voxres_tf.dataset.subject import Subject
from voxres_tf.export.reference import CASES_FILE, alone, scan_file
from voxres_tf.export.stages import Answer, Stages
from voxres_tf.inference.align import aligned
from voxres_tf.inference.pieces import drop_loose
from voxres_tf.inference.tiling import TileFunction, Tiling, mirrored_too, predict_tiled
from voxres_tf.preprocess.channels import stack_modalities, with_channels
from voxres_tf.volume import write_volume

Floats = NDArray[np.float32]

TILES = ((1, 16, 16, 16), (2, 16, 16, 16), (1, 32, 24, 16))
"""Shapes [B, X, Y, Z] for the tile signatures: a first one, another batch size, another extent."""


def write_cases(work: Path, subject: Subject, stages: Stages, contract: Contract) -> None:
    """Write the reference, a NIfTI per modality, and `cases.npz` with the live networks' answers.

    `cases.npz` has `signatures`, the signature of every tile, with tile0 and expected0 for the
    first, tile1 and expected1 for the second, ...; `volume`, float32 [X, Y, Z, K], the
    probabilities of the whole reference; `alone`, those with its first modality only, if the model
    can work with that; and `aligned`, those with all modalities moved onto the first one, if the
    contract asks for that.
    """
    for name, volume in subject.images.items():
        write_volume(scan_file(work, name), volume.data, volume.grid)
    raw = stack_modalities(subject, contract.preprocess)

    def channels(images: Floats) -> Floats:
        return with_channels(replace(raw, image=images), contract.preprocess).image

    def rough(images: Floats) -> Floats:
        return _live(channels(images), stages, contract.rough)[-1]

    every = channels(raw.image)
    answers = _live(every, stages, contract)
    cases = {"volume": answers[-1], **_tiles(every, answers, stages, contract)}
    if alone(contract):
        only_first = raw.image * np.eye(1, raw.image.shape[-1], dtype=np.float32)
        cases["alone"] = _live(channels(only_first), stages, contract)[-1]
    if contract.align:
        there, _ = aligned(raw.image, raw.working.spacing_mm, raw.channels, rough)
        cases["aligned"] = _live(channels(there), stages, contract)[-1]
    np.savez(work / CASES_FILE, allow_pickle=False, **cases)


def _live(image: Floats, stages: Stages, contract: Contract) -> list[Floats]:
    """The live networks' answers for a volume, one per pass."""
    answers: list[Floats] = []
    tiling = Tiling(contract.patch, contract.overlap)
    for name in contract.passes:
        seen = np.concatenate([image, *answers], axis=-1)
        network = _in_numpy(stages.answer(name, fuse=False))
        if contract.tta:
            network = mirrored_too(network)
        answers.append(predict_tiled(seen, network, len(contract.classes), tiling))
    if contract.one_piece:
        drop_loose(answers[-1])
    return answers


def _tiles(
    image: Floats, answers: Sequence[Floats], stages: Stages, contract: Contract
) -> dict[str, NDArray[Any]]:
    """A tile of each of `TILES` for every tile signature, with the live networks' answers."""
    names: list[str] = []
    cases: dict[str, NDArray[Any]] = {}
    for name, channels in contract.tile_channels.items():
        seen = np.concatenate([image, *answers], axis=-1)[..., :channels]
        answer = _in_numpy(stages.answer(name, fuse=False))
        for shape in TILES:
            tile = _middle(seen, shape)
            cases |= {f"tile{len(names)}": tile, f"expected{len(names)}": answer(tile)}
            names.append(name)
    return {"signatures": np.array(names), **cases}


def _middle(image: Floats, shape: tuple[int, int, int, int]) -> Floats:
    """The middle of a volume as tiles [B, X, Y, Z, C], side by side along X."""
    batch, x, y, z = shape
    sizes = (batch * x, y, z)
    starts = [(have - size) // 2 for have, size in zip(image.shape[:3], sizes, strict=True)]
    block = image[tuple(slice(s, s + size) for s, size in zip(starts, sizes, strict=True))]
    return block.reshape(*shape, -1)


def _in_numpy(network: Answer) -> TileFunction:
    return lambda tiles: np.asarray(network(tiles))

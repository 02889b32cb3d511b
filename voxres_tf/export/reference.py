"""The scan that every export is tested on: a phantom, identical wherever it is generated."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from voxres_tf.contract import Contract
from voxres_tf.dataset.subject import Subject
from voxres_tf.phantom.generate import STEMS, scan
from voxres_tf.phantom.sampling import Size
from voxres_tf.preprocess.geometry import working_grid
from voxres_tf.volume import Volume

SEED = 0
LEAST_SHAPE = (32, 24, 16)
"""Voxels of the smallest reference scan: the compared tiles are cut from it."""

_SPACING_MM = (1.0, 1.0, 3.0)
_LONGER, _SHORTER = 8, 3

CASES_FILE = "cases.npz"
"""Beside the reference scans: the trained networks' answers; see `live.write_cases`."""


def reference_scan(contract: Contract) -> Subject:
    """A phantom that a model takes unchanged: axes right, anterior, superior, fitting spacing.

    It is a little wider than the model's tile, so that tiles overlap, and a little lower, so that
    they are padded, unless the tile is smaller than `LEAST_SHAPE`.

    Args:
        contract: the model's contract.

    Returns:
        A subject with all modalities of the contract, int16. FLAIR stands in for T2, inverted if
        the model takes both.
    """
    tile = contract.patch
    wanted = (tile[0] + _LONGER, tile[1], tile[2] - _SHORTER)
    x, y, z = (max(pair) for pair in zip(wanted, LEAST_SHAPE, strict=True))
    usual = Size((x, y, z), _SPACING_MM, (1, 1, 1))
    taken_mm = working_grid(usual.grid(), contract.preprocess.resolution).spacing_mm
    scans = scan(np.random.default_rng(SEED), Size((x, y, z), taken_mm, (1, 1, 1)))
    modalities: tuple[str, ...] = contract.preprocess.modalities
    images = {m: scans[STEMS.get(m, STEMS["flair"])] for m in modalities}
    if {"t2", "flair"} <= images.keys():
        flair = images["flair"]
        images["t2"] = Volume(flair.data.max() - flair.data, flair.grid)
    return Subject("reference", images, scans["T1"].grid)


def alone(contract: Contract) -> str | None:
    """The first modality of a model that takes several but can work with it alone, else None."""
    first, *others = contract.preprocess.modalities
    return first if others and contract.fault_of([first]) is None else None


def scan_file(work: Path, modality: str) -> Path:
    """Path of a scan of the reference in a folder."""
    return work / f"{modality}.nii"

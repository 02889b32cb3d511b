"""Tiny volumes on disk: 8 x 9 x 5 voxels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import count
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

SHAPE = (8, 9, 5)
AFFINE = np.diag([0.958, 0.958, 3.0, 1.0])


def save(path: Path, data: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = nib.Spm99AnalyzeImage if path.suffix in (".img", ".hdr") else nib.Nifti1Image
    nib.save(kind(data, affine), path)
    return path


@pytest.fixture
def scan() -> Callable[..., Path]:
    """Write a scan with voxels that no other scan of the test has."""
    seeds = count()

    def write(path: Path, shape: Sequence[int] = SHAPE, affine: np.ndarray = AFFINE) -> Path:
        values = np.random.default_rng(next(seeds)).integers(0, 1000, shape)
        return save(path, values.astype(np.int16), affine)

    return write


@pytest.fixture
def drawing() -> Callable[..., Path]:
    """Write labels with these codes, each at least once, unlike any other labels of the test."""
    seeds = count(1000)

    def write(path: Path, codes: Iterable[float], shape: Sequence[int] = SHAPE) -> Path:
        known = np.array(sorted(codes))
        values = np.random.default_rng(next(seeds)).choice(known, shape)
        values.flat[: known.size] = known
        return save(path, values.astype(np.float32 if known.dtype.kind == "f" else np.int16))

    return write

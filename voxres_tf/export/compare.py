"""The exported model in a process of its own, held against the live network's answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from voxres_tf.errors import ModelError, message

TOLERANCE = 1e-4
"""Largest difference of a probability that counts as rounding; fused kernels round differently."""

CASES = ((1, 16, 16, 16), (2, 16, 16, 16), (1, 32, 24, 16))
"""Shapes [B, X, Y, Z] of the comparison: a first one, another batch, another space."""


def compare_in_fresh_process(
    folder: Path, answers: Mapping[str, tuple[int, Callable[[Any], Any]]]
) -> dict[str, Any]:
    """Reload a SavedModel in a fresh Python process and compare its probabilities.

    Args:
        folder: of the SavedModel.
        answers: signature -> number of its channels C, and the live networks' probabilities of an
            image [B, X, Y, Z, C].

    Returns:
        `max_abs_difference` over all cases, `tolerance` and `cases`, ready for JSON.

    Raises:
        ModelError: if the model cannot be reloaded, or differs by `TOLERANCE` or more.
    """
    random = np.random.default_rng(0)
    cases = [(name, (*case, channels)) for name, (channels, _) in answers.items() for case in CASES]
    images = [random.standard_normal(shape, np.float32) for _, shape in cases]
    arrays = {"signatures": np.array([name for name, _ in cases])}
    for n, ((name, _), image) in enumerate(zip(cases, images, strict=True)):
        arrays |= {f"image{n}": image, f"expected{n}": np.asarray(answers[name][1](image))}
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "cases.npz"
        np.savez(path, allow_pickle=False, **arrays)
        difference = _run(folder, path)
    # Written this way round, a NaN is a failure too.
    if not difference < TOLERANCE:
        raise ModelError(
            message(
                folder.parent,
                f"the reloaded model equals the live one to {TOLERANCE:g}",
                f"a difference of {difference:g}",
                "report this with the run's config.json",
            )
        )
    return {
        "max_abs_difference": difference,
        "tolerance": TOLERANCE,
        "cases": [[name, *shape] for name, shape in cases],
    }


def _run(folder: Path, cases: Path) -> float:
    command = [sys.executable, "-m", "voxres_tf.export.verify", str(folder), str(cases)]
    # The live network answered on the CPU; a GPU's convolutions round differently.
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ModelError(
            message(
                folder.parent,
                "the exported model loads in a fresh process",
                f"exit code {done.returncode}: {last}",
                "report this with the run's config.json",
            )
        )
    return float(json.loads(done.stdout.splitlines()[-1])["max_abs_difference"])

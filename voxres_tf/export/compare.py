"""Compares an exported model, run in a process of its own, with the live network's answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from voxres_tf.contract import Contract
from voxres_tf.errors import ModelError, message
from voxres_tf.export.agreement import LEAST_EQUAL, TOLERANCE, Agreement, Certificate
from voxres_tf.export.live import write_cases
from voxres_tf.export.reference import reference_scan
from voxres_tf.export.stages import Stages

NEXT_STEP = "report this with the run's config.json"


def compare_in_fresh_process(folder: Path, stages: Stages, contract: Contract) -> Certificate:
    """Compare a SavedModel's answers, by several roads, with the live networks' on a phantom.

    Args:
        folder: the SavedModel's folder, with its contract.
        stages: the live networks.
        contract: the model's contract.

    Returns:
        The findings; see `verify.roads` for the roads.

    Raises:
        ModelError: if the model cannot be reloaded; or if it differs by `TOLERANCE` or more in a
            probability, or in the labels of more than 1 - `LEAST_EQUAL` of the voxels.
    """
    subject = reference_scan(contract)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        write_cases(work, subject, stages, contract)
        roads = _run(folder, work)
    for found in roads:
        if not found.holds:
            rule = f"{found.road} equals the trained network within {TOLERANCE:g}"
            share = f"{100 * LEAST_EQUAL:g} % of its labels"
            raise ModelError(
                message(folder.parent, f"{rule} and in {share}", found.figures, NEXT_STEP)
            )
    return Certificate(
        shape=subject.grid.shape, spacing_mm=subject.grid.spacing_mm, roads=tuple(roads)
    )


def _run(folder: Path, work: Path) -> list[Agreement]:
    # Without -P, Python files in the working folder would come before the installed ones.
    command = [sys.executable, "-P", "-m", "voxres_tf.export.verify", str(folder), str(work)]
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
                NEXT_STEP,
            )
        )
    return [Agreement(**found) for found in json.loads(done.stdout.splitlines()[-1])]

"""Memory and time of an exported model's `segment_volume`, in a process that does nothing else.

    python -m benchmarks.volume_memory MODEL [--shape 240 240 48]

The scans are noise with slow waves, since their content does not affect memory or time.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import click
import numpy as np
import tensorflow as tf

from voxres_tf.contract import SEGMENT, read_contract
from voxres_tf.inference.models import resolve_model

GB = 1e9


def peak() -> float:
    """The peak memory of the process so far, in GB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / GB


def scans(shape: tuple[int, int, int], count: int) -> np.ndarray:
    """Make the scans, float32 [X, Y, Z, M]."""
    random = np.random.default_rng(0)
    made = random.random((*shape, count), dtype=np.float32)
    made += np.sin(np.arange(shape[0], dtype=np.float32) / 20)[:, None, None, None]
    return made


@click.command()
@click.argument("model")
@click.option("--shape", nargs=3, type=int, default=(240, 240, 48), show_default=True)
def main(model: str, shape: tuple[int, int, int]) -> None:
    folder: Path = resolve_model(model)
    contract = read_contract(folder)
    signature = tf.saved_model.load(str(folder)).signatures[SEGMENT]
    images = tf.constant(scans(shape, len(contract.preprocess.modalities)))
    before = peak()
    began = time.perf_counter()
    labels = signature(images=images)["labels"]
    seconds = time.perf_counter() - began
    size = "x".join(map(str, labels.shape))
    click.echo(
        f"{size}: {seconds:.0f} s, {peak() - before:.2f} GB above the {before:.2f} GB of Python, "
        "TensorFlow, the model and the scans"
    )


if __name__ == "__main__":
    main()

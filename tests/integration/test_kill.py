"""kill -9 in the middle of a training, then the same command: the same weights, bit for bit."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from voxres_tf.grid import Grid
from voxres_tf.volume import write_volume

SHAPE = (20, 24, 10)
OPTIONS = [
    *("--preset", "tiny", "--no-filtered", "--crop", "16", "--batch", "1", "--steps", "30"),
    *("--steps-per-epoch", "10", "--checkpoint-minutes", "1e-9", "--seed", "5"),
]


def write_data(folder: Path) -> Path:
    folder.mkdir()
    with (folder / "manifest.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["subject", "t1", "label"])
        for name in ("a", "b"):
            random = np.random.default_rng(ord(name))
            codes = random.integers(0, 4, SHAPE).astype(np.uint8)
            image = (100 * codes + random.normal(size=SHAPE)).astype(np.float32)
            grid = Grid(SHAPE, np.diag([1.0, 1.0, 3.0, 1.0]))
            write_volume(folder / f"{name}.nii", image, grid)
            write_volume(folder / f"{name}-labels.nii", codes, grid)
            table.writerow([name, f"{name}.nii", f"{name}-labels.nii"])
    return folder


def command(data: Path, run: Path) -> list[str]:
    call = "from voxres_cli.main import cli; cli()"
    return [sys.executable, "-c", call, "train", str(data), "-o", str(run), *OPTIONS]


def step(run: Path) -> int:
    with np.load(run / "state.npz") as arrays:
        return int(arrays["step"])


def kill_after(steps: int, process: subprocess.Popen[bytes], run: Path) -> int:
    while process.poll() is None:
        if (run / "state.npz").exists() and step(run) >= steps:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            return step(run)
        time.sleep(0.02)
    raise AssertionError("the training ended before it could be killed")


def test_a_killed_training_ends_with_the_same_weights(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    subprocess.run(command(data, tmp_path / "whole"), check=True, capture_output=True)
    killed = tmp_path / "killed"
    with subprocess.Popen(command(data, killed), stderr=subprocess.DEVNULL) as process:
        assert 0 < kill_after(5, process, killed) < 30
    subprocess.run(command(data, killed), check=True, capture_output=True)
    with np.load(tmp_path / "whole/state.npz") as one, np.load(killed / "state.npz") as other:
        assert set(one) == set(other)
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    lines = [  # without the seconds
        [row[:-1] for row in csv.reader((tmp_path / run / "history.csv").read_text().splitlines())]
        for run in ("whole", "killed")
    ]
    assert lines[0] == lines[1]

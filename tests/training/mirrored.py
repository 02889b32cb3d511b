"""Run by test_mirrored.py in a process of its own: devices can only be set before any is used."""

from __future__ import annotations

import sys
from pathlib import Path

from voxres_tf.config import RunConfig
from voxres_tf.dataset.layouts import find_subjects
from voxres_tf.schema import load
from voxres_tf.training import fit


def main(manifest: str, run: str, config: str) -> None:
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    part = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(cpu, [part] * 2)
    fit.training_devices = lambda: ["CPU:0", "CPU:1"]
    fit.train(find_subjects(Path(manifest)), Path(run), load(RunConfig, Path(config)))


if __name__ == "__main__":
    main(*sys.argv[1:])

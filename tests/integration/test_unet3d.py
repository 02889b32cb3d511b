"""The U-Net by the same commands as VoxResNet: train, export, predict."""

from __future__ import annotations

from pathlib import Path

import keras
import nibabel as nib
import numpy as np
import tensorflow as tf
from click.testing import CliRunner
from voxres_cli.main import cli

from voxres_tf.config import RunConfig
from voxres_tf.contract import read_contract
from voxres_tf.grid import Grid
from voxres_tf.model.network import build_network
from voxres_tf.schema import load
from voxres_tf.volume import write_volume

SHAPE = (20, 24, 10)


def succeed(*arguments: object) -> None:
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output


def write_data(folder: Path) -> Path:
    folder.mkdir()
    random = np.random.default_rng(0)
    codes = random.integers(0, 4, SHAPE).astype(np.uint8)
    image = (100 * codes + random.normal(size=SHAPE)).astype(np.float32)
    grid = Grid(SHAPE, np.diag([1.0, 1.0, 3.0, 1.0]))
    write_volume(folder / "a.nii", image, grid)
    write_volume(folder / "a-labels.nii", codes, grid)
    manifest = folder / "manifest.csv"
    manifest.write_text("subject,t1,label\na,a.nii,a-labels.nii\n")
    return manifest


def test_from_scans_to_labels(tmp_path: Path) -> None:
    data, run, models = write_data(tmp_path / "data"), tmp_path / "run", tmp_path / "unet"
    options = ["--model", "unet3d", "--width", 2, "--crop", 16, "--batch", 1, "--steps", 2]
    options += ["--steps-per-epoch", 1]
    succeed("train", data, "-o", run, *options)
    assert (run / "curves.png").is_file()
    succeed("export", run, "-o", models)
    contract = read_contract(models / "1")
    assert (contract.model.architecture, contract.model.width) == ("unet3d", 2)

    live = build_network(load(RunConfig, run / "config.json").model)
    live.load_weights(str(run / "last.weights.h5"))
    image = np.random.default_rng(1).standard_normal((2, 8, 24, 16, 2), np.float32)
    answer = tf.saved_model.load(str(models / "1")).signatures["serving_default"](
        image=tf.constant(image)
    )["probabilities"]
    expected = keras.ops.softmax(live(image, training=False)["main"])
    np.testing.assert_allclose(answer, keras.ops.convert_to_numpy(expected), atol=1e-5)

    out = tmp_path / "labels.nii.gz"
    succeed("predict", "-m", models, "--t1", tmp_path / "data" / "a.nii", "-o", out)
    labels = np.asanyarray(nib.load(out).dataobj)
    assert labels.shape == SHAPE
    assert set(np.unique(labels)) <= {0, 1, 2, 3}

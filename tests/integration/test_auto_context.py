"""Both stages by commands alone: train, predict as one model, go on after an interruption."""

from __future__ import annotations

import nibabel as nib
import numpy as np
from click.testing import CliRunner
from voxres_cli.main import cli

from voxres_tf.contract import read_contract
from voxres_tf.dataset.manifest import write_manifest
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.grid import Grid
from voxres_tf.volume import write_volume

SHAPE = (16, 16, 8)
SMALL = ["--width", "2", "--crop", "16,16,8", "--steps", "3", "--no-filtered"]
SMALL += ["--modality-dropout", "0.4"]


def write_subject(folder, number):
    codes = np.zeros(SHAPE, np.uint8)
    codes[3:13, 3:13, 1:7], codes[5:11, 5:11, 2:6], codes[7:9, 6:10, 3:5] = 1, 2, 3
    noise = 20 * np.random.default_rng(number).standard_normal(SHAPE)
    grid = Grid(SHAPE, np.diag([1.0, 1.0, 3.0, 1.0]))
    images = {name: folder / f"{number}-{name}.nii" for name in ("t1", "flair")}
    for sign, path in zip((1, -1), images.values(), strict=True):
        write_volume(path, (sign * 100.0 * codes + noise).astype(np.float32), grid)
    codes[3, 3 + number, 1] = 3  # no two alike
    write_volume(folder / f"{number}-label.nii", codes, grid)
    return SubjectFiles(str(number), images, folder / f"{number}-label.nii")


def invoke(*arguments):
    result = CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_from_subjects_to_labels(tmp_path):
    subjects = [write_subject(tmp_path, number) for number in (1, 2)]
    write_manifest(tmp_path / "data.csv", subjects)
    train = ("auto-context", tmp_path / "data.csv", "-o", tmp_path / "run", *SMALL)
    said = invoke(*train)
    assert "4 trainings, 0 of them done already\n4 to do\n" in said
    model = tmp_path / "run" / "model" / "1"
    assert read_contract(model).first_stage[0].in_channels == 2
    again = invoke(*train)
    assert "4 trainings, 4 of them done already" in again
    assert not (tmp_path / "run" / "model" / "2").exists()
    # Both stages were trained with modality dropout: one of the two scans is enough.
    for name, file in write_subject(tmp_path, 3).images.items():
        out = tmp_path / f"{name}.nii.gz"
        invoke("predict", "-m", model, f"--{name}", file, "-o", out)
        labels = nib.load(out)
        assert labels.shape == SHAPE
        assert set(np.unique(labels.dataobj)) <= {0, 1, 2, 3}

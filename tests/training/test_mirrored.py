"""Two devices give the training of one, up to rounding; here they are two halves of a CPU."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from voxres_tf.config import RunConfig
from voxres_tf.dataset.manifest import write_manifest
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.errors import TrainingError
from voxres_tf.files import write_json
from voxres_tf.training import fit
from voxres_tf.training.history import read_history


@pytest.mark.parametrize("architecture", ["voxresnet", "unet3d"])
def test_two_devices_train_as_one(
    subjects: list[SubjectFiles], config: RunConfig, tmp_path: Path, architecture: str
) -> None:
    write_manifest(tmp_path / "manifest.csv", subjects)
    config = config.updated(
        model={"architecture": architecture},
        training={"optimizer": "sgd", "learning_rate": 1e-3, "l2": 1e-9},
    )
    write_json(tmp_path / "config.json", config.model_dump(mode="json"))
    one, two = (tmp_path / name for name in ("one", "two"))
    fit.train(subjects, one, config)
    script, files = Path(__file__).with_name("mirrored.py"), ("manifest.csv", "two", "config.json")
    subprocess.run([sys.executable, script, *(tmp_path / name for name in files)], check=True)
    losses = []
    for run in (one, two):
        rows = read_history(run / "history.csv")
        losses.append([row["main_loss"] for row in rows])
        if architecture == "unet3d":  # whose only output is all of its objective
            whole = [row["loss"] for row in rows]
            np.testing.assert_allclose(losses[-1], whole, rtol=1e-3)
    assert np.isfinite(losses).all()
    # Batch statistics are those of each device's own crops, so that the two are only close.
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.2)


def test_a_batch_that_cannot_be_shared_out_is_refused(
    subjects: list[SubjectFiles],
    config: RunConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fit, "training_devices", lambda: ["GPU:0", "GPU:1", "GPU:2"])
    with pytest.raises(TrainingError, match=r"3 devices .*Received: 2.*multiple of 3"):
        fit.train(subjects, tmp_path / "run", config)
    assert not (tmp_path / "run").exists()

"""Networks whose every weight matters, and a model of two stages exported from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.tiny import agreed
from voxres_tf.config import CASCADE_FILE, CascadeConfig, RunConfig
from voxres_tf.export import saved_model
from voxres_tf.export.saved_model import export_run
from voxres_tf.files import write_json
from voxres_tf.model.network import build_network


def with_random_weights(config, seed=0):
    """The network of a `ModelConfig`, no bias or running mean of which is 0."""
    random = np.random.default_rng(seed)
    model = build_network(config)
    for variable in model.variables:
        values = random.normal(0, 0.3, variable.shape)
        if variable.name in ("gamma", "moving_variance"):
            values = 1 + np.abs(values)
        elif variable.name == "kernel":
            values *= 4.0 / np.sqrt(np.prod(variable.shape[:-1]))
        variable.assign(values.astype(np.float32))
    return model


@pytest.fixture(scope="session")
def random_network():
    return with_random_weights


def write_network(folder, seed, **model):
    config = RunConfig().updated(
        preprocess={"modalities": ("t1", "flair"), "clahe_tile": 8, "gaussian_radius": 6},
        model={"width": 2, **model},
        training={"crop": (16, 16, 8), "modality_dropout": 0.3},
    )
    write_json(folder / "config.json", config.model_dump(mode="json"))
    with_random_weights(config.model, seed).save_weights(str(folder / "last.weights.h5"))


@pytest.fixture(scope="session")
def two_stage_run(tmp_path_factory):
    """Of two networks in the first stage and a U-Net in the second, all channels filtered too.

    All of them have met subjects without one of their modalities.
    """
    folder: Path = tmp_path_factory.mktemp("runs") / "cascade"
    for seed, name in enumerate(("a", "b")):
        write_network(folder / name, seed)
    write_network(folder / "c", 2, architecture="unet3d", context_channels=4)
    cascade = CascadeConfig(first=("a", "b"), second="c")
    write_json(folder / CASCADE_FILE, cascade.model_dump(mode="json"))
    return folder


@pytest.fixture(scope="session")
def two_stage_model(two_stage_run, tmp_path_factory):
    """`<name>/<version>/`; its reload in a fresh process takes seconds and is left out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saved_model, "compare_in_fresh_process", agreed)
        return export_run(two_stage_run, tmp_path_factory.mktemp("models") / "two")

"""What all tests share: TensorFlow's settings, and a tiny run with the model exported from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from voxres_tf.config import RunConfig
from voxres_tf.files import write_json
from voxres_tf.runtime import import_tensorflow

import_tensorflow()
# On a busy machine the time of one example says nothing.
settings.register_profile("voxres", deadline=None)
settings.load_profile("voxres")


def pytest_configure(config: pytest.Config) -> None:
    # Keras 3 converts its variables by an __array__ that does not know NumPy 2's `copy` yet.
    config.addinivalue_line(
        "filterwarnings",
        "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning",
    )


TINY = RunConfig().updated(
    preprocess={"modalities": ("t1", "flair"), "filtered": False},
    model={"width": 2},
    training={"crop": (16, 16, 8), "precision": "mixed_bfloat16"},
)


def write_run(folder: Path, config: RunConfig = TINY) -> Path:
    """A run folder as training leaves it, of a network of random weights."""
    from voxres_tf.model.voxresnet import build_voxresnet

    folder.mkdir(parents=True)
    write_json(folder / "config.json", config.model_dump(mode="json"))
    write_json(folder / "summary.json", {"subjects": ["a", "b"], "steps": 7})
    model = build_voxresnet(config.model, precision="mixed_bfloat16", l2=1e-4)
    model.save_weights(str(folder / "last.weights.h5"))
    return folder


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="session")
def tiny_model(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`<name>/<version>/` of a T1 and FLAIR model with tiles of 16x16x8."""
    from voxres_tf.export.saved_model import export_run

    return export_run(tiny_run, tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def coarse_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`<name>/<version>/` of a model of any modalities that looks at voxels of 4 mm."""
    from voxres_tf.export.saved_model import export_run

    voxels = {"in_plane_mm": (4, 4), "in_plane_target_mm": 4, "slice_mm": (4, 6)}
    config = TINY.updated(
        preprocess={"modalities": ("t1", "t1-ir", "flair"), "resolution": voxels},
        training={"crop": (32, 32, 16), "modality_dropout": 0.5},
    )
    run = write_run(tmp_path_factory.mktemp("runs") / "coarse", config)
    return export_run(run, tmp_path_factory.mktemp("models") / "coarse")

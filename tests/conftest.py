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


def write_run(folder: Path, *, modalities: tuple[str, ...] = ("t1", "flair")) -> Path:
    """A run folder as training leaves it, of a network of random weights."""
    from voxres_tf.model.voxresnet import build_voxresnet

    config = RunConfig().updated(
        preprocess={"modalities": modalities, "filtered": False},
        model={"width": 2},
        training={"crop": (16, 16, 8), "precision": "mixed_bfloat16"},
    )
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

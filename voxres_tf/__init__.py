"""VoxResNet (Chen et al., arXiv 1608.05895) in TensorFlow and Keras: train, export, segment."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxres_tf.config import ModelConfig as ModelConfig
    from voxres_tf.inference.predict import Predictor as Predictor
    from voxres_tf.inference.prediction import Prediction as Prediction
    from voxres_tf.model.voxresnet import build_voxresnet as build_voxresnet

__version__ = "0.1.0"
_PUBLIC = {
    "ModelConfig": "voxres_tf.config",
    "Prediction": "voxres_tf.inference.prediction",
    "Predictor": "voxres_tf.inference.predict",
    "build_voxresnet": "voxres_tf.model.voxresnet",
}
__all__ = ["ModelConfig", "Prediction", "Predictor", "__version__", "build_voxresnet"]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    """Import public names on first use, so that the package itself does not load TensorFlow."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)

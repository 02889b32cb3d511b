"""Configurations to start from, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from voxres_tf.config import ModelConfig, RunConfig

_HALF = RunConfig(model=ModelConfig(width=16))
_FAST = {"optimizer": "adam", "learning_rate": 2e-3, "l2": 1e-5, "clip_norm": 1.0}
_CPU = _HALF.updated(
    training={**_FAST, "crop": (64, 64, 48), "batch": 2, "steps": 7200,
              "foreground_share": 0.8, "jitter": 0.1}
)  # fmt: skip

PRESETS: Mapping[str, RunConfig] = MappingProxyType(
    {
        "full": RunConfig(),
        "half": _HALF,
        "thin": RunConfig(model=ModelConfig(thin_kernels=True)),
        # For two cores and two hours: see README, "Figures".
        "cpu": _CPU,
        # Three minutes: for tables of many trainings that are compared with each other.
        "quick": _CPU.updated(
            model={"norm_momentum": 0.9}, training={"steps": 200, "steps_per_epoch": 20}
        ),
        # For subjects of `voxres phantom --randomise`: any modalities, any spacing.
        "robust": _CPU.updated(
            preprocess={"resolution": {}},
            training={"steps": 14_400, "modality_dropout": 0.5, "ema": 0.99},
        ),
        # For `voxres train --init`, where the source gives the shape of the network. Its auxiliary
        # classifiers have already done their work in the source's training.
        "finetune": _CPU.updated(
            training={"learning_rate": 5e-4, "steps": 1000, "aux_start": 0.01}
        ),
        # For `voxres demo --train` and tests: minutes, not hours.
        "tiny": _HALF.updated(
            model={"width": 8},
            training={
                **_FAST, "crop": (48, 48, 24), "batch": 2, "steps": 600, "steps_per_epoch": 50,
            },
        ),
    }
)  # fmt: skip

"""The contract of a model that nobody trained: behind it stands a formula."""

from __future__ import annotations

from typing import Any

from voxres_tf.config import RunConfig
from voxres_tf.contract import Contract


def formula_contract(
    modalities: tuple[str, ...] = ("t1", "flair"),
    patch: tuple[int, int, int] = (8, 16, 8),
    *,
    resolution: dict[str, Any] | None = None,
    optional: tuple[str, ...] = (),
) -> Contract:
    """Of a model that takes the modalities as they are, without filtered channels; version 3."""
    config = RunConfig().updated(
        preprocess={"modalities": modalities, "filtered": False, "resolution": resolution}
    )
    return Contract(
        name="formula",
        version=3,
        preprocess=config.preprocess,
        channels=config.preprocess.channels,
        model=config.model,
        patch=patch,
        optional_modalities=optional,
        weights_sha256="0" * 64,
    )

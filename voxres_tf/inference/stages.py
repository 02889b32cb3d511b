"""Runs a prepared volume through the stages of a network, tile by tile."""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from voxres_tf.contract import Contract
from voxres_tf.inference.tiling import Apply, Tiling, mirrored_too, predict_tiled


class Engine(Protocol):
    """Answers requests: a network that is loaded in this process, or a server."""

    def run(self, signature: str, array: NDArray[np.float32]) -> NDArray[Any]:
        """Run one signature of the contract on an array."""
        ...


def through_stages(
    image: NDArray[np.float32],
    contract: Contract,
    engine: Engine,
    tiling: Tiling,
    *,
    tta: bool,
    apply: Apply,
    bar: str | None,
) -> NDArray[np.float32]:
    """Probabilities, float32 [X, Y, Z, K], of an image, float32 [X, Y, Z, C].

    Args:
        image: prepared as the contract says.
        contract: says which stages are run; the second also gets the first one's answer.
        engine: runs the stages.
        tiling: the tiles.
        tta: average each tile's answer with that of its mirror image.
        apply: see `tiling.predict_tiled`.
        bar: title of the progress bar; None for no bar.
    """
    total = tiling.count(image.shape[:3]) * len(contract.passes)
    hidden = True if bar is None else None
    with tqdm(total=total, desc=bar, unit="tile", leave=False, disable=hidden) as shown:
        answer = image[..., :0]
        for stage in contract.passes:
            given = np.concatenate([image, answer], -1) if answer.shape[-1] else image
            ask = partial(engine.run, stage)
            answer = predict_tiled(
                given,
                mirrored_too(ask) if tta else ask,
                len(contract.classes),
                tiling,
                progress=shown.update,
                apply=apply,
            )
    return answer

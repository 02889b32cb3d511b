"""Round lesions in the white matter of a person."""

from __future__ import annotations

import numpy as np

from voxres_tf.phantom.field import Floats
from voxres_tf.phantom.randomisation import Lesions


def draw_lesions(rng: np.random.Generator, sites_mm: Floats, lesions: Lesions) -> Floats:
    """Draw where the lesions of one person lie and how large they are.

    Args:
        rng: source of randomness.
        sites_mm: float32 [N, 3], points where a lesion may lie; without any there are no lesions.
        lesions: ranges to draw from.

    Returns:
        float32 [L, 4], centre and radius in mm.
    """
    count = min(int(rng.integers(*lesions.count, endpoint=True)), len(sites_mm))
    chosen = rng.choice(sites_mm, count, replace=False)
    radii = rng.uniform(*lesions.radius_mm, (count, 1)).astype(np.float32)
    return np.concatenate([chosen, radii], axis=1)

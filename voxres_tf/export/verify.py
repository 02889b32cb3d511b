"""`python -m voxres_tf.export.verify MODEL CASES`: what an exported model answers on its own.

Started by `export.compare` in a process that knows neither Keras nor the code of the network.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf


def largest_difference(folder: Path, cases: Path) -> float:
    """Largest absolute difference between a SavedModel's probabilities and the expected ones.

    Args:
        folder: of the SavedModel.
        cases: `.npz` with the names of the `signatures` to ask, and for the first image0 and
            expected0, for the second image1, ...; at least one.

    Returns:
        The difference; NaN if the model answers NaN, infinity if it answers another shape.
    """
    loaded = tf.saved_model.load(str(folder))
    found = []
    with np.load(cases, allow_pickle=False) as arrays:
        for number, name in enumerate(arrays["signatures"].tolist()):
            function = loaded.signatures[name]
            answer = function(image=tf.constant(arrays[f"image{number}"]))["probabilities"].numpy()
            expected = arrays[f"expected{number}"]
            same = answer.shape == expected.shape
            found.append(float(np.abs(answer - expected).max()) if same else float("inf"))
    return float(np.max(found))


def main(arguments: list[str]) -> None:
    """Print the difference as a line of JSON."""
    difference = largest_difference(Path(arguments[0]), Path(arguments[1]))
    sys.stdout.write(json.dumps({"max_abs_difference": difference}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])

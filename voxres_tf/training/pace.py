"""How fast a network trains on this machine: for forecasts, not for benchmarks."""

from __future__ import annotations

import time
from dataclasses import dataclass

import keras
import numpy as np

from voxres_tf.config import RunConfig
from voxres_tf.training.build import compiled

WARM_UP, TIMED = 2, 3


@dataclass(frozen=True)
class Pace:
    """How long a training takes.

    Attributes:
        start_s: seconds until the first step is done: building the network and tracing the step.
        step_s: seconds per further step.
    """

    start_s: float
    step_s: float

    def seconds(self, steps: int) -> float:
        """Forecast for a training of `steps` updates, without validation and checkpoints."""
        return self.start_s + (steps - 1) * self.step_s


def measure_pace(config: RunConfig) -> Pace:
    """Time the start of a training and a few of its steps, on noise."""
    start = time.perf_counter()
    model, losses = compiled(config)
    shape = (config.training.batch, *config.training.crop)
    image = np.random.default_rng(0).standard_normal((*shape, config.model.in_channels), np.float32)
    targets = dict.fromkeys(losses, np.zeros(shape, np.uint8))
    ends = [start]
    for _ in range(WARM_UP + TIMED):
        model.train_on_batch(image, targets)
        ends.append(time.perf_counter())
    keras.backend.clear_session()
    first, *steps = np.diff(ends)
    return Pace(float(first), float(np.median(steps[WARM_UP - 1 :])))

"""How fast a network trains on this machine: for forecasts, not for benchmarks."""

from __future__ import annotations

import time
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from voxres_tf.config import RunConfig
from voxres_tf.model.network import build_network, outputs_of
from voxres_tf.training.losses import (
    build_losses,
    build_optimizer,
    build_running_means,
    l2_in_loss,
)

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
    training, outputs = config.training, outputs_of(config.model)
    # As in training: Keras compiles different steps if operations need not be deterministic.
    keras.utils.set_random_seed(training.seed)
    tf.config.experimental.enable_op_determinism()
    model = build_network(config.model, precision=training.precision, l2=l2_in_loss(training))
    model.compile(optimizer=build_optimizer(training), loss=build_losses(training, outputs))
    build_running_means(model)
    shape = (training.batch, *training.crop)
    image = np.random.default_rng(0).standard_normal((*shape, config.model.in_channels), np.float32)
    targets = dict.fromkeys(outputs, np.zeros(shape, np.uint8))
    ends = [start]
    for _ in range(WARM_UP + TIMED):
        model.train_on_batch(image, targets)
        ends.append(time.perf_counter())
    keras.backend.clear_session()
    first, *steps = np.diff(ends)
    return Pace(float(first), float(np.median(steps[WARM_UP - 1 :])))

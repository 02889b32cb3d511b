"""How fast a network trains on this machine: for forecasts, not for benchmarks."""

from __future__ import annotations

import time

import keras
import numpy as np

from voxres_tf.config import RunConfig
from voxres_tf.model.network import build_network, outputs_of
from voxres_tf.training.losses import build_losses, build_optimizer, l2_in_loss

WARM_UP, TIMED = 2, 3


def seconds_per_step(config: RunConfig) -> float:
    """Median time of a few steps on noise, after those that trace and allocate."""
    training, outputs = config.training, outputs_of(config.model)
    model = build_network(config.model, precision=training.precision, l2=l2_in_loss(training))
    model.compile(optimizer=build_optimizer(training), loss=build_losses(training, outputs))
    shape = (training.batch, *training.crop)
    image = np.random.default_rng(0).standard_normal((*shape, config.model.in_channels), np.float32)
    targets = dict.fromkeys(outputs, np.zeros(shape, np.uint8))
    times = []
    for _ in range(WARM_UP + TIMED):
        start = time.perf_counter()
        model.train_on_batch(image, targets)
        times.append(time.perf_counter() - start)
    keras.backend.clear_session()
    return float(np.median(times[WARM_UP:]))

"""Values that change during a training, as pure functions of the epoch."""

from __future__ import annotations

from voxres_tf.config import TrainingConfig


def auxiliary_weight(config: TrainingConfig, epoch: int) -> float:
    """The weight w_a of the auxiliary losses in an epoch (eq. 3: from 1 down to 1e-3).

    Args:
        config: provides aux_schedule, aux_start, aux_end and epochs.
        epoch: from 0; the first has `aux_start`, the last `aux_end`; with "constant" all
            have `aux_start`.
    """
    start, end = config.aux_start, config.aux_end
    progress = min(1.0, epoch / max(1, config.epochs - 1))
    if config.aux_schedule == "constant":
        return start
    if config.aux_schedule == "linear":
        return start + (end - start) * progress
    return float(start * (end / start) ** progress)

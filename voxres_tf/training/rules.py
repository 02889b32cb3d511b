"""What a training refuses before it begins, apart from faults in its data."""

from __future__ import annotations

from voxres_tf.config import RunConfig, TrainingConfig
from voxres_tf.errors import ConfigError, TrainingError, message
from voxres_tf.start import Start
from voxres_tf.training.run import RunFolder


def require_one_stage(config: RunConfig) -> None:
    """Refuse to train a second stage alone: its maps come from networks of the first.

    Raises:
        ConfigError: if the config's network takes maps.
    """
    if config.model.context_channels:
        rule = "a network of one stage; the maps of a second come from the first"
        then = "train both by voxres auto-context, or set it and the in_channels to one stage's"
        received = config.model.context_channels
        raise ConfigError(message("model.context_channels", rule, received, then))


def require_norm(folder: RunFolder, config: RunConfig, start: Start | None) -> None:
    """Refuse to freeze the statistics of batch normalisation where there are none.

    Raises:
        TrainingError: if they are to be frozen in a run that neither starts from trained weights
            nor resumes.
    """
    if config.training.frozen_norm and start is None and not folder.state.is_file():
        rule = "statistics of batch normalisation that can be kept come with trained weights"
        raise TrainingError(message(folder.path, rule, "none", "give --init or no --frozen-norm"))


def require_sound_kernels(training: TrainingConfig, *, on_cpu: bool) -> None:
    """Refuse what oneDNN computes wrongly (TensorFlow 2.21, on a processor with AVX512_BF16).

    If the first axis of a volume has two voxels, its bfloat16 gradient of a 3^3 kernel contains
    whatever was in memory. The networks halve a crop three times, so 8 and 16 voxels reach that.
    """
    smallest = 24
    if training.precision == "mixed_bfloat16" and on_cpu and training.crop[0] < smallest:
        raise TrainingError(
            message(
                "crop",
                f"in mixed_bfloat16 on a CPU at least {smallest} voxels along the first axis",
                training.crop,
                "choose a larger crop or float32",
            )
        )


def require_equal_parts(batch: int, devices: int) -> None:
    """Refuse a batch that several devices cannot share equally.

    Raises:
        TrainingError: if it is not a multiple of their number.
    """
    if devices > 1 and batch % devices:
        rule = f"batches are shared out to {devices} devices in equal parts"
        then = f"choose a multiple of {devices}: --batch"
        raise TrainingError(message("batch", rule, batch, then))

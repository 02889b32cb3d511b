"""All settings of a run, as frozen models that are stored and passed on as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from voxres_tf.labels import CLASS_NAMES
from voxres_tf.schema import BelowOne, Config, PositiveRange, Share, parse

Modality = Literal["t1", "t1-ir", "flair", "t2"]
MODALITIES: tuple[str, ...] = get_args(Modality)
"""The names of modalities everywhere: on the command line, in manifests, in contracts."""
SPELLINGS = {"t1_ir": "t1-ir", "t2_flair": "flair", "t2-flair": "flair"}
"""Other spelling -> modality, as manifests and Python callers may write it."""
STRIDE = 8
"""Both networks halve the resolution three times: spatial sizes are multiples of 8."""

Architecture = Literal["voxresnet", "unet3d"]
Optimizer = Literal["sgd", "adam", "adamw"]
AuxSchedule = Literal["exponential", "linear", "constant"]
Precision = Literal["float32", "mixed_float16", "mixed_bfloat16"]
Multiple = Annotated[int, Field(gt=0, le=1024, multiple_of=STRIDE)]
Shape = tuple[Multiple, Multiple, Multiple]


class Resolution(Config):
    """Which voxel spacings a network takes unchanged, and what others are resampled to.

    Attributes:
        in_plane_mm: lowest and highest spacing along the right and the anterior axis.
        in_plane_target_mm: what a spacing outside that range is resampled to.
        slice_mm: lowest and highest spacing along the superior axis; a spacing outside is
            resampled to the nearest of the two.
    """

    in_plane_mm: PositiveRange = (0.8, 1.2)
    in_plane_target_mm: PositiveFloat = 1.0
    slice_mm: PositiveRange = (0.8, 5.5)

    @model_validator(mode="after")
    def _target_in_range(self) -> Self:
        low, high = self.in_plane_mm
        if not low <= self.in_plane_target_mm <= high:
            raise ValueError("in_plane_target_mm lies in the range in_plane_mm")
        return self


class PreprocessConfig(Config):
    """How a subject becomes the network's channels (section 3.1 of the paper).

    Attributes:
        modalities: in the order of the channels.
        filtered: add (original - Gaussian, then CLAHE) of every modality as additional channels.
        gaussian_sigma: SD of the in-plane Gaussian, in voxels.
        gaussian_radius: the kernel has 2 r + 1 voxels per side (15: 31 x 31).
        clahe_tile: side of a CLAHE tile in voxels.
        clahe_clip: contrast limit on OpenCV's scale, in multiples of a flat histogram's bin.
        resolution: spacings that are taken unchanged; others are resampled first
            (docs/geometry.md). None takes every spacing.
    """

    modalities: tuple[Modality, ...] = ("t1", "t1-ir", "flair")
    filtered: bool = True
    gaussian_sigma: PositiveFloat = 5.0
    gaussian_radius: PositiveInt = 15
    clahe_tile: Annotated[int, Field(ge=2)] = 16
    clahe_clip: PositiveFloat = 2.0
    resolution: Resolution | None = None

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if not self.modalities or len(set(self.modalities)) != len(self.modalities):
            raise ValueError("modalities must be distinct and at least one")
        return self

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels: the originals first, then `<modality>:filtered`.

        The part before the colon is the modality that a channel is made from.
        """
        extra = tuple(f"{m}:filtered" for m in self.modalities) if self.filtered else ()
        return (*self.modalities, *extra)


class ModelConfig(Config):
    """The network that `model.network.build_network` builds.

    Attributes:
        architecture: VoxResNet, or the 3D U-Net of Cicek et al. 2016 as a baseline.
        in_channels: m of the paper; 6 = three modalities and their filtered versions, 10 = these
            and the probability maps of a first stage.
        context_channels: how many of these, the last ones, are such maps; 0 in a first stage.
        classes: K, background included.
        width: channels of the first convolution. In VoxResNet the second has as many, all others
            twice as many; in the U-Net they grow to 16 times as many.
        thin_kernels: 3x3x1 instead of 3x3x3 in conv1b and the first convolution of each module;
            VoxResNet only.
        norm_momentum: share of batch normalisation's running mean and variance that a step keeps.
            1 / (1 - norm_momentum) steps should be few compared with those of a training.
    """

    architecture: Architecture = "voxresnet"
    in_channels: PositiveInt = 6
    context_channels: NonNegativeInt = 0
    classes: Annotated[int, Field(ge=2)] = 4
    width: PositiveInt = 32
    thin_kernels: bool = False
    norm_momentum: BelowOne = 0.99

    @model_validator(mode="after")
    def _kernels_of_voxresnet(self) -> Self:
        if self.thin_kernels and self.architecture != "voxresnet":
            raise ValueError(f"thin_kernels are VoxResNet's; {self.architecture} has none")
        return self


class TrainingConfig(Config):
    """The objective (eq. 3), the crops and the course of a training.

    Attributes:
        crop: voxels of a training crop; also the prediction tile, unless the tile of the network
            that the training starts from is larger or export names another.
        batch: crops per step, over all devices.
        steps: total number of weight updates.
        steps_per_epoch: an epoch is this many steps; history has one row per epoch.
        optimizer, learning_rate, momentum: momentum applies to sgd only.
        decay_power: the learning rate falls as (1 - step / steps) ** decay_power.
        clip_norm: limit of the gradient's global norm; 0 switches it off.
        ema: share of the weights' moving average that a step keeps; validation and the saved
            weights then use the average, 0 switches it off. Batch normalisation's statistics stay
            those of the raw weights (see `training.averages`).
        frozen_norm: batch normalisation keeps the statistics, scale and offset that it starts with
            and applies the statistics as in prediction; for a training that starts from trained
            weights. Without it, each batch is normalised by its own statistics.
        l2: lambda of eq. (3), times the sum of the squared kernels; adamw decays these instead.
        aux_schedule, aux_start, aux_end: weights w_a of the auxiliary losses over the epochs,
            for networks that have them.
        foreground_share: share of crops whose centre is a voxel of a tissue class.
        flip: mirror crops left-right, every second one on average.
        jitter: SD of the per-channel gain and offset; 0 switches it off.
        modality_dropout: chance that a modality is absent from a crop, with all its channels 0;
            drawn again if none would remain. Above 0, the exported model takes any subset.
        precision: policy of the convolutions; heads, softmax and loss stay in float32.
        seed: seed of the weights and of every crop.
        validate_every: epochs between tiled predictions of the validation subjects.
        checkpoint_minutes: longest time between two checkpoints.
    """

    crop: Shape = (80, 80, 80)
    batch: PositiveInt = 1
    steps: PositiveInt = 10_000
    steps_per_epoch: PositiveInt = 100
    optimizer: Optimizer = "sgd"
    learning_rate: PositiveFloat = 0.01
    momentum: BelowOne = 0.9
    decay_power: NonNegativeFloat = 0.9
    clip_norm: NonNegativeFloat = 0.0
    ema: BelowOne = 0.0
    frozen_norm: bool = False
    l2: NonNegativeFloat = 2.5e-4
    aux_schedule: AuxSchedule = "exponential"
    aux_start: PositiveFloat = 1.0
    aux_end: PositiveFloat = 1e-3
    foreground_share: Share = 0.5
    flip: bool = True
    jitter: NonNegativeFloat = 0.0
    modality_dropout: BelowOne = 0.0
    precision: Precision = "float32"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    validate_every: PositiveInt = 10
    checkpoint_minutes: PositiveFloat = 10.0

    @property
    def epochs(self) -> int:
        """Number of epochs that the steps make; the last one may be short."""
        return -(-self.steps // self.steps_per_epoch)


class RunConfig(Config):
    """The whole configuration of a training; `config.json` in its run folder.

    Attributes:
        preprocess, model, training: see their classes.
        classes: names of the network's outputs, as in the label scheme; the first is the
            background.
    """

    preprocess: PreprocessConfig = PreprocessConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    classes: tuple[str, ...] = CLASS_NAMES

    @model_validator(mode="after")
    def _classes_agree(self) -> Self:
        if self.model.classes != len(self.classes):
            named = f"{len(self.classes)} ({', '.join(self.classes)})"
            raise ValueError(f"model.classes is {self.model.classes}, but classes has {named}")
        return self

    @model_validator(mode="after")
    def _channels_agree(self) -> Self:
        given, context = len(self.preprocess.channels), self.model.context_channels
        if self.model.in_channels != given + context:
            raise ValueError(
                f"model.in_channels is {self.model.in_channels}, but pre-processing gives {given} "
                f"channels ({', '.join(self.preprocess.channels)}) and a first stage {context}"
            )
        return self

    def updated(self, **sections: Mapping[str, Any]) -> RunConfig:
        """A copy with fields of its sections replaced; `in_channels` is derived from the others.

        >>> RunConfig().updated(preprocess={"filtered": False}).model.in_channels
        3
        """
        values = self.model_dump()
        for section, fields in sections.items():
            values[section] |= fields
        channels = parse(PreprocessConfig, values["preprocess"], "preprocess").channels
        values["model"]["in_channels"] = len(channels) + values["model"]["context_channels"]
        return parse(RunConfig, values, "configuration")

    def for_classes(self, names: Sequence[str]) -> RunConfig:
        """A copy whose network has these classes, the background first."""
        values = self.model_dump() | {"classes": tuple(names)}
        values["model"] |= {"classes": len(names)}
        return parse(RunConfig, values, "configuration")


class CascadeConfig(Config):
    """`cascade.json`: run folders, relative to its own; `second` sees the mean map of `first`."""

    first: Annotated[tuple[str, ...], Field(min_length=1)]
    second: str


CONFIG_FILE = "config.json"
CASCADE_FILE = "cascade.json"
SUMMARY_FILE = "summary.json"

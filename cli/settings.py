"""Options of every command that trains, and the configuration made from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from voxres_tf.config import Architecture, AuxSchedule, Optimizer, Precision, RunConfig
from voxres_tf.labels import CLASS_NAMES
from voxres_tf.presets import PRESETS
from voxres_tf.schema import load
from voxres_tf.start import Start

from .options import LAYOUT, adding
from .types import ModalityList, Number, Place, ShapeType

config_options = adding(
    click.option(
        "--preset",
        type=click.Choice(sorted(PRESETS)),
        help="[default: full, with --init finetune]",
    ),
    click.option(
        "--config",
        "config_file",
        type=Place(),
        help="JSON file instead of a preset; the rest is as in full.",
    ),
    click.option("--layout", type=LAYOUT, default="auto", show_default=True),
    click.option(
        "--modalities", type=ModalityList(), help="[default: those of --config or --init, else all]"
    ),
    click.option(
        "--filtered/--no-filtered", default=None, help="Gaussian-subtracted CLAHE channels."
    ),
    click.option(
        "--keep-spacing",
        is_flag=True,
        help="Train at the scans' own spacing, whatever the settings or the source say.",
    ),
    click.option(
        "--model",
        "architecture",
        type=click.Choice(get_args(Architecture)),
        help="Network.  [default: the preset's, voxresnet]",
    ),
    click.option("--width", type=click.IntRange(1), help="Channels of the first convolution."),
    click.option("--crop", type=ShapeType(), help="Voxels of a training crop."),
    click.option("--batch", type=click.IntRange(1), help="Crops per step."),
    click.option("--steps", type=click.IntRange(1), help="Updates of the weights."),
    click.option("--epochs", type=click.IntRange(1), help="The same in epochs."),
    click.option("--steps-per-epoch", type=click.IntRange(1), help="Length of an epoch."),
    click.option("--optimizer", type=click.Choice(get_args(Optimizer))),
    click.option("--learning-rate", type=Number(0, min_open=True)),
    click.option(
        "--ema",
        type=Number(0, 1, max_open=True),
        help="Share of the weights' moving average that a step keeps; 0: no average.",
    ),
    click.option("--l2", type=Number(0), help="Lambda of eq. (3)."),
    click.option("--clip-norm", type=Number(0), help="Largest norm of the gradient; 0: any."),
    click.option("--aux-schedule", type=click.Choice(get_args(AuxSchedule))),
    click.option("--foreground-share", type=Number(0, 1), help="Share of crops around tissue."),
    click.option("--flip/--no-flip", default=None, help="Mirror crops left-right."),
    click.option("--jitter", type=Number(0), help="SD of random gain and offset."),
    click.option(
        "--modality-dropout",
        type=Number(0, 1, max_open=True),
        help="Chance that a modality is absent from a crop; above 0, the model takes any subset.",
    ),
    click.option("--precision", type=click.Choice(get_args(Precision))),
    click.option("--seed", type=click.IntRange(0, 2**32 - 1)),
    click.option("--checkpoint-minutes", type=Number(0, min_open=True)),
)
"""The options of `run_config` and `--layout`; unset ones keep the preset's value."""


def run_config(
    available: tuple[str, ...],
    *,
    preset: str | None,
    config_file: Path | None,
    modalities: tuple[str, ...] | None,
    filtered: bool | None,
    keep_spacing: bool,
    architecture: Architecture | None,
    width: int | None,
    epochs: int | None,
    classes: tuple[str, ...] = CLASS_NAMES,
    start: Start | None = None,
    **training: Any,
) -> RunConfig:
    """The preset or file, changed by the options; an option that is None was not given.

    `available` are the modalities of the data set, all of which are used by default and if
    `modalities` is (). `classes` are those of its labels; classes named in a file take precedence.
    `training` holds fields of the training config. The network and pre-processing of a `start`
    take precedence over the preset's but not over a file's, and the modalities are those of the
    `start` that the data set has.
    """
    if epochs and training["steps"]:
        raise click.UsageError("--epochs and --steps exclude each other")
    if config_file and preset:
        raise click.UsageError("--config and --preset exclude each other")
    if config_file:
        config = load(RunConfig, config_file)
    else:
        config = PRESETS[preset or ("finetune" if start else "full")]
    stated = config.model_dump(exclude_unset=True) if config_file else {}
    if start:
        config = start.configured(config, stated)
    model = _given(architecture=architecture, width=width)
    if training["aux_schedule"] and (architecture or config.model.architecture) != "voxresnet":
        raise click.UsageError("--aux-schedule is for the auxiliary outputs of --model voxresnet")
    named = "modalities" in stated.get("preprocess", {})
    if (named or start) and modalities is None:
        modalities = config.preprocess.modalities
        if not named:
            modalities = tuple(m for m in modalities if m in available)
    preprocess: dict[str, Any] = {"modalities": modalities or available}
    preprocess |= _given(filtered=filtered) | ({"resolution": None} if keep_spacing else {})
    given = _given(**training)
    if epochs:
        length = training["steps_per_epoch"] or config.training.steps_per_epoch
        given["steps"] = epochs * length
    config = config.updated(preprocess=preprocess, model=model, training=given)
    config = config.for_classes(stated.get("classes", classes))
    if start:
        start.require_match(config)
    return config


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}

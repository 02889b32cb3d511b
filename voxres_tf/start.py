"""What a training may start from: a run folder or an exported model, without its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from voxres_tf.config import (
    CASCADE_FILE,
    CONFIG_FILE,
    SUMMARY_FILE,
    ModelConfig,
    PreprocessConfig,
    RunConfig,
)
from voxres_tf.contract import HABITS, read_contract
from voxres_tf.errors import ConfigError, message
from voxres_tf.files import read_json
from voxres_tf.schema import load

ENDS = {"in_channels", "context_channels", "classes"}
"""Fields of a network's shape that belong to the new training: its first and last layers."""

MAY_DIFFER = {*ENDS, "norm_momentum"}
"""Fields that may differ from the source's while its weights fit; the last one is not a shape."""


@dataclass(frozen=True)
class Start:
    """A trained one-stage network, described without its weights.

    Attributes:
        path: a run folder, or `<name>/<version>/` of an exported model.
        name: name of the model, or of the run folder.
        version: version of an exported model; None for a run.
        weights_sha256: as in an exported model's contract; None for a run.
        preprocess: how its channels were made.
        model: its shape.
        classes: names of its outputs.
        patch: voxels of its prediction tiles.
        habits: how it predicts whole volumes, by the fields of `contract.HABITS`; empty for a run
            that did not start from a trained network.
    """

    path: Path
    name: str
    version: int | None
    weights_sha256: str | None
    preprocess: PreprocessConfig
    model: ModelConfig
    classes: tuple[str, ...]
    patch: tuple[int, int, int]
    habits: Mapping[str, Any] = field(default_factory=dict)

    def handed_on(self, config: RunConfig) -> dict[str, Any]:
        """The habits to pass on to a training; those that do not suit it are switched off.

        Mirroring suits a training with flips, one piece suits equal classes, and alignment suits a
        network for which any one of several scans suffices.
        """
        same = {*map(str.casefold, self.classes)} == {*map(str.casefold, config.classes)}
        several = len(config.preprocess.modalities) > 1
        alone = bool(config.training.modality_dropout) and several
        suits = {"tta": config.training.flip, "one_piece": same, "align": alone}
        return {
            name: value if suits.get(name, True) else False for name, value in self.habits.items()
        }

    def configured(self, base: RunConfig, stated: Mapping[str, Any]) -> RunConfig:
        """A configuration whose network and pre-processing are the source's.

        Args:
            base: gives the training and the classes.
            stated: section -> fields that take precedence over the source's.
        """
        sections = {
            "preprocess": self.preprocess.model_dump(),
            "model": self.model.model_dump(exclude=ENDS),
        }
        return base.updated(**{name: sections[name] | stated.get(name, {}) for name in sections})

    def told(self, config: RunConfig, available: Sequence[str]) -> str:
        """What a training takes from the source, what is new to it, and what it leaves out.

        Args:
            config: configuration of the training.
            available: modalities of its data set.
        """
        taken, known = config.preprocess.modalities, self.preprocess.modalities
        source = self.name if self.version is None else f"{self.name} {self.version}"
        parts = [f"Starts from {source}: {', '.join(m for m in taken if m in known)}"]
        for what, names in (
            ("new modalities", [m for m in taken if m not in known]),
            ("without the data's", [m for m in available if m not in taken]),
            ("new classes", [c for c in config.classes if not self.knows(c)]),
        ):
            if names:
                parts.append(f"{what} {', '.join(names)}")
        return "; ".join(parts)

    def knows(self, name: str) -> bool:
        """Whether it has a class of this name, ignoring case."""
        return name.casefold() in map(str.casefold, self.classes)

    def require_match(self, config: RunConfig) -> None:
        """Check that the weights can be used for a configuration.

        Raises:
            ConfigError: if the networks differ in more than channels and classes, have no channel
                in common, or the new one is a second stage.
        """
        ours, theirs = (m.model_dump(exclude=MAY_DIFFER) for m in (self.model, config.model))
        differing = [f"{name} {ours[name]} -> {theirs[name]}" for name in ours
                     if ours[name] != theirs[name]]  # fmt: skip
        fault = None
        if differing:
            fault = "a network of the source's shape", ", ".join(differing)
        elif config.model.context_channels:
            fault = "a network of one stage", "a second stage"
        elif not set(self.preprocess.channels) & set(config.preprocess.channels):
            rule = f"one of the source's channels, {', '.join(self.preprocess.channels)}"
            fault = rule, ", ".join(config.preprocess.channels)
        if fault:
            then = "leave the options that differ to the source, or train without --init"
            raise ConfigError(message(self.path, *fault, then))


def is_run(path: Path) -> bool:
    """Whether a folder is that of a training, or of an auto-context training."""
    return any((path / name).is_file() for name in (CONFIG_FILE, CASCADE_FILE))


def read_start(path: Path) -> Start:
    """Describe a trained network without reading its weights.

    Args:
        path: a run folder, or `<name>/<version>/` of an exported model.

    Raises:
        ConfigError: if a run's config cannot be read, or the network has two stages.
        ModelError: if an exported model's contract cannot be used.
    """
    if (path / CASCADE_FILE).is_file():
        raise _two_stages(path)
    if (path / CONFIG_FILE).is_file():
        config = load(RunConfig, path / CONFIG_FILE)
        start = Start(
            path,
            name=path.resolve().name,
            version=None,
            weights_sha256=None,
            preprocess=config.preprocess,
            model=config.model,
            classes=config.classes,
            patch=tile_of(path, config.training.crop),
            habits=habits_of(path),
        )
    else:
        contract = read_contract(path)
        start = Start(
            path,
            name=contract.name,
            version=contract.version,
            weights_sha256=contract.weights_sha256,
            preprocess=contract.preprocess,
            model=contract.model,
            classes=contract.classes,
            patch=contract.patch,
            habits=contract.model_dump(include=HABITS),
        )
    if start.model.context_channels:
        raise _two_stages(path)
    return start


def tile_of(run: Path, crop: tuple[int, int, int]) -> tuple[int, int, int]:
    """The prediction tile of a run: along each axis, the longer of its crop and its start's tile.

    A short training on small crops still makes good use of the larger tiles of its start.
    """
    before = read_summary(run).get("init_patch", crop)
    x, y, z = (max(pair) for pair in zip(crop, before, strict=True))
    return x, y, z


def habits_of(run: Path) -> dict[str, Any]:
    """How a run's network should predict whole volumes: like its start, as far as that suits it."""
    habits: dict[str, Any] = read_summary(run).get("init_habits", {})
    return habits


def read_summary(run: Path) -> dict[str, Any]:
    """The summary that a run has written, empty before it has started.

    Raises:
        ConfigError: if the summary is damaged.
    """
    path = run / SUMMARY_FILE
    if not path.is_file():
        return {}
    told = read_json(path, "start a new run", ConfigError)
    if not isinstance(told, dict):
        raise ConfigError(message(path, "names and values", "others", "start a new run"))
    return told


def _two_stages(path: Path) -> ConfigError:
    return ConfigError(
        message(
            path,
            "a training starts from a network of one stage",
            "one of two stages",
            "start from a model without auto-context, or from the run of a first stage",
        )
    )

"""A training as a value: equal trainings have equal keys, and each knows whom it has met."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from voxres_tf.config import RunConfig
from voxres_tf.errors import TrainingError, message
from voxres_tf.files import json_hash

NO_INFLUENCE = {"validate_every", "checkpoint_minutes"}
"""Fields of the training config that do not change the weights."""


def deciding(config: RunConfig) -> dict[str, Any]:
    """A config as JSON, without the fields that do not change the weights."""
    values: dict[str, Any] = config.model_dump(mode="json")
    values["training"] = {k: v for k, v in values["training"].items() if k not in NO_INFLUENCE}
    return values


@dataclass(frozen=True)
class Network:
    """One training, described by everything that determines its weights.

    Attributes:
        config: config of the run.
        subjects: cache keys of the subjects that it learns from, in order.
        context: for a second stage, the network that makes each subject's probability maps.
    """

    config: RunConfig
    subjects: tuple[str, ...]
    context: tuple[Network, ...] = ()

    def __post_init__(self) -> None:
        wanted = len(self.subjects) if self.config.model.context_channels else 0
        if len(self.context) != wanted:
            raise TrainingError(
                message(
                    "second stage",
                    f"{wanted} networks that make maps",
                    len(self.context),
                    "name one per subject, or set context_channels to 0",
                )
            )

    @cached_property
    def key(self) -> str:
        """A hash, the same for all trainings that would give the same weights."""
        context = [network.key for network in self.context]
        told = {"config": deciding(self.config), "subjects": self.subjects, "context": context}
        return json_hash(told)

    @cached_property
    def met(self) -> frozenset[str]:
        """All subjects that influenced its weights, including through other networks' maps."""
        return frozenset(self.subjects).union(*(network.met for network in self.context))


@dataclass(frozen=True)
class Cascade:
    """The networks that segment a subject: a first stage and, with auto-context, a second.

    Attributes:
        first: networks whose probability maps are averaged; usually one.
        second: network that sees the channels and these maps; None if there is no second stage.
    """

    first: tuple[Network, ...]
    second: Network | None = None

    @property
    def key(self) -> str:
        """A hash, the same for all cascades that would give the same results."""
        second = self.second.key if self.second else None
        return json_hash({"first": [network.key for network in self.first], "second": second})

    @property
    def stages(self) -> tuple[Network, ...]:
        """The networks that see a subject when it is segmented, the second stage last."""
        return (*self.first, *([self.second] if self.second else []))

    @property
    def met(self) -> frozenset[str]:
        """All subjects that influenced the weights of any of the networks."""
        return frozenset().union(*(network.met for network in self.stages))

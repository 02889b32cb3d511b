"""A training as a value: equal work has an equal key, and a network knows whom it has met."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from voxres_tf.config import RunConfig
from voxres_tf.errors import TrainingError, message
from voxres_tf.files import json_hash

NO_INFLUENCE = {"validate_every", "checkpoint_minutes"}
"""Fields of the training config that do not change the weights."""


@dataclass(frozen=True)
class Network:
    """One training, by all that decides its weights.

    Attributes:
        config: of the run.
        subjects: cache keys of the subjects that it learns from, in order.
        context: of a second stage: per subject the network that makes its probability maps.
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
        """The same for every training that would give the same weights."""
        values: dict[str, Any] = self.config.model_dump(mode="json")
        values["training"] = {k: v for k, v in values["training"].items() if k not in NO_INFLUENCE}
        context = [network.key for network in self.context]
        return json_hash({"config": values, "subjects": self.subjects, "context": context})

    @cached_property
    def met(self) -> frozenset[str]:
        """Every subject that had a part in its weights, be it through another network's maps."""
        return frozenset(self.subjects).union(*(network.met for network in self.context))

    def with_sources(self) -> Iterator[Network]:
        """The networks that its maps come from, then itself."""
        for network in dict.fromkeys(self.context):
            yield from network.with_sources()
        yield self


@dataclass(frozen=True)
class Cascade:
    """What segments a subject: a first stage and, with auto-context, a second.

    Attributes:
        first: networks whose probability maps are averaged; usually one.
        second: sees the channels and these maps; None where the first stage is all.
    """

    first: tuple[Network, ...]
    second: Network | None = None

    @property
    def key(self) -> str:
        """The same for every cascade that would give the same answers."""
        second = self.second.key if self.second else None
        return json_hash({"first": [network.key for network in self.first], "second": second})

    @property
    def stages(self) -> tuple[Network, ...]:
        """The networks that see a subject when it is segmented, the second stage last."""
        return (*self.first, *([self.second] if self.second else []))

    @property
    def networks(self) -> tuple[Network, ...]:
        """The stages and whatever made maps for their training, in the order in which
        they can be trained.
        """
        return tuple(dict.fromkeys(n for stage in self.stages for n in stage.with_sources()))

    @property
    def met(self) -> frozenset[str]:
        """Every subject that had a part in any weights."""
        return frozenset().union(*(network.met for network in self.networks))

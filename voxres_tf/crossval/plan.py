"""The networks that a cross-validation and an auto-context training need, each listed once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from voxres_tf.config import RunConfig
from voxres_tf.crossval.network import Cascade, Network
from voxres_tf.dataset.folds import Folds
from voxres_tf.errors import ConfigError, TrainingError, message

Context = Literal["out-of-fold", "in-sample"]
FirstStage = Literal["all", "folds"]
Keys = Mapping[str, str]
"""Subject id -> key of its prepared voxels, in the order of training."""


@dataclass(frozen=True)
class AutoContext:
    """How the second stage of the paper (section 2.3) gets its probability maps.

    Attributes:
        context: "out-of-fold" trains on maps from networks that had not seen the subject, which is
            how maps look at prediction; "in-sample" on maps from the first stage itself.
        first_stage: the first stage at prediction: one network trained on "all" subjects, or the
            mean of the networks of the "folds", each trained on fewer subjects.
    """

    context: Context = "out-of-fold"
    first_stage: FirstStage = "all"

    @property
    def needs_folds(self) -> bool:
        """Whether some of the networks are trained without a fold of the subjects."""
        return self.context == "out-of-fold" or self.first_stage == "folds"


@dataclass(frozen=True)
class Case:
    """A held-out subject and the networks that segment it.

    Attributes:
        row: name of the table's row.
        subject: its id.
        key: key of its prepared voxels.
        cascade: networks that have not seen it.
    """

    row: str
    subject: str
    key: str
    cascade: Cascade

    def __post_init__(self) -> None:
        if self.key in self.cascade.met:
            raise TrainingError(
                message(
                    f"subject {self.subject}",
                    "a held-out subject has no part in the networks that segment it",
                    "one that learned from it",
                    "mend the folds",
                )
            )


def plain_cascade(config: RunConfig, keys: Keys, ids: Iterable[str]) -> Cascade:
    """A cascade of one stage that learns from these subjects."""
    return Cascade((_network(config, keys, ids),))


def context_cascade(
    config: RunConfig, keys: Keys, ids: Iterable[str], folds: Folds, how: AutoContext
) -> Cascade:
    """A cascade of both stages that learns from these subjects (paper, section 2.3).

    Args:
        config: config of the first stage; the second has one more channel per class.
        keys: keys of all subjects.
        ids: subjects to learn from.
        folds: folds of these or more subjects; a subject's out-of-fold map comes from the network
            that learned from the other ids, without those of its fold.
        how: where maps come from.

    Raises:
        ConfigError: if the folds leave a network nothing to learn from.
    """
    learning = tuple(ids)
    parts = [part for fold in folds if (part := tuple(i for i in fold if i in learning))]
    if how.needs_folds and len(parts) < 2:
        raise ConfigError(
            message(
                "auto-context",
                "two folds or more to learn from",
                f"{len(parts)} with {', '.join(learning)}",
                "use more folds, or maps in-sample",
            )
        )
    full = _network(config, keys, learning)
    of_fold: dict[str, Network] = {}
    if how.needs_folds:
        for part in parts:
            others = _network(config, keys, [i for i in learning if i not in part])
            of_fold |= dict.fromkeys(part, others)
    source = of_fold if how.context == "out-of-fold" else dict.fromkeys(learning, full)
    first = (full,) if how.first_stage == "all" else tuple(dict.fromkeys(of_fold.values()))
    second = Network(
        with_context(config),
        tuple(keys[i] for i in learning),
        tuple(source[i] for i in learning),
    )
    return Cascade(first, second)


def with_context(config: RunConfig) -> RunConfig:
    """The config of a second stage: the probability of each class is a further channel."""
    return config.updated(model={"context_channels": config.model.classes})


def cross_validation(
    row: str, config: RunConfig, keys: Keys, folds: Folds, how: AutoContext | None = None
) -> list[Case]:
    """The cases of one row: every subject, segmented by networks that have not seen it.

    With auto-context, while fold k is held out, the out-of-fold maps of fold j come from a network
    trained without both. It also serves with j and k swapped; equal networks are trained once.

    Args:
        row: name of the row.
        config: config of the (first) stage.
        keys: keys of all subjects.
        folds: see `dataset.folds`.
        how: None for one stage.
    """
    cases = []
    for fold in folds:
        learning = [id_ for id_ in keys if id_ not in fold]
        if how is None:
            cascade = plain_cascade(config, keys, learning)
        else:
            cascade = context_cascade(config, keys, learning, folds, how)
        cases += [Case(row, id_, keys[id_], cascade) for id_ in fold]
    return cases


def _network(config: RunConfig, keys: Keys, ids: Iterable[str]) -> Network:
    wanted = set(ids)
    return Network(config, tuple(key for id_, key in keys.items() if id_ in wanted))

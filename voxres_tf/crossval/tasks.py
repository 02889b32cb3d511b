"""Tasks that pass results on as files: each is done once, by any process, and found again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from voxres_tf.crossval.network import Cascade, Network
from voxres_tf.crossval.plan import Case
from voxres_tf.evaluation.scores import Score, read_scores, score_subject, write_scores
from voxres_tf.files import atomic_path
from voxres_tf.preprocess.cache import CachedSubject
from voxres_tf.training.run import NETWORKS_FOLDER, RunFolder

NAME_LENGTH = 16
"""Number of hexadecimal digits of a key in a file name."""


@dataclass(frozen=True)
class Store:
    """The folder that all tasks share, and the subjects that they may need.

    Attributes:
        folder: absolute path; with several machines, of a folder that all of them see.
        subjects: key -> prepared subject.
    """

    folder: Path
    subjects: Mapping[str, CachedSubject]

    def run(self, network: Network) -> RunFolder:
        """The run folder in which a network is trained."""
        return RunFolder(self.folder / NETWORKS_FOLDER / network.key[:NAME_LENGTH])

    def map(self, network: Network, subject: str) -> Path:
        """The file of a subject's probability map, float16 [X, Y, Z, K]."""
        name = f"{network.key[:NAME_LENGTH]}-{subject[:NAME_LENGTH]}.npy"
        return self.folder / "maps" / name

    def scores(self, case: Case) -> Path:
        """The file of one held-out subject's scores."""
        name = f"{case.cascade.key[:NAME_LENGTH]}-{case.key[:NAME_LENGTH]}.csv"
        return self.folder / "cases" / name

    def title(self, network: Network) -> str:
        """A readable description of a network."""
        ids = ", ".join(self.subjects[key].id for key in network.subjects)
        stage = "second stage" if network.context else network.config.model.architecture
        return f"{stage} ({', '.join(network.config.preprocess.modalities)}) on subjects {ids}"


class Task(Protocol):
    """A piece of work that is idempotent, and done when its file exists."""

    @property
    def name(self) -> str:
        """Unique among the tasks of a store."""

    def needs(self) -> tuple[Task, ...]:
        """The tasks that must be done first."""

    def done(self, store: Store) -> bool:
        """Whether there is nothing left to do."""

    def title(self, store: Store) -> str:
        """A readable description of what it does."""

    def carry_out(self, store: Store) -> None:
        """Do it, or continue it if it was killed."""


@dataclass(frozen=True)
class TrainNetwork(Task):
    """Train one network, with its subjects' probability maps if it is a second stage."""

    network: Network

    @property
    def name(self) -> str:
        """Named after the network."""
        return f"train {self.network.key}"

    def needs(self) -> tuple[Task, ...]:
        """The maps that it learns from."""
        pairs = zip(self.network.context, self.network.subjects, strict=False)
        return tuple(MakeMap(source, subject) for source, subject in pairs)

    def done(self, store: Store) -> bool:
        """Whether all steps were made and the last weights written."""
        return store.run(self.network).finished(self.network.config)

    def title(self, store: Store) -> str:
        """Stage, modalities and subjects."""
        return f"Training the {store.title(self.network)}"

    def carry_out(self, store: Store) -> None:
        """Train, or continue a training that was killed."""
        from voxres_tf.training.fit import train_prepared

        subjects = [store.subjects[key] for key in self.network.subjects]
        if self.network.context:
            maps = map(store.map, self.network.context, self.network.subjects)
            subjects = [s.with_context(path) for s, path in zip(subjects, maps, strict=True)]
        train_prepared(subjects, store.run(self.network).path, self.network.config)


@dataclass(frozen=True)
class MakeMap(Task):
    """Make a subject's probability map with one network of the first stage."""

    network: Network
    subject: str

    @property
    def name(self) -> str:
        """Named after the network and the subject."""
        return f"map {self.network.key} {self.subject}"

    def needs(self) -> tuple[Task, ...]:
        """The training of the network."""
        return (TrainNetwork(self.network),)

    def done(self, store: Store) -> bool:
        """Whether the map exists."""
        return store.map(self.network, self.subject).is_file()

    def title(self, store: Store) -> str:
        """Whose map it is."""
        return f"Map of subject {store.subjects[self.subject].id}"

    def carry_out(self, store: Store) -> None:
        """Segment the whole volume; float16 stores a probability to 5e-4 in half the space."""
        channels = store.subjects[self.subject].channels()
        probabilities = _segment(store, self.network, channels)
        with atomic_path(store.map(self.network, self.subject)) as temporary:
            np.save(temporary, probabilities.astype(np.float16))


@dataclass(frozen=True)
class ScoreCase(Task):
    """Segment a held-out subject and score it by the MRBrainS definitions."""

    case: Case

    @property
    def name(self) -> str:
        """Named after the cascade and the subject."""
        return f"score {self.case.cascade.key} {self.case.key}"

    def needs(self) -> tuple[Task, ...]:
        """The training of all stages that segment it."""
        return tuple(map(TrainNetwork, self.case.cascade.stages))

    def done(self, store: Store) -> bool:
        """Whether the scores exist."""
        return store.scores(self.case).is_file()

    @override
    def title(self, store: Store) -> str:
        """Row and subject."""
        return f"Scoring subject {self.case.subject}, {self.case.row}"

    def carry_out(self, store: Store) -> None:
        """Write a row per tissue."""
        subject = store.subjects[self.case.key]
        probabilities = segment_by(store, self.case.cascade, subject)
        labels = probabilities.argmax(axis=-1).astype(np.uint8)
        scores = score_subject(
            self.case.subject,
            labels,
            np.asarray(subject.classes),
            subject.spacing_mm,
            np.asarray(subject.scored),
        )
        write_scores(store.scores(self.case), scores)

    def scores(self, store: Store) -> list[Score]:
        """What `carry_out` wrote, possibly under another id, since equal voxels are scored once."""
        found = read_scores(store.scores(self.case))
        return [replace(score, subject=self.case.subject) for score in found]


def segment_by(store: Store, cascade: Cascade, subject: CachedSubject) -> NDArray[np.float32]:
    """Probabilities of a whole subject by all stages of a cascade, as in `voxres predict`.

    Returns:
        float32 [X, Y, Z, K].
    """
    channels = subject.channels()
    maps = [_segment(store, network, channels) for network in cascade.first]
    mean: NDArray[np.float32] = np.mean(maps, axis=0, dtype=np.float32)
    if cascade.second is None:
        return mean
    return _segment(store, cascade.second, np.concatenate([channels, mean], axis=-1))


def _segment(store: Store, network: Network, image: NDArray[np.float32]) -> NDArray[np.float32]:
    from voxres_tf.training.validation import load_network, segment

    return segment(load_network(store.run(network), network.config), image, network.config)


def in_order(targets: Iterable[Task]) -> list[Task]:
    """The targets and all tasks that they need, each once and after those that it needs itself."""
    ordered: dict[str, Task] = {}

    def add(task: Task) -> None:
        if task.name not in ordered:
            for needed in task.needs():
                add(needed)
            ordered[task.name] = task

    for target in targets:
        add(target)
    return list(ordered.values())

"""Which subjects are trained on, and which are held out."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence

from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.errors import ConfigError, DataError, message

Split = tuple[list[SubjectFiles], list[SubjectFiles]]


def split_by_ids(subjects: Sequence[SubjectFiles], ids: Collection[str]) -> Split:
    """Hold out the subjects of these ids.

    Args:
        subjects: all of them; both parts keep their order.
        ids: those to hold out; without any, the second part is empty.

    Returns:
        The subjects to train on, at least one, and the held-out ones.

    Raises:
        DataError: for ids that no subject has, or if none would be left to train on.
    """
    known = [files.id for files in subjects]
    unknown = [id_ for id_ in ids if id_ not in known]
    if unknown:
        raise DataError(
            message(
                "held-out subjects",
                f"subjects of this data set are {', '.join(known) or 'none'}",
                ", ".join(unknown),
                "choose among these",
            )
        )
    train = [files for files in subjects if files.id not in ids]
    if not train:
        raise DataError(
            message(
                "held-out subjects",
                "at least one subject is left to train on",
                f"{len(subjects)} of {len(subjects)} held out",
                "hold out fewer",
            )
        )
    return train, [files for files in subjects if files.id in ids]


def split_by_count(subjects: Sequence[SubjectFiles], count: int, seed: int) -> Split:
    """Hold out `count` subjects, chosen by their ids and the seed alone.

    The choice does not depend on the order of the subjects or on the version of a library. With
    the same seed, a larger count holds out the same subjects and more.

    Args:
        subjects: all of them; both parts keep their order.
        count: 0 gives an empty second part.
        seed: another seed gives another choice.

    Returns:
        The subjects to train on, at least one, and the held-out ones.

    Raises:
        ConfigError: for a negative count.
        DataError: if none would be left to train on.
    """
    if count < 0:
        raise ConfigError(message("held-out subjects", "a count from 0", count, "mend the count"))
    return split_by_ids(subjects, shuffled([files.id for files in subjects], seed)[:count])


def shuffled(ids: Iterable[str], seed: int) -> list[str]:
    """The ids in an order that depends only on the ids and the seed."""
    return sorted(ids, key=lambda id_: hashlib.sha256(f"{seed}:{id_}".encode()).hexdigest())

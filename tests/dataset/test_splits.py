from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxres_tf.dataset.splits import split_by_count, split_by_ids
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.errors import ConfigError, DataError

FIVE = [SubjectFiles(id_, {}) for id_ in "12345"]


def ids(subjects):
    return [files.id for files in subjects]


def test_by_ids_keeps_the_order():
    train, held = split_by_ids(FIVE, ["5", "4"])
    assert (ids(train), ids(held)) == (["1", "2", "3"], ["4", "5"])


def test_nothing_held_out():
    assert split_by_ids(FIVE, []) == (FIVE, []) == split_by_count(FIVE, 0, seed=3)


def test_unknown_ids_name_the_known():
    with pytest.raises(DataError, match=r"are 1, 2, 3, 4, 5. Received: 7, x"):
        split_by_ids(FIVE, ["7", "1", "x"])


@pytest.mark.parametrize("count", [5, 6])
def test_one_subject_stays(count):
    with pytest.raises(DataError, match="at least one subject is left to train on"):
        split_by_count(FIVE, count, seed=0)
    with pytest.raises(DataError, match="5 of 5 held out"):
        split_by_ids(FIVE, list("12345"))
    with pytest.raises(DataError, match="0 of 0 held out"):
        split_by_ids([], [])


def test_negative_count():
    with pytest.raises(ConfigError, match=r"a count from 0. Received: -1"):
        split_by_count(FIVE, -1, seed=0)


def test_seed_0_holds_out_the_same_for_ever():
    # SHA-256 of "0:1".."0:5" begins, in order of ids: see `printf 0:1 | sha256sum`.
    begins = {"1": "ef13", "2": "9328", "3": "76d3", "4": "48f0", "5": "cc0c"}
    smallest = min(begins, key=lambda id_: begins[id_])
    assert ids(split_by_count(FIVE, 1, seed=0)[1]) == [smallest]


many = st.lists(st.text(max_size=4), unique=True, min_size=2, max_size=12)


@settings(deadline=None)
@given(many, st.data(), st.integers(0, 2**32))
def test_laws_of_the_count(names, data, seed):
    count = data.draw(st.integers(0, len(names) - 2))
    subjects = [SubjectFiles(name, {}) for name in names]
    train, held = split_by_count(subjects, count, seed)
    assert len(held) == count
    assert sorted(ids(train + held)) == sorted(names)
    shuffled = data.draw(st.permutations(subjects))
    assert set(ids(split_by_count(shuffled, count, seed)[1])) == set(ids(held))
    assert set(ids(held)) < set(ids(split_by_count(subjects, count + 1, seed)[1]))

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxres_tf.dataset.folds import make_folds, read_folds
from voxres_tf.errors import ConfigError, DataError


def test_leave_one_out_keeps_the_order():
    assert make_folds(["2", "10", "x"], None, 7) == (("2",), ("10",), ("x",))


@given(count=st.integers(2, 20), folds=st.integers(2, 20), seed=st.integers(0, 9))
def test_every_subject_is_in_one_fold_and_sizes_differ_by_one_at_most(count, folds, seed):
    ids = [f"s{n}" for n in range(count)]
    if folds > count:
        with pytest.raises(ConfigError, match=f"no more than the {count} subjects"):
            make_folds(ids, folds, seed)
        return
    found = make_folds(ids, folds, seed)
    assert sorted(id_ for fold in found for id_ in fold) == sorted(ids)
    assert max(map(len, found)) - min(map(len, found)) <= 1
    assert found == make_folds(ids, folds, seed)


def test_seeds_share_out_differently():
    ids = [f"s{n}" for n in range(10)]
    assert len({make_folds(ids, 3, seed) for seed in range(5)}) > 1


@pytest.mark.parametrize("count", [0, 1])
def test_one_fold_is_none(count):
    with pytest.raises(ConfigError, match=f"2 folds or more.*Received: {count}"):
        make_folds(["a", "b"], count, 0)
    with pytest.raises(ConfigError, match="Received: loo"):
        make_folds(["a"], None, 0)


def test_a_file_names_the_folds(tmp_path):
    path = tmp_path / "splits.csv"
    path.write_text("subject,fold,,\nb,10,,\na,2,, \nc,2,,,\n")
    assert read_folds(path, ["a", "b", "c"]) == (("a", "c"), ("b",))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("subject,fold\na,1\nb,2\nx,2\n", "x is unknown"),
        ("subject,fold\na,1\nb,2\na,2\n", "a is there twice"),
        ("subject,fold\na,1\n", "b is missing; there is one fold"),
        ("subject,fold\n", "Received: no line"),
        ("id,fold\na,1\nb,2\n", "header subject,fold. Received: id, fold"),
        ("subject,fold\na,\nb,2\n", "a subject and its fold on every line"),
        ("subject,fold\na,1\nb, \n", "fold, empty in line 3"),
        ("subject,fold,fold\na,1,x\nb,2,x\n", "each column once"),
        ("subject,fold\na,1,x\nb,2\n", "more cells in line 2"),
    ],
)
def test_faults_of_a_file_are_named(tmp_path, text, fault):
    path = tmp_path / "splits.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=rf"splits\.csv: .*{fault}"):
        read_folds(path, ["a", "b"])

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxres_tf.config import RunConfig
from voxres_tf.crossval.network import Cascade, Network
from voxres_tf.crossval.plan import (
    AutoContext,
    Case,
    context_cascade,
    cross_validation,
    plain_cascade,
    with_context,
)
from voxres_tf.crossval.rows import table_rows
from voxres_tf.crossval.tasks import TrainNetwork, in_order
from voxres_tf.dataset.folds import make_folds
from voxres_tf.errors import ConfigError, TrainingError

CONFIG = RunConfig()
FIVE = {id_: f"key-{id_}" for id_ in "12345"}
LOO = make_folds(list(FIVE), None, 0)


def cascades(cases):
    return [case.cascade for case in cases]


def trained_for(cascades):
    tasks = in_order(TrainNetwork(stage) for cascade in cascades for stage in cascade.stages)
    return [task.network for task in tasks if isinstance(task, TrainNetwork)]


def learned(network):
    return {key.removeprefix("key-") for key in network.subjects}


def test_leave_one_out_of_five_is_five_trainings():
    cases = cross_validation("All", CONFIG, FIVE, LOO)
    assert [learned(n) for n in trained_for(cascades(cases))] == [
        set("2345"), set("1345"), set("1245"), set("1235"), set("1234"),
    ]  # fmt: skip
    assert [case.subject for case in cases] == list("12345")


def test_auto_context_inside_leave_one_out_is_ten_and_five_and_five_trainings():
    networks = trained_for(cascades(cross_validation("AC", CONFIG, FIVE, LOO, AutoContext())))
    sizes = [(len(n.subjects), bool(n.context)) for n in networks]
    assert sorted(sizes) == [(3, False)] * 10 + [(4, False)] * 5 + [(4, True)] * 5
    assert len({n.key for n in networks}) == 20


def test_the_five_rows_of_table_1_share_their_trainings():
    rows = table_rows(CONFIG, CONFIG.preprocess.modalities, ablation=True, how=AutoContext())
    names = ["T1", "T1-IR", "T2-FLAIR", "All", "All + auto-context"]
    assert [row.name for row in rows] == names
    assert rows[4].file == "scores/all-auto-context.csv"
    found = [cascades(cross_validation(r.name, r.config, FIVE, LOO, r.how)) for r in rows]
    # 4 rows of 5, and 10 + 5 more: the first stage of the last row is the row before it.
    assert len(trained_for(c for row in found for c in row)) == 35


def test_a_row_of_some_modalities_is_called_by_them():
    config = CONFIG.updated(preprocess={"modalities": ("t1", "flair")})
    rows = table_rows(config, ("t1", "t1-ir", "flair"), ablation=False, how=AutoContext())
    assert [row.name for row in rows] == ["T1 + T2-FLAIR", "T1 + T2-FLAIR + auto-context"]
    assert rows[0].file == "scores/t1-t2-flair.csv"


def test_maps_come_from_the_network_without_the_subject():
    (case, *_) = cross_validation("AC", CONFIG, FIVE, LOO, AutoContext())
    second = case.cascade.second
    assert learned(second) == set("2345")
    assert [learned(n) for n in second.context] == [
        set("345"), set("245"), set("235"), set("234"),
    ]  # fmt: skip
    assert [learned(n) for n in case.cascade.first] == [set("2345")]
    assert second.config.model.in_channels == 10


def test_the_first_stage_may_be_the_mean_of_the_folds():
    cascade = context_cascade(CONFIG, FIVE, FIVE, LOO, AutoContext(first_stage="folds"))
    assert set(cascade.first) == set(cascade.second.context)
    assert len(trained_for([cascade])) == 6
    full = context_cascade(CONFIG, FIVE, FIVE, LOO, AutoContext())
    assert [learned(n) for n in full.first] == [set("12345")]
    assert len(trained_for([full])) == 7


def test_in_sample_maps_come_from_the_first_stage_itself():
    cascade = context_cascade(CONFIG, FIVE, FIVE, LOO, AutoContext("in-sample"))
    assert set(cascade.second.context) == set(cascade.first)
    assert len(trained_for([cascade])) == 2


def test_folds_must_leave_something_to_learn_from():
    two = (("1", "2"), ("3", "4", "5"))
    with pytest.raises(ConfigError, match=r"two folds or more to learn from. Received: 1 with"):
        cross_validation("AC", CONFIG, FIVE, two, AutoContext())
    assert cross_validation("AC", CONFIG, FIVE, two, AutoContext("in-sample"))


def test_a_subject_that_was_learned_from_is_no_case():
    cascade = plain_cascade(CONFIG, FIVE, "123")
    assert Case("r", "4", "key-4", cascade)
    with pytest.raises(TrainingError, match="subject 3: a held-out subject has no part"):
        Case("r", "3", "key-3", cascade)


def test_a_subject_that_only_made_maps_is_no_case_either():
    source = Network(CONFIG, ("key-1", "key-9"))
    second = Network(with_context(CONFIG), ("key-2",), (source,))
    with pytest.raises(TrainingError, match="held-out subject"):
        Case("r", "9", "key-9", Cascade((Network(CONFIG, ("key-2",)),), second))


def test_a_second_stage_names_a_source_per_subject():
    with pytest.raises(TrainingError, match=r"1 networks that make maps\. Received: 0"):
        Network(with_context(CONFIG), ("a",))
    with pytest.raises(TrainingError, match=r"0 networks that make maps\. Received: 1"):
        Network(CONFIG, ("a",), (Network(CONFIG, ("b",)),))


@pytest.mark.parametrize(
    "other",
    [
        Network(CONFIG, ("b", "a")),
        Network(CONFIG, ("a",)),
        Network(CONFIG.updated(training={"seed": 1}), ("a", "b")),
        Network(CONFIG.updated(preprocess={"clahe_clip": 3.0}), ("a", "b")),
        Network(CONFIG.updated(model={"width": 8}), ("a", "b")),
    ],
)
def test_whatever_changes_weights_changes_the_key(other):
    assert other.key != Network(CONFIG, ("a", "b")).key


def test_the_source_of_a_map_changes_the_key_and_checkpoints_do_not():
    second = with_context(CONFIG)
    keys = {Network(second, ("a",), (Network(CONFIG, (s,)),)).key for s in ("b", "c")}
    assert len(keys) == 2
    later = CONFIG.updated(training={"checkpoint_minutes": 1.0})
    assert Network(later, ("a",)).key == Network(CONFIG, ("a",)).key


@given(
    count=st.integers(3, 12),
    folds=st.integers(3, 12) | st.none(),
    seed=st.integers(0, 5),
    context=st.sampled_from(["out-of-fold", "in-sample"]),
    first_stage=st.sampled_from(["all", "folds"]),
)
def test_no_network_ever_meets_the_subject_that_it_is_scored_on(
    count, folds, seed, context, first_stage
):
    keys = {str(n): f"key-{n}" for n in range(count)}
    parts = make_folds(list(keys), None if folds is None else min(folds, count), seed)
    cases = cross_validation("AC", CONFIG, keys, parts, AutoContext(context, first_stage))
    assert sorted(case.subject for case in cases) == sorted(keys)
    for case in cases:
        assert case.key not in case.cascade.met
        if context == "out-of-fold":
            second = case.cascade.second
            for key, source in zip(second.subjects, second.context, strict=True):
                assert key not in source.met

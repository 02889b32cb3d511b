import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxres_tf.evaluation.comparisons import (
    Difference,
    bootstrap_interval,
    compare,
    compare_all,
    differences_csv,
    differences_markdown,
)
from voxres_tf.evaluation.results import KEYS, Results
from voxres_tf.evaluation.scores import Score

TURNED = {"better": "worse", "worse": "better", "no difference shown": "no difference shown"}


def results(name, dice, hd95_mm=None):
    """GM alone, subjects 0, 1, ... in the order given."""
    distances = hd95_mm or [None] * len(dice)
    return Results(
        name,
        tuple(
            Score(str(n), "GM", overlap, distance, None, 1.0, 1.0)
            for n, (overlap, distance) in enumerate(zip(dice, distances, strict=True))
        ),
    )


def gm(differences, figure="dice"):
    (found,) = (d for d in differences if (d.class_name, d.figure) == ("GM", figure))
    return found


values = st.none() | st.floats(0, 1)
rows = st.integers(0, 5).flatmap(
    lambda n: st.tuples(*[st.lists(values, min_size=n, max_size=n)] * 2)
)


@pytest.mark.parametrize(
    ("values", "interval"),
    [
        # All three draws the same: 1/27, more than a tail of 2.5 %.
        ([1.0, 2.0, 3.0], (1.0, 3.0)),
        ([0.0, 0.0, 3.0], (0.0, 3.0)),
        # Draws of the 5 follow B(5, 1/5): three or more of 5.8 %, four or more of 0.7 %.
        ([0.0, 0.0, 0.0, 0.0, 5.0], (0.0, 3.0)),
        ([2.0] * 4, (2.0, 2.0)),
        ([1.0, 2.0], None),
        ([], None),
    ],
)
def test_intervals_by_hand(values, interval):
    assert bootstrap_interval(values) == (interval and pytest.approx(interval))


def test_differences_by_hand():
    a = results("A", [0.1, 0.2, 0.3, 0.9], [3.0, 3.0, 3.0, None])
    b = results("B", [0.2, 0.4, 0.6, None], [1.0, 1.0, 1.0, 1.0])
    differences = compare(a, b)
    assert [(d.class_name, d.figure) for d in differences] == list(KEYS)
    dice, distance = gm(differences), gm(differences, "hd95_mm")
    assert (dice.n, dice.mean) == (3, pytest.approx(0.2))
    assert dice.interval == pytest.approx((0.1, 0.3))
    assert (distance.n, distance.mean, distance.interval) == (3, -2.0, (-2.0, -2.0))
    assert (dice.verdict, distance.verdict) == ("better", "better")
    assert (dice.reason, differences[3].n) == (None, 0)


@pytest.mark.parametrize(
    ("figure", "interval", "verdict"),
    [
        ("dice", (0.1, 0.2), "better"),
        ("dice", (-0.2, -0.1), "worse"),
        ("hd95_mm", (0.1, 0.2), "worse"),
        ("avd_percent", (-0.2, -0.1), "better"),
        ("dice", (0.0, 0.2), "no difference shown"),
        ("avd_percent", (-0.2, 0.0), "no difference shown"),
        ("hd95_mm", (-0.1, 0.1), "no difference shown"),
        ("dice", None, "no difference shown"),
    ],
)
def test_verdicts(figure, interval, verdict):
    assert Difference("A", "B", "GM", figure, 5, 0.1, interval).verdict == verdict


@pytest.mark.parametrize(
    ("count", "reason"),
    [
        (0, "0 common subjects, and an interval needs 3"),
        (1, "1 common subject, and an interval needs 3"),
        (2, "2 common subjects, and an interval needs 3"),
        (3, None),
    ],
)
def test_few_subjects_have_no_interval_and_a_reason(count, reason):
    difference = gm(compare(results("A", [0.1] * count), results("B", [0.9] * count)))
    assert (difference.n, difference.reason) == (count, reason)
    assert (difference.interval is None) == (count < 3)
    assert (difference.mean is None) == (count == 0)
    assert difference.verdict == ("better" if count == 3 else "no difference shown")


def test_subjects_are_paired_by_id():
    a = results("A", [0.1, 0.5, 0.9])
    turned = Results("B", a.scores[::-1])
    assert gm(compare(a, turned)).interval == (0.0, 0.0)
    other = Results(
        "C", tuple(Score("x" + s.subject, *list(vars(s).values())[1:]) for s in a.scores)
    )
    assert gm(compare(a, other)).n == 0


@settings(max_examples=25)
@given(rows)
def test_differences_turn_their_signs_with_the_rows(pair):
    first, second = results("A", *pair[:1]), results("B", *pair[1:])
    for there, back in zip(compare(first, second), compare(second, first), strict=True):
        assert (there.n, there.reason, TURNED[there.verdict]) == (back.n, back.reason, back.verdict)
        assert there.mean == (None if back.mean is None else -back.mean)
        turned = back.interval and (-back.interval[1], -back.interval[0])
        assert there.interval == turned


@settings(max_examples=25)
@given(st.lists(st.floats(-1, 1), min_size=3, max_size=8))
def test_intervals_lie_within_the_values_and_never_change(found):
    low, high = bootstrap_interval(found)
    assert min(found) - 1e-12 <= low <= high <= max(found) + 1e-12
    assert bootstrap_interval(found) == (low, high)


def test_every_pair_of_rows_later_minus_earlier():
    found = compare_all([results(name, [0.5]) for name in "ABC"])
    pairs = list(dict.fromkeys((d.row_a, d.row_b) for d in found))
    assert pairs == [("A", "B"), ("A", "C"), ("B", "C")]
    assert len(found) == 3 * len(KEYS)
    assert compare_all([results("A", [0.5])]) == []


def test_csv():
    differences = compare_all([results("A", [0.5, 0.5, 0.5]), results("B", [1.0, 1.0, 1.0])])
    found = list(csv.reader(differences_csv(differences).splitlines()))
    assert found[0] == [
        *("row_a", "row_b", "class", "figure", "n", "mean_difference", "low", "high"),
        *("row_b_is", "no_interval_because"),
    ]
    assert found[1] == ["A", "B", "GM", "dice", "3", "0.5", "0.5", "0.5", "better", ""]
    assert found[2] == [
        *("A", "B", "GM", "hd95_mm", "0", "", "", "", "no difference shown"),
        "0 common subjects, and an interval needs 3",
    ]
    assert len(found) == 1 + len(KEYS)


def test_markdown():
    a = results("A|1", [0.5, 0.6, 0.7], [2.0, 2.0, None])
    b = results("B", [0.51, 0.61, 0.71], [1.0, 1.5, 1.0])
    lines = differences_markdown(compare_all([a, b]))
    assert lines[0] == "| B minus A | tissue | DC | HD | AVD |"
    assert lines[2] == (
        r"| B minus A\|1 | GM | +1.00 [+1.00, +1.00], n = 3: better "
        "| -0.75 (2 common subjects, and an interval needs 3) "
        "| - (0 common subjects, and an interval needs 3) |"
    )
    assert [line.split("|")[3].strip() for line in lines[2:]] == ["GM", "WM", "CSF"]
    assert differences_markdown([]) == ["There is one row, so there is nothing to compare."]

from dataclasses import replace

import pytest

from voxres_tf.errors import DataError
from voxres_tf.evaluation.results import KEYS, Results, notes, read_results
from voxres_tf.evaluation.scores import Score, write_scores


def score(subject, tissue="GM", *figures):
    return Score(subject, tissue, *(figures or (0.9, 1.0, 5.0)), 1.0, 1.0)


def subject_scores(*subjects):
    return tuple(score(s, tissue) for s in subjects for tissue in ("CSF", "GM", "WM"))


def test_files_are_read_in_order(tmp_path):
    files = [(name, tmp_path / f"{name}.csv") for name in ("b", "a")]
    for number, (_, path) in enumerate(files):
        write_scores(path, subject_scores(str(number)))
    first, second = read_results(files)
    assert (first.name, first.subjects, second.name) == ("b", ("0",), "a")
    assert second.scores == subject_scores("1")
    assert read_results([]) == []


def test_values_are_those_that_are_defined():
    results = Results("a", (score("1"), score("2", "GM", None, 2.0, None), score("1", "WM")))
    assert results.subjects == ("1", "2")
    assert results.values(("GM", "dice")) == {"1": 0.9}
    assert results.values(("GM", "hd95_mm")) == {"1": 1.0, "2": 2.0}
    assert results.values(("CSF", "dice")) == {}
    assert results.summaries["GM", "hd95_mm"].mean == 1.5
    assert set(results.summaries) == set(KEYS)


@pytest.mark.parametrize(
    ("scores", "fault"),
    [
        ([], r"at least one score\. Received: none"),
        ([score("1", "gm")], r"subject 1: tissues are GM, WM, CSF\. Received: 'gm'"),
        ([score("1"), score("1")], r"one score per subject and tissue\. Received: 2 for GM of 1"),
        ([score("1"), score("2", "GM", 90.1, 1.0, 1.0)], "subject 2: figures .*Dice at most 1"),
        ([score("1", "GM", 0.9, float("nan"), 1.0)], "subject 1: figures and"),
        ([score("1", "GM", 0.9, 1.0, float("inf"))], "subject 1: figures and"),
        ([score("1", "GM", None, -1.0, 1.0)], "subject 1: figures and"),
        ([replace(score("1", "GM", 0.9, 1.0, 1.0), ref_ml=float("nan"))], "figures and volumes"),
        ([replace(score("1", "GM", 0.9, 1.0, 1.0), pred_ml=-5.0)], "figures and volumes"),
    ],
)
def test_faulty_scores(tmp_path, scores, fault):
    write_scores(tmp_path / "a.csv", scores)
    with pytest.raises(DataError, match=rf"a\.csv.*{fault}"):
        read_results([("a", tmp_path / "a.csv")])


def test_names_are_told_apart_before_a_file_is_read(tmp_path):
    with pytest.raises(DataError, match=r"'a': each name .* Received: 2 of that name"):
        read_results([("a", tmp_path / "none"), ("b", tmp_path / "none"), ("a", tmp_path / "no")])


def test_equal_subjects_with_every_figure_need_no_note():
    assert (
        notes([Results("a", subject_scores("1", "2")), Results("b", subject_scores("2", "1"))])
        == []
    )
    assert notes([]) == []


def test_other_subjects_are_named():
    results = [Results("a", subject_scores("1", "2")), Results("b", subject_scores("2"))]
    assert notes(results) == ["b was not scored on subject 1; others were."]
    many = Results("c", subject_scores(*"3456789"))
    assert notes([many, results[1]]) == [
        "c was not scored on subject 2; others were.",
        "b was not scored on subjects 3, 4, 5, 6, 7 and 2 more; others were.",
    ]


def test_undefined_figures_are_named():
    # Subject 2 has no boundary in GM, and no row for CSF at all.
    some = (*subject_scores("1"), score("2", "GM", 0.9, None, 1.0), score("2", "WM"))
    lines = notes([Results("a", some)])
    assert lines[0] == "a: GM HD is undefined for subject 2; its mean is over 1 of 2 subjects."
    assert [line.split(" is ")[0] for line in lines] == [
        "a: GM HD",
        "a: CSF DC",
        "a: CSF HD",
        "a: CSF AVD",
    ]
    none = notes([Results("a", (score("1", "GM", 0.9, None, 1.0),))])
    assert none[0] == "a: GM HD is undefined for subject 1; it has no mean."

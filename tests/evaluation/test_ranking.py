import csv
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxres_tf.errors import DataError
from voxres_tf.evaluation.ranking import (
    Team,
    published_teams,
    rank,
    rank_files,
    ranking_csv,
    ranking_table,
    team_of,
)
from voxres_tf.evaluation.results import KEYS, Results
from voxres_tf.evaluation.scores import FIGURES, Score, write_scores

DOCUMENT = Path(__file__).parents[2] / "docs" / "scores.md"
AMONG_THEMSELVES = {
    "CU_DL2": 22,
    "CU_DL": 25,
    "MDGRU": 34,
    "FBI/LMB": 41,
    "PyraMiD-LSTM2": 47,
    "IDSIA": 54,
    "STH": 62,
    "ISI-Neonatology": 62,
    "UNC-IDEA": 64,
    "MNAB2": 78,
}
PUBLISHED = {
    "CU_DL": 39,
    "CU_DL2": 39,
    "MDGRU": 57,
    "PyraMiD-LSTM2": 59,
    "FBI/LMB": 61,
    "IDSIA": 77,
    "STH": 86,
    "ISI-Neonatology": 87,
    "UNC-IDEA": 90,
    "MNAB2": 109,
}
# Few values, so that ties are common.
teams = st.lists(
    st.tuples(*[st.sampled_from([1.0, 2.0, 2.5]) for _ in KEYS]), min_size=1, max_size=6
).map(lambda rows: [Team(f"t{n}", dict(zip(KEYS, row, strict=True))) for n, row in enumerate(rows)])


def team(name, *means):
    """The same three figures for each tissue."""
    return Team(name, {key: means[n % 3] for n, key in enumerate(KEYS)})


def scores(subject="1", dice=0.8612, hd95_mm=1.47, avd_percent=6.42):
    return [
        Score(subject, tissue, dice, hd95_mm, avd_percent, 1.0, 1.0)
        for tissue in ("CSF", "GM", "WM")
    ]


def write(path, *found):
    write_scores(path, [score for part in found for score in part])
    return path


def test_table_2_among_its_ten_teams():
    ranked = rank(published_teams())
    assert {r.team.name: r.score for r in ranked} == AMONG_THEMSELVES
    found = [r.score for r in ranked]
    assert found == sorted(found)


def test_table_2_as_published():
    found = published_teams()
    assert [team.name for team in found] == list(PUBLISHED)
    assert [found[0].means[key] for key in KEYS] == [
        *(86.12, 1.47, 6.42, 89.39, 1.94, 5.84, 83.96, 2.28, 7.44)
    ]


def test_the_document_shows_table_2():
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in DOCUMENT.read_text(encoding="utf-8").splitlines()
        if re.match(r"\| \S+ \| \d\d\.\d\d \|", line)
    ]
    assert len(rows) == 10
    for (name, *cells, published, own), expected in zip(rows, published_teams(), strict=True):
        assert name == expected.name
        assert [float(cell) for cell in cells] == list(expected.means.values())
        assert (int(published), int(own)) == (PUBLISHED[name], AMONG_THEMSELVES[name])


def test_ranks_by_hand():
    # DC 1, 2, 2, 4 from above; HD and AVD from below.
    ranked = rank(
        [team("d", 70, 4, 1), team("b", 80, 1, 3), team("a", 90, 2, 1), team("c", 80, 3, 2)]
    )
    by_name = {r.team.name: [r.ranks["GM", figure] for figure in FIGURES] for r in ranked}
    assert by_name == {"a": [1, 2, 1], "b": [2, 1, 4], "c": [2, 3, 3], "d": [4, 4, 1]}
    assert [(r.team.name, r.score) for r in ranked] == [("a", 12), ("b", 21), ("c", 24), ("d", 27)]


def test_means_are_compared_to_the_decimals_asked_for():
    close = [team("a", 86.123, 1, 1), team("b", 86.124, 1, 1)]
    assert [r.team.name for r in rank(close)] == ["b", "a"]
    assert {r.score for r in rank(close, decimals=2)} == {9}


def test_rounding_of_the_machine_is_no_difference():
    assert {r.score for r in rank([team("a", 0.1 + 0.2, 1, 1), team("b", 0.3, 1, 1)])} == {9}


@given(teams, st.randoms())
def test_scores_know_no_order_of_teams(found, random):
    shuffled = random.sample(found, len(found))
    assert rank(shuffled) == rank(found)


@given(teams)
def test_ranks_stay_in_range_and_somebody_is_first(found):
    ranked = rank(found)
    assert all(1 <= n <= len(found) for r in ranked for n in r.ranks.values())
    assert all(min(r.ranks[key] for r in ranked) == 1 for key in KEYS)


@given(teams)
def test_identical_teams_share_their_ranks(found):
    ranked = rank([*found, Team("twin", found[0].means)])
    ranks = {r.team.name: r.ranks for r in ranked}
    assert ranks["twin"] == ranks["t0"]


@given(teams)
def test_a_team_that_joins_makes_no_score_smaller(found):
    before = {r.team.name: r.score for r in rank(found[1:])}
    after = {r.team.name: r.score for r in rank(found)}
    assert all(after[name] >= score for name, score in before.items())


def test_no_team_and_one_team():
    assert rank([]) == []
    (alone,) = rank([team("a", 1, 1, 1)])
    assert alone.score == 9


def test_two_teams_of_one_name():
    with pytest.raises(DataError, match="'a': each name stands for one set of scores"):
        rank([team("a", 1, 1, 1), team("a", 2, 2, 2)])


def test_means_of_a_team(tmp_path):
    results = Results("a", (*scores("1", 0.8), *scores("2", 0.9, None, 1.42)))
    means = team_of(results).means
    assert means["GM", "dice"] == pytest.approx(85.0)
    assert means["CSF", "hd95_mm"] == 1.47
    assert means["WM", "avd_percent"] == pytest.approx(3.92)


def test_a_figure_that_no_subject_defines_is_not_ranked():
    found = [*scores("1"), *scores("2")]
    found[2] = Score("1", "WM", 0.9, None, 1.0, 1.0, 1.0)
    found[5] = Score("2", "WM", 0.9, None, 1.0, 1.0, 1.0)
    fault = r"team mine: WM HD is defined for at least one subject\. Received: none of 2"
    with pytest.raises(DataError, match=fault):
        team_of(Results("mine", tuple(found)))


def test_a_tissue_without_rows_is_not_ranked(tmp_path):
    path = write(tmp_path / "a.csv", scores()[1:])
    with pytest.raises(DataError, match="team mine: CSF DC is defined"):
        rank_files([("mine", path)])


def test_files_with_other_subjects_have_notes(tmp_path):
    first = write(tmp_path / "a.csv", scores("1"), scores("2", hd95_mm=None))
    second = write(tmp_path / "b.csv", scores("1"))
    ranking = rank_files([("a", first), ("b", second)])
    assert ranking.notes[0] == "b was not scored on subject 2; others were."
    assert "a: GM HD is undefined for subject 2; its mean is over 1 of 2 subjects." in ranking.notes
    assert len(ranking.notes) == 1 + 3


def test_beside_the_published(tmp_path):
    mine = write(tmp_path / "a.csv", scores(dice=0.861249))
    ranking = rank_files([("mine", mine)], beside_published=True)
    ranks = {r.team.name: r.ranks for r in ranking.ranked}
    assert len(ranks) == 11
    # 86.1249 is CU_DL's 86.12, as far as that is known.
    assert ranks["mine"]["GM", "dice"] == ranks["CU_DL"]["GM", "dice"] == 2
    assert "15 test subjects" in ranking.notes[0]
    assert "37 teams" in ranking.notes[1]
    assert rank_files([("mine", mine)]).notes == ()


def test_the_name_of_a_published_team_is_taken(tmp_path):
    mine = write(tmp_path / "a.csv", scores())
    with pytest.raises(DataError, match="'CU_DL': each name"):
        rank_files([("CU_DL", mine)], beside_published=True)


def test_csv_has_the_layout_of_table_2():
    rows = list(csv.reader(ranking_csv(rank_files([], beside_published=True)).splitlines()))
    assert rows[0] == [
        *("team", "GM_dice_percent", "GM_hd95_mm", "GM_avd_percent"),
        *("WM_dice_percent", "WM_hd95_mm", "WM_avd_percent"),
        *("CSF_dice_percent", "CSF_hd95_mm", "CSF_avd_percent", "rank_score"),
    ]
    assert rows[1] == [
        *("CU_DL2", "86.15", "1.45", "6.60", "89.46", "1.94", "6.05", "84.25", "2.19", "7.69", "22")
    ]
    assert len(rows) == 11


def test_the_screen_shows_the_same(tmp_path):
    ranking = rank_files([], beside_published=True)
    lines = ranking_table(ranking).splitlines()
    assert lines[0].startswith("10 teams; means of DC in %")
    assert lines[1].split() == ["GM", "WM", "CSF"]
    assert lines[2].split() == ["team", *["DC", "HD", "AVD"] * 3, "score"]
    assert [line.split() for line in lines[3:13]] == list(
        csv.reader(ranking_csv(ranking).splitlines()[1:])
    )
    assert [line[:6] for line in lines[13:]] == ["Note: "] * 2
    assert max(map(len, lines[1:13])) <= 100

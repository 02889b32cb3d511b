import csv

import pytest

from voxres_tf.evaluation.comparisons import compare_all
from voxres_tf.evaluation.results import KEYS, Results
from voxres_tf.evaluation.scores import Score
from voxres_tf.evaluation.tables import table_csv, table_markdown

T1 = Results(
    "T1",
    (
        Score("1", "GM", 0.8, 1.0, 4.0, 1.0, 1.0),
        Score("2", "GM", 0.9, None, 8.0, 1.0, 1.0),
        Score("3", "GM", 0.85, None, 9.0, 1.0, 1.0),
    ),
)
ALONE = Results("a|b", (Score("1", "GM", 0.5, 1.0, 4.0, 1.0, 1.0),))


def page(*rows):
    return table_markdown(rows, compare_all(rows))


def test_csv_by_hand():
    rows = list(csv.reader(table_csv([T1, ALONE]).splitlines()))
    assert rows[0] == ["row", "class", "figure", "n", "mean", "sd", "median"]
    assert [tuple(row[1:3]) for row in rows[1:]] == [*KEYS, *KEYS]
    row, _, _, n, mean, sd, median = rows[1]
    assert (row, n, float(median)) == ("T1", "3", 0.85)
    # (0.05^2 + 0.05^2 + 0) / 2 = 0.05^2
    assert (float(mean), float(sd)) == (pytest.approx(0.85), pytest.approx(0.05))
    assert rows[2] == ["T1", "GM", "hd95_mm", "1", "1.0", "", "1.0"]
    assert rows[4] == ["T1", "WM", "dice", "0", "", "", ""]
    assert rows[10][0] == "a|b"
    assert table_csv([]) == "row,class,figure,n,mean,sd,median\n"


def test_rows_and_columns_of_table_1():
    lines = page(T1, ALONE).splitlines()
    start = lines.index(
        "| row | n | GM DC | GM HD | GM AVD | WM DC | WM HD | WM AVD | CSF DC | CSF HD | CSF AVD |"
    )
    # AVD: mean 7, squares 9 + 1 + 4 = 14, over 2 gives 7, whose root is 2.65.
    assert lines[start + 2] == (
        "| T1 | 3 | 85.00 ± 5.00 (85.00) | 1.00 (1.00), n = 1 | 7.00 ± 2.65 (8.00) |"
        + " -, n = 0 |" * 6
    )
    assert lines[start + 3].startswith(r"| a\|b | 1 | 50.00 (50.00) | 1.00 (1.00) | 4.00 (4.00) |")


def test_the_page_says_what_limits_it():
    text = page(T1, ALONE)
    flat = " ".join(text.split())
    for words in (
        "HD the 95th percentile of the Hausdorff distance in mm",
        "Protocol: MRBrainS (Mendrik et al. 2015)",
        "HD figures of the paper's Table 1",
        "probably medians",
        "(distributions.png)",
        "- a|b was not scored on subjects 2, 3; others were.",
        "- T1: GM HD is undefined for subjects 2, 3; its mean is over 1 of 3 subjects.",
        "1 common subject, and an interval needs 3",
    ):
        assert words in flat
    assert text.endswith("|\n")


def test_better_and_worse_need_an_interval():
    rows = [
        Results(
            name,
            tuple(Score(str(n), "GM", dice, 1.0, 1.0, 1.0, 1.0) for n, dice in enumerate(found)),
        )
        for name, found in (("A", [0.5] * 3), ("B", [0.6] * 3), ("C", [0.4, 0.5, 0.8]))
    ]
    table = [line for line in page(*rows).splitlines() if " minus " in line and "| GM |" in line]
    assert "+10.00 [+10.00, +10.00], n = 3: better" in table[0]
    assert "n = 3: no difference shown" in table[1].split("|")[3]
    assert sum(line.count("better") + line.count("worse") for line in table) == 1


def test_one_row_has_nothing_to_be_compared_with():
    assert page(T1).endswith("There is one row, so there is nothing to compare.\n")

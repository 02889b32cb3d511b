import csv

import pytest
from click.testing import CliRunner
from voxres_cli.main import cli

from voxres_tf.evaluation.scores import Score, write_scores


def rank(*args):
    return CliRunner().invoke(cli, ["rank", *map(str, args)])


@pytest.fixture
def data(tmp_path):
    """Three teams: the first is better than the second, the third saw one subject only."""
    for name, dice, subjects in (("a", 0.9, "12"), ("b", 0.8, "12"), ("c", 0.7, "1")):
        scores = [
            Score(subject, tissue, dice, 2.0, 5.0, 1.0, 1.0)
            for subject in subjects
            for tissue in ("CSF", "GM", "WM")
        ]
        write_scores(tmp_path / f"{name}.csv", scores)
    return tmp_path


def test_two_teams(data):
    result = rank(f"second={data / 'b.csv'}", f"first={data / 'a.csv'}", "-o", data / "out.csv")
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.output.splitlines()[3:]]
    assert rows == [
        ["first", *["90.00", "2.00", "5.00"] * 3, "9"],
        ["second", *["80.00", "2.00", "5.00"] * 3, "12"],
    ]
    with (data / "out.csv").open(newline="") as stream:
        assert list(csv.reader(stream))[1:] == rows


def test_other_subjects_are_noted(data):
    result = rank(f"a={data / 'a.csv'}", f"c={data / 'c.csv'}")
    assert result.exit_code == 0, result.output
    assert "Note: c was not scored on subject 2; others were." in result.output


def test_beside_the_published(data):
    result = rank(f"mine={data / 'a.csv'}", "--beside-published")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("11 teams")
    assert "37 teams" in result.output
    alone = rank("--beside-published")
    assert alone.output.startswith("10 teams")


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("scores.csv",),
        ("=scores.csv",),
        ("a=",),
        ("a=a.csv", "--nonsense"),
        ("a=a.csv", "--overwrite"),
    ],
)
def test_usage_errors(args):
    result = rank(*args)
    assert result.exit_code == 2
    assert "Usage: cli rank" in result.stderr


def test_what_is_received_stands_in_the_usage_error():
    assert "NAME=scores.csv. Received: 'scores.csv'." in rank("scores.csv").stderr


def test_errors_are_one_line(data):
    write_scores(data / "d.csv", [Score("1", "GM", 0.5, 1.0, 1.0, 1.0, 1.0)])
    (data / "T1.nii.gz").write_bytes(b"\x1f\x8b\x08")
    for args, fault in (
        ((f"a={data / 'none.csv'}",), "run voxres evaluate first"),
        ((f"a={data / 'T1.nii.gz'}",), "T1.nii.gz: a CSV file in UTF-8"),
        ((f"a={data / 'a.csv'}", f"a={data / 'b.csv'}"), "'a': each name"),
        ((f"a={data / 'a.csv'}", f"d={data / 'd.csv'}"), "team d: WM DC is defined"),
    ):
        result = rank(*args, "-o", data / "out.csv")
        assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
        assert fault.lower() in result.stderr.lower()
        assert not (data / "out.csv").exists()


def test_outputs_are_not_replaced(data):
    output = data / "out.csv"
    output.write_text("mine")
    scores = (data / "a.csv").read_text()
    own = rank(f"a={data / 'a.csv'}", "-o", data / "a.csv", "--overwrite")
    assert "an output must not be an input" in own.stderr
    assert (data / "a.csv").read_text() == scores
    args = (f"a={data / 'a.csv'}", "-o", output)
    assert rank(*args).exit_code == 1
    assert output.read_text() == "mine"
    assert rank(*args, "--overwrite").exit_code == 0
    assert output.read_text().startswith("team,")

import pytest
from click.testing import CliRunner
from voxres_cli.main import cli

from voxres_tf.evaluation.rows import write_rows
from voxres_tf.evaluation.scores import Score, write_scores

NAMES = ["differences.csv", "distributions.png", "table1.csv", "table1.md"]


def tables(*args):
    return CliRunner().invoke(cli, ["tables", *map(str, args)])


def write(path, dice, subjects="123"):
    scores = [
        Score(subject, tissue, dice, 2.0, 5.0, 1.0, 1.0)
        for subject in subjects
        for tissue in ("CSF", "GM", "WM")
    ]
    write_scores(path, scores)
    return path


@pytest.fixture
def runs(tmp_path):
    """A cross-validation of two rows, and a file beside it."""
    write(tmp_path / "cv/scores/t1.csv", 0.8)
    write(tmp_path / "cv/scores/all.csv", 0.9)
    write_rows(tmp_path / "cv", {"T1": "scores/t1.csv", "all": "scores/all.csv"})
    write(tmp_path / "mine.csv", 0.7, "12")
    return tmp_path


def test_a_cross_validation_and_a_file(runs):
    result = tables(runs / "cv", f"mine={runs / 'mine.csv'}", "-o", runs / "out")
    assert result.exit_code == 0, result.output
    assert sorted(p.name for p in (runs / "out").iterdir()) == NAMES
    lines = result.output.splitlines()
    assert sorted(lines[:4]) == [str(runs / "out" / name) for name in NAMES]
    assert lines[4:] == ["Note: mine was not scored on subject 3; others were."]
    page = (runs / "out/table1.md").read_text(encoding="utf-8")
    assert [line.split("|")[1].strip() for line in page.splitlines() if "| 5.00 ±" in line] == [
        "T1",
        "all",
        "mine",
    ]
    assert "| all minus T1 | GM | +10.00 [+10.00, +10.00], n = 3: better |" in page
    assert "| mine minus all | GM | -20.00 (2 common subjects, and an interval needs 3) |" in page
    differences = (runs / "out/differences.csv").read_text().splitlines()
    assert len(differences) == 1 + 3 * 9


def test_usage_errors(runs):
    for args in (("-o", runs / "out"), (runs / "cv",), ("scores.csv", "-o", runs / "out")):
        assert tables(*args).exit_code == 2
    stderr = tables("nowhere", "-o", runs / "out").stderr
    assert "Usage: cli tables" in stderr
    assert "NAME=scores.csv. Received: 'nowhere'." in stderr


def test_errors_are_one_line(runs):
    (runs / "empty").mkdir()
    for args, fault in (
        ((runs / "empty",), "a folder with rows.json"),
        ((runs / "cv", f"T1={runs / 'mine.csv'}"), "'T1': each name"),
        ((f"a={runs / 'none.csv'}",), "an existing file"),
    ):
        result = tables(*args, "-o", runs / "out")
        assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
        assert fault in result.stderr
        assert not (runs / "out").exists()


def test_outputs_are_not_replaced(runs):
    args = (runs / "cv", "-o", runs / "out")
    assert tables(*args).exit_code == 0
    result = tables(*args)
    assert result.exit_code == 1
    assert "Pass --overwrite" in result.stderr
    assert tables(*args, "--overwrite").exit_code == 0


def test_score_files_are_not_replaced(runs):
    scores = write(runs / "out/table1.csv", 0.5)
    before = scores.read_bytes()
    result = tables(f"mine={scores}", "-o", runs / "out", "--overwrite")
    assert (result.exit_code, scores.read_bytes()) == (1, before)
    assert "an output must not be an input" in result.stderr


def test_long_names_and_characters_without_a_glyph_are_no_warnings(runs):
    result = tables(f"{'long' * 60}多={runs / 'mine.csv'}", "-o", runs / "out")
    assert (result.exit_code, result.stderr) == (0, "")


def test_a_picture_that_cannot_be_drawn_leaves_the_tables_of_before(runs, monkeypatch):
    assert tables(runs / "cv", "-o", runs / "out").exit_code == 0
    before = {path.name: path.read_bytes() for path in (runs / "out").iterdir()}
    monkeypatch.setattr("voxres_tf.report.tables.distributions", None)
    assert tables(f"mine={runs / 'mine.csv'}", "-o", runs / "out", "--overwrite").exit_code == 1
    assert {path.name: path.read_bytes() for path in (runs / "out").iterdir()} == before


def test_a_folder_in_the_place_of_a_table(runs):
    (runs / "out" / "table1.md").mkdir(parents=True)
    result = tables(runs / "cv", "-o", runs / "out", "--overwrite")
    assert "table1.md: a file for each table. Received: a folder." in result.stderr
    assert [path.name for path in (runs / "out").iterdir()] == ["table1.md"]

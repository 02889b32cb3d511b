import pytest

from voxres_tf.errors import DataError, OutputExistsError
from voxres_tf.evaluation.results import Results
from voxres_tf.evaluation.scores import Score
from voxres_tf.report import tables
from voxres_tf.report.tables import write_tables

NAMES = ["differences.csv", "distributions.png", "table1.csv", "table1.md"]


def rows(*names):
    figures = (0.5, 1.0, 1.0, 1.0, 1.0)
    return [
        Results(name, (Score("1", "GM", *figures), Score("1", "WM", *figures))) for name in names
    ]


def test_the_folder_appears_whole(tmp_path):
    found = write_tables(tmp_path / "deep" / "out", rows("a", "b"))
    assert sorted(p.name for p in found) == NAMES
    assert sorted(p.name for p in (tmp_path / "deep" / "out").iterdir()) == NAMES
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["out"]


def test_a_failure_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise DataError("no picture")

    monkeypatch.setattr(tables, "distributions", fail)
    with pytest.raises(DataError, match="no picture"):
        write_tables(tmp_path / "out", rows("a"))
    assert not list(tmp_path.iterdir())


def test_outputs_are_replaced_if_asked(tmp_path):
    out = tmp_path / "out"
    write_tables(out, rows("a"))
    (out / "mine.txt").touch()
    with pytest.raises(OutputExistsError, match="Pass --overwrite"):
        write_tables(out, rows("b"))
    write_tables(out, rows("b"), overwrite=True)
    assert sorted(p.name for p in out.iterdir()) == sorted([*NAMES, "mine.txt"])
    assert "b,GM,dice" in (out / "table1.csv").read_text()


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputExistsError, match="tables go to a folder"):
        write_tables(tmp_path / "out", rows("a"), overwrite=True)
    assert (tmp_path / "out").read_text() == "mine"


def test_no_rows(tmp_path):
    with pytest.raises(DataError, match="a table has rows"):
        write_tables(tmp_path / "out", [])

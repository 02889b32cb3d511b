import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxres_tf.errors import ConfigError, DataError
from voxres_tf.evaluation.rows import named_file, read_rows, write_rows

words = st.text("aT1+ =é|\"'", min_size=1).filter(str.strip)


def test_an_argument_with_a_name_is_one_row():
    assert read_rows("T1 = runs/a=b/scores.csv") == [("T1", Path("runs/a=b/scores.csv"))]
    assert named_file("a=b") == ("a", Path("b"))


@pytest.mark.parametrize("argument", ["", "scores.csv", "=scores.csv", "name=", " = "])
def test_arguments_without_name_or_file(argument):
    for read in (read_rows, named_file):
        with pytest.raises(ConfigError, match=r"NAME=scores\.csv\. Received: '"):
            read(argument)


def test_a_folder_has_the_rows_that_were_written(tmp_path):
    write_rows(tmp_path / "cv", {"T1": Path("scores/t1.csv"), "T1+T2": "scores/all.csv"})
    assert json.loads((tmp_path / "cv/rows.json").read_text()) == {
        "rows": [
            {"name": "T1", "scores": "scores/t1.csv"},
            {"name": "T1+T2", "scores": "scores/all.csv"},
        ]
    }
    assert [p.name for p in (tmp_path / "cv").iterdir()] == ["rows.json"]
    assert read_rows(str(tmp_path / "cv")) == [
        ("T1", tmp_path / "cv/scores/t1.csv"),
        ("T1+T2", tmp_path / "cv/scores/all.csv"),
    ]


def test_a_folder_may_have_an_equals_sign(tmp_path):
    write_rows(tmp_path / "rate=0.1", {"a": "a.csv"})
    assert read_rows(str(tmp_path / "rate=0.1")) == [("a", tmp_path / "rate=0.1/a.csv")]


@given(st.lists(st.tuples(words, words), min_size=1, max_size=4, unique_by=lambda row: row[0]))
def test_rows_come_back(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("cv")
    write_rows(folder, dict(rows))
    assert read_rows(str(folder)) == [(name, folder / path) for name, path in rows]


def test_a_folder_without_rows(tmp_path):
    with pytest.raises(DataError, match=r"a folder with rows\.json\. Received: one without it"):
        read_rows(str(tmp_path))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "JSON in UTF-8"),
        ("[]", r"rows\.json: \{\"rows\": .*Received: \[\]"),
        ('{"rows": {}}', "files relative to the folder"),
        ('{"rows": []}', "files relative to the folder"),
        ('{"rows": ["a"]}', "files relative to the folder"),
        ('{"rows": [{"name": "a"}]}', "files relative to the folder"),
        ('{"rows": [{"name": " ", "scores": "a.csv"}]}', "files relative to the folder"),
        ('{"rows": [{"name": "a", "scores": 1}]}', "files relative to the folder"),
        ('{"rows": [{"name": "a", "scores": "/a.csv"}]}', "files relative to the folder"),
        (
            '{"rows": [{"name": "a", "scores": "a.csv"}, {"name": "a", "scores": "b.csv"}]}',
            "each name once. Received: a",
        ),
    ],
)
def test_faulty_rows(tmp_path, text, fault):
    (tmp_path / "rows.json").write_text(text)
    with pytest.raises(DataError, match=fault):
        read_rows(str(tmp_path))


@pytest.mark.parametrize("rows", [{}, {"": "a.csv"}, {"a": "/a.csv"}])
def test_what_could_not_be_read_is_not_written(tmp_path, rows):
    with pytest.raises(DataError, match=r"rows\.json"):
        write_rows(tmp_path, rows)
    assert not list(tmp_path.iterdir())

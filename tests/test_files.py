"""Files that appear whole or not at all, hashes, and the lock."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxres_tf import files
from voxres_tf.errors import ConfigError, DataError, OutputExistsError, VoxResError
from voxres_tf.files import csv_text, read_csv

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=3,
)


def _fail_half_way(target: Path, *, folder: bool = False) -> None:
    with files.atomic_path(target) as temporary:
        if folder:
            (temporary / "deep").mkdir(parents=True)
        else:
            temporary.write_text("half")
        raise RuntimeError("half")


def test_a_file_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    files.write_text(target, "old")
    files.write_text(target, "größer\n")
    assert target.read_bytes() == "größer\n".encode()
    assert list(target.parent.iterdir()) == [target]


def test_the_old_file_is_there_until_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.nii.gz"
    target.write_text("old")
    with files.atomic_path(target) as temporary:
        temporary.write_text("new")
        assert temporary.name.endswith(".nii.gz")
        assert target.read_text() == "old"
    assert target.read_text() == "new"


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="half"):
        _fail_half_way(target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failure_leaves_no_folder_that_was_made_for_it(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="half"):
        _fail_half_way(tmp_path / "new" / "deep" / "a.txt")
    assert not list(tmp_path.iterdir())


def test_names_may_be_long_and_in_any_bytes(tmp_path: Path) -> None:
    files.write_text(tmp_path / ("ä" * 125 + ".txt"), "lat\udce4in")
    (target,) = tmp_path.iterdir()
    assert target.read_bytes() == b"lat\xe4in"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    rule = r"file/x\.csv: a place that can be written. Received: .*Choose another output"
    with pytest.raises(VoxResError, match=rule):
        files.write_text(tmp_path / "file" / "x.csv", "")
    with (
        pytest.raises(VoxResError, match="a place that can be written"),
        files.locked(tmp_path / "file"),
    ):
        pass


def test_a_folder_appears_with_all_its_files_or_not(tmp_path: Path) -> None:
    target = tmp_path / "model"
    with pytest.raises(RuntimeError, match="half"):
        _fail_half_way(target, folder=True)
    assert not list(tmp_path.iterdir())
    with files.atomic_path(target) as temporary:
        (temporary / "deep").mkdir(parents=True)
        assert not target.exists()
    assert [path.name for path in target.iterdir()] == ["deep"]


def test_a_block_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(VoxResError, match="No such file"), files.atomic_path(tmp_path / "a.txt"):
        pass


def test_json_is_sorted_and_knows_no_nan(tmp_path: Path) -> None:
    files.write_json(tmp_path / "a.json", {"b": 1, "a": [2]})
    assert (tmp_path / "a.json").read_text() == '{\n  "a": [\n    2\n  ],\n  "b": 1\n}\n'
    with pytest.raises(ValueError, match="JSON compliant"):
        files.write_json(tmp_path / "b.json", float("nan"))
    assert not (tmp_path / "b.json").exists()


def test_a_table_as_csv() -> None:
    assert csv_text(("a", "b"), [("x, y", None), (1, 0.5)]) == 'a,b\n"x, y",\n1,0.5\n'


def test_rows_of_csv_know_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('\ufeffa,b\n\n"1\n2",3\n , \n4,5\n\n', encoding="utf-8")
    assert read_csv(path) == (["a", "b"], [(4, ["1\n2", "3"]), (6, ["4", "5"])])
    path.write_text("\n")
    assert read_csv(path) == ([], [])
    path.write_bytes(b"a\xff\n")
    with pytest.raises(DataError, match=r"a CSV file in UTF-8\. Received: .* Check the file"):
        read_csv(path)


def test_file_hash_is_the_content_s(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    # The SHA-256 of nothing, as FIPS 180-4 examples give it.
    assert files.file_hash(path).startswith("e3b0c44298fc1c149afbf4c8996fb924")
    path.write_bytes(b"abc")
    assert files.file_hash(path).startswith("ba7816bf8f01cfea414140de5dae2223")


@given(value=st.dictionaries(st.text(), JSON, max_size=4))
def test_json_hash_does_not_see_the_order_of_keys(value: dict[str, object]) -> None:
    assert files.json_hash(dict(reversed(value.items()))) == files.json_hash(value)


@given(first=JSON, second=JSON)
def test_json_hash_is_equal_just_where_the_json_is(first: object, second: object) -> None:
    same = json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
    assert (files.json_hash(first) == files.json_hash(second)) == same


def test_existing_outputs_are_refused_unless_told_otherwise(tmp_path: Path) -> None:
    files.refuse_existing(tmp_path / "new", overwrite=False)
    files.refuse_existing(tmp_path, overwrite=True)
    with pytest.raises(OutputExistsError, match="Pass --overwrite"):
        files.refuse_existing(tmp_path, overwrite=False)


def test_a_folder_that_holds_an_input_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    with pytest.raises(ConfigError, match="an output must not be an input"):
        files.refuse_existing(tmp_path / "1", overwrite=True, inputs=[tmp_path / "1" / "map.nii"])


def test_the_lock_is_held_against_another_and_released(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with files.locked(folder), pytest.raises(VoxResError, match="one process at a time"):
        files.locked(folder).__enter__()
    with files.locked(folder):
        pass


def test_what_killed_processes_left_goes_after_an_hour(tmp_path: Path) -> None:
    young, file, folder = (tmp_path / f".partial-{n}" for n in ("1-a", "2-b.txt", "3-c"))
    young.mkdir()
    folder.mkdir()
    (folder / "half").touch()
    for path in (file, tmp_path / "mine.txt"):
        path.touch()
    for path in (file, folder, tmp_path / "mine.txt"):
        os.utime(path, (0, 0))
    files.write_text(tmp_path / "new.txt", "")
    assert {path.name for path in tmp_path.iterdir()} == {".partial-1-a", "mine.txt", "new.txt"}


def test_the_lock_goes_with_its_process(tmp_path: Path) -> None:
    code = (
        "import os, sys, pathlib; from voxres_tf.files import locked\n"
        "with locked(pathlib.Path(sys.argv[1])): os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert done.returncode == 9
    with files.locked(tmp_path):
        pass


@pytest.mark.parametrize("content", [b'{"a": ', b"\xff\xfe", None], ids=["cut", "latin", "missing"])
def test_json_that_cannot_be_read_is_one_error_of_the_given_kind(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "note.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"note\.json: JSON in UTF-8\. .*Remove it\.") as told:
        files.read_json(path, "remove it", ConfigError)
    assert "\n" not in str(told.value)


def test_json_is_read_as_it_was_written(tmp_path: Path) -> None:
    files.write_json(tmp_path / "a.json", {"b": [1, None, "ß"]})
    assert files.read_json(tmp_path / "a.json") == {"b": [1, None, "ß"]}


def test_a_folder_that_another_process_wrote_meanwhile_is_told_as_such(tmp_path: Path) -> None:
    def late(target: Path) -> None:
        with files.atomic_path(target) as temporary:
            temporary.mkdir()
            (target / "theirs").mkdir(parents=True)

    with pytest.raises(VoxResError, match=r"1: a place that is free\. .*Give the command again\."):
        late(tmp_path / "1")
    assert [path.name for path in tmp_path.iterdir()] == ["1"]

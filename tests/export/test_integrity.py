"""An exported model that is whole, and what becomes of it when a file is not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from voxres_tf.contract import CONTRACT_FILE, read_contract
from voxres_tf.errors import ModelError
from voxres_tf.export.integrity import HASHES_FILE, check_whole, write_hashes
from voxres_tf.files import write_json
from voxres_tf.model.stored import stored_weights, weights_hash

DATA = "variables/variables.data-00000-of-00001"


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_model, tmp_path / "net" / "1")


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_an_exported_model_is_whole(tiny_model: Path) -> None:
    files = {p.relative_to(tiny_model) for p in tiny_model.rglob("*") if p.is_file()}
    assert {Path("saved_model.pb"), Path(DATA), CONTRACT_FILE, HASHES_FILE} <= files
    assert check_whole(tiny_model) == len(files) - 1
    assert set(json.loads((tiny_model / HASHES_FILE).read_text())) == {
        path.as_posix() for path in files - {HASHES_FILE}
    }


@pytest.mark.parametrize("name", ["saved_model.pb", DATA, "assets.extra/verification.json"])
def test_a_changed_or_missing_file_is_named(model: Path, name: str) -> None:
    flip_a_byte(model / name)
    with pytest.raises(ModelError, match=f"{name} has changed"):
        check_whole(model)
    (model / name).unlink()
    with pytest.raises(ModelError, match=f"{name} is missing"):
        check_whole(model)


def test_weights_are_held_to_the_contract(model: Path) -> None:
    assert weights_hash(stored_weights(model)) == read_contract(model).weights_sha256
    contract = json.loads((model / CONTRACT_FILE).read_text())
    write_json(model / CONTRACT_FILE, contract | {"weights_sha256": "0" * 64})
    write_hashes(model)
    with pytest.raises(ModelError, match=r"the contract, 0{64}. Received: [0-9a-f]{64}"):
        check_whole(model)


def test_a_list_that_leaves_files_out(model: Path) -> None:
    listed = json.loads((model / HASHES_FILE).read_text())
    write_json(model / HASHES_FILE, {name: h for name, h in listed.items() if name != DATA})
    with pytest.raises(ModelError, match=f"a SHA-256 for every file. Received: none for {DATA}"):
        check_whole(model)


@pytest.mark.parametrize("text", [None, "no JSON", "{}", "[]", '{"saved_model.pb": 3}'])
def test_a_list_that_is_none(model: Path, text: str | None) -> None:
    (model / HASHES_FILE).unlink()
    if text is not None:
        (model / HASHES_FILE).write_text(text)
    with pytest.raises(ModelError, match=r"sha256\.json"):
        check_whole(model)

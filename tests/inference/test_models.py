from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from voxres_tf.errors import ModelError
from voxres_tf.inference import models
from voxres_tf.inference.models import find_start, resolve_model


@pytest.fixture
def name_folder(tmp_path):
    for version in ("2", "10", ".partial-1", "notes"):
        folder = tmp_path / "net" / version
        folder.mkdir(parents=True)
        (folder / "saved_model.pb").touch()
    return tmp_path / "net"


def test_version_folder_stands_for_itself(name_folder):
    assert resolve_model(name_folder / "2") == name_folder / "2"


def test_name_folder_gives_the_highest_number(name_folder):
    assert resolve_model(str(name_folder)) == name_folder / "10"


def test_a_version_may_have_leading_zeros(name_folder):
    (name_folder / "10").rename(name_folder / "0010")
    assert resolve_model(name_folder) == name_folder / "0010"


def test_folder_without_versions(tmp_path):
    with pytest.raises(ModelError, match=r"a folder per version. Received: neither"):
        resolve_model(tmp_path)


def test_shipped_name(name_folder, tmp_path, monkeypatch):
    package = tmp_path / "site" / "some_models"
    package.mkdir(parents=True)
    name_folder.rename(package / "net")
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setattr(models, "PACKAGE", "some_models")
    assert resolve_model("net") == package / "net" / "10"
    with pytest.raises(ModelError, match=r"shipped: net\)"):
        resolve_model("nut")


def test_name_of_a_shipped_model_and_of_a_folder_here(name_folder, tmp_path, monkeypatch):
    shipped = tmp_path / "site" / "some_models" / "net"
    shutil.copytree(name_folder, shipped)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setattr(models, "PACKAGE", "some_models")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"Write \./net for the folder"):
        resolve_model("net")
    assert resolve_model("./net") == Path("net/10")
    assert resolve_model(shipped) == shipped / "10"
    monkeypatch.chdir(shipped.parent)
    assert resolve_model("net") == shipped / "10"
    (tmp_path / "else" / "net").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "else")
    assert resolve_model("net") == shipped / "10", "a folder without a model is none"


def test_a_training_starts_from_the_folder_that_is_named(name_folder, tmp_path, monkeypatch):
    shutil.copytree(name_folder, tmp_path / "site" / "some_models" / "net")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setattr(models, "PACKAGE", "some_models")
    monkeypatch.setattr(models, "read_start", lambda path: path)
    monkeypatch.chdir(tmp_path)
    assert find_start("./net") == Path("net/10")
    shutil.rmtree(name_folder)
    for found in (find_start, resolve_model):
        with pytest.raises(ModelError, match=r"\./net: an exported model's folder"):
            found("./net")


def test_unknown_name_without_shipped_models(monkeypatch):
    monkeypatch.setattr(models, "PACKAGE", "no_such_package_here")
    with pytest.raises(ModelError, match=r"shipped: none\)"):
        resolve_model("nowhere")

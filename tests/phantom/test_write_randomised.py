"""Randomised data sets on disk: what goes on, what is refused, what an early end leaves."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voxres_tf.dataset.manifest import read_manifest
from voxres_tf.errors import ConfigError, OutputExistsError, VoxResError
from voxres_tf.grid import Grid
from voxres_tf.phantom import write_randomised as module
from voxres_tf.phantom.contrast import SEQUENCES
from voxres_tf.phantom.folders import NOTE_FILE, RECIPE_FILE
from voxres_tf.phantom.heads import Head
from voxres_tf.phantom.labelmap import LabelHead
from voxres_tf.phantom.mni import MniHead
from voxres_tf.phantom.randomisation import Randomisation
from voxres_tf.phantom.write import write_phantom, write_real
from voxres_tf.phantom.write_randomised import write_randomised
from voxres_tf.volume import Volume, read_volume


class Drawn(list[tuple[int, int]]):
    """Seed and number of the subjects that were made; Ctrl-C comes at the number `stop`."""

    stop = 0


@pytest.fixture(autouse=True)
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """Subjects are a few voxels as bright as their seed."""
    made = Drawn()

    def draw(_: Head, __: Randomisation, seed: int, number: int) -> dict[str, Volume]:
        if number == made.stop:
            raise KeyboardInterrupt
        made.append((seed, number))
        voxels = np.full((2, 2, 2), seed, np.uint8)
        return dict.fromkeys((*SEQUENCES, "labels"), Volume(voxels, Grid((2, 2, 2), np.eye(4))))

    monkeypatch.setattr(module, "randomised_subject", draw)
    return made


def make(
    out: Path, subjects: int, seed: int, head: Head | None = None, *, overwrite: bool = False
) -> list[int]:
    """The seeds of the subjects that the manifest names."""
    heads = [head or MniHead()]
    manifest = write_randomised(out, subjects, seed, heads, Randomisation(), overwrite=overwrite)
    scans = [read_volume(files.images["t1"]) for files in read_manifest(manifest)]
    return [int(scan.data.max()) for scan in scans]


def test_more_subjects_go_on_with_those_that_are_there(tmp_path: Path, drawn: Drawn) -> None:
    assert make(tmp_path, 2, 1) == [1, 1]
    assert make(tmp_path, 3, 1) == [1, 1, 1]
    assert drawn == [(1, 1), (1, 2), (1, 3)]


def test_overwrite_makes_equal_subjects_anew(tmp_path: Path, drawn: Drawn) -> None:
    make(tmp_path, 2, 1)
    make(tmp_path, 2, 1, overwrite=True)
    assert drawn == [(1, 1), (1, 2)] * 2


@pytest.mark.parametrize("theirs", ["3/T1.nii.gz", "manifest.csv"])
def test_what_others_wrote_is_refused_before_work(
    tmp_path: Path, drawn: Drawn, theirs: str
) -> None:
    path = tmp_path / theirs
    path.parent.mkdir(exist_ok=True)
    path.write_text("real")
    with pytest.raises(OutputExistsError, match=theirs.split("/", maxsplit=1)[0]):
        make(tmp_path, 4, 1)
    assert path.read_text() == "real"
    assert not drawn
    assert not (tmp_path / RECIPE_FILE).exists()


def test_overwrite_leaves_the_folders_of_others_that_are_not_made(tmp_path: Path) -> None:
    path = tmp_path / "3" / "T1.nii.gz"
    path.parent.mkdir()
    path.write_text("real")
    assert make(tmp_path, 2, 1, overwrite=True) == [1, 1]
    with pytest.raises(OutputExistsError, match=str(path.parent)):
        make(tmp_path, 3, 1)
    assert path.read_text() == "real"


def test_subjects_of_an_old_recipe_are_not_taken_for_new_ones(tmp_path: Path) -> None:
    make(tmp_path, 4, 1)
    assert make(tmp_path, 2, 2, overwrite=True) == [2, 2]
    assert make(tmp_path, 4, 2) == [2] * 4


def test_an_overwrite_that_ends_early_goes_on_with_its_own(tmp_path: Path, drawn: Drawn) -> None:
    make(tmp_path, 3, 1)
    drawn.stop = 2
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, 3, 2, overwrite=True)
    assert not (tmp_path / "manifest.csv").exists()
    drawn.stop = 0
    assert make(tmp_path, 3, 2) == [2, 2, 2]
    assert drawn[3:] == [(2, 1), (2, 2), (2, 3)]


def test_no_call_goes_on_with_what_is_half_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, 3, 1)

    def killed(folder: Path) -> None:
        (folder / "T1.nii.gz").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            make(tmp_path, 3, 2, overwrite=True)
    for seed in (1, 2):
        with pytest.raises(OutputExistsError):
            make(tmp_path, 3, seed)
    assert make(tmp_path, 3, 1, overwrite=True) == [1, 1, 1]


def test_subjects_of_another_generator_are_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, 1, 1)
    monkeypatch.setattr(module, "GENERATOR_FORMAT", module.GENERATOR_FORMAT + 1)
    with pytest.raises(OutputExistsError, match=r"randomisation\.json"):
        make(tmp_path, 2, 1)
    assert make(tmp_path, 2, 1, overwrite=True) == [1, 1]


def test_another_map_of_the_same_name_is_another_recipe(tmp_path: Path) -> None:
    head = LabelHead(tmp_path / "head.nii")
    head.path.write_text("one")
    make(tmp_path / "out", 1, 1, head)
    head.path.write_text("another")
    with pytest.raises(OutputExistsError, match=r"randomisation\.json"):
        make(tmp_path / "out", 1, 1, head)


def test_of_a_link_the_link_is_replaced(tmp_path: Path) -> None:
    real, out = tmp_path / "real", tmp_path / "out"
    real.mkdir()
    out.mkdir()
    (real / "T1.nii.gz").touch()
    (out / "1").symlink_to(real)
    assert make(out, 1, 1, overwrite=True) == [1]
    assert [path.name for path in real.iterdir()] == ["T1.nii.gz"]


def test_what_cannot_be_removed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    make(tmp_path, 1, 1)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", denied)
        with pytest.raises(VoxResError, match=r"1: a path that can be replaced.*Permission denied"):
            make(tmp_path, 1, 2, overwrite=True)


@pytest.mark.parametrize("randomised", [True, False])
def test_a_label_map_where_subjects_go_is_never_removed(tmp_path: Path, randomised: bool) -> None:
    folder = tmp_path / "1" if randomised else tmp_path / "TrainingData" / "1"
    folder.mkdir(parents=True)
    head = LabelHead(folder / "aseg.nii.gz")
    head.path.write_text("a map")
    how: dict[str, Any] = {"heads": [head], "overwrite": True}
    call: Callable[[], object] = (
        partial(write_randomised, tmp_path, 1, 0, config=Randomisation(), **how)
        if randomised
        else partial(write_phantom, tmp_path, 1, 0, "small", **how)
    )
    with pytest.raises(ConfigError, match="an output must not be an input"):
        call()
    assert head.path.read_text() == "a map"


def test_ranges_that_are_read_are_never_replaced(tmp_path: Path) -> None:
    ranges = tmp_path / RECIPE_FILE
    ranges.write_text("{}")
    with pytest.raises(ConfigError, match="an output must not be an input"):
        write_randomised(
            tmp_path, 1, 0, [MniHead()], Randomisation(), overwrite=True, inputs=[ranges]
        )
    assert ranges.read_text() == "{}"


def test_a_subject_whose_file_was_deleted_is_made_again(tmp_path: Path, drawn: Drawn) -> None:
    make(tmp_path, 2, 1)
    (tmp_path / "1" / "T1.nii.gz").unlink()
    assert make(tmp_path, 2, 1) == [1, 1]
    assert drawn == [(1, 1), (1, 2), (1, 1)]


def test_what_fails_at_the_first_subject_costs_nothing(tmp_path: Path, drawn: Drawn) -> None:
    drawn.stop = 1
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, 2, 1)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    drawn.stop = 0
    assert make(tmp_path, 2, 2) == [2, 2]
    drawn.stop = 1
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, 2, 3, overwrite=True)
    drawn.stop = 0
    assert make(tmp_path, 2, 2) == [2, 2]


@pytest.mark.parametrize("note", ['{"subject": "TrainingData/2"}', "5"])
def test_overwrite_leaves_folders_with_other_notes(tmp_path: Path, note: str) -> None:
    other = tmp_path / "2"
    other.mkdir()
    (other / NOTE_FILE).write_text(note)
    make(tmp_path, 1, 1, overwrite=True)
    assert (other / NOTE_FILE).is_file()


@pytest.mark.parametrize("first", ["mrbrains13", "real", "randomised"])
def test_one_data_set_in_a_folder(tmp_path: Path, first: str) -> None:
    calls: dict[str, Callable[[], object]] = {
        "mrbrains13": partial(write_phantom, tmp_path, 1, 0, "small"),
        "real": partial(write_real, tmp_path),
        "randomised": partial(make, tmp_path, 1, 0),
    }
    calls[first]()
    before = sorted(tmp_path.rglob("*"))
    for name in calls.keys() - {first}:
        with pytest.raises(OutputExistsError, match=str(tmp_path)):
            calls[name]()
    assert sorted(tmp_path.rglob("*")) == before

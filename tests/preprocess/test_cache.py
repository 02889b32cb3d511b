"""The cache: what changes the key, and that a stale entry is never met."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxres_tf.config import PreprocessConfig
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.errors import DataError
from voxres_tf.preprocess import cache
from voxres_tf.volume import Grid, write_volume

SHAPE = (10, 9, 4)
GRID = Grid(SHAPE, np.eye(4))
CONFIG = PreprocessConfig(modalities=("t1",), gaussian_radius=2, clahe_tile=4)


@pytest.fixture
def files(tmp_path: Path) -> SubjectFiles:
    image = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    codes = np.arange(360, dtype=np.uint8).reshape(SHAPE) % 4
    write_volume(tmp_path / "t1.nii", image, GRID)
    write_volume(tmp_path / "labels.nii", codes, GRID)
    return SubjectFiles("a", {"t1": tmp_path / "t1.nii"}, tmp_path / "labels.nii")


def test_an_entry_is_made_once_and_mapped(
    files: SubjectFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cache.cached([files], CONFIG, tmp_path / "cache")[0]
    monkeypatch.setattr(cache, "prepare", None)  # a second call must not prepare again
    second = cache.cached([files], CONFIG, tmp_path / "cache")[0]
    assert first.key == second.key
    assert isinstance(second.image, np.memmap)
    np.testing.assert_array_equal(first.image, second.image)
    assert second.image.shape == (*SHAPE, 2)
    positions = tuple(second.tissue.T)
    assert (second.classes[positions] > 0).all()
    assert len(second.tissue) == (second.classes > 0).sum()


def test_changed_content_changes_the_key(files: SubjectFiles) -> None:
    before = cache.cache_key(files, CONFIG)
    data = np.zeros(SHAPE, np.float32)
    data[0, 0, 0] = 1
    write_volume(files.images["t1"], data, GRID)
    assert cache.cache_key(files, CONFIG) != before


def test_names_do_not_change_the_key_but_the_scheme_does(
    files: SubjectFiles, tmp_path: Path
) -> None:
    key = cache.cache_key(files, CONFIG)
    moved = tmp_path / "elsewhere.nii"
    moved.write_bytes(files.images["t1"].read_bytes())
    assert cache.cache_key(replace(files, id="b", images={"t1": moved}), CONFIG) == key
    assert cache.cache_key(replace(files, scheme="mrbrains13"), CONFIG) != key


@given(
    change=st.sampled_from(
        [
            {"filtered": False},
            {"gaussian_sigma": 4.0},
            {"gaussian_radius": 7},
            {"clahe_tile": 8},
            {"clahe_clip": 3.0},
        ]
    )
)
def test_any_change_of_config_changes_the_key(
    change: dict[str, float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.nii"
    path.write_bytes(b"content")
    subject = SubjectFiles("a", {"t1": path}, path)
    assert cache.cache_key(subject, CONFIG) != cache.cache_key(
        subject, CONFIG.model_copy(update=change)
    )


def test_labels_without_tissue_are_refused_and_leave_nothing(
    files: SubjectFiles, tmp_path: Path
) -> None:
    assert files.labels is not None
    write_volume(files.labels, np.zeros(SHAPE, np.uint8), GRID)
    with pytest.raises(DataError, match="labels hold tissue"):
        cache.cached([files], CONFIG, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*"))


def test_a_subject_without_labels_is_refused(files: SubjectFiles, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="label file"):
        cache.cached([replace(files, labels=None)], CONFIG, tmp_path / "cache")


def test_two_processes_may_prepare_the_same_subject_at_once(
    files: SubjectFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = cache.prepare

    def overtaken(*args: object) -> object:
        monkeypatch.setattr(cache, "prepare", original)
        cache.cached([files], CONFIG, tmp_path / "cache")  # the other process is faster
        return original(*args)

    monkeypatch.setattr(cache, "prepare", overtaken)
    (entry,) = cache.cached([files], CONFIG, tmp_path / "cache")
    assert entry.image.shape == (*SHAPE, 2)
    assert [p.name for p in (tmp_path / "cache").iterdir()] == [entry.key]

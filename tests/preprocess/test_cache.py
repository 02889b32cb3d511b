"""The cache: what changes the key, and that a stale entry is never met."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxres_tf.config import PreprocessConfig, Resolution
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.errors import DataError
from voxres_tf.grid import Grid
from voxres_tf.preprocess import cache
from voxres_tf.volume import write_volume

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


@pytest.mark.parametrize(
    ("kind", "name"),
    [(nib.Nifti1Pair, "a.hdr"), (nib.Nifti1Pair, "a.img.gz"), (nib.Spm2AnalyzeImage, "a.img")],
)
@pytest.mark.parametrize("changes", ["voxels", "affine"])
def test_all_files_of_a_pair_change_the_key(
    kind: type[nib.Spm2AnalyzeImage], name: str, changes: str, tmp_path: Path
) -> None:
    path, keys = tmp_path / name, []
    for value in (0, 1):
        data = np.full(SHAPE, value if changes == "voxels" else 0, np.int16)
        affine = np.diag([-1.0 if changes == "affine" and value else 1.0, 1, 1, 1])
        nib.save(kind(data, affine), path)
        keys.append(cache.cache_key(SubjectFiles("a", {"t1": path}, path), CONFIG))
    assert keys[0] != keys[1]


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
            {"resolution": Resolution()},
            {"resolution": Resolution(slice_mm=(1.0, 4.0))},
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


def test_another_format_gives_another_key(
    files: SubjectFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cache.cache_key(files, CONFIG)
    monkeypatch.setattr(cache, "CACHE_FORMAT", cache.CACHE_FORMAT + 1)
    assert cache.cache_key(files, CONFIG) != before


def test_a_subject_of_another_spacing_is_resampled_with_its_labels(tmp_path: Path) -> None:
    shape = (24, 20, 6)
    codes = np.zeros(shape, np.uint8)
    codes[6:18, 6:14, 2:4], codes[:2] = 1, 7
    grid = Grid(shape, np.diag([-0.5, 0.5, 3.0, 1.0]))
    write_volume(tmp_path / "t1.nii", codes.astype(np.float32), grid)
    write_volume(tmp_path / "labels.nii", codes, grid)
    files = SubjectFiles("a", {"t1": tmp_path / "t1.nii"}, tmp_path / "labels.nii", "mrbrains13")
    config = CONFIG.model_copy(update={"resolution": Resolution(), "filtered": False})
    (entry,) = cache.cached([files], config, tmp_path / "cache")
    assert entry.spacing_mm == (1.0, 1.0, 3.0)
    assert entry.image.shape == (12, 10, 6, 1)
    expected = np.zeros((12, 10, 6), np.uint8)
    expected[3:9, 3:7, 2:4] = 2  # GM
    np.testing.assert_array_equal(entry.classes, expected)
    # The first axis runs to the left on disk, so the cerebellum's code lies last.
    np.testing.assert_array_equal(entry.scored[:, 0, 0], [True] * 11 + [False])
    np.testing.assert_array_equal(entry.tissue, np.argwhere(expected))
    # The scan is the labels' picture; it went along, and the cerebellum is the brightest.
    bright = entry.image[:11, :, 2:4, 0] > entry.image[0, 0, 2, 0] + 0.1
    assert (bright == (expected[:11, :, 2:4] > 0)).mean() > 0.9


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_map_that_is_written_anew_is_read_anew(
    files: SubjectFiles, tmp_path: Path, order: Literal["C", "F"]
) -> None:
    (entry,) = cache.cached([files], CONFIG, tmp_path / "cache")
    for dtype, classes in ((np.float32, 4), (np.float16, 3)):
        values = np.random.default_rng(classes).random((*SHAPE, classes)).astype(dtype)
        np.save(tmp_path / "map.npy", np.asarray(values, order=order))
        found = entry.with_context(tmp_path / "map.npy").parts[1]
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, values)


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


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY"])
def test_a_damaged_entry_is_named(files: SubjectFiles, tmp_path: Path, content: bytes) -> None:
    (subject,) = cache.cached([files], CONFIG, tmp_path / "cache")
    (subject.entry / "image.npy").write_bytes(content)
    with pytest.raises(DataError, match=r"an array as it was prepared.*Remove its folder"):
        _ = subject.image

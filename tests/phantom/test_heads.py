"""Anatomies by file, folder and name; people without what lies far from the brain."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from voxres_tf.errors import DataError
from voxres_tf.phantom.deformation import Pose
from voxres_tf.phantom.field import Field, Floats, random_field
from voxres_tf.phantom.heads import PACKAGED, Cleared, Cluttered, Marbled, find_heads
from voxres_tf.phantom.labelmap import LabelHead
from voxres_tf.phantom.mni import MniHead
from voxres_tf.phantom.tissues import Tissue


class Line:
    """A person whose brain ends at x = 0 and whose bone begins there."""

    def fractions(self, points_mm: np.ndarray) -> np.ndarray:
        found = np.zeros((len(Tissue), *points_mm.shape[1:]), np.float32)
        inside = points_mm[0] <= 0
        found[Tissue.WM, inside] = 1
        found[Tissue.BONE, ~inside] = 1
        return found

    def brain_mm(self, points_mm: np.ndarray) -> np.ndarray:
        return np.float32(points_mm[0])


def test_files_folders_and_the_packaged_one(tmp_path: Path, label_map: Path) -> None:
    for name in ("b.nii.gz", "a.nii", "c.mgz"):
        (tmp_path / name).touch()
    (tmp_path / "D.NII.GZ").touch()
    for name in ("LICENSE.txt", "._a.nii"):
        (tmp_path / name).touch()
    found = find_heads([tmp_path, label_map, PACKAGED])
    assert [head.name for head in found] == [
        "D.NII.GZ", "a.nii", "b.nii.gz", "c.mgz", "head.nii.gz", "mni152",
    ]  # fmt: skip
    assert isinstance(found[0], LabelHead)
    assert isinstance(found[-1], MniHead)


def test_the_content_of_a_map_tells_it_from_others_of_its_name(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "head.nii").write_text(folder)
    hashes = {head.sha256 for head in find_heads([tmp_path / "a", tmp_path / "b", PACKAGED])}
    assert len(hashes) == 3
    assert None in hashes
    with pytest.raises(DataError, match=r"none\.nii: a file that can be read"):
        _ = LabelHead(tmp_path / "none.nii").sha256


def test_sources_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Check the path"):
        find_heads([tmp_path / "none"])
    with pytest.raises(DataError, match="an empty one"):
        find_heads([""])
    with pytest.raises(DataError, match=r"label maps in \.nii"):
        find_heads([tmp_path])


def test_a_broken_file_is_found_when_it_is_needed(tmp_path: Path, label_map: Path) -> None:
    shutil.copy(label_map, tmp_path / "cut.nii.gz")
    (tmp_path / "cut.nii.gz").write_bytes(label_map.read_bytes()[:2000])
    (head,) = find_heads([tmp_path / "cut.nii.gz"])
    with pytest.raises(DataError, match=r"cut\.nii\.gz"):
        head.person(np.random.default_rng(0), (9, 9, 9), Pose())


@pytest.mark.parametrize(("margin", "left"), [(5.0, 8), (0.0, 3), (-1.0, 2)])
def test_clearing_leaves_what_lies_within_the_margin(margin: float, left: int) -> None:
    points = np.zeros((3, 10), np.float32)
    points[0] = np.arange(-2, 8)
    found = Cleared(Line(), margin).fractions(points)
    assert (found[Tissue.AIR] == 0).sum() == left
    assert np.array_equal(found.sum(axis=0), np.ones(10))


def test_fat_is_muscle_where_the_field_exceeds_the_level() -> None:
    class Scalp(Line):
        def fractions(self, points_mm: np.ndarray) -> np.ndarray:
            found = super().fractions(points_mm)
            found[Tissue.FAT] = found[Tissue.BONE] / 4
            found[Tissue.BONE] *= 0.75
            return found

    points = np.zeros((3, 4), np.float32)
    points[0] = (-1, 1, 2, 3)
    values = np.arange(-5, 6, dtype=np.float32)[:, None, None] * np.ones((1, 3, 3), np.float32)
    noise = Field(values, (-5.0, -1.0, -1.0), 1.0)
    found = Marbled(Scalp(), noise, 1.5).fractions(points)
    assert found[Tissue.FAT].tolist() == [0, 0.25, 0, 0]
    assert found[Tissue.MUSCLE].tolist() == [0, 0, 0.25, 0.25]
    assert found[Tissue.BONE].tolist() == [0, 0.75, 0.75, 0.75]
    assert np.array_equal(found.sum(axis=0), np.ones(4))


class Ball:
    """Brain to 60 mm from the middle, fat and muscle by halves to 90, then air."""

    def fractions(self, points_mm: Floats) -> Floats:
        radius = np.linalg.norm(points_mm, axis=0)
        found = np.zeros((len(Tissue), *radius.shape), np.float32)
        found[Tissue.WM] = radius < 60
        found[Tissue.FAT] = found[Tissue.MUSCLE] = (radius >= 60) * (radius < 90) * 0.5
        found[Tissue.AIR] = radius >= 90
        return found

    def brain_mm(self, points_mm: Floats) -> Floats:
        return np.linalg.norm(points_mm, axis=0) - 60


def test_materials_take_the_place_of_soft_parts_far_from_the_brain() -> None:
    rng = np.random.default_rng(0)
    where, what = (random_field(rng, (100, 100, 100), 4, 8) for _ in range(2))
    points = rng.uniform(-100, 100, (3, 50, 40)).astype(np.float32)
    before, off_mm = Ball().fractions(points), Ball().brain_mm(points)
    found = Cluttered(Ball(), where, what, 0.0, 10.0, 3).fractions(points)
    tissues, materials = found[: len(Tissue)], found[len(Tissue) :]
    np.testing.assert_allclose(found.sum(axis=0), 1)
    changed = (off_mm > 10) & (off_mm < 30) & (where.at(points) > 0)
    np.testing.assert_array_equal(tissues[:, ~changed], before[:, ~changed])
    np.testing.assert_array_equal(materials.sum(axis=0), changed)
    np.testing.assert_array_equal(tissues[[Tissue.FAT, Tissue.MUSCLE]][:, changed], 0)
    shares = materials.sum(axis=(1, 2)) / changed.sum()
    np.testing.assert_allclose(shares, 1 / 3, atol=0.12)

"""Whole subjects: geometry, labels, contrast, determinism, files."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from voxres_tf.dataset.manifest import read_manifest
from voxres_tf.errors import ConfigError, OutputExistsError, VoxResError
from voxres_tf.files import file_hash, locked
from voxres_tf.labels import scheme
from voxres_tf.phantom import folders, write
from voxres_tf.phantom.anatomy import read_mni
from voxres_tf.phantom.folders import NOTE_FILE
from voxres_tf.phantom.generate import generate_subject
from voxres_tf.phantom.heads import Head
from voxres_tf.phantom.labelmap import LabelHead
from voxres_tf.phantom.sampling import SIZES
from voxres_tf.phantom.write import write_phantom, write_real
from voxres_tf.volume import Volume, read_volume

NAMES = {"T1", "T1_IR", "T2_FLAIR", "LabelsForTraining", "LabelsForTesting"}


@pytest.fixture(scope="module")
def subject() -> dict[str, Volume]:
    return generate_subject("small", 0, 1)


@pytest.fixture(scope="module")
def other() -> dict[str, Volume]:
    return generate_subject("small", 5, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("phantom")
    write_phantom(out, 2, 0, "small", test_subjects=1)
    return out


def test_full_size_is_that_of_mrbrains13() -> None:
    grid = SIZES["full"].grid()
    assert grid.shape == (240, 240, 48)
    assert grid.spacing_mm == pytest.approx((0.958, 0.958, 3.0))
    # Voxel n / 2 at 0: 120 * .958 = 114.96 and 24 * 3 = 72.
    assert grid.affine[:3, 3].tolist() == pytest.approx([-114.96, -114.96, -72.0])


def test_small_size_covers_the_same_field_of_view() -> None:
    assert np.allclose(SIZES["small"].half_mm, SIZES["full"].half_mm, atol=0.3)


def test_volumes_lie_on_one_grid(subject: dict[str, Volume]) -> None:
    assert set(subject) == NAMES
    for name, volume in subject.items():
        assert volume.data.dtype == (np.uint8 if name.startswith("Labels") else np.int16)
        assert volume.data.shape == (96, 96, 24)
        assert volume.grid.distance_mm(subject["T1"].grid) == 0


def test_the_two_label_files_agree(subject: dict[str, Volume]) -> None:
    classes, _ = scheme("mrbrains13").merge(subject["LabelsForTraining"].data)
    assert np.array_equal(classes, subject["LabelsForTesting"].data)


@pytest.mark.parametrize("which", ["subject", "other"])
def test_tissue_volumes_are_plausible(which: str, request: pytest.FixtureRequest) -> None:
    labels: Volume = request.getfixturevalue(which)["LabelsForTraining"]
    codes, ml = labels.data, labels.grid.voxel_ml
    csf, gm, wm, hindbrain = (
        np.isin(codes, group).sum() * ml for group in ((5, 6), (1, 2), (3, 4), (7, 8))
    )
    assert 500 < gm < 1100
    assert 350 < wm < 800
    assert 100 < csf < 600
    assert 100 < hindbrain < 280
    assert set(range(9)) - {4} <= set(np.unique(codes).tolist())


def test_contrasts_of_a_scan(subject: dict[str, Volume]) -> None:
    codes = subject["LabelsForTesting"].data
    corner = np.s_[:8, :8]
    means = {
        name: [subject[name].data[codes == k].mean() for k in (1, 2, 3)]
        for name in ("T1", "T1_IR", "T2_FLAIR")
    }
    csf, gm, wm = means["T1"]
    assert wm > gm > csf
    csf, gm, wm = means["T1_IR"]
    background = subject["T1_IR"].data[corner].mean()
    assert background > wm > gm > csf > 0
    assert background == pytest.approx(1000, abs=5)
    assert subject["T1"].data[corner].mean() < 60
    csf, gm, wm = means["T2_FLAIR"]
    assert min(gm, wm) > 2 * csf
    # The cortex outshines white matter where no CSF is mixed in: compare upper quartiles.
    flair = subject["T2_FLAIR"].data
    assert np.percentile(flair[codes == 2], 75) > np.percentile(flair[codes == 3], 75)


def test_the_head_is_in_view(subject: dict[str, Volume]) -> None:
    t1, codes = subject["T1"].data, subject["LabelsForTraining"].data
    for face in (codes[0], codes[-1], codes[:, 0], codes[:, -1]):
        assert not face.any()
    assert t1[codes == 0].max() > t1[codes == 3].mean()  # scalp


def test_another_seed_number_or_series_gives_another_subject(
    subject: dict[str, Volume], other: dict[str, Volume], folder: Path
) -> None:
    parts = ("TrainingData/2", "TestData/1")
    written = [read_volume(folder / part / "T1.nii.gz").data for part in parts]
    found = [subject["T1"].data, other["T1"].data, *written]
    for a, b in itertools.combinations(found, 2):
        assert (a != b).mean() > 0.5


def test_the_layout_is_that_of_mrbrains13(folder: Path, subject: dict[str, Volume]) -> None:
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.nii.gz"))
    parts = ("TestData/1", "TrainingData/1", "TrainingData/2")
    assert found == sorted(f"{part}/{name}.nii.gz" for part in parts for name in NAMES)
    # Made apart and as the first of three: the same values.
    for name in NAMES:
        stored = read_volume(folder / "TrainingData" / "1" / f"{name}.nii.gz")
        assert np.array_equal(stored.data, subject[name].data)
        assert (stored.grid.sform_code, stored.grid.qform_code) == (1, 1)
        assert stored.grid.distance_mm(subject[name].grid) < 1e-4


def test_files_are_the_same_byte_for_byte(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subject: dict[str, Volume]
) -> None:
    monkeypatch.setattr(write, "generate_subject", lambda *_, **__: subject)
    write_phantom(tmp_path, 1, 0, "small")
    for name in NAMES:
        part = Path("TrainingData") / "1" / f"{name}.nii.gz"
        assert file_hash(tmp_path / part) == file_hash(folder / part)


def test_subjects_that_exist_are_refused_before_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "generate_subject", lambda *_, **__: pytest.fail("worked"))
    (tmp_path / "TrainingData" / "2").mkdir(parents=True)
    with pytest.raises(OutputExistsError, match="Pass --overwrite"):
        write_phantom(tmp_path, 2, 0, "small")


def test_overwrite_replaces_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subject: dict[str, Volume]
) -> None:
    monkeypatch.setattr(write, "generate_subject", lambda *_, **__: subject)
    old = tmp_path / "TrainingData" / "1"
    old.mkdir(parents=True)
    (old / "stale.txt").touch()
    assert write_phantom(tmp_path, 1, 0, "small", overwrite=True) == [old]
    assert {path.name for path in old.iterdir()} == {NOTE_FILE, *(f"{n}.nii.gz" for n in NAMES)}


def test_the_same_call_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subject: dict[str, Volume]
) -> None:
    made: list[tuple[int, bool]] = []

    def draw(_: str, __: int, number: int, *, test: bool, head: Head) -> dict[str, Volume]:
        if number == 2 and not made[1:]:
            made.append((0, False))
            raise KeyboardInterrupt
        made.append((number, test))
        return subject

    monkeypatch.setattr(write, "generate_subject", draw)
    with pytest.raises(KeyboardInterrupt):
        write_phantom(tmp_path, 2, 0, "small", test_subjects=1)
    assert made == [(1, False), (0, False)]
    folders = write_phantom(tmp_path, 2, 0, "small", test_subjects=1)
    assert made[2:] == [(2, False), (1, True)]
    assert all((folder / "T1.nii.gz").is_file() for folder in folders)
    write_phantom(tmp_path, 3, 0, "small", test_subjects=1)
    assert made[4:] == [(3, False)]
    write_phantom(tmp_path, 1, 0, "small", overwrite=True)
    assert made[5:] == [(1, False)]


def test_overwrite_leaves_no_subjects_of_another_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subject: dict[str, Volume]
) -> None:
    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(write, "generate_subject", lambda *_, **__: subject)
    write_phantom(tmp_path, 3, 0, "small", test_subjects=1)
    with monkeypatch.context() as patch:
        patch.setattr(write, "generate_subject", die)
        with pytest.raises(KeyboardInterrupt):
            write_phantom(tmp_path, 2, 9, "small", overwrite=True)
    assert len(list(tmp_path.glob("*/*/T1.nii.gz"))) == 4  # nothing is lost for nothing
    own = tmp_path / "TrainingData" / "3" / "aseg.nii.gz"
    own.touch()
    with pytest.raises(ConfigError, match="an output must not be an input"):
        write_phantom(tmp_path, 2, 9, "small", heads=(LabelHead(own),), overwrite=True)
    assert own.exists()
    new = write_phantom(tmp_path, 2, 9, "small", overwrite=True)
    assert sorted(tmp_path.glob("*/*")) == sorted(new)


@pytest.mark.parametrize(("seed", "size"), [(1, "small"), (0, "full")])
def test_other_subjects_in_the_way_are_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    subject: dict[str, Volume],
    seed: int,
    size: str,
) -> None:
    monkeypatch.setattr(write, "generate_subject", lambda *_, **__: subject)
    write_phantom(tmp_path, 1, 0, "small")
    with pytest.raises(OutputExistsError, match="TrainingData/1"):
        write_phantom(tmp_path, 2, seed, size)
    assert not (tmp_path / "TrainingData" / "2").exists()


def test_a_subject_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subject: dict[str, Volume]
) -> None:
    def broken(path: Path, *_: object) -> None:
        if path.name.startswith("T2"):
            raise OSError("disk full")
        path.touch()

    monkeypatch.setattr(write, "generate_subject", lambda *_, **__: subject)
    monkeypatch.setattr(folders, "write_volume", broken)
    with pytest.raises(VoxResError, match="disk full"):
        write_phantom(tmp_path, 1, 0, "small")
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [(("tiny", 0, 1), "one of full, small"), (("small", -1, 1), "0 or more")],
)
def test_bad_arguments(arguments: tuple[str, int, int], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        generate_subject(*arguments)


def test_the_real_scan_comes_with_a_manifest(tmp_path: Path) -> None:
    manifest = write_real(tmp_path)
    (found,) = read_manifest(manifest)
    assert (found.id, set(found.images), found.scheme) == ("mni152", {"t1"}, "tissue")
    assert found.labels == tmp_path / "mni152" / "labels.nii.gz"
    t1, labels = (read_volume(path) for path in (found.images["t1"], found.labels))
    assert t1.data.shape == labels.data.shape == (197, 233, 189)
    assert t1.grid.distance_mm(labels.grid) == 0
    assert labels.data[t1.data > 0].min() > 0
    fluid = 255 - sum(read_mni(kind).data.astype(int) for kind in ("gm", "wm"))
    assert fluid[labels.data == 1].min() >= 85  # a third of the voxel, else another fills more
    csf, gm, wm = (int((labels.data == k).sum()) / 1000 for k in (1, 2, 3))
    assert 800 < gm < 1100
    assert 550 < wm < 800
    assert csf > 100
    with pytest.raises(OutputExistsError, match="mni152"):
        write_real(tmp_path)
    write_real(tmp_path, overwrite=True)
    # Stopped before the manifest, it goes on from there.
    manifest.unlink()
    made = found.images["t1"].stat().st_mtime_ns
    assert write_real(tmp_path).is_file()
    assert found.images["t1"].stat().st_mtime_ns == made


@pytest.mark.parametrize("write", [lambda out: write_phantom(out, 1, 0, "small"), write_real])
def test_one_process_at_a_time(write: Callable[[Path], object], tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(VoxResError, match="one process at a time"):
        write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]

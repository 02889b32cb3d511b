from __future__ import annotations

from pathlib import Path

import pytest

from voxres_tf.contract import read_contract
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.errors import DataError
from voxres_tf.inference.sources import find_sources, part_of


@pytest.fixture
def contract(contract_folder):
    """Of a model that takes T1 and FLAIR."""
    return read_contract(contract_folder)


def test_images_are_one_subject(contract):
    images = {"flair": Path("b/F.nii"), "t1": Path("a/head.nii.gz")}
    assert find_sources(images, [], None, contract) == [SubjectFiles("head", images)]


@pytest.mark.parametrize("given", [("t1",), ("t1", "flair", "t2")])
def test_images_must_be_the_models(contract, given):
    images = {name: Path(f"{name}.nii") for name in given}
    with pytest.raises(DataError, match=f"takes t1, flair. Received: {', '.join(given)}"):
        find_sources(images, [], None, contract)


@pytest.mark.parametrize("given", ["t1", "flair"])
def test_one_image_is_enough_where_the_other_may_be_missing(contract, given):
    free = contract.model_copy(update={"optional_modalities": ("t1", "flair")})
    images = {given: Path("a/head.nii.gz")}
    assert find_sources(images, [], None, free) == [SubjectFiles("head", images)]
    with pytest.raises(DataError, match=r"at least one of t1, flair\. Received: t2\."):
        find_sources({"t2": Path("a.nii")}, [], None, free)
    with pytest.raises(DataError, match=r"takes t1, flair\. Received: t1, t2"):
        find_sources({"t1": Path("a.nii"), "t2": Path("b.nii")}, [], None, free)


def test_folders_of_subjects_and_data_sets(contract, write_subject, tmp_path):
    for name in ("a", "b"):
        write_subject(name)
    data = tmp_path / "data"
    assert [s.id for s in find_sources({}, [data], None, contract)] == ["a", "b"]
    assert [s.id for s in find_sources({}, [data / "b", data / "a"], None, contract)] == ["b", "a"]


def test_one_id_twice(contract, write_subject, tmp_path):
    write_subject("a")
    with pytest.raises(DataError, match="more than one subject a"):
        find_sources({}, [tmp_path / "data", tmp_path / "data" / "a"], None, contract)


def test_manifest(contract, write_subject, tmp_path):
    write_subject("a")
    manifest = tmp_path / "data" / "list.csv"
    manifest.write_text("subject,t1,flair\nx,a/t1.nii,a/flair.nii\n")
    assert [s.id for s in find_sources({}, [], manifest, contract)] == ["x"]


def test_parts_are_a_partition():
    subjects = [SubjectFiles(str(n), {}) for n in range(7)]
    parts = [part_of(subjects, 3, number) for number in range(3)]
    assert [s.id for s in parts[1]] == ["1", "4"]
    assert sorted(s.id for part in parts for s in part) == [s.id for s in subjects]
    assert part_of(subjects[:1], 2, 1) == []

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from voxres_tf.config import PreprocessConfig
from voxres_tf.contract import CONTRACT_FILE
from voxres_tf.dataset.subject import Subject, read_subject
from voxres_tf.errors import ConfigError, DataError, ModelError
from voxres_tf.files import write_json
from voxres_tf.grid import Grid, from_canonical
from voxres_tf.inference.predict import Predictor
from voxres_tf.preprocess.channels import prepare
from voxres_tf.volume import Volume, read_volume, write_volume


def test_labels_come_back_on_the_subjects_own_grid(make_predictor, write_subject):
    files = write_subject()
    prediction = make_predictor()(files)
    # The formula works voxel by voxel, so tiles and axes must not show in its result.
    subject = read_subject(files, ("t1", "flair"))
    config = PreprocessConfig(modalities=("t1", "flair"), filtered=False)
    t1, flair = np.moveaxis(from_canonical(prepare(subject, config).image, subject.grid), -1, 0)
    expected = np.where(t1 > 0.5, 3, np.where(flair > 0.5, 2, 1))
    np.testing.assert_array_equal(prediction.labels.data, expected)
    assert prediction.labels.data.dtype == np.uint8
    assert prediction.probabilities.data.dtype == np.float32
    np.testing.assert_allclose(prediction.probabilities.data, np.eye(4)[expected], atol=1e-6)
    assert prediction.labels.grid is prediction.probabilities.grid
    assert prediction.labels.grid.sform_code == 2
    assert prediction.id == "s1"
    assert set(prediction.seconds) == {"read", "prepare", "predict"}


def test_volumes_are_counts_times_the_voxel(make_predictor, write_subject):
    prediction = make_predictor()(write_subject())
    counts = np.bincount(prediction.labels.data.reshape(-1), minlength=4)
    # |det| of the affine's axes, in mm^3.
    voxel_ml = prediction.labels.grid.voxel_ml
    assert prediction.volumes_ml == pytest.approx(
        {"CSF": counts[1] * voxel_ml, "GM": counts[2] * voxel_ml, "WM": counts[3] * voxel_ml}
    )


def test_memory_and_disk_give_the_same(make_predictor, write_subject):
    files = write_subject(modalities=("t1", "flair", "t2"))
    subject = read_subject(files, ("flair", "t2", "t1"))
    predictor = make_predictor()
    np.testing.assert_array_equal(
        predictor(files).probabilities.data, predictor(subject).probabilities.data
    )


def test_files_by_modality_are_a_subject(make_predictor, write_subject):
    files = write_subject()
    found = make_predictor()({modality: str(path) for modality, path in files.images.items()})
    assert found.id == "scan"
    np.testing.assert_array_equal(found.labels.data, make_predictor()(files).labels.data)
    for wrong in ("my.nii.gz", files.images["t1"], None, {"t1": None}):
        with pytest.raises(ConfigError, match=r"modality -> file.*my.nii.gz"):
            make_predictor()(wrong)


def test_modalities_are_known_by_the_spellings_of_manifests(make_predictor, write_subject):
    scans = write_subject().images
    found = make_predictor()({"T1": scans["t1"], "T2_FLAIR": scans["flair"]})
    assert found.modalities == ("t1", "flair")
    for wrong in ({**scans, "t1w": scans["t1"]}, {**scans, "t2_flair": scans["flair"]}):
        with pytest.raises(ConfigError, match=r"modalities t1, t1-ir, flair, t2, each once"):
            make_predictor()(wrong)


def test_probabilities_that_are_not_kept(make_predictor, write_subject):
    files = write_subject()
    found = make_predictor(probabilities=False)(files)
    assert found.probabilities is None
    np.testing.assert_array_equal(found.labels.data, make_predictor()(files).labels.data)


def test_labels_of_the_subject_do_not_matter(make_predictor, write_subject):
    subject = read_subject(write_subject(), ("t1", "flair"))
    odd = Volume(np.full(subject.grid.shape, 77), subject.grid)
    labelled = Subject(subject.id, subject.images, subject.grid, odd)
    make_predictor()(labelled)


def leaning(tiles):
    """Class 0 on the left half of every tile, class 1 on the right half."""
    codes = np.arange(tiles.shape[1]) >= tiles.shape[1] // 2
    answer = np.eye(4, dtype=np.float32)[codes.astype(int)]
    return np.broadcast_to(answer[None, :, None, None], (*tiles.shape[:4], 4))


def test_tta_is_the_mean_with_the_left_right_mirror_image(make_predictor, write_subject):
    # One tile that is as wide as the subject: left and right differ, their mean does not.
    files = write_subject(shape=(8, 8, 8), affine=np.diag([1.0, 1, 1, 1]))
    plain = make_predictor(leaning)(files).probabilities.data
    mean = make_predictor(leaning, tta=True)(files).probabilities.data
    np.testing.assert_allclose(plain[:4, ..., 0], 1)
    np.testing.assert_allclose(plain[4:, ..., 0], 0)
    np.testing.assert_allclose(mean[..., :2], 0.5)


def test_options_reach_the_tiles(make_predictor, write_subject):
    shapes = []

    def engine(tiles):
        shapes.append(tiles.shape)
        return np.full((*tiles.shape[:4], 4), 0.25, np.float32)

    files = write_subject(shape=(16, 16, 16), affine=np.diag([1.0, 1, 1, 1]))
    make_predictor(engine, overlap=0.0, batch=3)(files)
    make_predictor(engine, tile=(16, 16, 16))(files)
    # The contract's patch is 8x16x8: four tiles, by threes.
    assert shapes == [(3, 8, 16, 8, 2), (1, 8, 16, 8, 2), (1, 16, 16, 16, 2)]


def test_missing_modality(make_predictor, write_subject):
    files = write_subject(modalities=("t1",))
    with pytest.raises(DataError, match=r"t1 \(missing: flair\)"):
        make_predictor()(files)
    with pytest.raises(DataError, match=r"the model takes t1, flair.*missing: flair"):
        make_predictor()(read_subject(files, ("t1",)))


def test_a_scan_of_one_value_is_no_scan(make_predictor, write_subject, optional):
    optional("t1", "flair")
    files = write_subject()
    flair = read_volume(files.images["flair"])
    write_volume(files.images["flair"], np.full_like(flair.data, 7), flair.grid)
    with pytest.raises(DataError, match=r"flair.nii: a scan has contrast\. Received: 7"):
        make_predictor()(files)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda v: Volume(v.data * np.nan, v.grid), "s1, flair: finite values"),
        (lambda v: Volume(v.data * 0, v.grid), "s1, flair: a scan has contrast"),
        # float32 has no 16777217.
        (
            lambda v: Volume(2**24 + (v.data > 0.5), v.grid),
            "s1, flair: a scan has contrast. Received: 16777216 to 16777217, one float32 number",
        ),
        (lambda v: Volume(v.data * 1j, v.grid), "s1, flair: real numbers. Received: complex64"),
        (lambda v: Volume(v.data * np.float64(1e60), v.grid), "s1, flair: finite values"),
        (
            lambda v: Volume(v.data, Grid(v.grid.shape, v.grid.affine * np.nan)),
            "s1, flair: the grid of the subject. Received: nan mm apart",
        ),
        (lambda v: Volume(v.data[1:], v.grid), "s1, flair: data of its grid's shape"),
        (
            lambda v: Volume(v.data, Grid(v.grid.shape, v.grid.affine @ np.diag([-1, 1, 1, 1]))),
            r"s1, flair: the grid of the subject\. Received: .* mm apart",
        ),
    ],
)
def test_a_subject_in_memory_is_held_to_the_same_rules(make_predictor, write_subject, change, line):
    subject = read_subject(write_subject(), ("t1", "flair"))
    images = {**subject.images, "flair": change(subject.images["flair"])}
    with pytest.raises(DataError, match=line):
        make_predictor()(Subject(subject.id, images, subject.grid))


def test_a_grid_in_memory_is_held_to_them_too(make_predictor, write_subject):
    subject = read_subject(write_subject(), ("t1", "flair"))
    flat = subject.grid.affine @ np.diag([1, 1, 0, 1])
    for grid in (replace(subject.grid, affine=flat), replace(subject.grid, shape=(4, 4))):
        with pytest.raises(DataError, match=r"subject s1: (an affine that can be|a volume has)"):
            make_predictor()(replace(subject, grid=grid))


def test_what_may_be_missing_is_zeros(make_predictor, write_subject, optional):
    optional("t1", "flair")
    seen = []

    def engine(tiles):
        seen.append(tiles)
        return np.eye(4, dtype=np.float32)[np.where(tiles[..., 1] > 0.5, 2, 1)]

    files = write_subject(modalities=("flair", "t2"))
    prediction = make_predictor(engine)(files)
    assert prediction.modalities == ("flair",)
    assert not any(tiles[..., 0].any() for tiles in seen)
    assert all(tiles[..., 1].any() for tiles in seen)
    subject = read_subject(files, ("flair",))
    config = PreprocessConfig(modalities=("flair",), filtered=False)
    flair = from_canonical(prepare(subject, config).image, subject.grid)[..., 0]
    np.testing.assert_array_equal(prediction.labels.data, np.where(flair > 0.5, 2, 1))
    again = make_predictor(engine)(subject)
    np.testing.assert_array_equal(again.probabilities.data, prediction.probabilities.data)


def test_only_what_may_be_missing_may(make_predictor, write_subject, optional):
    optional("flair")
    assert make_predictor()(write_subject(modalities=("t1",))).modalities == ("t1",)
    with pytest.raises(DataError, match=r"subject s2: .*t1, flair.*flair \(missing: t1\)"):
        make_predictor()(write_subject("s2", modalities=("flair",)))
    optional("t1", "flair")
    with pytest.raises(DataError, match=r"at least one of t1, flair\. Received: t2\."):
        make_predictor()(write_subject("s3", modalities=("t2",)))


def test_options_are_checked_before_any_volume(contract_folder):
    with pytest.raises(ConfigError, match="overlap 1"):
        Predictor(contract_folder, overlap=1)
    with pytest.raises(ConfigError, match="multiples of 8"):
        Predictor(contract_folder, tile=(8, 8, 9))


def test_model_without_a_contract(tmp_path):
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(ModelError, match="holds its contract"):
        Predictor(tmp_path)


def test_contract_without_a_network(contract_folder, write_subject):
    with pytest.raises(ModelError, match="a SavedModel"):
        Predictor(contract_folder)(write_subject())


def test_exported_model_predicts(tiny_model, write_subject):
    prediction = Predictor(tiny_model.parent, device="cpu", batch=2)(write_subject())
    np.testing.assert_allclose(prediction.probabilities.data.sum(-1), 1, atol=1e-5)
    assert prediction.labels.data.shape == (18, 10, 20)


def brain_and_neck(tiles):
    """Class 2 where the first channel is above its slice's mean, more surely on a tile's left."""
    tissue = (tiles[..., :1] > 0) * np.float32(0.5)
    lean = np.linspace(0.2, 0, tiles.shape[1], dtype=np.float32)[:, None, None, None]
    nothing = np.zeros_like(tissue)
    return np.concatenate([0.8 - tissue - lean, nothing, 0.2 + tissue + lean, nothing], -1)


@pytest.fixture
def neck():
    """A subject of blocks: a brain, and a tenth of its size apart from it."""
    tissue = np.zeros((60, 40, 30), bool)
    tissue[:, :, 13:28] = tissue[20:40, 0:20, 1:3] = True
    tissue[0, 0] = False  # No slice is all of one value.
    grid = Grid(tissue.shape, np.diag([1.0, 1, 2, 1]))
    scans = {"t1": tissue.astype(np.float32), "flair": 2 * tissue.astype(np.float32)}
    return Subject("s", {m: Volume(data, grid) for m, data in scans.items()}, grid), tissue


def test_tissue_apart_from_the_largest_piece_is_background(make_predictor, neck):
    subject, tissue = neck
    every = make_predictor(brain_and_neck)(subject)
    np.testing.assert_array_equal(every.labels.data == 2, tissue)
    assert every.loose_ml is None
    found = make_predictor(brain_and_neck, one_piece=True)(subject)
    tissue[..., :5] = False
    np.testing.assert_array_equal(found.labels.data == 2, tissue)
    np.testing.assert_array_equal(found.probabilities.data.argmax(-1), found.labels.data)
    assert found.loose_ml == pytest.approx(20 * 20 * 2 * 2 / 1000)


def test_a_contract_says_how_its_model_predicts_and_may_be_overruled(
    make_predictor, contract_folder, neck
):
    path = contract_folder / CONTRACT_FILE
    says = {"overlap": 0.25, "tta": True, "one_piece": True}
    write_json(path, json.loads(path.read_text()) | says)
    careful, plain = {}, {"overlap": 0.5, "tta": False, "one_piece": False}
    for options, expected in ((careful, says), (plain, plain)):
        predictor = make_predictor(brain_and_neck, **options)
        found = {"tta": predictor.tta, "one_piece": predictor.one_piece}
        assert found | {"overlap": predictor.tiling.overlap} == expected
    found, other = (
        make_predictor(brain_and_neck, **options)(neck[0]) for options in (careful, plain)
    )
    assert found.loose_ml > 0
    assert other.loose_ml is None
    # With mirror images, a tile leans to neither side.
    inside = found.probabilities.data[:, 5:, 15, 2]
    np.testing.assert_allclose(inside, inside[0, 0], atol=1e-6)
    assert np.ptp(other.probabilities.data[:, 5:, 15, 2]) > 0.05

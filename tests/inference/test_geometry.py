"""Scans of any spacing, orientation, datatype and scale: labels on their own grid, and the same."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from nibabel.orientations import apply_orientation, inv_ornt_aff
from scipy.ndimage import gaussian_filter

from voxres_tf.dataset.subject import Subject, SubjectFiles
from voxres_tf.errors import ConfigError, DataError
from voxres_tf.grid import Grid
from voxres_tf.volume import Volume, read_volume, write_volume

SHAPE, AFFINE = (26, 22, 6), np.diag([0.5, 0.6, 7.0, 1.0])
ORIENTATIONS = [
    np.array(list(zip(order, flips, strict=True)))
    for order in permutations(range(3))
    for flips in product((1, -1), repeat=3)
]


def scans():
    """T1 and FLAIR of blobs that are larger than voxels."""
    random = np.random.default_rng(5)
    noise = random.standard_normal((2, *SHAPE))
    return gaussian_filter(noise, (0, 3, 3, 0.7)).astype(np.float32) * 5000


def subject(orientation=None, change=lambda data: data):
    affine, arrays = AFFINE, scans()
    if orientation is not None:
        affine = AFFINE @ inv_ornt_aff(orientation, SHAPE)
        arrays = [apply_orientation(a, orientation) for a in arrays]
    grid = Grid(arrays[0].shape, affine)
    images = zip(("t1", "flair"), arrays, strict=True)
    return Subject("s", {name: Volume(change(a), grid) for name, a in images}, grid)


@pytest.mark.usefixtures("any_spacing")
def test_the_network_sees_what_it_takes_and_labels_are_on_the_own_grid(make_predictor):
    prediction = make_predictor()(subject())
    assert prediction.spacing_mm == (1.0, 1.0, 5.5)
    assert prediction.labels.data.shape == SHAPE
    assert prediction.probabilities.data.shape == (*SHAPE, 4)
    np.testing.assert_allclose(prediction.probabilities.data.sum(-1), 1, atol=1e-5)
    np.testing.assert_array_equal(prediction.labels.data, prediction.probabilities.data.argmax(-1))
    # The formula looks at single voxels, so at any spacing it finds nearly the same.
    as_stored = make_predictor(keep_spacing=True)(subject())
    assert as_stored.spacing_mm == (0.5, 0.6, 7.0)
    assert (prediction.labels.data == as_stored.labels.data).mean() > 0.85
    assert (prediction.labels.data != as_stored.labels.data).any()


def test_keep_spacing_is_the_model_without_a_resolution(make_predictor, request):
    plain = make_predictor()(subject())
    request.getfixturevalue("any_spacing")
    kept = make_predictor(keep_spacing=True)(subject())
    np.testing.assert_array_equal(kept.probabilities.data, plain.probabilities.data)


@pytest.mark.usefixtures("any_spacing")
def test_all_48_orientations_have_the_same_labels(make_predictor):
    predictor = make_predictor(tile=(32, 32, 8), overlap=0.0)
    expected = predictor(subject()).labels.data
    assert len(ORIENTATIONS) == 48
    for orientation in ORIENTATIONS:
        found = predictor(subject(orientation))
        np.testing.assert_array_equal(found.labels.data, apply_orientation(expected, orientation))


@pytest.mark.usefixtures("any_spacing")
@pytest.mark.parametrize(
    "change",
    [
        lambda data: np.rint(data).astype(np.int16),
        lambda data: data.astype(np.float64),
        lambda data: data * np.float32(0.001) + np.float32(5),
        lambda data: (data * 7 + 40_000).astype(np.int32),
    ],
)
def test_datatype_and_scale_do_not_matter(make_predictor, change):
    predictor = make_predictor()
    expected = predictor(subject()).labels.data
    assert (predictor(subject(change=change)).labels.data == expected).mean() > 0.99


def test_other_scans_are_put_on_the_named_one_s_grid(make_predictor, tmp_path):
    thick = Grid((20, 20, 6), np.diag([1.0, 1.0, 3.0, 1.0]))
    thin = Grid((40, 40, 36), np.diag([-0.5, 0.5, 0.5, 1.0]) + 19.5 * np.eye(4, k=3))
    images = {"t1": tmp_path / "t1.nii", "flair": tmp_path / "flair.nii"}
    for grid, path in zip((thin, thick), images.values(), strict=True):
        # A ramp in space, which is the same on any grid.
        points = np.moveaxis(np.indices(grid.shape), 0, -1) @ grid.affine[:3, :3].T
        ramp = points @ (1, 2, 1) + grid.affine[:3, 3] @ (1, 2, 1)
        write_volume(path, ramp.astype(np.float32), grid)
    files = SubjectFiles("s", images)
    with pytest.raises(DataError, match="--resample-to MODALITY"):
        make_predictor()(files)
    on_flair = make_predictor(resample_to="flair")(files)
    # Both scans are one ramp, so T1 on FLAIR's grid is FLAIR; at twice the scale it is normalised.
    flair = read_volume(images["flair"]).data
    same = {"t1": Volume(2 * flair, thick), "flair": Volume(flair, thick)}
    expected = make_predictor()(Subject("s", same, thick))
    assert (on_flair.labels.data == expected.labels.data).mean() > 0.98
    np.testing.assert_array_equal(on_flair.labels.grid.affine, thick.affine)
    assert make_predictor(resample_to="t1")(files).labels.grid.shape == thin.shape
    with pytest.raises(ConfigError, match=r"resample_to: the model takes t1, flair.*t2"):
        make_predictor(resample_to="t2")


def test_the_named_scan_must_be_there(make_predictor, write_subject, optional):
    optional("t1", "flair")
    with pytest.raises(DataError, match=r"subject s1: flair, whose grid.*Received: t1\."):
        make_predictor(resample_to="flair")(write_subject(modalities=("t1",)))

from __future__ import annotations

import numpy as np
import pytest

from voxres_tf.config import RunConfig
from voxres_tf.contract import Contract
from voxres_tf.dataset.subject import require_subject
from voxres_tf.export.reference import alone, reference_scan
from voxres_tf.preprocess.geometry import working_grid


def contract_of(patch=(16, 16, 8), optional=(), **preprocess):
    config = RunConfig().updated(preprocess=preprocess)
    return Contract(
        name="net",
        version=1,
        preprocess=config.preprocess,
        channels=config.preprocess.channels,
        optional_modalities=optional,
        model=config.model,
        patch=patch,
        weights_sha256="0" * 64,
    )


@pytest.mark.parametrize(
    ("patch", "shape"), [((16, 16, 8), (32, 24, 16)), ((40, 32, 24), (48, 32, 21))]
)
def test_it_is_wider_and_lower_than_a_tile_but_not_too_small(patch, shape):
    subject = reference_scan(contract_of(patch))
    assert {volume.data.shape for volume in subject.images.values()} == {shape}
    assert subject.grid.shape == shape


def test_it_is_the_same_every_time_and_shows_something():
    first, second = (reference_scan(contract_of()) for _ in range(2))
    for name in ("t1", "t1-ir", "flair"):
        np.testing.assert_array_equal(first.images[name].data, second.images[name].data)
    assert first.images["t1"].data.std() > 50
    assert np.any(first.images["t1"].data != first.images["flair"].data)


def test_its_modalities_are_the_models():
    subject = reference_scan(contract_of(modalities=("t2", "t1")))
    assert list(subject.images) == ["t2", "t1"]


@pytest.mark.parametrize(
    ("resolution", "spacing"),
    [
        (None, (1, 1, 3)),
        ({"slice_mm": (0.8, 1.5)}, (1, 1, 1.5)),
        ({"in_plane_mm": (0.4, 0.6), "in_plane_target_mm": 0.5}, (0.5, 0.5, 3)),
    ],
)
def test_the_model_takes_its_spacing_as_it_comes(resolution, spacing):
    contract = contract_of(resolution=resolution)
    grid = reference_scan(contract).grid
    assert grid.spacing_mm == pytest.approx(spacing)
    assert not working_grid(grid, contract.preprocess.resolution).resampled
    np.testing.assert_array_equal(grid.orientation()[:, 0], [0, 1, 2])


@pytest.mark.parametrize(
    ("modalities", "optional", "expected"),
    [
        (("flair", "t1"), ("flair", "t1"), "flair"),
        (("flair", "t1"), ("t1",), "flair"),
        (("flair", "t1"), ("flair",), None),
        (("t1",), ("t1",), None),
    ],
)
def test_one_modality_alone(modalities, optional, expected):
    assert alone(contract_of(modalities=modalities, optional=optional)) == expected


def test_a_model_of_flair_and_t2_is_tried_on_two_scans() -> None:
    subject = reference_scan(contract_of(modalities=("flair", "t2")))
    require_subject(subject, ("flair", "t2"))
    assert not np.array_equal(subject.images["t2"].data, subject.images["flair"].data)

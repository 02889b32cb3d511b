"""The shipped model on a head that it has not seen, however its scans are stored."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from nibabel.orientations import inv_ornt_aff
from numpy.typing import NDArray

from voxres_tf.contract import read_contract
from voxres_tf.dataset.subject import Subject
from voxres_tf.evaluation.metrics import dice
from voxres_tf.grid import Grid
from voxres_tf.inference.catalogue import CARD_SECTIONS, describe
from voxres_tf.inference.models import resolve_model
from voxres_tf.inference.predict import Predictor
from voxres_tf.phantom.generate import STEMS, generate_subject
from voxres_tf.volume import Volume

NAME = "brain-tissue"


@cache
def phantom() -> dict[str, Volume]:
    return generate_subject("small", 3, 1)


@cache
def predictor() -> Predictor:
    return Predictor(NAME)


def segment(images: dict[str, Volume]) -> NDArray[np.uint8]:
    grid = next(iter(images.values())).grid
    return predictor()(Subject("phantom", images, grid)).labels.data


def scans(*modalities: str) -> dict[str, Volume]:
    return {m: phantom()[STEMS[m]] for m in modalities}


@cache
def expected() -> NDArray[np.uint8]:
    return segment(scans("t1"))


def turned(volume: Volume) -> Volume:
    """The same scan, stored from front to back, top to bottom and right to left."""
    data = np.flip(volume.data.transpose(1, 2, 0), (0, 1))
    order = np.array([[2, 1], [0, -1], [1, -1]], np.float64)
    affine = volume.grid.affine @ inv_ornt_aff(order, volume.data.shape)
    return Volume(np.ascontiguousarray(data), Grid(data.shape, affine))


def turned_back(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.flip(labels, (0, 1)).transpose(2, 0, 1)


@pytest.mark.parametrize(
    ("modalities", "bar"), [(("t1", "t1-ir", "flair"), 0.7), (("t1",), 0.5), (("flair",), 0.5)]
)
def test_it_segments_what_it_is_given(modalities: tuple[str, ...], bar: float) -> None:
    labels, reference = segment(scans(*modalities)), phantom()["LabelsForTesting"].data
    codes = phantom()["LabelsForTraining"].data
    counted = ~np.isin(codes, (7, 8))
    for tissue in (1, 2, 3):
        overlap = dice((labels == tissue) & counted, (reference == tissue) & counted)
        assert overlap is not None
        assert overlap > bar


def test_the_way_of_storing_makes_no_difference() -> None:
    t1 = phantom()["T1"]
    other_scale = Volume(t1.data.astype(np.float64) * 0.01 + 3.0, t1.grid)
    for labels in (segment({"t1": other_scale}), turned_back(segment({"t1": turned(t1)}))):
        assert np.mean(labels == expected()) > 0.99


def test_it_is_small_and_says_what_it_is_for() -> None:
    model = describe(NAME)
    assert model.megabytes <= 20
    assert all(model.card[heading.lower()] for heading in CARD_SECTIONS)
    assert set(read_contract(resolve_model(NAME)).optional_modalities) == set(STEMS)

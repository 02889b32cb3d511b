"""The tf.data pipeline: what it yields, and that a later start yields the later batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from voxres_tf.config import RunConfig
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.errors import VoxResError
from voxres_tf.preprocess.cache import cached
from voxres_tf.training.crops import draw_crop
from voxres_tf.training.pipeline import crop_dataset

ALL = ("main", "aux1")


def test_batches_are_the_numbered_crops(
    subjects: list[SubjectFiles], config: RunConfig, tmp_path: Path
) -> None:
    prepared = cached(subjects, config.preprocess, tmp_path / "cache")
    batches = list(crop_dataset(prepared, config.training, ALL, 2, 5).as_numpy_iterator())
    assert len(batches) == 3
    image, classes, weights = batches[0]
    assert set(classes) == set(weights) == set(ALL)
    for place, number in enumerate((4, 5)):  # step 2 holds crops 4 and 5
        expected = draw_crop(prepared, config.training, number)
        np.testing.assert_array_equal(image[place], expected[0])
        np.testing.assert_array_equal(classes["aux1"][place], expected[1])
        np.testing.assert_array_equal(weights["main"][place], expected[2])


def test_no_header_is_parsed_while_crops_are_cut(
    subjects: list[SubjectFiles],
    config: RunConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepared = cached(subjects, config.preprocess, tmp_path / "cache")
    shares = np.ones((*prepared[0].classes.shape, 4), np.float16)
    np.save(tmp_path / "context.npy", shares)
    prepared = [subject.with_context(tmp_path / "context.npy") for subject in prepared]
    batches = crop_dataset(prepared, config.training, ALL, 0, 6)
    monkeypatch.setattr(np, "load", None)
    image, _, _ = next(batches.as_numpy_iterator())
    assert image.shape[-1] == 6
    assert len(list(batches.as_numpy_iterator())) == 6


def test_a_later_start_yields_the_later_batches(
    subjects: list[SubjectFiles], config: RunConfig, tmp_path: Path
) -> None:
    prepared = cached(subjects, config.preprocess, tmp_path / "cache")
    whole = list(crop_dataset(prepared, config.training, ALL, 0, 6).as_numpy_iterator())
    rest = list(crop_dataset(prepared, config.training, ALL, 4, 6).as_numpy_iterator())
    for one, other in zip(whole[4:], rest, strict=True):
        np.testing.assert_array_equal(one[0], other[0])


def test_shapes_are_static(subjects: list[SubjectFiles], config: RunConfig, tmp_path: Path) -> None:
    prepared = cached(subjects, config.preprocess, tmp_path / "cache")
    image, classes, _ = crop_dataset(prepared, config.training, ALL, 0, 1).element_spec
    assert image.shape == (2, 16, 16, 16, 2)
    assert classes["main"].shape == (2, 16, 16, 16)


def test_a_subject_that_is_lost_meanwhile_is_named(
    subjects: list[SubjectFiles], config: RunConfig, tmp_path: Path
) -> None:
    prepared = cached(subjects, config.preprocess, tmp_path / "cache")
    faults: list[VoxResError] = []
    batches = crop_dataset(prepared, config.training, ALL, 0, 2, faults)
    (tmp_path / "cache").rename(tmp_path / "elsewhere")
    with pytest.raises(tf.errors.OpError):
        list(batches)
    assert "an array as it was prepared" in str(faults[0])

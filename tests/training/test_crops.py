"""Crops: inside the volume, padded where it is thin, a pure function of the number."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxres_tf.config import TrainingConfig
from voxres_tf.preprocess.cache import CachedSubject
from voxres_tf.training.crops import cut, draw_crop, subject_of

FOLDER = tempfile.TemporaryDirectory()


@cache
def cached_subject(shape: tuple[int, int, int], name: str = "a") -> CachedSubject:
    """Every voxel's channel 0 tells its own position plus one, so padding is recognised."""
    position = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) + 1
    classes = np.zeros(shape, np.uint8)
    middle = tuple(slice(n // 3, 2 * n // 3 + 1) for n in shape)
    classes[middle] = 2
    scored = np.ones(shape, np.bool_)
    scored[0] = False
    tissue = np.argwhere((classes > 0) & scored).astype(np.int16)
    image = np.stack([position, -position], -1)
    entry = Path(FOLDER.name) / f"{name}-{shape}"
    entry.mkdir()
    arrays = {"image": image, "classes": classes, "scored": scored, "tissue": tissue}
    for file, array in arrays.items():
        np.save(entry / f"{file}.npy", array)
    return CachedSubject(name, entry, ("t1", "t1:filtered"))


SHAPES = st.tuples(*[st.integers(3, 30)] * 3)


@settings(max_examples=60, deadline=None)
@given(shape=SHAPES, number=st.integers(0, 10**9), share=st.sampled_from([0.0, 0.5, 1.0]))
def test_a_crop_is_a_part_of_the_volume_and_padding_weighs_nothing(
    shape: tuple[int, int, int], number: int, share: float
) -> None:
    subject = cached_subject(shape)
    config = TrainingConfig(crop=(16, 8, 16), foreground_share=share, flip=False)
    image, classes, weight = draw_crop([subject], config, number)
    assert image.shape == (16, 8, 16, 2)
    assert (image.dtype, classes.dtype, weight.dtype) == (np.float32, np.uint8, np.float32)
    inside = image[..., 0] > 0
    # As much of every axis as fits.
    assert inside.sum() == np.prod([min(n, c) for n, c in zip(shape, config.crop, strict=True)])
    assert not weight[~inside].any()
    source = np.unravel_index((image[..., 0][inside] - 1).astype(int), shape)
    np.testing.assert_array_equal(classes[inside], subject.classes[source])
    np.testing.assert_array_equal(weight[inside] > 0, subject.scored[source])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), number=st.integers(0, 10**6))
def test_crop_n_is_a_pure_function_of_seed_and_n(seed: int, number: int) -> None:
    subjects = [cached_subject((20, 20, 20), str(i)) for i in range(3)]
    config = TrainingConfig(crop=(8, 8, 8), seed=seed, jitter=0.1)
    first, second = draw_crop(subjects, config, number), draw_crop(subjects, config, number)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


@given(count=st.integers(1, 9), seed=st.integers(0, 99), turn=st.integers(0, 50))
def test_each_round_meets_every_subject_once(count: int, seed: int, turn: int) -> None:
    met = [subject_of(count, seed, turn * count + i) for i in range(count)]
    assert sorted(met) == list(range(count))


def test_thin_axes_are_centred() -> None:
    subject = cached_subject((20, 20, 5))
    image, _, _ = draw_crop([subject], TrainingConfig(crop=(8, 8, 16), flip=False), 0)
    filled = (image[..., 0] > 0).any(axis=(0, 1))
    # (16 - 5) // 2 = 5 slices before, 6 after, as for the tiles of prediction.
    np.testing.assert_array_equal(np.flatnonzero(filled), [5, 6, 7, 8, 9])


def test_foreground_share_brings_tissue_to_the_centre() -> None:
    subject = cached_subject((30, 30, 30))
    config = TrainingConfig(crop=(8, 8, 8), foreground_share=1.0, flip=False)
    centres = [draw_crop([subject], config, n)[1][4, 4, 4] for n in range(30)]
    assert set(centres) == {2}
    anywhere = config.model_copy(update={"foreground_share": 0.0})
    assert 0 in {draw_crop([subject], anywhere, n)[1][4, 4, 4] for n in range(30)}


def test_flips_mirror_half_of_the_crops_left_right() -> None:
    subject = cached_subject((8, 8, 8))
    config = TrainingConfig(crop=(8, 8, 8), flip=True)
    straight = subject.image
    flipped = 0
    for n in range(40):
        image, classes, weight = draw_crop([subject], config, n)
        if image[0, 0, 0, 0] != straight[0, 0, 0, 0]:
            flipped += 1
            np.testing.assert_array_equal(image, straight[::-1])
            np.testing.assert_array_equal(classes, subject.classes[::-1])
            np.testing.assert_array_equal(weight, subject.scored[::-1])
    assert 10 < flipped < 30


def test_jitter_changes_channels_by_one_gain_and_offset_each() -> None:
    subject = cached_subject((8, 8, 8))
    config = TrainingConfig(crop=(8, 8, 8), flip=False, jitter=0.1)
    image, _, _ = draw_crop([subject], config, 0)
    for channel in range(2):
        gain, offset = np.polyfit(
            subject.image[..., channel].ravel(), image[..., channel].ravel(), 1
        )
        assert gain != pytest.approx(1, abs=1e-6)
        assert abs(gain - 1) < 0.5
        assert abs(offset) < 0.5


def test_jitter_leaves_the_padding_at_zero() -> None:
    config = TrainingConfig(crop=(16, 16, 8), flip=False, jitter=0.1)
    image, _, _ = draw_crop([cached_subject((8, 8, 8))], config, 0)
    inside = np.zeros(config.crop, bool)
    inside[4:12, 4:12] = True
    assert not image[~inside].any()
    assert image[inside].any()


NAMES = tuple(f"{m}{kind}" for kind in ("", ":filtered") for m in ("t1", "t1-ir", "flair"))


@cache
def three_modalities(context: bool = False) -> CachedSubject:
    """Six channels of ones, so that what is absent is known by its zeros."""
    subject = cached_subject((8, 8, 8), "three")
    np.save(subject.entry / "image.npy", np.ones((8, 8, 8, 6), np.float32))
    np.save(subject.entry / "context.npy", np.full((8, 8, 8, 4), 0.25, np.float16))
    named = replace(subject, channel_names=NAMES)
    return named.with_context(subject.entry / "context.npy") if context else named


@given(
    number=st.integers(0, 10**9), dropout=st.sampled_from([0.01, 0.5, 0.99]), context=st.booleans()
)
def test_whole_modalities_are_absent_but_never_all(
    number: int, dropout: float, context: bool
) -> None:
    config = TrainingConfig(crop=(8, 8, 8), modality_dropout=dropout, jitter=0.1)
    subject = three_modalities(context)
    image, _, _ = draw_crop([subject], config, number)
    absent = (image == 0).all(axis=(0, 1, 2))
    np.testing.assert_array_equal(absent[:3], absent[3:6])
    assert not absent[:3].all()
    np.testing.assert_array_equal(image[..., 6:], 0.25 * np.ones((8, 8, 8, 4 * context)))
    # What stays is what it would be without, whether jittered or mirrored.
    whole, _, _ = draw_crop([subject], config.model_copy(update={"modality_dropout": 0.0}), number)
    np.testing.assert_array_equal(image, np.where(absent, 0, whole))
    np.testing.assert_array_equal(image, draw_crop([subject], config, number)[0])


def subsets_met(dropout: float, crops: int) -> Counter[str]:
    config = TrainingConfig(crop=(8, 8, 8), modality_dropout=dropout)
    images = (draw_crop([three_modalities()], config, n)[0] for n in range(crops))
    return Counter("".join(str(int(v)) for v in image[0, 0, 0, :3]) for image in images)


def test_at_one_half_all_seven_subsets_are_as_frequent() -> None:
    met = subsets_met(0.5, 1400)
    assert len(met) == 7
    # 200 each; the SD of each count is sqrt(1400 * 1/7 * 6/7) = 13.
    assert max(abs(count - 200) for count in met.values()) < 4.5 * 13


def test_the_chance_of_a_modality_is_its_own_but_for_the_empty_subset() -> None:
    # p = .2: all three stay in .8^3 / (1 - .2^3) = .516 of the crops; SD of 500 is 11.
    assert subsets_met(0.2, 500)["111"] == pytest.approx(258, abs=50)


def test_a_single_modality_always_stays() -> None:
    config = TrainingConfig(crop=(8, 8, 8), modality_dropout=0.9)
    assert all(draw_crop([cached_subject((8, 8, 8))], config, n)[0].any() for n in range(20))


def test_cut_by_hand() -> None:
    array = np.arange(8).reshape(2, 2, 2)
    result = cut(array, (-1, 1, 0), (2, 2, 1))
    np.testing.assert_array_equal(result[..., 0], [[0, 0], [2, 0]])

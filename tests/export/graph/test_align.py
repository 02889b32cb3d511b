"""Alignment in the graph against `inference.align`."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.inference.heads import OFFSETS, SHAPE, SPACING_MM, head
from voxres_tf.export.graph import align, offset
from voxres_tf.inference.align import aligned
from voxres_tf.inference.offset import Offset, Tissue, offset_of

NAMES = ("t1", "t1-ir", "flair")
WEIGHTS = ((0, 1, 2, 3), (0, 3, 1, 2), (0, 1, 3, 2))
"""How bright the four classes are in each scan."""


@pytest.mark.parametrize("off", OFFSETS)
def test_the_same_offset_as_in_numpy(off):
    aim, own = head(), head(off)
    expected, soft_dice = offset_of(*(Tissue.of(p, SPACING_MM) for p in (own, aim)), SPACING_MM)
    spacing = tf.constant(SPACING_MM, tf.float64)
    maps = [offset.smoothed(tf.constant(p), spacing) for p in (own, aim)]
    numbers, found = offset.offset_of(*maps, spacing)
    turn, shift = np.split(numbers.numpy(), 2)
    np.testing.assert_allclose(np.degrees(turn), expected.rotation_deg, atol=1e-4)
    np.testing.assert_allclose(shift, expected.translation_mm, atol=1e-4)
    assert float(found) == pytest.approx(soft_dice, abs=1e-6)


def test_smoothed_as_in_numpy():
    noise = np.random.default_rng(0).random((50, 40, 12, 4), np.float32)
    noise[..., 0] = 0
    found = offset.smoothed(tf.constant(noise), tf.constant([1.0, 0.9, 5.0], tf.float64))
    for ours, theirs in zip(found, Tissue.of(noise, (1, 0.9, 5)).maps, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("numbers", [np.zeros(6), np.array([0.3, -0.2, 0.5, 4, -9, 2])])
def test_places_as_in_numpy(numbers):
    turn, shift = np.split(numbers, 2)
    expected = Offset(tuple(np.degrees(turn)), tuple(shift)).to_scan(SHAPE, SPACING_MM)
    points = np.random.default_rng(1).integers(0, 40, (50, 3))
    spacing = tf.constant(SPACING_MM, tf.float64)
    found = offset.places(tf.constant(numbers[None]), points, tf.constant(SHAPE), spacing)
    there = points @ expected[:3, :3].T + expected[:3, 3]
    np.testing.assert_allclose(found[0], there, atol=1e-9)


def segment(image, *, strange=()):
    """What a model that makes no error finds in one scan; nothing in the strange ones."""
    (number,) = np.flatnonzero(image.any(axis=(0, 1, 2)))
    inverse = np.argsort(WEIGHTS[number])
    classes = np.clip(np.rint(image[..., number]), 0, 3).astype(int)
    found = np.eye(4, dtype=np.float32)[inverse][classes]
    return np.eye(4, dtype=np.float32)[np.zeros_like(classes)] if number in strange else found


def scans(*offsets):
    """A scan for each of the offsets, 0 where it is None, float32 [X, Y, Z, 3]."""
    seen = [
        np.zeros(SHAPE) if off is None else np.take(weights, head(off).argmax(-1))
        for off, weights in zip(offsets, WEIGHTS, strict=True)
    ]
    return np.stack(seen, -1).astype(np.float32)


CASES = {
    "all": (OFFSETS[:3], ()),
    "without the second": ((OFFSETS[0], None, OFFSETS[3]), ()),
    "without the first": ((None, OFFSETS[1], OFFSETS[2]), ()),
    "the first alone": ((OFFSETS[2], None, None), ()),
    "too far": ((OFFSETS[0], OFFSETS[1], Offset((0, 0, 0), (0, 24, 0))), ()),
    "nothing found in the second": ((OFFSETS[0], OFFSETS[1], OFFSETS[2]), (1,)),
    "nothing found in the first": ((OFFSETS[0], OFFSETS[1], OFFSETS[2]), (0,)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_same_scans_as_in_numpy(case):
    offsets, strange = CASES[case]
    images = scans(*offsets)
    expected, done = aligned(images, SPACING_MM, NAMES, lambda i: segment(i, strange=strange))

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)])
    def answer(given):
        def ask(image):
            found = tf.numpy_function(lambda i: segment(i, strange=strange), [image], tf.float32)
            return tf.ensure_shape(found, [None, None, None, 4])

        return align.aligned(given, tf.constant(SPACING_MM, tf.float64), ask)

    found = answer(images).numpy()
    moved = [n for n in range(3) if not np.array_equal(expected[..., n], images[..., n])]
    assert [NAMES[n] for n in moved] == list(done.offsets)
    assert np.abs(found - expected).max() < 2e-3
    np.testing.assert_array_equal(found[..., 0], images[..., 0])
    assert {
        "all": (2, 0), "without the second": (1, 0), "too far": (1, 1),
        "nothing found in the second": (1, 1), "nothing found in the first": (0, 2),
    }.get(case, (0, 0)) == (len(done.offsets), len(done.left))  # fmt: skip

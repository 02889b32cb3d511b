"""Resampling in the graph against `preprocess.geometry`."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from voxres_tf.config import Resolution
from voxres_tf.errors import DataError
from voxres_tf.export.graph.geometry import working_grid
from voxres_tf.grid import Grid
from voxres_tf.preprocess import geometry


@pytest.fixture(scope="module")
def there_and_back():
    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, None, 2], tf.float32),
            tf.TensorSpec([3], tf.float64),
        ],
        autograph=False,
    )
    def function(images, spacing):
        working = working_grid(tf.shape(images)[:3], spacing, Resolution())
        seen = working.resample_image(images)
        return working.spacing_mm, seen, working.resample_back(seen)

    return lambda images, spacing: [t.numpy() for t in function(images, np.array(spacing))]


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [
        ((13, 11, 6), (1, 1.1999, 3)),
        ((26, 22, 6), (0.5, 0.6, 7)),
        ((9, 12, 10), (2.3, 0.3, 0.45)),
        ((7, 5, 4), (1, 1, 20)),
        ((1, 1, 3), (0.2, 3, 0.79)),
        ((3, 5, 4), (0.5, np.nextafter(0.5, 1), 0.5)),
    ],
)
def test_the_same_as_in_numpy(there_and_back, shape, spacing):
    images = np.random.default_rng(0).normal(0, 300, (*shape, 2)).astype(np.float32)
    working = geometry.working_grid(Grid(shape, np.diag([*spacing, 1.0])), Resolution())
    spacing_mm, seen, back = there_and_back(images, spacing)
    np.testing.assert_allclose(spacing_mm, working.spacing_mm, rtol=1e-12)
    expected = np.stack([geometry.resample_image(images[..., m], working) for m in range(2)], -1)
    assert seen.dtype == back.dtype == np.float32
    np.testing.assert_allclose(seen, expected, atol=1e-3)
    assert back.shape == images.shape
    np.testing.assert_allclose(back, geometry.resample_back(expected, working), atol=1e-3)
    if not working.resampled:
        np.testing.assert_array_equal(seen, images)
        np.testing.assert_array_equal(back, images)


@pytest.mark.parametrize(
    ("shape", "spacing"), [((4, 4, 4), (0.04, 1, 1)), ((9, 9, 9), (1000, 1000, 1000))]
)
def test_absurd_spacings_are_refused_as_in_numpy(there_and_back, shape, spacing):
    with pytest.raises(DataError, match="mm, that is"):
        geometry.working_grid(Grid(shape, np.diag([*spacing, 1.0])), Resolution())
    line = r"voxres: spacing: a head has voxels of at least 0.05 mm.* mm, that is \["
    with pytest.raises(tf.errors.InvalidArgumentError, match=line):
        there_and_back(np.zeros((*shape, 2), np.float32), spacing)

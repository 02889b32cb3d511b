"""All channels in the graph against `preprocess.prepare`, on volumes as they come."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from voxres_tf.config import PreprocessConfig
from voxres_tf.dataset.subject import Subject
from voxres_tf.export.graph import channels
from voxres_tf.grid import Grid
from voxres_tf.phantom.generate import generate_subject
from voxres_tf.preprocess.channels import prepare
from voxres_tf.volume import Volume

MODALITIES = ("t1", "flair")


def in_graph(images, config):
    spec = tf.TensorSpec([None, None, None, len(config.modalities)], tf.float32)
    function = tf.function(
        lambda given: channels.prepare(given, config), input_signature=[spec], autograph=False
    )
    return function(images).numpy()


def in_numpy(images, config):
    grid = Grid(images.shape[:3], np.eye(4))
    volumes = {m: Volume(images[..., n], grid) for n, m in enumerate(config.modalities)}
    return prepare(Subject("s", volumes, grid), config).image


def random_images(*shape):
    return np.random.default_rng(0).gamma(2, 100, (*shape, 2)).astype(np.float32)


def constant_images(*shape):
    images = random_images(*shape)
    images[:, :, 1] = 7.3  # a slice, and below a whole modality
    images[..., 1] = 0
    return images


def phantom_images():
    volumes = generate_subject("small", 0, 1)
    return np.stack([volumes[name].data for name in ("T1", "T2_FLAIR")], -1).astype(np.float32)


@pytest.mark.parametrize(
    "images",
    [random_images(40, 37, 5), random_images(1, 5, 2), constant_images(20, 17, 4)],
    ids=["random", "thin", "constant"],
)
@pytest.mark.parametrize("filtered", [True, False])
def test_the_graph_gives_the_channels_of_the_command_line(images, filtered):
    config = PreprocessConfig(modalities=MODALITIES, filtered=filtered)
    found, expected = in_graph(images, config), in_numpy(images, config)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_phantom_with_other_settings():
    images = phantom_images()
    config = PreprocessConfig(
        modalities=MODALITIES, gaussian_sigma=2.0, gaussian_radius=7, clahe_tile=9, clahe_clip=4.0
    )
    difference = np.abs(in_graph(images, config) - in_numpy(images, config))
    # Where a smoothed value rounds another way in its last bit, a voxel may change its bin.
    assert np.mean(difference > 1e-5) < 1e-4
    assert difference.max() < 0.2

"""Fused networks answer as the live ones do, and do less for it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from voxres_tf.config import ModelConfig
from voxres_tf.export.fuse import fused

NETWORKS = {
    "voxresnet": ModelConfig(width=2, in_channels=2),
    "thin": ModelConfig(width=2, in_channels=2, thin_kernels=True),
    "unet3d": ModelConfig(width=2, in_channels=2, architecture="unet3d"),
}


def random_image(*shape):
    return np.random.default_rng(1).standard_normal((*shape, 2), np.float32)


def probabilities(logits):
    return tf.nn.softmax(logits).numpy()


def operations(function):
    """How many normalisations of feature maps and 1^3 convolutions a graph has."""
    spec = tf.TensorSpec([1, 8, 8, 8, 2], tf.float32)
    graph = tf.function(function, autograph=False).get_concrete_function(spec).graph
    maps = [op for op in graph.get_operations() if op.type == "Mul" and op.outputs[0].shape[0] == 1]
    classifiers = [
        op
        for op in graph.get_operations()
        if op.type == "Conv3D" and op.inputs[1].shape[:3] == [1, 1, 1]
    ]
    return len([op for op in maps if op.outputs[0].shape.rank == 5]), len(classifiers)


@pytest.fixture(scope="module", params=NETWORKS)
def network(request, random_network):
    return request.param, random_network(NETWORKS[request.param])


def test_answers_are_the_live_ones(network):
    _, model = network
    image = random_image(2, 16, 8, 24)
    live = model(image, training=False)["main"]
    found = fused(model)(image)
    assert probabilities(live).std() > 0.1, "a network that answers all alike shows nothing"
    np.testing.assert_allclose(probabilities(found), probabilities(live), atol=1e-5)


def test_what_can_be_folded_is_folded(network):
    name, model = network
    normalisations, classifiers = operations(lambda image: fused(model)(image))
    live_normalisations, live_classifiers = operations(
        lambda image: model(image, training=False)["main"]
    )
    if name == "unet3d":
        # Every normalisation follows a convolution.
        assert (live_normalisations, normalisations) == (14, 0)
        assert (live_classifiers, classifiers) == (1, 1)
    else:
        # Those of conv1a and within 6 modules go; 9 follow a sum or a convolution that others see.
        assert (live_normalisations, normalisations) == (16, 9)
        assert (live_classifiers, classifiers) == (8, 0)


def test_it_sees_weights_that_change(random_network):
    model = random_network(NETWORKS["voxresnet"])
    function = tf.function(lambda image: fused(model)(image), autograph=False)
    image = random_image(1, 8, 8, 8)
    before = function(image).numpy()
    model.get_layer("conv1a_bn").gamma.assign(np.float32([3, 5]))
    after = function(image).numpy()
    assert np.abs(after - before).max() > 0.1
    live = model(image, training=False)["main"]
    np.testing.assert_allclose(after, live, rtol=1e-4, atol=1e-4)


def test_a_convolution_that_others_see_is_left_alone():
    image = keras.Input((None, None, None, 2))
    x = layers.Conv3D(3, 3, padding="same", name="conv")(image)
    y = layers.BatchNormalization(name="norm")(x)
    active = layers.Conv3D(3, 1, activation="relu", name="active")(layers.Add()([x, y]))
    z = layers.BatchNormalization(name="after_relu")(active)
    model = keras.Model(image, {"main": z})
    for norm in ("norm", "after_relu"):
        model.get_layer(norm).moving_mean.assign(np.float32([1, 2, 3]))
    given = random_image(1, 8, 8, 8)
    np.testing.assert_allclose(fused(model)(given), model(given)["main"], atol=1e-5)


def test_a_deconvolution_without_bias_and_a_classifier():
    image = keras.Input((None, None, None, 2))
    x = layers.Conv3DTranspose(3, 2, 2, padding="same", use_bias=False)(image)
    model = keras.Model(image, {"main": layers.Conv3D(4, 1, bias_initializer="ones")(x)})
    given = random_image(1, 8, 8, 8)
    np.testing.assert_allclose(fused(model)(given), model(given)["main"], atol=1e-5)

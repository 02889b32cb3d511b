"""Crops, objective and the course of a training. Importing it sets up TensorFlow first."""

from voxres_tf.runtime import tensorflow_settings

tensorflow_settings()

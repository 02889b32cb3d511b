"""Crops, objective and the course of a training. Importing it starts TensorFlow."""

from voxres_tf.runtime import import_tensorflow

import_tensorflow()

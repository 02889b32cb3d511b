"""From a run to a SavedModel. Importing this package sets up TensorFlow's environment first."""

from voxres_tf.runtime import tensorflow_settings

tensorflow_settings()

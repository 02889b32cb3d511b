"""Export of a run to a SavedModel. Importing this package starts TensorFlow."""

from voxres_tf.runtime import import_tensorflow

import_tensorflow()

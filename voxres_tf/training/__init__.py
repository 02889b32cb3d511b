"""Training: crops, objective and training loop. Importing this package imports TensorFlow."""

from voxres_tf.runtime import import_tensorflow

import_tensorflow()

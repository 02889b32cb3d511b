"""The models that ship with the package; see `voxres_tf.inference.models`."""

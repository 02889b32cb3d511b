"""What `preprocess` and `inference.tiling` do, as TensorFlow operations of an exported graph."""

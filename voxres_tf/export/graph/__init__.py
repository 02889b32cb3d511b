"""What `preprocess` and `inference` do, as TensorFlow operations of an exported graph."""

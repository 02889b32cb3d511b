"""Prediction of whole volumes; only `engine` meets TensorFlow."""

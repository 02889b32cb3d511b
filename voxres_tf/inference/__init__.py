"""Prediction of whole volumes; only `engine` uses TensorFlow."""

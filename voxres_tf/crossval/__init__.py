"""Trainings that depend on each other: auto-context, folds, and which subjects they may see."""

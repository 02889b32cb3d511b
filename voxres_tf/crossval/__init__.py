"""Trainings that depend on each other: auto-context, folds, and who may see whom."""

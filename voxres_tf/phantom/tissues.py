"""What a head is made of, and how data sets label it."""

from __future__ import annotations

from enum import IntEnum


class Tissue(IntEnum):
    """What phantoms are made of; those from `CAUDATE` on occur in label maps only."""

    AIR = 0
    CORTEX = 1
    DEEP_GM = 2
    WM = 3
    LESION = 4
    CSF = 5
    VENTRICLE = 6
    CEREBELLAR_GM = 7
    CEREBELLAR_WM = 8
    BRAINSTEM = 9
    BONE = 10
    FAT = 11
    MUSCLE = 12
    EYE = 13
    CAUDATE = 14
    PUTAMEN = 15
    PALLIDUM = 16
    THALAMUS = 17
    MARROW = 18
    PLEXUS = 19


TRAINING_CODES = (0, 1, 2, 3, 4, 5, 6, 7, 7, 8, 0, 0, 0, 0, 2, 2, 2, 2, 0, 6)
"""MRBrainS13's code in LabelsForTraining for each `Tissue`."""

CLASSES = (0, 2, 2, 3, 3, 1, 1, 2, 3, 3, 0, 0, 0, 0, 2, 2, 2, 2, 0, 1)
"""Class of each `Tissue` over the whole brain: cerebellum and brainstem are GM and WM too."""

"""Randomised subjects: what lies outside the brain."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.phantom.test_randomised import COARSE
from voxres_tf.phantom.labelmap import LabelHead
from voxres_tf.phantom.randomisation import Artefacts, Contrast, Outside, Randomisation
from voxres_tf.phantom.randomised import randomised_subject


def test_a_share_of_the_fat_outside_the_brain_is_muscle(label_map: Path) -> None:
    scans = []
    for share in (0.0, 0.5, 1.0):
        ranges = Randomisation(
            geometry=COARSE,
            outside=Outside(stripped=0, partly=0, dark_air=1, muscle=(share, share), clutter=0),
            contrast=Contrast(arbitrary=0, outside_sd=0, fat=(2, 2)),
            artefacts=Artefacts(blur_mm=(0, 0), noise=(0, 0), texture=(0, 0), bias=(0, 0)),
        )
        scans.append(randomised_subject(LabelHead(label_map), ranges, 3, 1)["T1"].data)
    fat, mixed, muscle = ((scan > 1500).mean() for scan in scans)
    assert fat > 0.02
    assert muscle == 0
    assert 0.2 * fat < mixed < 0.8 * fat


def test_clutter_leaves_no_muscle_of_one_brightness_and_the_labels_alone(label_map: Path) -> None:
    labels, alike = [], []
    for share in (0, 1):
        outside = {"stripped": 0, "partly": 0, "dark_air": 1, "muscle": (1, 1), "clutter": share}
        ranges = Randomisation(
            geometry=COARSE,
            outside=Outside(**outside, cluttered=(1, 1), clutter_from_mm=(0, 0)),
            contrast=Contrast(arbitrary=0),
            artefacts=Artefacts(blur_mm=(0, 0), noise=(0, 0), texture=(0, 0), bias=(0, 0)),
        )
        found = randomised_subject(LabelHead(label_map), ranges, 3, 1)
        labels.append(found["labels"].data)
        t1 = found["T1"].data
        around = t1[(labels[-1] == 0) & (t1 > 0)]
        counts = np.unique(around, return_counts=True)[1]
        alike.append(np.sort(counts)[-2] / around.size)  # bone and muscle are the largest parts
    np.testing.assert_array_equal(*labels)
    assert alike[0] > 0.15
    assert alike[1] < 0.05


def test_a_ratio_changes_nothing_but_the_background_of_t1(label_map: Path) -> None:
    plain, ratio, dark = (
        randomised_subject(
            LabelHead(label_map),
            Randomisation(
                geometry=COARSE,
                outside=Outside(stripped=0, partly=0, dark_air=dark),
                artefacts=Artefacts(ratio=share),
            ),
            3,
            1,
        )
        for share, dark in ((0, 0), (1, 0), (1, 1))
    )
    for name in ("T1_IR", "T2_FLAIR", "labels"):
        np.testing.assert_array_equal(plain[name].data, ratio[name].data)
    tissue, air = plain["labels"].data > 0, dark["T1"].data == 0
    differs = np.abs(ratio["T1"].data - plain["T1"].data) > 5
    assert differs[tissue].mean() < 0.05
    assert differs[air].mean() > 0.95
    assert ratio["T1"].data[air].mean() > 400

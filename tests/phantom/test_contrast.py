"""Contrasts in the order that scans of each kind show, and free ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxres_tf.phantom.contrast import SEQUENCES, draw_contrast, inversion_recovery
from voxres_tf.phantom.generate import CONTRAST
from voxres_tf.phantom.randomisation import Contrast
from voxres_tf.phantom.tissues import TRAINING_CODES, Tissue


def test_inversion_recovery_by_hand() -> None:
    # White matter: .70 * (1 - 2 * .62464 + .00554) * .81193 = -.13857
    assert inversion_recovery(850, 72, 0.70, 400) == pytest.approx(-0.1386, abs=2e-4)
    assert inversion_recovery(400 / math.log(2), 1e9, 1.0, 400) == pytest.approx(
        0.0005, abs=1e-3
    )  # nulled: TI = T1 ln 2


def test_every_tissue_has_a_code() -> None:
    assert len(TRAINING_CODES) == len(Tissue)
    assert set(TRAINING_CODES) == set(range(9))


def test_scans_of_mrbrains13_by_hand() -> None:
    rng = np.random.default_rng(0)
    ranges = CONTRAST.model_copy(update={"tissue_sd": 0.0, "outside_sd": 0.0})
    t1, t1_ir, flair = (draw_contrast(rng, name, ranges)[0] for name in SEQUENCES)
    # T1-IR relative to CSF: (1 - 2 * .91118 + .35809) * .99005 = -.45965; white matter as above.
    expected = {Tissue.WM: (1.0, -0.3015, 1.0), Tissue.CORTEX: (0.66, -0.7012, 1.19),
                Tissue.CSF: (0.24, -1.0, 0.16), Tissue.AIR: (0.0, 0.0, 0.0)}  # fmt: skip
    for tissue, values in expected.items():
        found = [signals[tissue] for signals in (t1, t1_ir, flair)]
        assert found == pytest.approx(values, abs=5e-4)
    assert flair[Tissue.LESION] > flair[Tissue.CORTEX]
    assert t1_ir[Tissue.FAT] > 0


def test_people_differ_by_two_percent() -> None:
    rng = np.random.default_rng(0)
    signals = np.stack([draw_contrast(rng, "T1", CONTRAST)[0] for _ in range(400)])
    spread = signals[:, 1:].std(axis=0) / signals[:, 1:].mean(axis=0)
    assert spread == pytest.approx(0.02, rel=0.2)


@given(seed=st.integers(0, 2**31), sequence=st.sampled_from(SEQUENCES))
def test_arbitrary_contrasts_tell_the_tissues_apart(seed: int, sequence: str) -> None:
    ranges = Contrast(arbitrary=1, tissue_sd=0, least_difference=0.2)
    signals, _ = draw_contrast(np.random.default_rng(seed), sequence, ranges)
    assert signals[Tissue.AIR] == 0
    assert abs(signals[Tissue.CORTEX] - signals[Tissue.WM]) >= 0.2 - 1e-6
    assert abs(signals[Tissue.CORTEX] - signals[Tissue.CSF]) >= 0.2 - 1e-6
    low, high = sorted((signals[Tissue.CORTEX], signals[Tissue.WM]))
    assert low - 1e-6 <= signals[Tissue.PUTAMEN] <= high + 1e-6


@given(seed=st.integers(0, 2**31))
def test_usual_contrasts_keep_the_order_of_the_sequence(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ranges = Contrast(arbitrary=0, tissue_sd=0, magnitude=0)
    t1, flair = (draw_contrast(rng, name, ranges)[0] for name in ("T1", "T2_FLAIR"))
    assert t1[Tissue.WM] > t1[Tissue.CORTEX] > t1[Tissue.CSF]
    assert flair[Tissue.LESION] > flair[Tissue.CORTEX] > flair[Tissue.WM] > flair[Tissue.CSF]
    inversion, _ = draw_contrast(rng, "T1_IR", ranges)
    assert inversion[Tissue.WM] > inversion[Tissue.CORTEX] > inversion[Tissue.CSF]


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_fat_and_marrow_are_brighter_or_darker_than_usual(factor: float) -> None:
    usual = CONTRAST.model_copy(update={"tissue_sd": 0.0, "outside_sd": 0.0})
    other = usual.model_copy(update={"fat": (factor, factor)})
    rng = np.random.default_rng(0)
    for name in ("T1", "T2_FLAIR"):
        found, expected = (draw_contrast(rng, name, ranges)[0] for ranges in (other, usual))
        changed = np.full(len(Tissue), 1.0)
        changed[[Tissue.FAT, Tissue.MARROW]] = factor
        assert found == pytest.approx(expected * changed)


@pytest.mark.parametrize(("spread", "least", "most"), [(0, 0, 1e-6), (0.07, 0.02, 0.08)])
def test_grey_matter_lies_elsewhere_as_its_relaxation_differs(
    spread: float, least: float, most: float
) -> None:
    rng = np.random.default_rng(0)
    ranges = Contrast(
        arbitrary=0, tissue_sd=0, magnitude=0, inversion_ms=(400, 400), relaxation_sd=spread
    )
    signals = np.stack([draw_contrast(rng, "T1_IR", ranges)[0] for _ in range(300)])
    fluid, grey, white = signals[:, [Tissue.CSF, Tissue.CORTEX, Tissue.WM]].T
    places = (grey - fluid) / (white - fluid)
    assert places.mean() == pytest.approx(0.43, abs=0.02)
    assert least <= places.std() <= most


def test_signals_of_arbitrary_contrasts_are_those_of_the_config() -> None:
    ranges = Contrast(
        arbitrary=1, arbitrary_signals=(0.4, 0.6), least_difference=0.05, alike_sd=0, tissue_sd=0,
        outside_sd=0, between=(1, 1),
    )  # fmt: skip
    signals, _ = draw_contrast(np.random.default_rng(0), "T1", ranges)
    assert signals[1:].min() >= np.float32(0.4)
    assert signals.max() <= 0.6
    assert signals[Tissue.BRAINSTEM] == signals[Tissue.WM] == signals[Tissue.THALAMUS]
    grey, fluid = signals[[Tissue.CORTEX, Tissue.CSF]]
    assert signals[Tissue.PLEXUS] == pytest.approx((grey + fluid) / 2)


@pytest.mark.parametrize("share", [0, 1])
def test_a_scan_of_magnitudes_has_signed_signals(share: float) -> None:
    ranges = Contrast(arbitrary=0, magnitude=share)
    signals, magnitude = draw_contrast(np.random.default_rng(0), "T1_IR", ranges)
    assert magnitude is bool(share)
    assert signals[Tissue.WM] < 0 < signals[Tissue.FAT]
    assert not draw_contrast(np.random.default_rng(0), "T1", ranges)[1]

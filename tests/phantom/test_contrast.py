"""Contrasts in the order that scans of this kind show."""

from __future__ import annotations

import math

import numpy as np
import pytest

from voxres_tf.phantom.contrast import SEQUENCES, acquire, inversion_recovery, tissue_signals
from voxres_tf.phantom.tissues import TRAINING_CODES, Tissue


def test_inversion_recovery_by_hand() -> None:
    # White matter: .70 * (1 - 2 * .62464 + .00554) * .81193 = -.13857
    assert inversion_recovery(850, 72, 0.70) == pytest.approx(-0.1386, abs=2e-4)
    assert inversion_recovery(400 / math.log(2), 1e9, 1.0) == pytest.approx(
        0.0005, abs=1e-3
    )  # nulled: TI = T1 ln 2


def test_orders_of_contrast() -> None:
    t1, t1_ir, flair = tissue_signals()
    wm, gm, csf = Tissue.WM, Tissue.CORTEX, Tissue.CSF
    assert t1[wm] > t1[gm] > t1[csf] > t1[Tissue.BONE]
    assert flair[Tissue.LESION] > flair[gm] > flair[wm] > flair[csf]
    assert t1_ir[Tissue.FAT] > 0 == t1_ir[Tissue.AIR] > t1_ir[wm] > t1_ir[gm] > t1_ir[csf]


def test_every_tissue_has_a_code() -> None:
    assert len(TRAINING_CODES) == len(Tissue)
    assert set(TRAINING_CODES) == set(range(9))


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_a_flat_signal_becomes_a_noisy_scan(sequence: str) -> None:
    flat = np.ones((24, 24, 12), np.float32)
    scan = acquire(np.random.default_rng(0), sequence, flat, (2.0, 2.0, 4.0))
    assert scan.dtype == np.int16
    assert scan.shape == flat.shape
    assert scan.min() >= 0
    # Bias 10 %, texture 4.5 % and noise 4 % make 12 %, of the part above T1-IR's offset.
    signal = scan.astype(float) - (1000 if sequence == "T1_IR" else 0)
    assert 0.06 < signal.std() / signal.mean() < 0.2


def test_the_background_of_t1_ir_is_pale() -> None:
    air = np.zeros((16, 16, 8), np.float32)
    pale = acquire(np.random.default_rng(0), "T1_IR", air, (2.0, 2.0, 4.0))
    dark = acquire(np.random.default_rng(0), "T1", air, (2.0, 2.0, 4.0))
    assert pale.mean() == pytest.approx(1000, abs=5)
    assert dark.mean() < 60

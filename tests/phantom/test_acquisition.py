"""What a scanner makes of a signal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxres_tf.errors import ConfigError
from voxres_tf.phantom.acquisition import acquire, as_ratio, store
from voxres_tf.phantom.contrast import SEQUENCES
from voxres_tf.phantom.generate import ARTEFACTS
from voxres_tf.phantom.randomisation import Artefacts

NONE = Artefacts(
    texture=(0, 0), noise=(0, 0), bias=(0, 0), blur_mm=(0, 0), thick=0, shift_mm=(0, 0)
)


def test_without_artefacts_the_signal_is_measured() -> None:
    signal = np.random.default_rng(0).uniform(-1, 1, (9, 8, 7)).astype(np.float32)
    scan = acquire(np.random.default_rng(1), "T1_IR", signal, (1, 1, 3), NONE)
    assert scan.dtype == np.float32
    assert np.array_equal(scan, signal)


def test_blur_lies_in_the_plane_of_the_slices() -> None:
    signal = np.zeros((9, 9, 9), np.float32)
    signal[4, 4, 4] = 1
    blurred = NONE.model_copy(update={"blur_mm": (0.8, 0.8)})
    for axis in range(3):
        scan = acquire(np.random.default_rng(1), "T1", signal, (1, 1, 1), blurred, axis)
        across = [scan[tuple(5 if a == b else 4 for a in range(3))] > 0 for b in range(3)]
        assert across == [b != axis for b in range(3)]


@pytest.mark.parametrize(("grain", "correlation"), [(0.0, 0.0), (0.7, 0.6)])
def test_noise_may_have_a_grain(grain: float, correlation: float) -> None:
    noisy = NONE.model_copy(update={"noise": (0.1, 0.1), "noise_grain": (grain, grain)})
    signal = np.full((24, 24, 24), -1, np.float32)  # Signed, so that the noise is Gaussian.
    noise = acquire(np.random.default_rng(1), "T1_IR", signal, (1, 1, 1), noisy) + 1
    assert noise.std() == pytest.approx(0.1, rel=0.02)
    found = np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1]
    assert found == pytest.approx(correlation, abs=0.05)


def test_storing_by_hand() -> None:
    measured = np.float32([-0.5, 0.0, 0.0126, 99.0] + 100 * [0.0])
    stored = store(measured, 800, 1000)
    assert stored.dtype == np.int16
    assert stored[:5].tolist() == [600, 1000, 1010, 32767, 1000]


@pytest.mark.parametrize("far", [99.0, -99.0, np.inf, np.nan])
def test_what_cannot_be_stored_is_not_cut_off(far: float) -> None:
    measured = np.float32([far, far] + 98 * [0.0])
    with pytest.raises(ConfigError, match="2% of a scan's voxels beyond 16 bits"):
        store(measured, 800)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**31), shift=st.floats(0.5, 2))
def test_t1_is_what_the_labels_follow(seed: int, shift: float) -> None:
    moving = NONE.model_copy(update={"thick": 1, "thick_mm": (1, 1), "shift_mm": (shift, shift)})
    signal = np.zeros((9, 9, 9), np.float32)
    signal[4, 4, 4] = 1
    scans = {
        name: acquire(np.random.default_rng(seed), name, signal, (1, 1, 1), moving)
        for name in ("T1", "T2_FLAIR")
    }
    assert scans["T1"][4, 4, 4] == 1
    assert scans["T2_FLAIR"][4, 4, 4] < 1


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_a_flat_signal_becomes_an_uneven_scan(sequence: str) -> None:
    flat = np.ones((24, 24, 12), np.float32)
    scan = acquire(np.random.default_rng(0), sequence, flat, (2.0, 2.0, 4.0), ARTEFACTS[sequence])
    # Bias 10 %, texture 4.5 % and noise 4 % make 12 %.
    assert 0.06 < scan.std() / scan.mean() < 0.2


def test_a_bias_field_is_as_broad_as_it_is_said_to_be() -> None:
    flat = np.ones((40, 40, 40), np.float32)
    broad, narrow = (
        acquire(
            np.random.default_rng(0),
            *("T1", flat, (5.0, 5.0, 5.0)),
            NONE.model_copy(update={"bias": (0.1, 0.1), "bias_mm": mm}),
        )
        for mm in (60.0, 15.0)
    )
    # From one voxel to the next, relative to the spread over all of the scan.
    broad_step, narrow_step = (
        np.abs(np.diff(scan, axis=0)).mean() / scan.std() for scan in (broad, narrow)
    )
    assert narrow_step > 2 * broad_step
    assert Artefacts().bias_mm == 60


def test_noise_is_rician_where_nothing_is_below_0() -> None:
    noisy = NONE.model_copy(update={"noise": (0.1, 0.1)})
    air = np.zeros((40, 40, 20), np.float32)
    signed = air.copy()
    signed[0, 0, 0] = -1
    magnitude, difference = (
        acquire(np.random.default_rng(0), "T1_IR", signal, (1, 1, 1), noisy)
        for signal in (air, signed)
    )
    # A Rayleigh distribution has the mean sigma * sqrt(pi / 2).
    assert magnitude.mean() == pytest.approx(0.1 * np.sqrt(np.pi / 2), rel=0.02)
    assert magnitude.min() >= 0
    assert difference.mean() == pytest.approx(0, abs=2e-3)
    assert difference.std() == pytest.approx(0.1, rel=0.02)


def test_a_ratio_is_noise_of_the_whole_scale_where_nothing_gives_a_signal() -> None:
    measured = np.full((40, 40, 4), 0.6, np.float32)
    void = np.zeros_like(measured)
    void[20:] = 1
    void[10:20] = 0.2
    ratio = as_ratio(np.random.default_rng(1), measured, void)
    assert ratio.dtype == np.float32
    assert np.array_equal(ratio[:10], measured[:10])
    assert np.abs(ratio[10:20] - 0.6).max() < 0.01
    top = ratio[20:].max()
    assert 1.0 < top < 1.4
    counts, _ = np.histogram(ratio[20:], 4, (0, top))
    assert counts.min() > 0.22 * counts.sum()

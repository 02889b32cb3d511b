"""How bright the tissues are in each scan: as in real sequences, or at random.

Relative intensities of T1 and FLAIR (white matter = 1) follow those of 3 T scans; T1-IR follows
the Bloch equation with MRBrainS13's TR 4416 and TE 15 ms.
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from voxres_tf.phantom.field import Floats
from voxres_tf.phantom.randomisation import Contrast
from voxres_tf.phantom.tissues import CLASSES, Tissue

SEQUENCES = ("T1", "T1_IR", "T2_FLAIR")
"""File stems of the scans, in MRBrainS13's spelling."""

_TR, _TE = 4416.0, 15.0

T1_FLAIR = MappingProxyType(
    {
        Tissue.AIR: (0.0, 0.0),
        Tissue.CORTEX: (0.66, 1.19),
        Tissue.DEEP_GM: (0.82, 1.08),
        Tissue.WM: (1.0, 1.0),
        Tissue.LESION: (0.74, 1.5),
        Tissue.CSF: (0.24, 0.16),
        Tissue.VENTRICLE: (0.20, 0.12),
        Tissue.CEREBELLAR_GM: (0.60, 1.12),
        Tissue.CEREBELLAR_WM: (0.98, 1.0),
        Tissue.BRAINSTEM: (0.92, 1.02),
        Tissue.BONE: (0.10, 0.08),
        Tissue.FAT: (1.05, 0.95),
        Tissue.MUSCLE: (0.45, 0.42),
        Tissue.EYE: (0.18, 0.10),
        Tissue.CAUDATE: (0.76, 1.16),
        Tissue.PUTAMEN: (0.84, 1.05),
        Tissue.PALLIDUM: (0.97, 0.85),
        Tissue.THALAMUS: (0.88, 1.08),
        Tissue.MARROW: (0.75, 0.60),
        Tissue.PLEXUS: (0.52, 0.95),
    }
)
"""Intensity in T1 and FLAIR, white matter = 1."""

RELAXATION = MappingProxyType(
    {
        Tissue.AIR: (1000.0, 100.0, 0.0),
        Tissue.CORTEX: (1400.0, 95.0, 0.82),
        Tissue.DEEP_GM: (1160.0, 76.0, 0.79),
        Tissue.WM: (850.0, 72.0, 0.70),
        Tissue.LESION: (1250.0, 130.0, 0.80),
        Tissue.CSF: (4300.0, 1500.0, 1.0),
        Tissue.VENTRICLE: (4300.0, 1500.0, 1.0),
        Tissue.CEREBELLAR_GM: (1350.0, 95.0, 0.82),
        Tissue.CEREBELLAR_WM: (870.0, 73.0, 0.70),
        Tissue.BRAINSTEM: (950.0, 75.0, 0.73),
        Tissue.BONE: (600.0, 30.0, 0.08),
        Tissue.FAT: (380.0, 90.0, 0.90),
        Tissue.MUSCLE: (1300.0, 45.0, 0.75),
        Tissue.EYE: (4000.0, 1000.0, 1.0),
        Tissue.CAUDATE: (1250.0, 80.0, 0.81),
        Tissue.PUTAMEN: (1180.0, 75.0, 0.80),
        Tissue.PALLIDUM: (950.0, 60.0, 0.74),
        Tissue.THALAMUS: (1100.0, 78.0, 0.78),
        Tissue.MARROW: (500.0, 70.0, 0.60),
        Tissue.PLEXUS: (1800.0, 120.0, 0.90),
    }
)
"""T1 in ms, T2 in ms and proton density at 3 T."""

_WHITE, _GREY, _FLUID = Tissue.WM, Tissue.CORTEX, Tissue.CSF
# Tissues that look much like another one, even in scans of arbitrary contrast.
_ALIKE = {
    Tissue.CEREBELLAR_GM: _GREY,
    Tissue.CEREBELLAR_WM: _WHITE,
    Tissue.BRAINSTEM: _WHITE,
    Tissue.VENTRICLE: _FLUID,
}
_OUTSIDE = np.isin(np.arange(len(Tissue)), [t for t in Tissue if not CLASSES[t]])
_FATTY = (Tissue.FAT, Tissue.MARROW)
_BETWEEN = (Tissue.DEEP_GM, Tissue.CAUDATE, Tissue.PUTAMEN, Tissue.PALLIDUM, Tissue.THALAMUS)


def draw_contrast(rng: np.random.Generator, sequence: str, config: Contrast) -> tuple[Floats, bool]:
    """Draw the tissue signals of one scan.

    Args:
        rng: source of randomness.
        sequence: one of `SEQUENCES`.
        config: ranges to draw from.

    Returns:
        Signals of all tissues, float32 [T], 0 for air; and whether the scan is stored without its
        sign, which each voxel loses after the signals of its tissues have been added up.
    """
    magnitude = False
    if rng.random() < config.arbitrary:
        signals = _arbitrary(rng, config)
    elif sequence == "T1_IR":
        inversion = rng.uniform(*config.inversion_ms)
        tissues = np.array([RELAXATION[t] for t in Tissue])
        tissues[:, :2] *= np.exp(config.relaxation_sd * rng.standard_normal((len(Tissue), 2)))
        signals = np.array(
            [inversion_recovery(t1, t2, density, inversion) for t1, t2, density in tissues.tolist()]
        )
        magnitude = bool(rng.random() < config.magnitude)
        signals = signals / np.abs(signals[[_WHITE, _GREY, _FLUID]]).max()
    else:
        column = ("T1", "T2_FLAIR").index(sequence)
        usual = np.array([T1_FLAIR[t][column] for t in Tissue])
        signals = usual ** rng.uniform(*config.power)
        signals[list(_FATTY)] *= rng.uniform(*config.fat)
    spread = np.where(_OUTSIDE, config.outside_sd, config.tissue_sd)
    signals = signals * np.exp(spread * rng.standard_normal(len(Tissue)))
    signals[Tissue.AIR] = 0.0
    return signals.astype(np.float32), magnitude


def draw_materials(rng: np.random.Generator, signals: Floats, count: int) -> Floats:
    """Draw signals of non-tissue materials, in the range of a scan's brain or a little beyond.

    Args:
        rng: source of randomness.
        signals: signals of all tissues, as returned by `draw_contrast`.
        count: number of materials.

    Returns:
        float32 [count].
    """
    brain = signals[[_WHITE, _GREY, _FLUID]]
    beyond = np.ptp(brain) / 10
    drawn = rng.uniform(brain.min() - beyond, brain.max() + beyond, count)
    return drawn.astype(np.float32)


def inversion_recovery(t1_ms: float, t2_ms: float, density: float, ti_ms: float) -> float:
    """Signed signal PD (1 - 2 exp(-TI/T1) + exp(-TR/T1)) exp(-TE/T2) of T1-IR."""
    recovery = 1 - 2 * np.exp(-ti_ms / t1_ms) + np.exp(-_TR / t1_ms)
    return float(density * recovery * np.exp(-_TE / t2_ms))


def _arbitrary(rng: np.random.Generator, config: Contrast) -> NDArray[np.float64]:
    """Random signals in which GM differs from WM and from CSF."""
    signals, least = rng.uniform(*config.arbitrary_signals, len(Tissue)), config.least_difference
    while min(abs(signals[_GREY] - signals[_WHITE]), abs(signals[_GREY] - signals[_FLUID])) < least:
        signals[[_GREY, _WHITE, _FLUID]] = rng.uniform(*config.arbitrary_signals, 3)
    for tissue, model in _ALIKE.items():
        signals[tissue] = signals[model] * rng.normal(1.0, config.alike_sd)
    for tissue in _BETWEEN:
        share = rng.uniform(*config.between)
        signals[tissue] = (1 - share) * signals[_GREY] + share * signals[_WHITE]
    signals[Tissue.PLEXUS] = (signals[_GREY] + signals[_FLUID]) / 2
    return signals

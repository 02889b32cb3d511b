"""From tissue fractions to the three scans of MRBrainS13: contrast, texture, bias and noise.

Relative intensities of T1 and FLAIR (white matter = 1) follow what 3 T scans show; T1-IR follows
the Bloch equation with MRBrainS13's times (TR 4416, TE 15, TI 400 ms).
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from voxres_tf.phantom.field import Field, Floats, random_field, smooth_noise
from voxres_tf.phantom.tissues import Tissue

_TR, _TE, _TI = 4416.0, 15.0, 400.0

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
    }
)
"""T1 in ms, T2 in ms and proton density at 3 T."""

_SCALES = MappingProxyType({"T1": 800.0, "T1_IR": 1200.0, "T2_FLAIR": 600.0})
_OFFSETS = MappingProxyType({"T1": 0.0, "T1_IR": 1000.0, "T2_FLAIR": 0.0})
# What "percent of white matter" is taken of: in T1-IR white matter is close to the zero crossing.
_REFERENCE = MappingProxyType({"T1": 1.0, "T1_IR": 0.4, "T2_FLAIR": 1.0})
SEQUENCES = tuple(_SCALES)
"""File stems of the scans, in MRBrainS13's spelling."""


def inversion_recovery(t1_ms: float, t2_ms: float, density: float, ti_ms: float = _TI) -> float:
    """Signed signal PD (1 - 2 exp(-TI/T1) + exp(-TR/T1)) exp(-TE/T2) of MRBrainS13's T1-IR."""
    recovery = 1 - 2 * np.exp(-ti_ms / t1_ms) + np.exp(-_TR / t1_ms)
    return float(density * recovery * np.exp(-_TE / t2_ms))


def tissue_signals() -> Floats:
    """Signal of every tissue in every scan, float32 [3, T], rows as in `SEQUENCES`."""
    rows = (
        [T1_FLAIR[t][0] for t in Tissue],
        [inversion_recovery(*RELAXATION[t]) for t in Tissue],
        [T1_FLAIR[t][1] for t in Tissue],
    )
    return np.asarray(rows, np.float32)


def draw_signals(rng: np.random.Generator) -> Floats:
    """The signals of one subject: those of `tissue_signals` with 2 % of variation."""
    signals = tissue_signals()
    first = Tissue.CAUDATE  # What came later has draws of its own: subjects stay what they were.
    early = rng.normal(1.0, 0.02, (len(signals), first))
    late = rng.spawn(1)[0].normal(1.0, 0.02, (len(signals), len(Tissue) - first))
    return signals * np.concatenate([early, late], axis=1).astype(np.float32)


def acquire(
    rng: np.random.Generator,
    sequence: str,
    signal: Floats,
    spacing_mm: tuple[float, float, float],
) -> NDArray[np.int16]:
    """Turn the ideal signal of a scan into what a scanner would store.

    In this order: misregistration under 0.5 mm (none for T1, which the labels follow), texture
    of 4 to 5 %, a bias field of 10 %, noise of 3 to 5 % of white matter (Rician; Gaussian for the
    signed T1-IR), and the scanner's scale.

    Args:
        rng: where the randomness comes from.
        sequence: one of `SEQUENCES`.
        signal: float32 [X, Y, Z], white matter = 1 except for T1-IR.
        spacing_mm: of the voxels.

    Returns:
        int16 [X, Y, Z], 0 or more.
    """
    if sequence != "T1":
        shift = rng.uniform(-0.28, 0.28, 3) / spacing_mm
        signal = ndimage.shift(signal, shift, order=1, mode="nearest")
    texture = smooth_noise(rng, signal.shape, [1.0 / mm for mm in spacing_mm])
    bias = np.exp(np.float32(0.1) * broad_field(rng, signal.shape, spacing_mm))
    signal = signal * (1 + np.float32(rng.uniform(0.04, 0.05)) * texture) * bias
    sigma = np.float32(rng.uniform(0.03, 0.05) * _REFERENCE[sequence])
    first, second = (sigma * rng.standard_normal(signal.shape, np.float32) for _ in range(2))
    noisy = signal + first if sequence == "T1_IR" else np.hypot(signal + first, second)
    scale = _SCALES[sequence] * rng.uniform(0.9, 1.1)
    stored = np.rint(noisy * np.float32(scale) + np.float32(_OFFSETS[sequence]))
    scan: NDArray[np.int16] = np.clip(stored, 0, np.iinfo(np.int16).max).astype(np.int16)
    return scan


def broad_field(
    rng: np.random.Generator, shape: tuple[int, ...], spacing_mm: tuple[float, float, float]
) -> Floats:
    """A field of standard deviation 1 on the voxels that changes over some 60 mm."""
    sides = [n * mm for n, mm in zip(shape, spacing_mm, strict=True)]
    half = (sides[0] / 2, sides[1] / 2, sides[2] / 2)
    lattice = random_field(rng, half, 12.0, 60.0)
    points = np.meshgrid(
        *[np.float32((np.arange(n) - n / 2) * mm) for n, mm in zip(shape, spacing_mm, strict=True)],
        indexing="ij",
    )
    return Field(lattice.values, lattice.origin_mm, lattice.step_mm).at(np.stack(points))

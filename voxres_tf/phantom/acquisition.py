"""From the ideal signal of a scan to what a scanner stores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from voxres_tf.errors import ConfigError, message
from voxres_tf.phantom.field import Floats, random_field, smooth_noise
from voxres_tf.phantom.randomisation import Artefacts

_RATIO_TOP = (1.0, 1.4)
_RATIO_POWER = 4
_MOST_CLIPPED = 0.01


def acquire(
    rng: np.random.Generator,
    sequence: str,
    signal: Floats,
    spacing_mm: tuple[float, float, float],
    config: Artefacts,
    slice_axis: int = 2,
) -> Floats:
    """Turn an ideal signal into what a scanner would measure.

    Misregistration, blur, texture, a bias field and noise are added in this order. The noise is
    Rician except in scans with values below 0.

    Args:
        rng: source of randomness.
        sequence: one of `contrast.SEQUENCES`; T1, which the labels follow, is neither
            misregistered nor sampled from thicker slices.
        signal: float32 [X, Y, Z], with tissues around 1; below 0 in signed T1-IR only.
        spacing_mm: voxel spacing.
        config: ranges to draw from.
        slice_axis: the axis across the slices.

    Returns:
        float32 [X, Y, Z], on the signal's scale.
    """
    spacing = np.array(spacing_mm)
    along = rng.uniform(*config.thick_mm) if rng.random() < config.thick else 0.0
    if sequence != "T1":
        shift = rng.choice([-1, 1], 3) * rng.uniform(*config.shift_mm, 3) / spacing
        signal = ndimage.shift(signal, shift, order=1, mode="nearest")
    else:
        along = 0.0
    blur_mm = np.full(3, rng.uniform(*config.blur_mm))
    blur_mm[slice_axis] = along
    signal = ndimage.gaussian_filter(signal, blur_mm / spacing)
    signed = bool((signal < 0).any())
    texture = smooth_noise(rng, signal.shape, (config.grain_mm / spacing).tolist())
    bias = np.exp(
        np.float32(rng.uniform(*config.bias))
        * broad_field(rng, signal.shape, spacing_mm, config.bias_mm)
    )
    texture = np.maximum(1 + np.float32(rng.uniform(*config.texture)) * texture, 0)
    signal = signal * texture * bias
    sigma = np.float32(rng.uniform(*config.noise))
    grain = rng.uniform(*config.noise_grain)
    first, second = (sigma * smooth_noise(rng, signal.shape, grain) for _ in range(2))
    measured: Floats = signal + first if signed else np.hypot(signal + first, second)
    return measured


def as_ratio(rng: np.random.Generator, measured: Floats, void: Floats) -> Floats:
    """Turn a T1 scan into a ratio of two images (MP2RAGE), in which noise is divided by noise.

    Where there is no signal, the values spread over the whole scale, up to that of the brightest
    tissues (Marques et al. 2010).

    Args:
        rng: source of randomness.
        measured: float32 [X, Y, Z], white matter about 1.
        void: fraction of each voxel that gives no signal, float32 [X, Y, Z], 0 to 1.

    Returns:
        float32 [X, Y, Z].
    """
    top = rng.uniform(*_RATIO_TOP)
    noise = rng.uniform(0.0, top, measured.shape).astype(np.float32)
    # A little tissue in a voxel is enough for a valid ratio.
    return measured + void**_RATIO_POWER * (noise - measured)


def store(measured: Floats, scale: float, offset: float = 0.0) -> NDArray[np.int16]:
    """Convert a scan to whole numbers: `scale` times the measured values, plus `offset`.

    Raises:
        ConfigError: if more than `_MOST_CLIPPED` of the values do not fit into 16 bits.
    """
    limits = np.iinfo(np.int16)
    values = np.rint(measured * np.float32(scale) + np.float32(offset))
    fitting = np.count_nonzero((values >= limits.min) & (values <= limits.max))  # NaN does not
    if fitting < (1 - _MOST_CLIPPED) * values.size:
        received = f"{1 - fitting / values.size:.0%} of a scan's voxels beyond 16 bits"
        then = "lower contrast and artefacts; signals are relative to white matter = 1"
        raise ConfigError(message("randomisation", "signals that can be stored", received, then))
    stored: NDArray[np.int16] = np.clip(values, limits.min, limits.max).astype(np.int16)
    return stored


def broad_field(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    spacing_mm: tuple[float, float, float],
    sigma_mm: float,
) -> Floats:
    """Noise of standard deviation 1, smoothed by a Gaussian of `sigma_mm`.

    Args:
        rng: source of randomness.
        shape: shape of the scan in voxels.
        spacing_mm: voxel spacing.
        sigma_mm: SD of the Gaussian.

    Returns:
        float32 of that shape.
    """
    sides = [n * mm for n, mm in zip(shape, spacing_mm, strict=True)]
    half = (sides[0] / 2, sides[1] / 2, sides[2] / 2)
    points = np.meshgrid(
        *[np.float32((np.arange(n) - n / 2) * mm) for n, mm in zip(shape, spacing_mm, strict=True)],
        indexing="ij",
    )
    return random_field(rng, half, sigma_mm / 5, sigma_mm).at(np.stack(points))

"""A subject drawn from the ranges of a `Randomisation`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from voxres_tf.phantom.contrast import (
    RELAXATION,
    SEQUENCES,
    T1_FLAIR,
    broad_field,
    inversion_recovery,
)
from voxres_tf.phantom.deformation import Pose
from voxres_tf.phantom.field import Floats, smooth_noise
from voxres_tf.phantom.heads import Cleared, Head, Person
from voxres_tf.phantom.randomisation import Artefacts, Contrast, Geometry, Outside, Randomisation
from voxres_tf.phantom.sampling import Size, largest_share, slices_of
from voxres_tf.phantom.tissues import CLASSES, Tissue
from voxres_tf.volume import Volume

_MM_PER_SAMPLE = 1.0
_STORED_SCALE = 1000.0
_WHITE, _GREY, _FLUID = Tissue.WM, Tissue.CORTEX, Tissue.CSF
# Tissues that look much like another one, in scans of arbitrary contrast too.
_ALIKE = {
    Tissue.CEREBELLAR_GM: _GREY,
    Tissue.CEREBELLAR_WM: _WHITE,
    Tissue.BRAINSTEM: _WHITE,
    Tissue.VENTRICLE: _FLUID,
}
_OUTSIDE = np.isin(np.arange(len(Tissue)), [t for t in Tissue if not CLASSES[t]])
_BETWEEN = (Tissue.DEEP_GM, Tissue.CAUDATE, Tissue.PUTAMEN, Tissue.PALLIDUM, Tissue.THALAMUS)


def randomised_subject(
    head: Head, config: Randomisation, seed: int, number: int
) -> dict[str, Volume]:
    """Make one subject; the same arguments give the same values, whatever else is made.

    Args:
        head: the anatomy.
        config: the ranges.
        seed: 0 or more.
        number: of the subject.

    Returns:
        `T1`, `T1_IR`, `T2_FLAIR` (int16) and `labels` (uint8, 0..3 over the whole brain, cerebellum
        and brainstem included), all on one grid.

    Raises:
        DataError: if the anatomy cannot be read.
    """
    rng = np.random.default_rng([seed, number, 2])
    size, pose = _draw_geometry(rng, config.geometry)
    whole = head.person(rng, size.half_mm, pose)
    person, cleared = _draw_outside(rng, whole, config.outside)
    signals = np.stack([draw_contrast(rng, name, config.contrast) for name in SEQUENCES])
    images = np.empty((len(SEQUENCES), *size.shape), np.float32)
    classes = np.empty(size.shape, np.uint8)
    air = np.empty(size.shape, np.bool_)
    for k, mixed in enumerate(slices_of(size, person)):
        images[..., k] = np.tensordot(signals, mixed, axes=1)
        classes[:, :, k] = largest_share(mixed, CLASSES)
        air[:, :, k] = mixed[Tissue.AIR] > 0.5
    dark = cleared or rng.random() < config.outside.dark_air
    grid = size.grid()
    found = {}
    for name, image in zip(SEQUENCES, images, strict=True):
        scan = acquire_randomised(rng, name, image, size.spacing_mm, config.artefacts)
        # What was cleared away, or never stored, is 0 and not noise.
        found[name] = Volume(np.where(air & dark, np.int16(0), scan), grid)
    return found | {"labels": Volume(classes, grid)}


def draw_contrast(rng: np.random.Generator, sequence: str, config: Contrast) -> Floats:
    """Signals of all tissues in one scan, float32 [T]; air is 0.

    Args:
        rng: where the randomness comes from.
        sequence: one of `contrast.SEQUENCES`.
        config: the ranges.
    """
    if rng.random() < config.arbitrary:
        signals = _arbitrary(rng, config.least_difference)
    elif sequence == "T1_IR":
        inversion = rng.uniform(*config.inversion_ms)
        signals = np.array([inversion_recovery(*RELAXATION[t], inversion) for t in Tissue])
        if rng.random() < config.magnitude:
            signals = np.abs(signals)
        signals = signals / np.abs(signals[[_WHITE, _GREY, _FLUID]]).max()
    else:
        column = SEQUENCES.index(sequence) // 2
        usual = np.array([T1_FLAIR[t][column] for t in Tissue])
        signals = usual ** rng.uniform(*config.power)
    spread = np.where(_OUTSIDE, config.outside_sd, config.tissue_sd)
    signals = signals * np.exp(spread * rng.standard_normal(len(Tissue)))
    signals[Tissue.AIR] = 0.0
    return signals.astype(np.float32)


def acquire_randomised(
    rng: np.random.Generator,
    sequence: str,
    signal: Floats,
    spacing_mm: tuple[float, float, float],
    config: Artefacts,
) -> NDArray[np.int16]:
    """Turn an ideal signal into what some scanner would store.

    Args:
        rng: where the randomness comes from.
        sequence: one of `contrast.SEQUENCES`.
        signal: float32 [X, Y, Z], tissues of the order of 1, below 0 in signed T1-IR only.
        spacing_mm: of the voxels.
        config: the ranges.

    Returns:
        int16 [X, Y, Z], 0 or more but for T1-IR.
    """
    spacing = np.array(spacing_mm)
    along = rng.uniform(*config.thick_mm) if rng.random() < config.thick else 0.0
    if sequence != "T1":
        shift = rng.choice([-1, 1], 3) * rng.uniform(*config.shift_mm, 3) / spacing
        signal = ndimage.shift(signal, shift, order=1, mode="nearest")
    else:
        along = 0.0
    blur = rng.uniform(*config.blur_mm)
    signal = ndimage.gaussian_filter(signal, np.array([blur, blur, along]) / spacing)
    texture = smooth_noise(rng, signal.shape, (1.0 / spacing).tolist())
    bias = np.exp(
        np.float32(rng.uniform(*config.bias)) * broad_field(rng, signal.shape, spacing_mm)
    )
    signal = signal * (1 + np.float32(rng.uniform(*config.texture)) * texture) * bias
    sigma = np.float32(rng.uniform(*config.noise))
    first, second = (sigma * rng.standard_normal(signal.shape, np.float32) for _ in range(2))
    signed = bool((signal < 0).any())
    noisy = signal + first if signed else np.hypot(signal + first, second)
    limits = np.iinfo(np.int16)
    stored = np.rint(noisy * np.float32(_STORED_SCALE))
    return np.clip(stored, limits.min, limits.max).astype(np.int16)


def _draw_geometry(rng: np.random.Generator, config: Geometry) -> tuple[Size, Pose]:
    in_plane, thickness = rng.uniform(*config.in_plane_mm), rng.uniform(*config.slice_mm)
    # Many scans have slices as thin as their pixels.
    thickness = config.slice_mm[0] if rng.random() < 0.25 else thickness
    columns, rows = (int(mm / in_plane) for mm in rng.uniform(*config.view_mm, 2))
    wanted = int(rng.uniform(*config.height_mm) / thickness)
    slices = min(wanted, config.slices)
    z = 5.0 if slices == wanted else rng.uniform(*config.centre_z_mm)
    pose = Pose(
        angles_deg=config.angles_deg,
        size_sd=config.size_sd,
        centre_mm=(0.0, -18.0, float(z)),
        centre_sd_mm=config.shift_sd_mm,
        warp_mm=(rng.uniform(*config.lobes_mm), rng.uniform(*config.gyri_mm)),
        mirrored=config.mirrored,
    )
    samples = max(1, round(thickness / _MM_PER_SAMPLE))
    return Size((columns, rows, slices), (in_plane, in_plane, thickness), (1, 1, samples)), pose


def _draw_outside(rng: np.random.Generator, person: Person, config: Outside) -> tuple[Person, bool]:
    kind = rng.random()
    if kind < config.stripped:
        return Cleared(person, rng.uniform(*config.strip_margin_mm)), True
    if kind < config.stripped + config.partly:
        return Cleared(person, rng.uniform(*config.part_margin_mm)), True
    return person, False


def _arbitrary(rng: np.random.Generator, least: float) -> NDArray[np.float64]:
    """Random signals 0..1 in which GM differs from WM and from CSF."""
    signals = rng.uniform(0.05, 1.0, len(Tissue))
    while min(abs(signals[_GREY] - signals[_WHITE]), abs(signals[_GREY] - signals[_FLUID])) < least:
        signals[[_GREY, _WHITE, _FLUID]] = rng.uniform(0.05, 1.0, 3)
    for tissue, model in _ALIKE.items():
        signals[tissue] = signals[model] * rng.normal(1.0, 0.05)
    for tissue in _BETWEEN:
        share = rng.uniform(0.0, 0.7)
        signals[tissue] = (1 - share) * signals[_GREY] + share * signals[_WHITE]
    return signals

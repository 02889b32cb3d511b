"""A subject drawn from the ranges of a `Randomisation`."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np

from voxres_tf.errors import ConfigError, message
from voxres_tf.phantom.acquisition import acquire, as_ratio, store
from voxres_tf.phantom.contrast import SEQUENCES, draw_contrast, draw_materials
from voxres_tf.phantom.deformation import Pose
from voxres_tf.phantom.field import Field, random_field
from voxres_tf.phantom.heads import Cleared, Cluttered, Head, Marbled, Person
from voxres_tf.phantom.randomisation import Geometry, Outside, Randomisation
from voxres_tf.phantom.sampling import Size, largest_share, slices_of
from voxres_tf.phantom.tissues import CLASSES, Tissue
from voxres_tf.volume import Volume

GENERATOR_FORMAT = 8
"""Changes whenever the same arguments give new values, so that no data set mixes old and new."""

Number = TypeVar("Number", int, float)

_MOST_DRAWS = 10
_MM_PER_SAMPLE = 0.5
_LEAST_STEP_MM = 2.0
_STORED_SCALE = 1000.0
_MATERIALS = 4
_CODES = (*CLASSES, *[0] * _MATERIALS)
_REGION_MM = 20.0


def randomised_subject(
    head: Head, config: Randomisation, seed: int, number: int
) -> dict[str, Volume]:
    """Make one subject; the same arguments give the same values, whatever else is made.

    Args:
        head: the anatomy.
        config: ranges to draw from.
        seed: 0 or more.
        number: number of the subject.

    Returns:
        `T1`, `T1_IR`, `T2_FLAIR` (int16) and `labels` (uint8, 0..3 over the whole brain, cerebellum
        and brainstem included), all on one grid.

    Raises:
        DataError: if the anatomy cannot be read.
        ConfigError: if the ranges leave no brain in the field of view.
    """
    rng = np.random.default_rng([seed, number, 2])
    # A separate stream, so that whether a scan is a ratio changes nothing else.
    ratio = np.random.default_rng([seed, number, 3])
    # A low or high slab may miss the brain and would then hold nothing to learn from.
    for _ in range(_MOST_DRAWS):
        found = _draw_subject(rng, ratio, head, config)
        if found["labels"].data.any():
            return found
    rule = "the field of view holds some of the brain"
    received = f"none in {_MOST_DRAWS} draws for subject {number}"
    step = (
        "move centre_z_mm or middle_z_mm towards 0, or raise height_mm, view_mm and strip_margin_mm"
    )
    raise ConfigError(message("ranges", rule, received, step))


def _draw_subject(
    rng: np.random.Generator, ratio: np.random.Generator, head: Head, config: Randomisation
) -> dict[str, Volume]:
    size, pose = _draw_geometry(rng, config.geometry)
    whole = head.person(rng, size.half_mm, pose, config.lesions)
    person, cleared = _draw_outside(rng, whole, size, config.outside)
    drawn = [draw_contrast(rng, name, config.contrast) for name in SEQUENCES]
    signals = np.stack(
        [np.append(found, draw_materials(rng, found, _MATERIALS)) for found, _ in drawn]
    )
    unsigned = [magnitude for _, magnitude in drawn]
    images = np.empty((len(SEQUENCES), *size.shape), np.float32)
    classes = np.empty(size.shape, np.uint8)
    air = np.empty(size.shape, np.bool_)
    void = np.empty(size.shape, np.float32)
    for k, mixed in enumerate(slices_of(size, person)):
        images[..., k] = np.tensordot(signals[:, : len(mixed)], mixed, axes=1)
        images[unsigned, ..., k] = np.abs(images[unsigned, ..., k])
        classes[:, :, k] = largest_share(mixed, _CODES[: len(mixed)])
        air[:, :, k] = mixed[Tissue.AIR] > 0.5
        void[:, :, k] = mixed[Tissue.AIR] + mixed[Tissue.BONE]
    dark = cleared or rng.random() < config.outside.dark_air
    divided = not dark and ratio.random() < config.artefacts.ratio
    grid = size.grid()
    found = {}
    for name, image in zip(SEQUENCES, images, strict=True):
        measured = acquire(rng, name, image, size.spacing_mm, config.artefacts, size.slice_axis)
        if divided and name == "T1":
            measured = as_ratio(ratio, measured, void)
        lifted = bool((image < 0).any()) and rng.random() < config.contrast.offset
        offset = _STORED_SCALE * (rng.random() - measured.min()) if lifted else 0.0
        scan = store(measured, _STORED_SCALE, offset)
        # What was cleared away or never stored is 0, not noise.
        found[name] = Volume(np.where(air & dark, np.int16(0), scan), grid)
    return found | {"labels": Volume(classes, grid)}


def _draw_geometry(rng: np.random.Generator, config: Geometry) -> tuple[Size, Pose]:
    in_plane, thickness = rng.uniform(*config.in_plane_mm), rng.uniform(*config.slice_mm)
    thickness = config.slice_mm[0] if rng.random() < config.thinnest else thickness
    columns, rows = (int(mm / in_plane) for mm in rng.uniform(*config.view_mm, 2))
    wanted = int(rng.uniform(*config.height_mm) / thickness)
    slices = min(wanted, config.slices)
    z = rng.uniform(*(config.middle_z_mm if slices == wanted else config.centre_z_mm))
    axial = rng.random() < config.axial or slices < wanted
    axis = 2 if axial else int(rng.integers(2))
    pose = Pose(
        angles_deg=config.angles_deg,
        size_sd=config.size_sd,
        centre_mm=(0.0, -18.0, float(z)),
        centre_sd_mm=config.shift_sd_mm,
        warp_mm=(rng.uniform(*config.lobes_mm), rng.uniform(*config.gyri_mm)),
        mirrored=config.mirrored,
    )
    samples = _odd_count(thickness / _MM_PER_SAMPLE)
    size = Size(
        shape=_with_slices(axis, (columns, rows, slices)),
        spacing_mm=_with_slices(axis, (in_plane, in_plane, thickness)),
        samples=_with_slices(axis, (1, 1, samples)),
    )
    return size, pose


def _with_slices(axis: int, values: tuple[Number, Number, Number]) -> tuple[Number, Number, Number]:
    """Two in-plane values and one across the slices, with the latter moved to an axis."""
    first, second, across = values
    return ((across, first, second), (first, across, second), (first, second, across))[axis]


def _odd_count(least: float) -> int:
    """The next odd number, at least 3 (see `Size.samples`)."""
    return max(3, 2 * math.ceil((least - 1) / 2) + 1)


def _draw_outside(
    rng: np.random.Generator, whole: Person, size: Size, config: Outside
) -> tuple[Person, bool]:
    kind = rng.random()
    if kind < config.stripped:
        return Cleared(whole, rng.uniform(*config.strip_margin_mm)), True
    noise = _noise(rng, size, rng.uniform(*config.marbling_mm))
    person: Person = Marbled(whole, noise, _level(noise, rng.uniform(*config.muscle)))
    if rng.random() < config.clutter:
        where = _noise(rng, size, _REGION_MM)
        what = _noise(rng, size, rng.uniform(*config.clutter_mm))
        level = _level(where, rng.uniform(*config.cluttered))
        from_mm = rng.uniform(*config.clutter_from_mm)
        person = Cluttered(person, where, what, level, from_mm, _MATERIALS)
    if kind < config.stripped + config.partly:
        return Cleared(person, rng.uniform(*config.part_margin_mm)), True
    return person, False


def _noise(rng: np.random.Generator, size: Size, grain_mm: float) -> Field:
    return random_field(rng, size.half_mm, max(grain_mm / 2, _LEAST_STEP_MM), grain_mm)


def _level(noise: Field, share: float) -> float:
    """The level that this share of the values exceeds."""
    return float(np.quantile(noise.values, 1 - share))

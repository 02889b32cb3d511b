"""Phantom subjects with the contrasts and, at full size, the grid of MRBrainS13."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from voxres_tf.errors import ConfigError, message
from voxres_tf.labels import scheme
from voxres_tf.phantom.acquisition import acquire, store
from voxres_tf.phantom.contrast import SEQUENCES, draw_contrast
from voxres_tf.phantom.deformation import Pose
from voxres_tf.phantom.heads import Head
from voxres_tf.phantom.mni import MniHead
from voxres_tf.phantom.randomisation import Artefacts, Contrast
from voxres_tf.phantom.sampling import SIZES, Size, largest_share, slices_of
from voxres_tf.phantom.tissues import TRAINING_CODES
from voxres_tf.volume import Volume

CONTRAST = Contrast(
    arbitrary=0,
    power=(1, 1),
    relaxation_sd=0,
    tissue_sd=0.02,
    outside_sd=0.02,
    fat=(1, 1),
    inversion_ms=(400, 400),
    magnitude=0,
)
"""Signals that vary by 2 %, with the inversion time of MRBrainS13."""

_T1 = Artefacts(
    texture=(0.04, 0.05), noise=(0.03, 0.05), bias=(0.1, 0.1), blur_mm=(0, 0), thick=0,
    shift_mm=(0, 0.28), noise_grain=(0, 0),
)  # fmt: skip
ARTEFACTS = MappingProxyType(
    {"T1": _T1, "T1_IR": _T1.model_copy(update={"noise": (0.026, 0.044)}), "T2_FLAIR": _T1}
)
"""Misregistration under 0.5 mm, texture, a bias field of 10 %, noise."""

SCALES = MappingProxyType({"T1": 800.0, "T1_IR": 550.0, "T2_FLAIR": 600.0})
"""Stored value of a signal of 1, above the offset; varies by up to 10 %."""

OFFSETS = MappingProxyType({"T1": 0.0, "T1_IR": 1000.0, "T2_FLAIR": 0.0})
"""Stored value where there is no signal."""

STEMS = MappingProxyType({"t1": "T1", "t1-ir": "T1_IR", "flair": "T2_FLAIR"})
"""Modality -> name of its scan, in MRBrainS13's spelling."""


def generate_subject(
    size: str, seed: int, number: int, *, test: bool = False, head: Head | None = None
) -> dict[str, Volume]:
    """Make one subject; the same arguments give the same values, whatever else is made.

    Args:
        size: a name in `SIZES`: `full` is MRBrainS13's grid, `small` a coarse one for trials.
        seed: 0 or more.
        number: number of the subject, 0 or more.
        test: draw from a second series, separate from the first.
        head: the anatomy; the packaged one by default.

    Returns:
        `T1`, `T1_IR`, `T2_FLAIR` (int16), `LabelsForTraining` and `LabelsForTesting` (uint8), all
        on one grid.

    Raises:
        ConfigError: for an unknown size or a negative seed or number.
        DataError: if the anatomy cannot be read.
    """
    spec = _checked(size, seed, number)
    return scan(np.random.default_rng([seed, number, int(test)]), spec, head)


def scan(rng: np.random.Generator, spec: Size, head: Head | None = None) -> dict[str, Volume]:
    """Draw a person and scan it on any grid.

    Args:
        rng: source of randomness.
        spec: the grid.
        head: the anatomy; the packaged one by default.

    Returns:
        As `generate_subject`.

    Raises:
        DataError: if the anatomy cannot be read.
    """
    person = (head or MniHead()).person(rng, spec.half_mm, Pose())
    # With these ranges, no scan is stored without its sign.
    signals = np.stack([draw_contrast(rng, name, CONTRAST)[0] for name in SEQUENCES])
    codes = np.empty(spec.shape, np.uint8)
    images = np.empty((len(SEQUENCES), *spec.shape), np.float32)
    for k, mixed in enumerate(slices_of(spec, person)):
        codes[:, :, k] = largest_share(mixed, TRAINING_CODES)
        images[..., k] = np.tensordot(signals, mixed, axes=1)
    grid = spec.grid()
    found = {}
    for name, image in zip(SEQUENCES, images, strict=True):
        measured = acquire(rng, name, image, spec.spacing_mm, ARTEFACTS[name])
        scale = SCALES[name] * rng.uniform(0.9, 1.1)
        found[name] = Volume(store(measured, scale, OFFSETS[name]), grid)
    classes, _ = scheme("mrbrains13").merge(codes)
    return found | {
        "LabelsForTraining": Volume(codes, grid),
        "LabelsForTesting": Volume(classes, grid),
    }


def _checked(size: str, seed: int, number: int) -> Size:
    if size not in SIZES:
        raise ConfigError(
            message("phantom size", f"one of {', '.join(SIZES)}", repr(size), "choose one of these")
        )
    if seed < 0 or number < 0:
        raise ConfigError(
            message("phantom", "seed and number are 0 or more", f"{seed}, {number}", "change them")
        )
    return SIZES[size]

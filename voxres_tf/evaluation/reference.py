"""References and predictions as classes, and which voxels a protocol leaves out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxres_tf.dataset.subject import require_grid
from voxres_tf.errors import ConfigError, DataError, message
from voxres_tf.evaluation.pairs import TESTING_NAME, TRAINING_NAME, ReferenceFiles
from voxres_tf.grid import Grid, to_canonical
from voxres_tf.labels import CLASS_NAMES, SCHEMES, LabelScheme, is_scheme_file, scheme
from voxres_tf.volume import Volume, read_volume

PROTOCOLS = MappingProxyType({"mrbrains13": "mrbrains13", "mrbrains18": "mrbrains18", "plain": ""})
"""Protocol -> the label scheme whose unscored codes it leaves out, empty for none."""

CODINGS = ("auto", "training", "testing")

_OTHER_CODES = "name the scheme in a manifest or mend the file"
_OTHER_TRAINING_CODES = f"pass --protocol mrbrains18 if 9 and 10 are MRBrainS18's, {_OTHER_CODES}"


@dataclass(frozen=True, eq=False)
class Reference:
    """A subject's reference in memory.

    Attributes:
        classes: uint8 [X, Y, Z], 0..3 or as many as `class_names`, on the axes of the file.
        scored: bool [X, Y, Z], False where the protocol leaves the voxel out.
        grid: grid of both.
        knows_unscored: whether the files tell what the protocol leaves out.
        class_names: names of the classes, the background first.
        coding: what the codes were taken for: `training`, `testing`, or the name of a scheme.
        guessed: whether nothing but the codes themselves told it.
    """

    classes: NDArray[np.uint8]
    scored: NDArray[np.bool_]
    grid: Grid
    knows_unscored: bool
    class_names: tuple[str, ...] = CLASS_NAMES
    coding: str = "testing"
    guessed: bool = False


def read_reference(files: ReferenceFiles, protocol: str, coding: str = "auto") -> Reference:
    """Read a reference under a protocol (Mendrik et al. 2015 for `mrbrains13`).

    Args:
        files: what `pairs.find_pairs` found.
        protocol: `mrbrains13` leaves cerebellum and brainstem (7, 8) out, `mrbrains18` also 9 and
            10, `plain` nothing.
        coding: `training` is the coding 0..8 (0..10 in MRBrainS18), `testing` is 0..3; `auto`
            goes by the names LabelsForTraining and LabelsForTesting, and takes other files with
            codes above 4 for the training coding.
            If `files` names a scheme, that applies under every protocol, and only `auto` is
            allowed; for a scheme from a file, every protocol but `plain` leaves out the codes that
            the scheme does not score.

    Raises:
        ConfigError: for an unknown protocol or coding, or a coding beside a scheme.
        DataError: for a file that cannot be read, codes outside the coding or the scheme, codes
            up to 4 that may be either coding, the training coding under `plain` unless it was
            requested, or a mask on another grid.
    """
    _require_choice("protocol", protocol, tuple(PROTOCOLS))
    _require_choice("reference coding", coding, CODINGS)
    if files.scheme is not None and coding != "auto":
        rule = f"the labels of {files.labels} have the scheme {files.scheme}, by their data set"
        raise ConfigError(message("reference coding", rule, coding, "leave --ref-coding out"))
    codes = read_codes(files.labels)
    if files.scheme is not None:
        return _of_scheme(scheme(files.scheme), codes, files.labels, protocol)
    named = coding if coding != "auto" else _by_name(files.labels)
    taken = named or _by_codes(files.labels, codes.data)
    is_training = taken == "training"
    if is_training and coding == "auto" and protocol == "plain":
        rule = "the protocol plain takes codes 0..3"
        then = "pass --protocol mrbrains13 or mrbrains18, or --ref-coding training for all voxels"
        raise DataError(message(files.labels, rule, "a training coding, as of MRBrainS", then))
    # MRBrainS18 has the codes of MRBrainS13, with the same classes, and two more.
    training = SCHEMES[PROTOCOLS[protocol] or "mrbrains18"]
    if is_training:
        classes, scored = training.merge(codes.data, files.labels, _OTHER_TRAINING_CODES)
    else:
        classes, scored = SCHEMES["tissue"].merge(codes.data, files.labels, _OTHER_CODES)
    knows = is_training
    if protocol == "plain":
        scored, knows = np.ones(classes.shape, np.bool_), True
    elif files.mask is not None and not is_training:
        mask = read_codes(files.mask)
        require_grid(mask.grid, files.mask, codes.grid, files.labels)
        scored, knows = training.merge(mask.data, files.mask)[1], True
    return Reference(classes, scored, codes.grid, knows, coding=taken, guessed=named is None)


def _of_scheme(own: LabelScheme, codes: Volume, path: Path, protocol: str) -> Reference:
    """Take the classes from the file's own scheme, and what is not scored from the protocol."""
    classes, scored = own.merge(codes.data, path)
    if is_scheme_file(own.name):
        every = scored if PROTOCOLS[protocol] else np.ones(classes.shape, np.bool_)
        return Reference(classes, every, codes.grid, True, own.class_names, own.name)
    name = PROTOCOLS[protocol]
    left_out: frozenset[int] = SCHEMES[name].unscored if name else frozenset()
    # In another scheme the same code may be a tissue, such as 10 in iSeg-2017.
    scored = ~np.isin(codes.data, sorted(left_out & own.unscored))
    knows = not left_out or bool(own.unscored)
    return Reference(classes, scored, codes.grid, knows, coding=own.name)


def read_prediction(path: Path, class_names: tuple[str, ...] = CLASS_NAMES) -> Volume:
    """Read a segmentation as uint8, whose codes are positions in `class_names`.

    Raises:
        DataError: if the file cannot be read or has other codes.
    """
    codes = read_codes(path)
    written = SCHEMES["tissue"]
    if class_names != CLASS_NAMES:
        written = LabelScheme(", ".join(class_names), {n: n for n in range(len(class_names))})
    return Volume(
        written.merge(codes.data, path, "segment it by a model of these classes")[0], codes.grid
    )


def read_codes(path: Path) -> Volume:
    """Read a label file, whatever type its whole numbers are stored in.

    Raises:
        DataError: for a file that cannot be read, or values that are not whole numbers.
    """
    volume = read_volume(path)
    if volume.data.dtype.kind == "f":
        odd = ~np.isfinite(volume.data) | (volume.data != np.round(volume.data))
        if odd.any():
            received = f"{int(odd.sum())} voxels with others, such as {volume.data[odd][0]}"
            then = "pass labels, not probabilities or interpolated labels"
            raise DataError(message(path, "labels are whole numbers", received, then))
    return volume


def to_common_axes(
    prediction: Volume, path: Path, reference: Reference, reference_path: Path
) -> tuple[NDArray[np.uint8], Reference, Grid]:
    """Bring both to canonical order, so that axial slices lie along the third axis.

    The files' axes may differ in order and direction, but their voxels must coincide.

    Returns:
        The prediction and the reference, both on the reference's canonical grid, and the grid by
        which the axes of the prediction's file were turned.

    Raises:
        DataError: unless the voxels of the two coincide within `grid.GRID_TOLERANCE_MM`.
    """
    own, other = prediction.grid, reference.grid
    if own.fault(other):
        require_grid(own.canonical(), path, other.canonical(), reference_path)
    else:
        # Near 45 degrees, two affines may round to different axes, so one decides for both.
        own = other
    common = replace(
        reference,
        classes=to_canonical(reference.classes, other),
        scored=to_canonical(reference.scored, other),
        grid=other.canonical(),
    )
    return to_canonical(prediction.data, own), common, own


def _by_name(path: Path) -> str | None:
    name = path.name.lower()
    names = {"testing": TESTING_NAME, "training": TRAINING_NAME}
    return next((coding for coding, start in names.items() if name.startswith(start)), None)


def _by_codes(path: Path, codes: NDArray[Any]) -> str:
    highest = int(codes.max())
    if highest == 4:  # a class of one's own, or white matter lesions of MRBrainS alone
        rule = "codes 0..3, or those of MRBrainS's training labels"
        then = "pass --ref-coding training for MRBrainS's, or name the scheme in a manifest"
        raise DataError(message(path, rule, "0..4, which may be either", then))
    return "training" if highest > 4 else "testing"


def _require_choice(what: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(message(what, f"one of {', '.join(choices)}", repr(value), "choose one"))

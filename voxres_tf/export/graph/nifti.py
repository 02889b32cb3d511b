"""The signature that takes a whole subject as files: NIfTI in, NIfTI out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from voxres_tf.contract import Contract, nifti_input
from voxres_tf.export.graph.checks import held, require
from voxres_tf.export.graph.filters import Tensor
from voxres_tf.export.graph.geometry import working_grid
from voxres_tf.export.graph.nifti_affine import distance_mm
from voxres_tf.export.graph.nifti_header import HEADER_BYTES, Header, label_header, read_header
from voxres_tf.export.graph.nifti_volume import Planes, encoded, filled, unpacked
from voxres_tf.grid import GRID_TOLERANCE_MM
from voxres_tf.headers import ONE_SPACE, TEMPLATE_CODE


def nifti_function(
    probabilities: Callable[[Tensor], Tensor],
    contract: Contract,
    align: Callable[[Tensor, Tensor], Tensor],
) -> Any:
    """The traced function of the signature.

    It does what `voxres predict` does with files: axes are brought to right-anterior-superior
    order and back, scans with a spacing that the model does not take are resampled and the
    probabilities resampled back, and labels lie on the grid of the first scan.

    Args:
        probabilities: images, float32 [X, Y, Z, M] -> float32 [X, Y, Z, K].
        contract: says which modalities there are and which may be missing.
        align: images and their spacing, float64 [3] -> images aligned with each other.

    Returns:
        A `tf.function` of one string per modality (see `contract.nifti_input`): the bytes of a
        file, as a scalar or of shape [1]; empty if the subject lacks it. It returns
        `labels_nifti_bytes`, the uncompressed label file, of the same shape.
    """
    names = [nifti_input(modality) for modality in contract.preprocess.modalities]
    resolution = contract.preprocess.resolution

    def on_own_grid(images: Tensor, header: Header, planes: Planes) -> Tensor:
        shape, spacing = planes.canonical(header.shape), planes.canonical(header.spacing_mm)
        if resolution is None:
            return probabilities(align(images, spacing))
        working = working_grid(shape, spacing, resolution)
        seen = align(working.resample_image(images), working.spacing_mm)
        return working.resample_back(probabilities(seen))

    def segment(*given: Tensor) -> dict[str, Tensor]:
        files = [_single(file, name) for file, name in zip(given, names, strict=True)]
        images, header, planes = _read(files, names, contract)
        classes = tf.argmax(on_own_grid(images, header, planes), axis=-1, output_type=tf.int32)
        labels = encoded(tf.cast(classes, tf.uint8), planes)
        answer = tf.strings.join([label_header(header), labels])
        # By HTTP, TF Serving sends base64 if a name ends in `_bytes`, and otherwise raw bytes.
        return {"labels_nifti_bytes": tf.reshape(answer, tf.shape(given[0]))}

    spec = [tf.TensorSpec(None, tf.string, name) for name in names]
    return tf.function(segment, input_signature=spec, autograph=False)


def _single(file: Tensor, name: str) -> Tensor:
    one = require(
        tf.equal(tf.size(file), 1),
        *(name, "one file in a request", ("shape {}", tf.shape(file))),
        "send one subject at a time",
    )
    return tf.reshape(held(file, [one]), [])


def _read(
    files: Sequence[Tensor], names: Sequence[str], contract: Contract
) -> tuple[Tensor, Header, Planes]:
    """The images on the canonical axes, and the header and planes of the first scan."""
    there = _there(files, names, contract)
    contents = [unpacked(file) for file in files]
    heads = [tf.strings.substr(content, 0, HEADER_BYTES) for content in contents]
    first_head, first_name = heads[-1], tf.constant(names[-1])
    for present, head, name in reversed(list(zip(there, heads, names, strict=True))):
        first_head = tf.where(present, head, first_head)
        first_name = tf.where(present, name, first_name)
    # A missing file gets the header of the first scan, so that it breaks no further rule.
    headers = [
        read_header(tf.where(present, head, first_head), tf.where(present, name, first_name))
        for present, head, name in zip(there, heads, names, strict=True)
    ]
    first = headers[0]
    planes = Planes.of(first)
    read = list(zip(names, contents, headers, strict=True))
    rules = [rule for name, _, header in read for rule in _on_one_grid(header, first, name)]
    rules += [_complete(content, header, name) for name, content, header in read]
    # A header can claim any size: no memory is allocated before its file proves to be that long.
    shape = planes.canonical(held(first.shape, rules))
    images = tf.zeros(tf.concat([shape, [len(files)]], axis=0))
    for number, (name, content, header) in enumerate(read):
        images = filled(images, number, name, content, header, planes)
    return images, first, planes


def _there(files: Sequence[Tensor], names: Sequence[str], contract: Contract) -> list[Tensor]:
    """Whether each file is there, bool scalars, after checking those that the contract requires."""
    there = [tf.strings.length(file) > 0 for file in files]
    optional = [nifti_input(modality) for modality in contract.optional_modalities]
    received, then = ("an empty string",), "send the scan, or take another model"
    rules = [
        require(present, name, "the model needs this modality", received, then)
        for present, name in zip(there, names, strict=True)
        if name not in optional
    ]
    rule = f"the model takes at least one of {', '.join(names)}"
    rules.append(require(tf.reduce_any(there), "files", rule, ("none",), "send one"))
    return [held(present, rules) for present in there]


def _on_one_grid(header: Header, first: Header, name: str) -> list[Any]:
    same = tf.reduce_all(header.shape == first.shape)
    distance = distance_mm(header.affine, first.affine, first.shape)
    then = "resample it to that grid (voxres predict --resample-to MODALITY does)"
    shapes = ("shape {} instead of {}", header.shape, first.shape)
    near = distance <= GRID_TOLERANCE_MM
    codes = [header.form_code, first.form_code]
    one_space = tf.equal(*(code >= TEMPLATE_CODE for code in codes))
    fault = "{} mm apart, form codes {} and {}: one lies in the space of a template"
    return [
        require(same, name, "the grid of the first scan", shapes, then),
        require(
            ~same | near | ~one_space,
            *(name, "the grid of the first scan", ("{} mm apart", distance), then),
        ),
        require(
            ~same | near | one_space,
            name,
            "the grid of the first scan",
            (fault, distance, *codes),
            ONE_SPACE,
        ),
    ]


def _complete(content: Tensor, header: Header, name: str) -> Any:
    size = tf.cast(tf.strings.length(content), tf.int64)
    voxels = tf.reduce_prod(tf.cast(header.shape, tf.int64))
    end = header.offset + voxels * header.voxel_bytes
    received = ("{}", size)
    rule = "as many bytes, unpacked, as its header tells"
    return require((size == 0) | (size >= end), name, rule, received, "send the whole file")

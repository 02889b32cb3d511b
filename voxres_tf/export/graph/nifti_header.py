"""NIfTI-1 headers as TensorFlow operations: reading a scan's and making that of its labels.

Fields lie where `nifti1.h` of the NIfTI Data Format Working Group defines them; where a header
leaves a choice or breaks a rule, it is interpreted as nibabel interprets it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import nibabel as nib
import tensorflow as tf

from voxres_tf.export.graph.checks import held, require
from voxres_tf.export.graph.filters import Tensor
from voxres_tf.export.graph.nifti_affine import Transforms
from voxres_tf.headers import (
    OFFSET_RULE,
    SIZES_RULE,
    SIZES_STEP,
    STATED_RULE,
    UNIT_BITS,
    UNITS,
    UNITS_RULE,
    UNITS_STEP,
)

HEADER_BYTES = 348
FIRST_VOXEL = 352
"""Earliest start of the voxels in a file with its header; the extension flags come before it."""

DATATYPES = {
    2: tf.uint8,
    4: tf.int16,
    8: tf.int32,
    16: tf.float32,
    64: tf.float64,
    256: tf.int8,
    512: tf.uint16,
    768: tf.uint32,
}
"""Code in a header -> how its voxels are stored. No other code is accepted."""

_FARTHEST_VOXEL = 2.0**40


@dataclass(frozen=True)
class Header:
    """What the header of a scan says.

    Attributes:
        raw: its 348 bytes, string scalar.
        little: whether its numbers are little-endian, bool scalar.
        shape: voxels along the axes of the file, int32 [3].
        datatype: index of its code in `DATATYPES`, int32 scalar.
        offset: the byte where the voxels start, int64 scalar.
        slope, inter: a value is its stored number * slope + inter; float64 scalars.
        affine: voxel -> mm, float64 [4, 4].
        form_code: code of the transform that gave the affine, integer scalar; 0 if none has one.
    """

    raw: Tensor
    little: Tensor
    shape: Tensor
    datatype: Tensor
    offset: Tensor
    slope: Tensor
    inter: Tensor
    affine: Tensor
    form_code: Tensor

    @property
    def voxel_bytes(self) -> Tensor:
        """Bytes of a voxel, int64 scalar."""
        sizes = tf.constant([dtype.size for dtype in DATATYPES.values()], tf.int64)
        return tf.gather(sizes, self.datatype)

    @property
    def spacing_mm(self) -> Tensor:
        """Distance between voxel centres along the axes of the file, float64 [3]."""
        return tf.norm(self.affine[:3, :3], axis=0)


def read_header(raw: Tensor, name: Tensor) -> Header:
    """Read a header and check it against the rules for a scan.

    Args:
        raw: the first 348 bytes of the unpacked file, string scalar.
        name: name of the input, string scalar, for the errors.

    Raises:
        tf.errors.InvalidArgumentError: when run, naming the rule that it breaks: a NIfTI-1 header
            of a single file, three axes (others of length 1), a datatype of `DATATYPES`, voxels
            that start after the header, sizes in mm that pixdim or a sform gives, a finite
            intercept, an invertible affine, a sform with the voxel sizes that pixdim states.
    """
    raw, little = _checked_kind(raw, name)
    fields = _Fields(raw, little)
    dim = tf.cast(fields(40, 8, tf.int16), tf.int32)
    code = tf.cast(fields(70, 1, tf.int16)[0], tf.int32)
    offset = fields(108, 1, tf.float32)[0]
    slope, inter = tf.unstack(tf.cast(fields(112, 2, tf.float32), tf.float64))
    scaled = tf.math.is_finite(slope) & (slope != 0)
    shape = dim[1:4]
    transforms = _transforms(fields)
    affine = transforms.affine(shape)
    codes = list(DATATYPES)
    known = ", ".join(f"{code} ({dtype.name})" for code, dtype in DATATYPES.items())
    one_volume = tf.reduce_all((dim[4:] == 1) | (tf.range(4, 8) > dim[0]))
    three_axes = (dim[0] >= 3) & (dim[0] <= 7) & tf.reduce_all(shape > 0) & one_volume
    unit = tf.bitwise.bitwise_and(
        tf.io.decode_raw(tf.strings.substr(raw, 123, 1), tf.uint8)[0], UNIT_BITS
    )
    behind = (offset >= FIRST_VOXEL) & (offset < _FARTHEST_VOXEL)
    sound = tf.reduce_all(tf.math.is_finite(affine))
    sound &= tf.abs(tf.linalg.det(tf.where(sound, affine, tf.zeros_like(affine)))) >= 1e-9
    rules: list[tuple[Tensor, str, tuple[Any, ...], str]] = [
        (three_axes, "a volume has three axes", ("dim {}", dim), "extract one volume of it"),
        (tf.reduce_any(code == codes), f"datatype {known}", ("{}", code), "convert it to float32"),
        (tf.reduce_all(unit != list(UNITS)), UNITS_RULE, ("unit {}", unit), UNITS_STEP),
        (behind, OFFSET_RULE.format(FIRST_VOXEL), ("{}", offset), "mend the header"),
        (~scaled | tf.math.is_finite(inter), "a finite scl_inter", ("{}", inter), "set it to 0"),
        (
            transforms.sizes_stated(),
            STATED_RULE,
            ("{}", tf.abs(transforms.pixdim[1:])),
            "mend the header",
        ),
        (sound, "an affine that can be inverted", ("{}", affine), "mend the header"),
        (~sound | transforms.sizes_agree(), SIZES_RULE, _sizes(transforms), SIZES_STEP),
    ]
    shape = held(shape, [require(ok, name, rule, got, then) for ok, rule, got, then in rules])
    return Header(
        raw,
        little,
        shape,
        tf.argmax(code == codes, output_type=tf.int32),
        tf.cast(offset, tf.int64),
        tf.where(scaled, slope, 1.0),
        tf.where(scaled, inter, 0.0),
        affine,
        transforms.code,
    )


def _sizes(transforms: Transforms) -> tuple[Any, ...]:
    sizes = tf.norm(transforms.sform[:, :3], axis=0), tf.abs(transforms.pixdim[1:])
    # As float32 they show no more digits than the header's numbers.
    return ("{} mm by the sform, {} mm by pixdim", *(tf.cast(mm, tf.float32) for mm in sizes))


def label_header(header: Header) -> Tensor:
    """The first 352 bytes of a label file, uint8, on the grid of a scan.

    Shape, spacing, sform, qform and their codes are the scan's, byte for byte, in its own byte
    order. Nothing else is taken from the scan's header.

    Returns:
        String scalar.
    """
    new = tf.where(header.little, _template("<"), _template(">"))

    def part(source: Tensor, start: int, stop: int) -> Tensor:
        return tf.strings.substr(source, start, stop - start)

    parts = [
        part(new, 0, 42),
        part(header.raw, 42, 48),  # shape
        part(new, 48, 76),
        part(header.raw, 76, 92),  # qfac and spacing
        part(new, 92, 252),
        part(header.raw, 252, 328),  # qform and sform
        part(new, 328, HEADER_BYTES),
        tf.constant(bytes(FIRST_VOXEL - HEADER_BYTES)),
    ]
    return tf.strings.join(parts)


@dataclass(frozen=True)
class _Fields:
    """Reads numbers from a header of either byte order."""

    raw: Tensor
    little: Tensor

    def __call__(self, start: int, count: int, dtype: tf.DType) -> Tensor:
        part = tf.strings.substr(self.raw, start, count * dtype.size)
        low_first, high_first = (
            tf.ensure_shape(tf.io.decode_raw(part, dtype, little_endian=order), [count])
            for order in (True, False)
        )
        return tf.where(self.little, low_first, high_first)


def _checked_kind(raw: Tensor, name: Tensor) -> tuple[Tensor, Tensor]:
    """The header, checked to be NIfTI-1 in a single file, and whether it is little-endian."""
    rule = "a file in NIfTI-1 format, .nii or .nii.gz"
    size = tf.strings.length(raw)
    whole = require(size >= HEADER_BYTES, name, rule, ("{} bytes", size), "send the whole file")
    raw = held(raw, [whole])
    sizes = [_Fields(raw, tf.constant(order))(0, 1, tf.int32)[0] for order in (True, False)]
    magic = tf.strings.substr(raw, 344, 4)
    nifti = tf.reduce_any([size == HEADER_BYTES for size in sizes]) & (magic == b"n+1\0")
    received = ("sizeof_hdr {}, magic {}", sizes[0], tf.io.decode_raw(magic, tf.uint8))
    kind = require(nifti, name, rule, received, "convert it, with nibabel for example")
    return held(raw, [kind]), sizes[0] == HEADER_BYTES


def _transforms(fields: _Fields) -> Transforms:
    def numbers(start: int, count: int) -> Tensor:
        return tf.cast(fields(start, count, tf.float32), tf.float64)

    return Transforms(
        pixdim=numbers(76, 4),
        codes=fields(252, 2, tf.int16),
        quaternion=numbers(256, 3),
        offset=numbers(268, 3),
        sform=tf.reshape(numbers(280, 12), [3, 4]),
    )


def _template(byte_order: str) -> bytes:
    """The 348 bytes of a label file's header, in the units that `voxres predict` writes."""
    header = nib.Nifti1Header(endianness=byte_order)
    header.set_data_shape((1, 1, 1))
    header.set_data_dtype("uint8")
    header.set_xyzt_units("mm", "sec")
    header["vox_offset"] = FIRST_VOXEL
    header["scl_slope"], header["scl_inter"] = 1, 0
    header["magic"] = b"n+1"
    block: bytes = header.binaryblock
    return block

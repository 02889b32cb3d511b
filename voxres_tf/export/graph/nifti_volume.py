"""Voxels of NIfTI files as TensorFlow operations: from bytes to canonical axes and back to bytes.

Files are read and written plane by plane, so that memory never holds a whole one in another form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product

import tensorflow as tf

from voxres_tf.export.graph.checks import held, require
from voxres_tf.export.graph.filters import Tensor
from voxres_tf.export.graph.nifti_affine import orientation
from voxres_tf.export.graph.nifti_header import DATATYPES, Header
from voxres_tf.export.graph.volumes import written

_GZIP = b"\x1f\x8b"


def unpacked(file: Tensor) -> Tensor:
    """The content of a file, decompressed if it begins with gzip's two bytes.

    A stream that ends early gives the part that was there.

    Args:
        file: string scalar.

    Raises:
        tf.errors.DataLossError: when run, if it is compressed and damaged.
    """
    return tf.cond(
        tf.strings.substr(file, 0, 2) == _GZIP,
        lambda: tf.io.decode_compressed(file, "GZIP"),
        lambda: file,
    )


@dataclass(frozen=True)
class Planes:
    """The planes of a file, one for each step along its third axis, in a canonical volume.

    Attributes:
        shape: voxels along the axes of the file, int32 [3].
        targets: the canonical axis of each axis of the file, int32 [3].
        flipped: whether each axis runs the other way, bool [3].
    """

    shape: Tensor
    targets: Tensor
    flipped: Tensor

    @classmethod
    def of(cls, header: Header) -> Planes:
        """The planes of a scan's file."""
        return cls(header.shape, *orientation(header.affine))

    def canonical(self, values: Tensor) -> Tensor:
        """Reorder numbers of the file's axes, [3], to the order of the canonical axes."""
        return tf.gather(values, tf.argsort(self.targets))

    def place(self, number: Tensor) -> tuple[Tensor, Tensor]:
        """Where plane `number` lies in the canonical volume: its first voxel and its size."""
        along = tf.one_hot(self.targets[2], 3, dtype=tf.int32)
        step = tf.where(self.flipped[2], self.shape[2] - 1 - number, number)
        size = self.canonical(self.shape)
        return along * step, size + along * (1 - size)

    def to_canonical(self, plane: Tensor) -> Tensor:
        """A plane [1, Y, X] as stored, the first axis fastest -> in the size given by `place`."""
        return tf.transpose(tf.reverse(plane, self._backwards()), tf.argsort(self._order()))

    def from_canonical(self, plane: Tensor) -> Tensor:
        """The inverse of `to_canonical`."""
        return tf.reverse(tf.transpose(plane, self._order()), self._backwards())

    def _order(self) -> Tensor:
        # A file's first axis runs fastest, so it is the last axis of the array.
        return self.targets[::-1]

    def _backwards(self) -> Tensor:
        return tf.boolean_mask([2, 1, 0], self.flipped)


def filled(
    images: Tensor, number: int, name: str, content: Tensor, header: Header, planes: Planes
) -> Tensor:
    """Fill the voxels of one file into the images, scaled as its header says.

    Args:
        images: float32 [X, Y, Z, M] on the canonical axes.
        number: index of the modality.
        name: name of the input, for the error.
        content: the unpacked file, string scalar; if it is empty nothing is done.
        header: header of the file.
        planes: planes of the file.

    Raises:
        tf.errors.InvalidArgumentError: when run, if a value is not finite, or all are the same.
    """
    stored = tf.cast(header.shape[0] * header.shape[1], tf.int64) * header.voxel_bytes
    count = tf.where(tf.strings.length(content) > 0, header.shape[2], 0)
    rule = f"voxres: {name}: voxels must be finite, set others to 0"

    def step(plane: Tensor, low: Tensor, high: Tensor, images: Tensor) -> tuple[Tensor, ...]:
        start = header.offset + tf.cast(plane, tf.int64) * stored
        values = _decoded(tf.strings.substr(content, start, stored), header)
        values = tf.cast(values * header.slope + header.inter, tf.float32)
        values = tf.debugging.check_numerics(values, rule)
        part = planes.to_canonical(tf.reshape(values, [1, header.shape[1], header.shape[0]]))
        begin = tf.concat([planes.place(plane)[0], [number]], axis=0)
        low, high = tf.minimum(low, tf.reduce_min(values)), tf.maximum(high, tf.reduce_max(values))
        return plane + 1, low, high, written(images, begin, part[..., None])

    start = (tf.constant(0), tf.constant(float("inf")), tf.constant(float("-inf")), images)
    _, low, high, images = tf.while_loop(
        lambda n, *_: n < count, step, start, parallel_iterations=1
    )
    received, then = ("{} everywhere", low), "leave this scan out, or export it again"
    contrast = require((count == 0) | (low < high), name, "a scan has contrast", received, then)
    return held(images, [contrast])


def encoded(labels: Tensor, planes: Planes) -> Tensor:
    """The bytes of labels, in the order of the file's axes.

    Args:
        labels: uint8 [X, Y, Z] on the canonical axes.
        planes: planes of the file.

    Returns:
        String scalar.
    """
    # TensorFlow has no operation that turns the bytes of numbers into a string.
    table = tf.constant([bytes([value]) for value in range(256)])

    def step(number: Tensor, parts: tf.TensorArray) -> tuple[Tensor, tf.TensorArray]:
        plane = planes.from_canonical(tf.slice(labels, *planes.place(number)))
        letters = tf.gather(table, tf.cast(tf.reshape(plane, [-1]), tf.int32))
        return number + 1, parts.write(number, tf.strings.reduce_join(letters))

    count = planes.shape[2]
    start = (tf.constant(0), tf.TensorArray(tf.string, count, element_shape=[]))
    parts = tf.while_loop(lambda n, _: n < count, step, start, parallel_iterations=1)[1]
    return tf.strings.reduce_join(parts.stack())


def _decoded(stored: Tensor, header: Header) -> Tensor:
    """The stored numbers as float64 [n], which represents each of them exactly."""

    def decode(dtype: tf.DType, little: bool) -> Tensor:
        # `decode_raw` does not support uint32.
        known = tf.int32 if dtype == tf.uint32 else dtype
        numbers = tf.io.decode_raw(stored, known, little_endian=little)
        return tf.cast(tf.bitcast(numbers, dtype), tf.float64)

    ways: list[Callable[[], Tensor]] = [
        partial(decode, dtype, little)
        for dtype, little in product(DATATYPES.values(), (True, False))
    ]
    return tf.switch_case(2 * header.datatype + tf.where(header.little, 0, 1), ways)

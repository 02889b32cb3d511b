"""From the numbers of a NIfTI-1 header to an affine, and from affines to axes and distances.

What `grid.Grid` computes with nibabel, as TensorFlow operations in float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import tensorflow as tf

from voxres_tf.export.graph.filters import Tensor
from voxres_tf.headers import SCANNER_CODE, SIZE_TOLERANCE

_LAST_XFORM_CODE = 5
_UNIT_TOLERANCE = 3 * 2.0**-23
"""How far rounding may take the square of a float32 unit quaternion from 1."""


@dataclass(frozen=True)
class Transforms:
    """The numbers of a header that locate its voxels, float64 except for the codes.

    Attributes:
        pixdim: qfac and the spacing in mm [4].
        codes: codes of qform and sform, integers [2].
        quaternion: b, c, d of the qform [3].
        offset: offset of the qform in mm [3].
        sform: rows of the sform [3, 4].
    """

    pixdim: Tensor
    codes: Tensor
    quaternion: Tensor
    offset: Tensor
    sform: Tensor

    @property
    def code(self) -> Tensor:
        """The code of the sform if it has one, else of the qform; 0 if neither has one."""
        qform, sform = tf.unstack(self._known_codes())
        return tf.where(sform > 0, sform, qform)

    def sizes_agree(self) -> Tensor:
        """Whether the sform, if used, has the voxel sizes of pixdim; see `headers.check_header`."""
        stated, found = tf.abs(self.pixdim[1:]), tf.norm(self.sform[:, :3], axis=0)
        states = tf.math.is_finite(stated) & (stated > 0)
        differ = states & (tf.abs(found - stated) > SIZE_TOLERANCE * stated)
        qform, sform = tf.unstack(self._known_codes())
        untouched = (sform == SCANNER_CODE) & (qform == 0) & tf.reduce_all(stated == 1)
        return (sform == 0) | untouched | ~tf.reduce_any(differ)

    def sizes_stated(self) -> Tensor:
        """Whether pixdim gives the voxel sizes, if no sform does."""
        stated = tf.abs(self.pixdim[1:])
        given = tf.reduce_all(tf.math.is_finite(stated) & (stated > 0))
        return given | (tf.unstack(self._known_codes())[1] > 0)

    def affine(self, shape: Tensor) -> Tensor:
        """Voxel -> mm by the sform if it has a code, else the qform if that has one, else Analyze.

        Args:
            shape: voxels along the axes of the file, int32 [3].

        Returns:
            float64 [4, 4]; it contains NaN if the quaternion is longer than 1.
        """
        qform, sform = tf.unstack(self._known_codes() > 0)
        sides = self.pixdim[1:]
        sides = tf.where(sides == 0, tf.ones_like(sides), tf.abs(sides))
        rows = tf.where(qform, self._qform(sides), _analyze(shape, sides))
        rows = tf.where(sform, self.sform, rows)
        return tf.concat([rows, tf.constant([[0, 0, 0, 1]], tf.float64)], axis=0)

    def _known_codes(self) -> Tensor:
        known = (self.codes >= 1) & (self.codes <= _LAST_XFORM_CODE)
        return tf.where(known, self.codes, tf.zeros_like(self.codes))

    def _qform(self, sides: Tensor) -> Tensor:
        b, c, d = tf.unstack(self.quaternion)
        square = 1 - (b * b + c * c + d * d)
        a = tf.sqrt(tf.where(tf.abs(square) < _UNIT_TOLERANCE, tf.zeros_like(square), square))
        s = 2 / (a * a + b * b + c * c + d * d)
        rotation = [
            [1 - s * (c * c + d * d), s * (b * c - d * a), s * (b * d + c * a)],
            [s * (b * c + d * a), 1 - s * (b * b + d * d), s * (c * d - b * a)],
            [s * (b * d - c * a), s * (c * d + b * a), 1 - s * (b * b + c * c)],
        ]
        one = tf.ones_like(s)
        signs = tf.stack([one, one, tf.where(self.pixdim[0] == -1, -one, one)])
        columns = tf.convert_to_tensor(rotation) * sides * signs
        return tf.concat([columns, self.offset[:, None]], axis=1)


def _analyze(shape: Tensor, sides: Tensor) -> Tensor:
    """Analyze's affine: the first axis runs to the left, 0 mm is the middle; float64 [3, 4]."""
    sides = sides * tf.constant([-1, 1, 1], tf.float64)
    middle = (tf.cast(shape, tf.float64) - 1) / 2
    return tf.concat([tf.linalg.diag(sides), -(middle * sides)[:, None]], axis=1)


def distance_mm(affine: Tensor, other: Tensor, shape: Tensor) -> Tensor:
    """`Grid.distance_mm`: the largest distance between the corners of two grids of one shape.

    Args:
        affine: affine of one grid, float64 [4, 4].
        other: affine of the other.
        shape: shape of both, int32 [3].
    """
    ends = tf.constant([[*corner, 1] for corner in product((0, 1), repeat=3)], tf.float64)
    corners = ends * tf.concat([tf.cast(shape - 1, tf.float64), [1]], axis=0)
    apart = tf.matmul(corners, affine - other, transpose_b=True)
    return tf.reduce_max(tf.norm(apart[:, :3], axis=1))


def orientation(affine: Tensor) -> tuple[Tensor, Tensor]:
    """`Grid.orientation`: the anatomical axis closest to each axis of a file.

    As in nibabel, the rotation closest to the affine (its polar decomposition) decides; the axis
    that fits best is assigned first, and no anatomical axis is assigned twice.

    Args:
        affine: float64 [4, 4], finite and invertible.

    Returns:
        The anatomical axis of each axis of the file, int32 [3]: 0 right, 1 anterior, 2 superior;
        and whether it runs the other way, bool [3].
    """
    sides = affine[:3, :3] / tf.norm(affine[:3, :3], axis=0)
    _, left, right = tf.linalg.svd(sides)
    rotation = tf.matmul(left, right, transpose_b=True)
    strength = tf.reduce_max(rotation**2, axis=0)
    best_first = tf.argsort(strength, direction="DESCENDING", stable=True)
    free = tf.ones([3], tf.float64)
    targets = tf.zeros([3], tf.int32)
    for n in range(3):
        axis = best_first[n]
        # The 1 ranks any free axis above those already taken, however small its share.
        share = free * (1 + tf.abs(rotation[:, axis]))
        target = tf.argmax(share, output_type=tf.int32)
        targets += target * tf.one_hot(axis, 3, dtype=tf.int32)
        free -= tf.one_hot(target, 3, dtype=tf.float64)
    signs = tf.gather(tf.transpose(rotation), targets, axis=1, batch_dims=1)
    return targets, signs < 0

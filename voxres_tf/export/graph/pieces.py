"""`inference.pieces` as TensorFlow operations: tissue apart from the brain becomes background."""

from __future__ import annotations

from functools import reduce
from math import prod

import tensorflow as tf

from voxres_tf.export.graph.filters import Tensor
from voxres_tf.inference.pieces import BLOCK, FULL, LARGE, REACH


def without_loose(probabilities: Tensor) -> Tensor:
    """Probabilities, float32 [X, Y, Z, K], after `pieces.drop_loose`; K is static."""
    tissue = tf.reduce_any(probabilities[..., 1:] > probabilities[..., :1], axis=-1)
    background = tf.one_hot(0, probabilities.shape[-1])
    return tf.where(loose_tissue(tissue)[..., None], background, probabilities)


def loose_tissue(tissue: Tensor) -> Tensor:
    """`pieces.loose_tissue`: bool [X, Y, Z] -> bool [X, Y, Z]."""
    shape = tf.shape(tissue)
    padded = tf.pad(tissue, tf.stack([tf.zeros(3, tf.int32), -shape % BLOCK], axis=1))
    blocks = tf.shape(padded) // BLOCK
    by_block = tf.reshape(tf.stack([blocks, tf.constant(BLOCK)], axis=1), [6])
    filled = tf.reduce_sum(tf.cast(tf.reshape(padded, by_block), tf.int32), axis=(1, 3, 5))
    full = FULL[1] * filled >= FULL[0] * prod(BLOCK)
    pieces = _pieces(full)
    numbers = tf.reshape(pieces, [-1])
    sizes = tf.math.unsorted_segment_sum(tf.sign(numbers), numbers, tf.size(pieces) + 1)
    large = LARGE * sizes >= tf.maximum(tf.reduce_max(sizes), 1)
    kept = tf.cast(tf.gather(large, pieces), tf.float32)[None, ..., None]
    near = tf.nn.max_pool3d(kept, [2 * reach + 1 for reach in REACH], 1, "SAME")[0, ..., 0] > 0
    for axis, block in enumerate(BLOCK):
        near = tf.repeat(near, block, axis)
    near = tf.slice(near, [0, 0, 0], shape) | ~tf.reduce_any(full)
    return tissue & ~near


def _pieces(full: Tensor) -> Tensor:
    """The number of each block's piece, int32 of the shape of `full`; 0 where that is False."""
    shape = tf.shape(full)
    own = tf.where(full, tf.reshape(tf.range(tf.size(full)) + 1, shape), 0)

    def spread(_: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        wide = tf.pad(numbers, [[1, 1]] * 3)
        begins = ([0, 1, 1], [2, 1, 1], [1, 0, 1], [1, 2, 1], [1, 1, 0], [1, 1, 2])
        around = [tf.slice(wide, begin, shape) for begin in begins]
        heard = tf.where(full, reduce(tf.maximum, around, numbers), 0)
        # A number is that of a block, which may have a higher number by now: without this look-up,
        # numbers would spread by only one block per round.
        heard = tf.gather(tf.concat([[0], tf.reshape(heard, [-1])], axis=0), heard)
        return tf.reduce_any(heard != numbers), heard

    start = (tf.constant(True), own)
    return tf.while_loop(lambda more, _: more, spread, start, parallel_iterations=1)[1]

"""Exact algebra on a trained network before its export: fewer multiply-adds, the same answers.

- Batch normalisation is folded into the kernel and bias of the convolution before it, if that feeds
  nothing else. Where it follows a sum, as most of VoxResNet's do, it stays.
- A deconvolution that feeds only a 1^3 classifier is merged with it into one deconvolution to K
  channels, since nothing lies between them.
- Layers that only the auxiliary outputs need are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from keras import layers

Tensor = Any
Pairs = dict[str, keras.Layer]
"""Name of a layer -> the layer before it, which it absorbs."""


def fused(model: keras.Model) -> Callable[[Tensor], Tensor]:
    """The network's fused output, computed with fewer operations.

    Its kernels are computed from the model's variables where this is called: within a `tf.function`
    they are part of the graph, and outside its loops they are computed once per call. The variables
    stay as trained, so an export holds the trained ones and stores nothing twice.

    Args:
        model: a network of `build_network`, in float32.

    Returns:
        `image`, float32 [B, X, Y, Z, C] -> the logits of `main`, float32 [B, X, Y, Z, K].
    """
    main = keras.Model(model.input, model.output["main"])
    pairs = _pairs(main)
    absorbed = {layer.name for layer in pairs.values()}
    steps = [
        _step(layer, pairs.get(layer.name))
        for layer in main.layers
        if layer.name not in absorbed and not isinstance(layer, layers.InputLayer)
    ]

    def logits(image: Tensor) -> Tensor:
        values = {id(main.input): image}
        for step in steps:
            given = [values[symbol] for symbol in step.inputs]
            values[step.output] = step.run(given[0] if len(given) == 1 else given)
        return values[id(main.output)]

    return logits


@dataclass(frozen=True)
class _Step:
    """One layer or two as a single operation; inputs and output are ids of symbolic tensors."""

    inputs: tuple[int, ...]
    output: int
    run: Callable[[Any], Tensor]


def _pairs(model: keras.Model) -> Pairs:
    """The layers that can absorb the one before them, which feeds nothing else."""
    producers = {id(layer.output): layer for layer in model.layers}
    uses = Counter(symbol for layer in model.layers for symbol in _inputs(layer))
    uses[id(model.output)] += 1
    found = {}
    for layer in model.layers:
        inputs = _inputs(layer)
        if len(inputs) == 1 and uses[inputs[0]] == 1:
            before = producers[inputs[0]]
            if _linear(before) and _can_take_in(layer, before):
                found[layer.name] = before
    return found


def _inputs(layer: keras.Layer) -> tuple[int, ...]:
    if isinstance(layer, layers.InputLayer):
        return ()
    given = layer.input
    return tuple(map(id, given)) if isinstance(given, list | tuple) else (id(given),)


def _linear(layer: keras.Layer) -> bool:
    return getattr(layer, "activation", None) is keras.activations.linear


def _can_take_in(layer: keras.Layer, before: keras.Layer) -> bool:
    if isinstance(before, layers.Conv3DTranspose):
        return isinstance(layer, layers.Conv3D) and layer.kernel_size == (1, 1, 1)
    return isinstance(before, layers.Conv3D) and isinstance(layer, layers.BatchNormalization)


def _step(layer: keras.Layer, before: keras.Layer | None) -> _Step:
    if before is None:
        return _Step(_inputs(layer), id(layer.output), lambda given: layer(given, training=False))
    fuse = _classified if isinstance(before, layers.Conv3DTranspose) else _normalised
    return _Step(_inputs(before), id(layer.output), fuse(before, layer))


def _normalised(conv: layers.Conv3D, norm: layers.BatchNormalization) -> Callable[[Any], Tensor]:
    """(W x + b - mean) s + beta = (s W) x + (b - mean) s + beta, s = gamma / sqrt(var + eps)."""
    scale = _value(norm.gamma) * tf.math.rsqrt(_value(norm.moving_variance) + norm.epsilon)
    kernel = _value(conv.kernel) * scale
    bias = (_value(conv.bias) - _value(norm.moving_mean)) * scale + _value(norm.beta)

    def run(given: Tensor) -> Tensor:
        return keras.ops.conv(given, kernel, conv.strides, conv.padding) + bias

    return run


def _classified(deconv: layers.Conv3DTranspose, conv: layers.Conv3D) -> Callable[[Any], Tensor]:
    """V (W x + b) + c = (V W) x + V b + c, V being the same matrix at every voxel."""
    matrix = _value(conv.kernel)[0, 0, 0]
    kernel = tf.einsum("xyzoi,ok->xyzki", _value(deconv.kernel), matrix)
    bias = _value(conv.bias)
    if deconv.use_bias:
        bias += tf.linalg.matvec(matrix, _value(deconv.bias), transpose_a=True)

    def run(given: Tensor) -> Tensor:
        return keras.ops.conv_transpose(given, kernel, deconv.strides, deconv.padding) + bias

    return run


def _value(variable: Any) -> Tensor:
    return tf.convert_to_tensor(variable)

"""The layers of VoxResNet (Chen et al. 2016, section 2.2 and figure 1) as functional blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

Tensor = Any
"""A symbolic Keras tensor [B, X, Y, Z, C]."""

Kernel = int | tuple[int, int, int]


class Blocks:
    """Named layers that share a precision policy, an initialiser and the L2 term of eq. (3).

    Args:
        precision: Keras policy of all layers but the classifiers, which stay in float32.
        l2: lambda of eq. (3); multiplies the sum of the squared kernels.
    """

    def __init__(self, precision: str, l2: float) -> None:
        self._dtype = precision
        self._penalty: Callable[[], Any] = lambda: keras.regularizers.L2(l2) if l2 else None

    def conv(
        self, x: Tensor, filters: int, name: str, *, kernel: Kernel = 3, stride: int = 1
    ) -> Tensor:
        """Volumetric convolution with bias, zero-padded to keep the size (over the stride)."""
        return layers.Conv3D(
            filters,
            kernel,
            stride,
            padding="same",
            kernel_initializer="he_normal",
            kernel_regularizer=self._penalty(),
            dtype=self._dtype,
            name=name,
        )(x)

    def activate(self, x: Tensor, name: str) -> Tensor:
        """Batch normalisation and ReLU, the pre-activation of He et al. 2016."""
        x = layers.BatchNormalization(dtype=self._dtype, name=f"{name}_bn")(x)
        return layers.ReLU(dtype=self._dtype, name=f"{name}_relu")(x)

    def voxres(self, x: Tensor, name: str, *, first_kernel: Kernel = 3) -> Tensor:
        """VoxRes module: x + [BN, ReLU, conv, BN, ReLU, conv]; nothing follows the sum."""
        filters = x.shape[-1]
        y = self.activate(x, f"{name}_a")
        y = self.conv(y, filters, f"{name}_conv1", kernel=first_kernel)
        y = self.activate(y, f"{name}_b")
        y = self.conv(y, filters, f"{name}_conv2")
        return layers.Add(dtype=self._dtype, name=f"{name}_sum")([x, y])

    def branch(self, x: Tensor, classes: int, name: str, *, stride: int) -> tuple[Tensor, Tensor]:
        """Side output: ReLU, deconvolution to full size, and two parallel 1^3 classifiers.

        Returns:
            logits of the auxiliary classifier C_a and this branch's share of the fused logits.
        """
        x = layers.ReLU(dtype=self._dtype, name=f"{name}_relu")(x)
        x = layers.Conv3DTranspose(
            x.shape[-1],
            3 if stride == 1 else stride,
            stride,
            padding="same",
            kernel_initializer="he_normal",
            kernel_regularizer=self._penalty(),
            dtype=self._dtype,
            name=f"{name}_deconv",
        )(x)
        return self.classifier(x, classes, f"{name}_aux"), self.classifier(
            x, classes, f"{name}_share"
        )

    def classifier(self, x: Tensor, classes: int, name: str) -> Tensor:
        """1^3 convolution to logits, in float32 whatever the precision."""
        return layers.Conv3D(
            classes,
            1,
            kernel_initializer="glorot_normal",
            kernel_regularizer=self._penalty(),
            dtype="float32",
            name=name,
        )(x)

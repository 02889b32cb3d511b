"""The layers of both networks as functional blocks (Chen et al. and Cicek et al., both 2016)."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from voxres_tf.config import Architecture, ModelConfig
from voxres_tf.errors import ConfigError, message

Tensor = Any
"""A symbolic Keras tensor [B, X, Y, Z, C]."""

Kernel = int | tuple[int, int, int]


def require_architecture(config: ModelConfig, architecture: Architecture) -> None:
    """Refuse a config that names another network than the one a builder builds.

    Raises:
        ConfigError: if the config names another one.
    """
    if config.architecture != architecture:
        raise ConfigError(
            message(
                "architecture",
                f"this function builds {architecture}",
                config.architecture,
                "call build_network, which builds both",
            )
        )


class Blocks:
    """Named layers that share a precision policy, an initialiser and the L2 term of eq. (3).

    Args:
        precision: Keras policy of all layers but the classifiers, which stay in float32.
        l2: lambda of eq. (3); multiplies the sum of the squared kernels.
        norm_momentum: as in `ModelConfig`.
    """

    def __init__(self, precision: str, l2: float, norm_momentum: float) -> None:
        self._dtype = precision
        self._momentum = norm_momentum
        self._penalty = keras.regularizers.L2(l2) if l2 else None

    def conv(
        self, x: Tensor, filters: int, name: str, *, kernel: Kernel = 3, stride: int = 1
    ) -> Tensor:
        """Volumetric convolution with bias, zero-padded to keep the size (divided by stride)."""
        return layers.Conv3D(
            filters,
            kernel,
            stride,
            padding="same",
            kernel_initializer="he_normal",
            kernel_regularizer=self._penalty,
            dtype=self._dtype,
            name=name,
        )(x)

    def deconv(
        self, x: Tensor, name: str, *, kernel: int, stride: int, bias: bool = True
    ) -> Tensor:
        """Deconvolution to `stride` times the size, with as many channels as before."""
        return layers.Conv3DTranspose(
            x.shape[-1],
            kernel,
            stride,
            padding="same",
            use_bias=bias,
            kernel_initializer="he_normal",
            kernel_regularizer=self._penalty,
            dtype=self._dtype,
            name=name,
        )(x)

    def pool(self, x: Tensor, name: str) -> Tensor:
        """2^3 max pooling of stride 2, in float32: TensorFlow has no float16 kernel on the CPU."""
        return layers.MaxPooling3D(2, dtype="float32", name=name)(x)

    def join(self, x: Tensor, skip: Tensor, name: str) -> Tensor:
        """Concatenate the channels of both, those of the skip connection last."""
        return layers.Concatenate(dtype=self._dtype, name=name)([x, skip])

    def activate(self, x: Tensor, name: str) -> Tensor:
        """Batch normalisation and ReLU: before VoxResNet's convolutions, after the U-Net's."""
        norm = layers.BatchNormalization(
            momentum=self._momentum, dtype=self._dtype, name=f"{name}_bn"
        )
        x = norm(x)
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
            Logits of the auxiliary classifier C_a and this branch's share of the fused logits.
        """
        x = layers.ReLU(dtype=self._dtype, name=f"{name}_relu")(x)
        x = self.deconv(x, f"{name}_deconv", kernel=3 if stride == 1 else stride, stride=stride)
        return self.classifier(x, classes, f"{name}_aux"), self.classifier(
            x, classes, f"{name}_share"
        )

    def classifier(self, x: Tensor, classes: int, name: str) -> Tensor:
        """1^3 convolution to logits, in float32 whatever the precision."""
        return layers.Conv3D(
            classes,
            1,
            kernel_initializer="glorot_normal",
            kernel_regularizer=self._penalty,
            dtype="float32",
            name=name,
        )(x)

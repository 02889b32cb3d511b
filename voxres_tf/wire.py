"""The messages of TF Serving's interface, without TensorFlow (decision 0010).

They have only the fields that are used here, under the numbers of the published definitions in
`tensorflow_serving/apis` and `tensorflow/core/framework`. The parser skips all other fields, so any
server's answer can be read. The pool is private, since the real messages may be loaded in the same
process.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from numpy.typing import NDArray

_FLOAT, _INT64, _INT32, _STRING, _BYTES, _MESSAGE = 2, 3, 5, 9, 12, 11
_ENUM = _INT32  # the same bytes
_PACKAGE = "voxres.wire"

# Message -> field -> number, type, whether it is repeated. A map is a repeated key and value.
_MESSAGES: Mapping[str, Mapping[str, tuple[int, int | str, bool]]] = {
    "Dim": {"size": (1, _INT64, False)},
    "Shape": {"dim": (2, "Dim", True)},
    "Tensor": {
        "dtype": (1, _ENUM, False),
        "tensor_shape": (2, "Shape", False),
        "tensor_content": (4, _BYTES, False),
        "float_val": (5, _FLOAT, True),
        "int_val": (7, _INT32, True),
        "string_val": (8, _BYTES, True),
    },
    "NamedTensor": {"key": (1, _STRING, False), "value": (2, "Tensor", False)},
    "Int64Value": {"value": (1, _INT64, False)},
    "ModelSpec": {
        "name": (1, _STRING, False),
        "version": (2, "Int64Value", False),
        "signature_name": (3, _STRING, False),
    },
    "PredictRequest": {"model_spec": (1, "ModelSpec", False), "inputs": (2, "NamedTensor", True)},
    "PredictResponse": {"outputs": (1, "NamedTensor", True), "model_spec": (2, "ModelSpec", False)},
    "PredictLog": {"request": (1, "PredictRequest", False)},
    "PredictionLog": {"predict_log": (6, "PredictLog", False)},
    "GetModelStatusRequest": {"model_spec": (1, "ModelSpec", False)},
    "ModelVersionStatus": {"version": (1, _INT64, False), "state": (2, _ENUM, False)},
    "GetModelStatusResponse": {"model_version_status": (1, "ModelVersionStatus", True)},
}

MODEL_STATES = {
    0: "UNKNOWN",
    10: "START",
    20: "LOADING",
    30: "AVAILABLE",
    40: "UNLOADING",
    50: "END",
}

# TensorFlow's number of a type, its dtype, and the field for single values.
_TYPES = {1: (np.float32, "float_val"), 3: (np.int32, "int_val"), 4: (np.uint8, "int_val")}
_NUMBERS = {np.dtype(dtype): number for number, (dtype, _) in _TYPES.items()}
_STRINGS = 7
_MOST_VALUES = 2**29
"""A message holds less than 2 GiB, float32 values 4 bytes each."""


@cache
def message_class(name: str) -> Any:
    """The protobuf class of one of the messages above, by its name."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{_PACKAGE}.{name}"))


@cache
def _pool() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="voxres/wire.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        described = file.message_type.add(name=name)
        for field, (number, kind, repeated) in fields.items():
            added = described.field.add(name=field, number=number, label=3 if repeated else 1)
            if isinstance(kind, str):
                added.type, added.type_name = _MESSAGE, f".{_PACKAGE}.{kind}"
            else:
                added.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


def predict_request(
    model: str, signature: str, inputs: Mapping[str, Any], version: int | None = None
) -> Any:
    """A `PredictRequest`.

    Args:
        model: the model's name on the server.
        signature: the signature of the model to call.
        inputs: name -> array (see `to_tensor`) or `Tensor` message.
        version: version of the model; the server's choice if None.
    """
    request = message_class("PredictRequest")()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    for name, value in inputs.items():
        tensor = to_tensor(value) if isinstance(value, np.ndarray) else value
        request.inputs.add(key=name, value=tensor)
    return request


def to_tensor(array: NDArray[Any]) -> Any:
    """A `Tensor` message of a float32, int32 or uint8 array of any shape, as raw bytes."""
    tensor = _empty_tensor(_NUMBERS[array.dtype], array.shape)
    # Numbers on the wire are little-endian, whatever the machine.
    tensor.tensor_content = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
    return tensor


def zeros_tensor(shape: tuple[int, ...]) -> Any:
    """A `Tensor` message of float32 zeros, a few bytes long whatever its shape."""
    tensor = _empty_tensor(1, shape)
    tensor.float_val.append(0.0)
    return tensor


def string_tensor(value: bytes) -> Any:
    """A `Tensor` message of one string, of shape [1], which batching servers accept too."""
    tensor = _empty_tensor(_STRINGS, (1,))
    tensor.string_val.append(value)
    return tensor


def _empty_tensor(number: int, shape: tuple[int, ...]) -> Any:
    tensor = message_class("Tensor")(dtype=number)
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    return tensor


def from_tensor(tensor: Any) -> NDArray[Any]:
    """The array of a `Tensor` message, whether its values are raw bytes or listed singly.

    If there are fewer values than voxels, the last one is repeated, as in TensorFlow.

    Returns:
        float32, int32 or uint8 of the message's shape, or bytes objects for strings.

    Raises:
        ValueError: if it is of another type, its values do not fill its shape or exceed its type's
            range, or its shape exceeds what a message can hold.
    """
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    if min(shape, default=0) < 0 or math.prod(shape) > _MOST_VALUES:
        raise ValueError(f"shape {shape}")
    if tensor.dtype == _STRINGS:
        return np.array(list(tensor.string_val), object).reshape(shape)
    if tensor.dtype not in _TYPES:
        raise ValueError(f"type number {tensor.dtype}")
    dtype, field = _TYPES[tensor.dtype]
    if tensor.tensor_content:
        values = np.frombuffer(tensor.tensor_content, np.dtype(dtype).newbyteorder("<"))
        return values.reshape(shape).astype(dtype)
    wide = np.array(getattr(tensor, field), np.int64 if field == "int_val" else dtype)
    single = wide.astype(dtype)
    if not np.array_equal(single, wide, equal_nan=field == "float_val"):
        raise ValueError(f"values {wide.min()} to {wide.max()} of type {np.dtype(dtype)}")
    missing = math.prod(shape) - single.size
    if single.size and missing > 0:
        single = np.concatenate([single, np.full(missing, single[-1])])
    return single.reshape(shape)

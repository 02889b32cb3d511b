"""The installed TensorFlow's C library via ctypes, declared as in its `tensorflow/c/c_api.h`."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from contextlib import ExitStack
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_void_p
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from voxres_tf.errors import ModelError, message

DTYPES = {
    kind.as_datatype_enum: np.dtype(kind.as_numpy_dtype)
    for kind in (tf.float32, tf.int32, tf.uint8, tf.string)
}
"""TensorFlow's number for a type -> the dtype of its arrays; strings are bytes objects."""

_NUMBERS = {dtype: number for number, dtype in DTYPES.items()}
_STRING_BYTES = 24
"""Size of a `TF_TString`, whose layout is part of the C API."""


class Buffer(ctypes.Structure):
    """`TF_Buffer`: bytes that the library owns."""

    _fields_ = (("data", c_void_p), ("length", c_size_t), ("deallocator", c_void_p))


class Output(ctypes.Structure):
    """`TF_Output`: one of the results of an operation in a graph."""

    _fields_ = (("operation", c_void_p), ("index", c_int))


_FUNCTIONS: Mapping[str, tuple[Any, tuple[Any, ...]]] = {
    "TF_NewStatus": (c_void_p, ()),
    "TF_DeleteStatus": (None, (c_void_p,)),
    "TF_GetCode": (c_int, (c_void_p,)),
    "TF_Message": (c_char_p, (c_void_p,)),
    "TF_NewBuffer": (POINTER(Buffer), ()),
    "TF_DeleteBuffer": (None, (POINTER(Buffer),)),
    "TF_NewSessionOptions": (c_void_p, ()),
    "TF_DeleteSessionOptions": (None, (c_void_p,)),
    "TF_NewGraph": (c_void_p, ()),
    "TF_DeleteGraph": (None, (c_void_p,)),
    "TF_GraphOperationByName": (c_void_p, (c_void_p, c_char_p)),
    "TF_LoadSessionFromSavedModel": (
        c_void_p,
        (
            *(c_void_p, c_void_p, c_char_p, POINTER(c_char_p), c_int, c_void_p),
            *(POINTER(Buffer), c_void_p),
        ),
    ),
    "TF_SessionRun": (
        None,
        (
            *(c_void_p, c_void_p),
            *(POINTER(Output), POINTER(c_void_p), c_int),
            *(POINTER(Output), POINTER(c_void_p), c_int),
            *(c_void_p, c_int, c_void_p, c_void_p),
        ),
    ),
    "TF_CloseSession": (None, (c_void_p, c_void_p)),
    "TF_DeleteSession": (None, (c_void_p, c_void_p)),
    "TF_AllocateTensor": (c_void_p, (c_int, POINTER(c_int64), c_int, c_size_t)),
    "TF_DeleteTensor": (None, (c_void_p,)),
    "TF_TensorType": (c_int, (c_void_p,)),
    "TF_NumDims": (c_int, (c_void_p,)),
    "TF_Dim": (c_int64, (c_void_p, c_int)),
    "TF_TensorByteSize": (c_size_t, (c_void_p,)),
    "TF_TensorData": (c_void_p, (c_void_p,)),
    "TF_StringInit": (None, (c_void_p,)),
    "TF_StringCopy": (None, (c_void_p, c_char_p, c_size_t)),
    "TF_StringDealloc": (None, (c_void_p,)),
    "TF_StringGetDataPointer": (c_void_p, (c_void_p,)),
    "TF_StringGetSize": (c_size_t, (c_void_p,)),
}


@cache
def library() -> ctypes.CDLL:
    """The library with the functions above, loaded once.

    Raises:
        ModelError: if this TensorFlow comes without it.
    """
    folder = Path(tf.sysconfig.get_lib())
    found = sorted(folder.glob("libtensorflow_cc.*"))
    if not found:
        rule = "TensorFlow comes with its C library, libtensorflow_cc"
        raise ModelError(message(folder, rule, "none", "install TensorFlow from PyPI"))
    loaded = ctypes.CDLL(str(found[0]))
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded


def to_tensor(made: ExitStack, array: NDArray[Any]) -> int:
    """A `TF_Tensor` with a copy of the values.

    Args:
        made: frees the tensor when it is closed.
        array: has one of `DTYPES`.
    """
    api = library()
    number, strings = _NUMBERS[array.dtype], array.dtype == object
    size = array.size * _STRING_BYTES if strings else array.nbytes
    shape = (c_int64 * array.ndim)(*array.shape)
    tensor: int = api.TF_AllocateTensor(number, shape, array.ndim, size)
    made.callback(api.TF_DeleteTensor, tensor)
    start = api.TF_TensorData(tensor)
    if not strings:
        ctypes.memmove(start, np.ascontiguousarray(array).ctypes.data, size)
        return tensor
    for place, text in enumerate(array.reshape(-1)):
        string = start + place * _STRING_BYTES
        api.TF_StringInit(string)
        api.TF_StringCopy(string, text, len(text))
        made.callback(api.TF_StringDealloc, string)
    return tensor


def to_array(tensor: int) -> NDArray[Any]:
    """A copy of the values of a `TF_Tensor`, which its owner still has to free."""
    api = library()
    shape = tuple(api.TF_Dim(tensor, axis) for axis in range(api.TF_NumDims(tensor)))
    array = np.empty(shape, DTYPES[api.TF_TensorType(tensor)])
    start = api.TF_TensorData(tensor)
    if array.dtype != object:
        ctypes.memmove(array.ctypes.data, start, api.TF_TensorByteSize(tensor))
        return array
    strings = (start + place * _STRING_BYTES for place in range(array.size))
    array.reshape(-1)[:] = [
        ctypes.string_at(api.TF_StringGetDataPointer(s), api.TF_StringGetSize(s)) for s in strings
    ]
    return array

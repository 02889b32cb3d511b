"""Our messages against the real ones, of tensorflow-serving-api, byte by byte."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
    prediction_log_pb2,
)

from voxres_tf import wire

REAL = {
    "Dim": tf.compat.v1.TensorShape([1]).as_proto().DESCRIPTOR.nested_types_by_name["Dim"],
    "Shape": tf.TensorShape([1]).as_proto().DESCRIPTOR,
    "Tensor": tf.make_tensor_proto(0).DESCRIPTOR,
    "Int64Value": model_pb2.ModelSpec.DESCRIPTOR.fields_by_name["version"].message_type,
    "ModelSpec": model_pb2.ModelSpec.DESCRIPTOR,
    "PredictRequest": predict_pb2.PredictRequest.DESCRIPTOR,
    "PredictResponse": predict_pb2.PredictResponse.DESCRIPTOR,
    "NamedTensor": predict_pb2.PredictRequest.InputsEntry.DESCRIPTOR,
    "PredictLog": prediction_log_pb2.PredictLog.DESCRIPTOR,
    "PredictionLog": prediction_log_pb2.PredictionLog.DESCRIPTOR,
    "GetModelStatusRequest": get_model_status_pb2.GetModelStatusRequest.DESCRIPTOR,
    "ModelVersionStatus": get_model_status_pb2.ModelVersionStatus.DESCRIPTOR,
    "GetModelStatusResponse": get_model_status_pb2.GetModelStatusResponse.DESCRIPTOR,
}
ENUM, INT32 = 14, 5

arrays = st.one_of(
    hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    for dtype in (np.float32, np.int32, np.uint8)
)


@pytest.mark.parametrize("name", wire._MESSAGES)
def test_fields_are_those_of_the_published_messages(name):
    ours = wire.message_class(name).DESCRIPTOR
    real = REAL[name].fields_by_name
    for field in ours.fields:
        assert field.number == real[field.name].number
        assert field.is_repeated == real[field.name].is_repeated
        kind = real[field.name].type
        assert field.type == (INT32 if kind == ENUM else kind)


def test_states_of_a_version():
    state = get_model_status_pb2.ModelVersionStatus.State
    assert {number: name for name, number in state.items()} == wire.MODEL_STATES


@given(arrays)
def test_tensorflow_reads_our_tensors(array):
    if not array.size:
        return
    real = tf.make_tensor_proto(0)
    real.ParseFromString(wire.to_tensor(array).SerializeToString())
    found = tf.make_ndarray(real)
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


@given(arrays, st.booleans())
def test_we_read_tensorflows_tensors_in_either_encoding(array, as_bytes):
    # From a list, TensorFlow writes single values; from an array, raw bytes.
    values = array if as_bytes else array.reshape(-1).tolist()
    real = tf.make_tensor_proto(values, dtype=array.dtype, shape=array.shape)
    ours = wire.message_class("Tensor").FromString(real.SerializeToString())
    found = wire.from_tensor(ours)
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_zeros_of_any_shape_are_small():
    small = wire.zeros_tensor((64, 64, 48, 3))
    assert small.ByteSize() < 50
    real = tf.make_tensor_proto(0.0)
    real.ParseFromString(small.SerializeToString())
    np.testing.assert_array_equal(tf.make_ndarray(real), np.zeros((64, 64, 48, 3), np.float32))
    np.testing.assert_array_equal(wire.from_tensor(small), tf.make_ndarray(real))


def test_a_string_has_an_axis():
    real = tf.make_tensor_proto(0)
    real.ParseFromString(wire.string_tensor(b"\x1f\x00").SerializeToString())
    assert tf.make_ndarray(real).tolist() == [b"\x1f\x00"]


def test_a_request_is_the_servers_request():
    array = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    request = wire.predict_request("brain", "serving_default", {"image": array}, version=7)
    real = predict_pb2.PredictRequest.FromString(request.SerializeToString())
    assert real.model_spec.name == "brain"
    assert real.model_spec.version.value == 7
    assert real.model_spec.signature_name == "serving_default"
    np.testing.assert_array_equal(tf.make_ndarray(real.inputs["image"]), array)
    without = wire.predict_request("brain", "x", {})
    assert not predict_pb2.PredictRequest.FromString(
        without.SerializeToString()
    ).model_spec.HasField("version")


def test_strings_and_what_is_no_tensor_of_ours():
    real = tf.make_tensor_proto([b"a", b"bc"])
    found = wire.from_tensor(wire.message_class("Tensor").FromString(real.SerializeToString()))
    assert list(found) == [b"a", b"bc"]
    double = wire.message_class("Tensor")(dtype=2)
    with pytest.raises(ValueError, match="type number 2"):
        wire.from_tensor(double)
    beyond = wire.message_class("Tensor")(dtype=4, int_val=[1, 257])
    beyond.tensor_shape.dim.add(size=2)
    with pytest.raises(ValueError, match="values 1 to 257 of type uint8"):
        wire.from_tensor(beyond)
    with pytest.raises(ValueError, match=r"shape \(200000, 200000\)"):
        wire.from_tensor(wire.zeros_tensor((200000, 200000)))
    short = wire.to_tensor(np.zeros(3, np.float32))
    short.tensor_shape.dim[0].size = 4
    with pytest.raises(ValueError, match="reshape"):
        wire.from_tensor(short)

"""TensorFlow's C API by ctypes, on an exported model and on one that gives back what it is fed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from voxres_tf.contract import (
    CONTRACT,
    SEGMENT,
    SEGMENT_PROBABILITIES,
    parse_contract,
    read_contract,
)
from voxres_tf.errors import ModelError
from voxres_tf.export import clibrary
from voxres_tf.export.capi import CApiSession
from voxres_tf.export.verify import in_python


@pytest.fixture(scope="module")
def session(tiny_model):
    with CApiSession(tiny_model) as session:
        yield session


@pytest.fixture(scope="module")
def echo(tmp_path_factory):
    """A SavedModel whose signatures give back numbers and strings, each under another name."""
    folder = tmp_path_factory.mktemp("models") / "echo"
    module = tf.Module()

    @tf.function(
        input_signature=[
            tf.TensorSpec(None, tf.float32, "floats"),
            tf.TensorSpec(None, tf.int32, "ints"),
            tf.TensorSpec(None, tf.uint8, "bytes"),
            tf.TensorSpec(None, tf.string, "strings"),
        ]
    )
    def everything(floats, ints, bytes, strings):
        return {"a": floats + 1, "b": -ints, "c": bytes, "d": strings + "!"}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float64, "doubles")])
    def doubles(doubles):
        return {"a": doubles}

    tf.saved_model.save(module, str(folder), {"everything": everything, "doubles": doubles})
    with CApiSession(folder) as session:
        yield session


EVERYTHING = {
    "floats": np.arange(6, dtype=np.float32).reshape(2, 3),
    "ints": np.array([[1], [-2]], np.int32),
    "bytes": np.zeros((0, 4), np.uint8),
    "strings": np.array([[b"", b"a\0b"], ["\u00e9".encode(), b"x" * 1000]], object),
}


def test_it_answers_as_python_does_to_the_bit(session, tiny_model):
    python = in_python(tiny_model)
    random = np.random.default_rng(0)
    tile = random.standard_normal((2, 16, 8, 24, 2), np.float32)
    images = random.gamma(2, 100, (20, 18, 11, 2)).astype(np.float32)
    asked = (
        ("serving_default", {"image": tile}),
        (SEGMENT, {"images": images}),
        (SEGMENT_PROBABILITIES, {"images": images}),
    )
    for signature, inputs in asked:
        found, expected = session.run(signature, **inputs), python(signature, **inputs)
        assert found.keys() == expected.keys()
        for name, values in expected.items():
            assert found[name].dtype == values.dtype
            np.testing.assert_array_equal(found[name], values)


def test_it_tells_the_contract(session, tiny_model):
    (text,) = session.run(CONTRACT, format_version=np.array([1], np.int32))["contract"]
    assert parse_contract(text, "C API") == read_contract(tiny_model)
    wanted = {"serving_default", SEGMENT, SEGMENT_PROBABILITIES, CONTRACT}
    assert wanted <= set(session.signatures)


def test_numbers_and_strings_of_any_shape(echo):
    found = echo.run("everything", **EVERYTHING)
    np.testing.assert_array_equal(found["a"], EVERYTHING["floats"] + 1)
    np.testing.assert_array_equal(found["b"], -EVERYTHING["ints"])
    assert (found["c"].shape, found["c"].dtype) == ((0, 4), np.uint8)
    assert found["d"].tolist() == [[b"!", b"a\0b!"], ["\u00e9!".encode(), b"x" * 1000 + b"!"]]
    scalars = {name: np.array(values.flat[0] if values.size else 7, values.dtype)
               for name, values in EVERYTHING.items()}  # fmt: skip
    found = echo.run("everything", **scalars)
    assert [found[name].shape for name in "abcd"] == [()] * 4
    assert found["c"] == 7


def test_values_that_are_not_in_one_piece(echo):
    turned = EVERYTHING["floats"].T
    found = echo.run("everything", **EVERYTHING | {"floats": turned})
    np.testing.assert_array_equal(found["a"], turned + 1)


def test_threads_do_not_meet(echo):
    def ask(number):
        floats = np.full((50, 50), number, np.float32)
        return echo.run("everything", **EVERYTHING | {"floats": floats})["a"]

    with ThreadPoolExecutor(4) as pool:
        for number, found in enumerate(pool.map(ask, range(40))):
            assert np.all(found == number + 1)


def test_memory_is_given_back(echo):
    def resident_mb():
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

    fed = EVERYTHING | {
        "floats": np.zeros(2**20, np.float32),
        "strings": np.array([b"x" * 2**20], object),
    }
    for _ in range(20):
        echo.run("everything", **fed)
    before = resident_mb()
    for _ in range(100):
        echo.run("everything", **fed)
    # A tensor that stayed would take 100 to 420 MB.
    assert resident_mb() - before < 60


@pytest.mark.parametrize(
    ("signature", "inputs", "reason"),
    [
        ("nothing", {}, "a signature among contract, .*serving_default.* Received: nothing"),
        ("serving_default", {}, r"takes image \(float32\). Received: nothing. Feed these"),
        ("serving_default", {"image": np.zeros(8)}, r"Received: image \(float64\)"),
        ("serving_default", {"x": np.zeros(8, np.float32)}, r"Received: x \(float32\)"),
        (
            "serving_default",
            {"image": np.zeros((1, 16, 12, 8, 2), np.float32)},
            "inputs that serving_default takes. Received: .*must be multiples of 8",
        ),
    ],
)
def test_what_it_does_not_take(session, signature, inputs, reason):
    with pytest.raises(ModelError, match=reason) as error:
        session.run(signature, **inputs)
    assert "\n" not in str(error.value)
    assert session.run(CONTRACT, format_version=np.array([1], np.int32))


def test_types_that_it_cannot_feed(echo):
    with pytest.raises(ModelError, match=r"takes doubles \(other\). Received: doubles \(float64\)"):
        echo.run("doubles", doubles=np.zeros(2))


def test_no_model(tmp_path):
    with pytest.raises(ModelError, match=r"a SavedModel. Received: Could not find SavedModel"):
        CApiSession(tmp_path)


def test_no_library(monkeypatch, tmp_path):
    clibrary.library.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(tf.sysconfig, "get_lib", lambda: str(tmp_path))
        with pytest.raises(ModelError, match=r"its C library, libtensorflow_cc. Received: none"):
            CApiSession(tmp_path)

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from tests.inference.ways import asking
from voxres_tf.errors import ConfigError
from voxres_tf.inference.predict import Predictor
from voxres_tf.inference.server import Server


@pytest.mark.parametrize(
    "options",
    [
        {"overlap": 0.5},
        {"tta": True},
        {"tile": (8, 8, 8)},
        {"tta": False},
        {"one_piece": True},
        {"batch": 2},
    ],
)
def test_options_without_a_meaning_are_refused(options):
    server = asking("nowhere:1", mode="volume")
    (name, value), *_ = options.items()
    received = rf"the model's own in volume mode\. Received: {name} {re.escape(str(value))}\. "
    with pytest.raises(ConfigError, match=received):
        Predictor(server, **options)
    with pytest.raises(ConfigError, match="device: the server's own"):
        Predictor(asking("nowhere:1"), device="cpu")


@pytest.mark.parametrize(
    "address",
    ["host", "host:", ":1", "http://host:1", "a b:1", "::1:1", "a:0", "a:65536", "a:1\n"],
)
def test_addresses_that_are_none(address):
    with pytest.raises(ValidationError, match="is not HOST:PORT, such as localhost:8500"):
        Server(address=address, model_name="m")


def test_addresses():
    assert Server(address="a:65535", model_name="m").host_port == ("a", 65535)
    assert Server(address="[::1]:80", model_name="m").host_port == ("::1", 80)
    assert Server(address="a.b:8500", model_name="m").host_port == ("a.b", 8500)


def test_pauses_double_up_to_a_limit():
    server = asking("a:1", timeout_s=2, retries=6)
    assert [server.pause_s(n) for n in range(6)] == [0.5, 1, 2, 4, 8, 8]


def test_deadlines_are_longer_for_volumes():
    assert Server(address="a:1", model_name="m").deadline_s == 60
    assert Server(address="a:1", model_name="m", mode="volume").deadline_s == 600
    assert Server(address="a:1", model_name="m", mode="volume", timeout_s=5).deadline_s == 5

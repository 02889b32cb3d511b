"""A server that starts again: the version is waited for, and another model is not taken for it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.inference.loopback import Model, RefusalError, formula
from tests.inference.ways import connect
from voxres_tf.contract import ANSWER
from voxres_tf.errors import ServerError

TILE = np.zeros((1, 8, 8, 8, 2), np.float32)


def goes_through(model, *states):
    """Let version 3 go from state to state, one a look, and stay in the last; None is absence.

    Returns:
        the looks that were taken; a request takes one, and a question for the states too.
    """
    looks, left = [], list(states)

    def status(name):
        state = left.pop(0) if len(left) > 1 else left[0]
        looks.append(state)
        model.states = {4: "AVAILABLE"} | ({3: state} if state else {})
        return Model.status(model, name)

    model.status = status
    return looks


@pytest.mark.parametrize("state", ["START", "LOADING"])
def test_a_version_that_is_loaded_after_another_is_waited_for(model, address, way, state):
    engine = connect(address, way, server={"retries": 4}).engine
    looks = goes_through(model, state, state, state, "AVAILABLE")
    np.testing.assert_array_equal(engine.run(ANSWER, TILE), formula(TILE))
    assert looks[:5] == [state, state, state, "AVAILABLE", "AVAILABLE"]
    assert model.asked == [(3, ANSWER)]


def test_a_version_that_is_waited_for_in_vain(model, address, way):
    engine = connect(address, way, server={"retries": 1}).engine
    looks = goes_through(model, "LOADING")
    with pytest.raises(ServerError, match=r"one version from the first request.*NOT_FOUND"):
        engine.run(ANSWER, TILE)
    assert len(looks) == 3, "two tries, and a look between them"


@pytest.mark.parametrize("state", ["UNLOADING", "END", None])
def test_a_version_that_has_gone_is_not_waited_for(model, address, way, state):
    engine = connect(address, way, server={"retries": 9}).engine
    looks = goes_through(model, state)
    with pytest.raises(ServerError, match=r"one version from the first request.*NOT_FOUND"):
        engine.run(ANSWER, TILE)
    assert looks == [state, state]


def test_the_server_goes_away_again_when_it_is_asked_for_the_states(model, address, way):
    engine = connect(address, way, server={"retries": 2}).engine
    looks = goes_through(model, "END", "AVAILABLE")
    status = model.status

    def away(name):
        if len(looks) == 1:
            looks.append("away")
            raise RefusalError("UNAVAILABLE", "starts again")
        return status(name)

    model.status = away
    np.testing.assert_array_equal(engine.run(ANSWER, TILE), formula(TILE))


@pytest.mark.parametrize("version", [None, 3])
def test_a_command_that_begins_while_its_version_is_loading(model, address, way, version):
    model.states = {3: "LOADING"}
    statuses = iter([{3: "START"}, {3: "LOADING"}])
    model.status = lambda _: next(statuses, {3: "AVAILABLE"})
    engine = connect(address, way, server={"retries": 4, "version": version}).engine
    assert engine.version == 3


def test_another_model_under_the_number(model, address, way):
    def swap(number, _version):
        if number == 1:
            model.contract = model.contract.replace("0" * 64, "1" * 64)
            raise RefusalError("UNAVAILABLE", "starts again")

    engine = connect(address, way, server={"retries": 1}).engine
    model.before = swap
    with pytest.raises(ServerError, match=r"one model from the first.*another contract under"):
        engine.run(ANSWER, TILE)
    assert model.asked == [(3, ANSWER)]


@pytest.mark.parametrize("mode", ["tile", "volume"])
def test_another_model_under_the_number_that_no_request_had_to_wait_for(
    model, address, way, mode, write_subject
):
    def swap(_number, _version):
        model.contract = model.contract.replace("0" * 64, "1" * 64)

    predictor = connect(address, way, server={"mode": mode})
    model.before = swap
    with pytest.raises(ServerError, match=r"one model from the first.*another contract under"):
        predictor(write_subject())
    assert model.asked, "all that the subject needed was answered"

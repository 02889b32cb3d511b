"""The engine on a server: one version, patience, and nothing that is not checked."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from tests.inference.loopback import RefusalError, formula, serve_grpc
from tests.inference.ways import WAYS, asking, connect, serve_rest
from voxres_tf.contract import ANSWER, SEGMENT
from voxres_tf.errors import ModelError, ServerError
from voxres_tf.inference.remote import RemoteEngine
from voxres_tf.inference.rpc import GrpcTransport


def test_the_highest_version_that_is_available_is_pinned(model, address, way):
    model.states |= {2: "AVAILABLE", 7: "LOADING", 9: "END"}
    assert connect(address, way).engine.version == 3
    assert connect(address, way, server={"version": 2}).engine.version == 2
    with pytest.raises(ServerError, match=r"version 7 of formula that is AVAILABLE.*7 LOADING"):
        connect(address, way, server={"version": 7})
    model.states = {1: "LOADING"}
    with pytest.raises(ServerError, match=r"a version of formula.*Received: 1 LOADING"):
        connect(address, way)


def test_a_model_that_the_server_does_not_know(address, way):
    with pytest.raises(ServerError, match=r"a model called other.*NOT_FOUND.*--model-name"):
        connect(address, way, server={"model_name": "other"})
    with pytest.raises(ServerError, match=r"a model called other.*NOT_FOUND.*--model-name"):
        connect(address, way, server={"model_name": "other", "version": 3})


def test_an_answer_of_another_version_is_none(model, monkeypatch):
    # By gRPC alone: a REST answer names no version, since the path has done so.
    with serve_grpc(model) as address:
        engine = connect(address, "grpc").engine
        call = GrpcTransport._call

        def answered_by_another(self, method, request):
            answer = call(self, method, request)
            answer.model_spec.version.value = 4
            return answer

        monkeypatch.setattr(GrpcTransport, "_call", answered_by_another)
        with pytest.raises(ServerError, match="an answer of version 4 instead of 3"):
            engine.run(ANSWER, np.zeros((1, 8, 8, 8, 2), np.float32))


def test_long_answers_arrive(model):
    with serve_grpc(model) as address:
        tiles = np.zeros((1, 64, 72, 64, 2), np.float32)
        answer = connect(address, "grpc").engine.run(ANSWER, tiles)
    assert answer.nbytes > 4 * 2**20, "what gRPC takes by default"
    np.testing.assert_array_equal(answer, formula(tiles))


def test_a_limit_on_the_way_is_no_matter_of_patience(model):
    with serve_grpc(model, longest=2000) as address:
        engine = connect(address, "grpc", server={"retries": 9}).engine
        start = time.perf_counter()
        with pytest.raises(ServerError, match=r"let through.*larger than max.*smaller --tile"):
            engine.run(ANSWER, np.zeros((1, 8, 8, 8, 2), np.float32))
        assert time.perf_counter() - start < 10


def test_a_request_that_no_message_can_hold_is_not_sent(model):
    with serve_grpc(model) as address:
        engine = connect(address, "grpc").engine
        volume = np.broadcast_to(np.float32(0), (1, 1024, 1024, 512, 2))
        with pytest.raises(ServerError, match=r"a request of 4294967296 bytes.*--mode tile"):
            engine.run(ANSWER, volume)
    assert model.asked == []


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("way", WAYS)
def test_ctrl_c_and_sigterm_do_not_wait_for_answers(model, way, end):
    def tiles():
        yield np.zeros((1, 8, 8, 8, 2), np.float32)
        assert stalls.wait(10)
        raise end

    stalls, over = threading.Event(), threading.Event()
    with WAYS[way](model) as address:
        engine = connect(address, way, server={"retries": 9}).engine
        model.before = lambda *_: stalls.set() or over.wait(30)
        start = time.perf_counter()
        with pytest.raises(end):
            list(engine.apply(lambda tile: engine.run(ANSWER, tile), tiles()))
        assert time.perf_counter() - start < 10
        over.set()
        # An interrupted cell of a notebook can be run again.
        model.before = lambda *_: None
        tile = np.zeros((1, 8, 8, 8, 2), np.float32)
        assert engine.run(ANSWER, tile).shape == (1, 8, 8, 8, 4)


def test_what_will_not_pass_is_not_tried_again(model, address, way):
    numbers = []

    def never(number, version):
        numbers.append(number)
        raise RefusalError("INVALID_ARGUMENT", "voxres: X, Y and Z\nmust be multiples of 8")

    engine = connect(address, way, server={"retries": 5}).engine
    model.before = never
    with pytest.raises(ServerError, match=r"INVALID_ARGUMENT.*X, Y and Z must be") as caught:
        engine.run(ANSWER, np.zeros((1, 8, 8, 8, 2), np.float32))
    assert numbers == [1]
    assert "\n" not in str(caught.value)


def test_a_server_that_stalls_is_given_up_in_time(model, address, way):
    server = asking(address, rest=way == "rest", timeout_s=0.5, retries=1)
    engine = RemoteEngine(server)
    model.before = lambda *_: time.sleep(2)
    start = time.perf_counter()
    with pytest.raises(ServerError, match=r"2 tries of 0.5 s.*DEADLINE_EXCEEDED"):
        engine.run(ANSWER, np.zeros((1, 8, 8, 8, 2), np.float32))
    # Two tries and a pause, and what the machine takes to notice.
    assert 1 <= time.perf_counter() - start < 1.5 + 15
    time.sleep(2)


def test_grpc_at_a_port_for_rest_says_so(model):
    with serve_rest(model) as address, pytest.raises(ServerError, match="as from a port for REST"):
        RemoteEngine(asking(address, retries=9))


def test_scans_go_to_the_server_and_not_through_a_proxy(model, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with serve_grpc(model) as address:
        engine = connect(address.replace("127.0.0.1", "localhost"), "grpc").engine
        assert engine.run(ANSWER, np.zeros((1, 8, 8, 8, 2), np.float32)).shape == (1, 8, 8, 8, 4)


@pytest.mark.parametrize("rest", [False, True])
def test_nobody_there(rest):
    with pytest.raises(ServerError, match=r"127.0.0.1:1: an answer in 2 tries.*UNAVAILABLE"):
        RemoteEngine(asking("127.0.0.1:1", retries=1, rest=rest))


def changed(values, place, to):
    values = values.copy()
    values[place] = to
    return values


@pytest.mark.parametrize(
    ("answer", "received"),
    [
        (lambda p: p[..., :3], r"\(1, 8, 8, 8, 3\)"),
        (lambda p: changed(p, (0, 1, 2, 3, 0), np.nan), "nan to nan"),
        (lambda p: changed(p, (0, 1, 2, 3, 0), 1.5), "0 to 1.5"),
        (lambda p: changed(p, (0, 1, 2, 3, 0), -0.1), "-0.1 to 1"),
        (lambda p: p * np.float32(0.998), "sums other than 1"),
    ],
)
def test_probabilities_that_are_none(model, address, way, answer, received):
    model.functions[3] = lambda tiles: answer(formula(tiles))
    with pytest.raises(ServerError, match=f"that sum to 1. Received: .*{received}"):
        connect(address, way).engine.run(ANSWER, np.zeros((1, 8, 8, 8, 2), np.float32))


@pytest.mark.parametrize(
    ("answer", "received"),
    [(lambda n: n[:4], r"\(4, 8, 8\)"), (lambda n: changed(n, (0, 0, 0), 4), "1 to 4")],
)
def test_labels_that_are_none(model, address, way, answer, received):
    real = model.answered
    model.answered = lambda *a: {"labels": answer(real(*a)["labels"])}
    engine = connect(address, way).engine
    with pytest.raises(ServerError, match=rf"labels \(8, 8, 8\) from 0 to 3.*{received}"):
        engine.run(SEGMENT, np.zeros((8, 8, 8, 2), np.float32))


def test_a_model_of_another_kind(model, address, way):
    model.contract = "{}"
    with pytest.raises(ModelError, match=r"formula version 3.*Field required"):
        connect(address, way)
    model.contract = np.zeros(0, np.float32)
    with pytest.raises(ModelError, match=r"formula version 3.*in JSON\. Received: nothing"):
        connect(address, way)


def test_a_model_that_tells_no_contract(model, address, way):
    def no_signature(*_):
        raise RefusalError("FAILED_PRECONDITION", 'Serving signature key "contract" not found.')

    model.predict = no_signature
    rule = r"formula version 3.*a model of voxres export, with the signature contract"
    with pytest.raises(ModelError, match=rf"{rule}.*not found.*another --model-name, or export"):
        connect(address, way)


def test_requests_in_flight_are_bounded_and_in_order(model, address, way):
    now, most, lock = [0], [0], threading.Lock()

    def count(number, version):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.05 if number % 2 else 0.01)
        with lock:
            now[0] -= 1

    engine = connect(address, way, server={"in_flight": 3}).engine
    model.before = count
    tiles = [np.full((1, 8, 8, 8, 2), n % 2, np.float32) for n in range(9)]
    answers = list(engine.apply(lambda tile: engine.run(ANSWER, tile), iter(tiles)))
    assert 1 < most[0] <= 3
    for tile, answer in zip(tiles, answers, strict=True):
        np.testing.assert_array_equal(answer, formula(tile))

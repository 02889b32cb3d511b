"""What HTTP has of its own: answers that drip, and those of whoever stands before the server."""

from __future__ import annotations

import http.client
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseRequestHandler, TCPServer

import numpy as np
import pytest

from tests.inference import ways
from tests.inference.loopback import RefusalError, formula
from tests.inference.ways import asking, connect
from voxres_tf.contract import ANSWER
from voxres_tf.errors import ServerError
from voxres_tf.inference.remote import RemoteEngine

TILE = np.zeros((1, 8, 8, 8, 2), np.float32)


@pytest.fixture(params=[True, False], ids=["a length is told", "none is told"])
def dripping(request):
    """The address of a server whose answers come byte by byte, and never to an end."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            self.send_response(200)
            if request.param:
                self.send_header("Content-Length", "1000000")
            self.end_headers()
            try:
                while not over.wait(0.05):
                    self.wfile.write(b" ")
            except OSError:  # whoever asked has gone
                pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_answer_that_drips_is_given_up_in_time(dripping):
    start = time.perf_counter()
    with pytest.raises(ServerError, match=r"one try of 0.5 s\. Received: DEADLINE_EXCEEDED"):
        RemoteEngine(asking(dripping, rest=True, timeout_s=0.5))
    assert time.perf_counter() - start < 10


def test_the_way_there_counts_too(model, monkeypatch):
    def slowly(self):
        time.sleep(0.6)
        connect_at_once(self)

    connect_at_once = http.client.HTTPConnection.connect
    monkeypatch.setattr(http.client.HTTPConnection, "connect", slowly)
    with (
        ways.serve_rest(model) as address,
        pytest.raises(ServerError, match=r"one try of 0.5 s\. Received: DEADLINE_EXCEEDED"),
    ):
        RemoteEngine(asking(address, rest=True, timeout_s=0.5))


def test_a_proxy_whose_server_starts_again_is_asked_again(model, monkeypatch):
    def away(number, _version):
        if number == 1:
            raise RefusalError("BAD_GATEWAY", "upstream")

    monkeypatch.setitem(ways.HTTP_STATUS, "BAD_GATEWAY", 502)
    with ways.serve_rest(model) as address:
        engine = connect(address, "rest", server={"retries": 1}).engine
        model.before = away
        np.testing.assert_array_equal(engine.run(ANSWER, TILE), formula(TILE))


def test_a_proxy_that_takes_no_long_requests(model, monkeypatch):
    numbers = []

    def refuse(number, _version):
        numbers.append(number)
        raise RefusalError("TOO_LARGE", "too large")

    monkeypatch.setitem(ways.HTTP_STATUS, "TOO_LARGE", 413)
    with ways.serve_rest(model) as address:
        engine = connect(address, "rest", server={"retries": 9}).engine
        model.before = refuse
        with pytest.raises(ServerError, match=r"let through.*HTTP 413.*smaller --tile"):
            engine.run(ANSWER, TILE)
    assert numbers == [1]


def test_a_port_that_speaks_no_http():
    class Handler(BaseRequestHandler):
        def handle(self):
            self.request.recv(1000)
            self.request.sendall(b"\0\0\x18\x04\0\0\r\n")

    with TCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        address = f"127.0.0.1:{server.server_address[1]}"
        with pytest.raises(ServerError, match=r"INTERNAL: no answer in HTTP, as from a port"):
            RemoteEngine(asking(address, rest=True, retries=9))
        server.shutdown()


def test_a_name_that_no_host_can_have():
    with pytest.raises(ServerError, match=r"INVALID_ARGUMENT: no name of a host"):
        RemoteEngine(asking(f"{'a' * 64}.example:8501", rest=True, retries=9))

"""Both ways to the loopback server: it is served, and asked, by gRPC and by REST."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from tests.inference.loopback import RefusalError, serve_grpc
from voxres_tf.inference.predict import Predictor
from voxres_tf.inference.server import Server

HTTP_STATUS = {"NOT_FOUND": 404, "INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400}
HTTP_STATUS |= {"UNAVAILABLE": 503, "RESOURCE_EXHAUSTED": 429, "INTERNAL": 500}


@contextmanager
def serve_rest(model, tls=None):
    """Yields the address."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def answer(self, function):
            try:
                status, body = 200, function()
            except RefusalError as refusal:
                status, body = HTTP_STATUS[refusal.code], {"error": refusal.text}
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self):
            states = model.status  # /v1/models/NAME
            self.answer(
                lambda: {
                    "model_version_status": [
                        {"version": str(v), "state": s, "status": {"error_code": "OK"}}
                        for v, s in states(self.path.split("/")[3]).items()
                    ]
                }
            )

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            _, _, _, name, _, version = self.path.removesuffix(":predict").split("/")
            inputs = {k: np.array(v) for k, v in body["inputs"].items()}

            def predict():
                found = model.predict(name, int(version), body["signature_name"], inputs)
                (value,) = found.values()
                return {"outputs": [value] if isinstance(value, str) else value.tolist()}

            self.answer(predict)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


WAYS = {"grpc": serve_grpc, "rest": serve_rest}


def asking(address, **changes):
    """A `Server` config of little patience."""
    values = {"model_name": "formula", "timeout_s": 20, "retries": 0, **changes}
    return Server(address=address, **values)


def connect(address, way, **changes):
    """A predictor that asks; `server` are fields of the `Server`, the rest of the predictor."""
    return Predictor(asking(address, rest=way == "rest", **changes.pop("server", {})), **changes)

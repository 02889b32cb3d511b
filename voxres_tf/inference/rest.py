"""Requests to a server by HTTP and JSON, with the standard library, one connection per request."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxres_tf.inference.server import Server
from voxres_tf.inference.transport import TOO_LONG, TryError, trusting

# TF Serving's own table, inverted, and what proxies in between answer while it restarts.
_CODES = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    413: "RESOURCE_EXHAUSTED",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class RestTransport:
    """A server's REST port; see `transport.Transport`.

    Raises:
        ConfigError: if the certificate file is not one.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._tls = None if server.tls_ca is None else trusting(server.tls_ca)
        self._closed = threading.Event()
        self._sockets: set[socket.socket] = set()

    def states(self) -> Mapping[int, str]:
        """See `transport.Transport.states`."""
        answer = self._call("GET", f"/v1/models/{self._server.model_name}")
        try:
            statuses = answer["model_version_status"]
            return {int(status["version"]): str(status["state"]) for status in statuses}
        except (KeyError, TypeError, ValueError) as error:
            raise TryError("INTERNAL", f"no model_version_status: {error}") from error

    def predict(
        self, version: int, signature: str, given: tuple[str, NDArray[Any]], wanted: str
    ) -> NDArray[Any]:
        """See `transport.Transport.predict`."""
        name, values = given
        body = {"signature_name": signature, "inputs": {name: values.tolist()}}
        path = f"/v1/models/{self._server.model_name}/versions/{version}:predict"
        answer = self._call("POST", path, json.dumps(body, separators=(",", ":")))
        outputs = answer.get("outputs") if isinstance(answer, dict) else None
        if isinstance(outputs, dict):  # a server names outputs only if there are several
            outputs = outputs.get(wanted)
        if outputs is None:
            raise TryError("INTERNAL", f"an answer without {wanted}")
        try:
            array = np.asarray(outputs)
        except ValueError as error:
            raise TryError("INTERNAL", f"{wanted}: {error}") from error
        # JSON has only one kind of number; the values are checked later.
        return array.astype(np.float32) if array.dtype.kind == "f" else array

    def _call(self, method: str, path: str, body: str | None = None) -> Any:
        connection = self._connection()
        late = threading.Event()
        ends = time.monotonic() + self._server.deadline_s
        try:
            connection.connect()
            with self._limited(connection.sock, late, ends - time.monotonic()):
                connection.request(method, path, body, {"Content-Type": "application/json"})
                reply = connection.getresponse()
                status, content = reply.status, reply.read()
            if late.is_set():
                raise TimeoutError  # An answer of unknown length looks whole when cut off.
        except ssl.SSLCertVerificationError as error:
            raise TryError("UNAUTHENTICATED", str(error)) from error
        except (OSError, UnicodeError, http.client.HTTPException) as error:
            raise self._fault(error, late) from error
        finally:
            connection.close()
        return _parsed(status, content)

    @contextmanager
    def _limited(
        self, connected: socket.socket, late: threading.Event, left_s: float
    ) -> Iterator[None]:
        """End the connection when its time is up, however slowly bytes arrive, or by `close`."""
        if left_s <= 0:
            raise TimeoutError

        def end() -> None:
            late.set()
            _shut(connected)

        timer = threading.Timer(left_s, end)
        timer.daemon = True
        timer.start()
        self._sockets.add(connected)
        try:
            if self._closed.is_set():
                _shut(connected)
            yield
        finally:
            timer.cancel()
            self._sockets.discard(connected)

    def _fault(self, error: Exception, late: threading.Event) -> TryError:
        if self._closed.is_set():
            return TryError("CANCELLED", "closed")
        if late.is_set() or isinstance(error, TimeoutError):
            return TryError("DEADLINE_EXCEEDED", "no answer in time")
        if isinstance(error, UnicodeError):
            return TryError("INVALID_ARGUMENT", f"no name of a host: {error}")
        if isinstance(error, http.client.BadStatusLine) and not isinstance(error, OSError):
            return TryError("INTERNAL", "no answer in HTTP, as from a port for gRPC")
        return TryError("UNAVAILABLE", str(error) or type(error).__name__)

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._server.host_port
        timeout = self._server.deadline_s
        if self._tls is None:
            return http.client.HTTPConnection(host, port, timeout=timeout)
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=self._tls)

    def close(self) -> None:
        """Abort requests in progress."""
        self._closed.set()
        for connected in list(self._sockets):
            _shut(connected)


def _shut(connected: socket.socket) -> None:
    # Bypass TLS, whose own shutdown would remove its state while another thread is reading.
    with suppress(OSError):
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


def _parsed(status: int, content: bytes) -> Any:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        answer = None
    if status != http.HTTPStatus.OK:
        told = answer.get("error") if isinstance(answer, dict) else None
        text = told or content[:200].decode("utf-8", "replace")
        if status == http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            text = f"{TOO_LONG}: {text}"
        raise TryError(_CODES.get(status, "UNKNOWN"), f"HTTP {status} {text}")
    if answer is None:
        raise TryError("INTERNAL", f"no JSON: {content[:60]!r}")
    return answer

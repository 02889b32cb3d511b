"""Asking a server by HTTP and JSON: the standard library's, one connection per request."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxres_tf.inference.server import Server
from voxres_tf.inference.transport import TryError, read_authority

# TF Serving's own table, the other way round.
_CODES = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class RestTransport:
    """A server's REST port; see `transport.Transport`.

    The deadline holds for each wait on the network, so that a server which sends a byte now and
    then is not found out.

    Raises:
        ConfigError: if the file of certificates is none.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._tls: ssl.SSLContext | None = None
        if server.tls_ca is not None:
            text = read_authority(server.tls_ca).decode("ascii", "replace")
            self._tls = ssl.create_default_context(cadata=text)

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
        if isinstance(outputs, dict):  # a server names an output only where there are several
            outputs = outputs.get(wanted)
        if outputs is None:
            raise TryError("INTERNAL", f"an answer without {wanted}")
        try:
            array = np.asarray(outputs)
        except ValueError as error:
            raise TryError("INTERNAL", f"{wanted}: {error}") from error
        # JSON has one kind of number; what is checked afterwards are the values.
        return array.astype(np.float32) if array.dtype.kind == "f" else array

    def _call(self, method: str, path: str, body: str | None = None) -> Any:
        connection = self._connection()
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            reply = connection.getresponse()
            status, content = reply.status, reply.read()
        except TimeoutError as error:
            raise TryError("DEADLINE_EXCEEDED", "no answer in time") from error
        except ssl.SSLCertVerificationError as error:
            raise TryError("UNAUTHENTICATED", str(error)) from error
        except (OSError, http.client.HTTPException) as error:
            raise TryError("UNAVAILABLE", str(error) or type(error).__name__) from error
        finally:
            connection.close()
        return _parsed(status, content)

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._server.host_port
        timeout = self._server.deadline_s
        if self._tls is None:
            return http.client.HTTPConnection(host, port, timeout=timeout)
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=self._tls)

    def close(self) -> None:
        """End what is under way: nothing outlives its request."""


def _parsed(status: int, content: bytes) -> Any:
    try:
        answer = json.loads(content)
    except ValueError:
        answer = None
    if status != http.HTTPStatus.OK:
        told = answer.get("error") if isinstance(answer, dict) else None
        text = told or content[:200].decode("utf-8", "replace")
        raise TryError(_CODES.get(status, "UNKNOWN"), f"HTTP {status} {text}")
    if answer is None:
        raise TryError("INTERNAL", f"no JSON: {content[:60]!r}")
    return answer

"""Requests to a server by gRPC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from voxres_tf.inference.server import Server
from voxres_tf.inference.transport import TOO_LONG, TryError, read_authority
from voxres_tf.runtime import import_grpc
from voxres_tf.wire import MODEL_STATES, from_tensor, message_class, predict_request

grpc = import_grpc()

LONGEST_BYTES = 2**31 - 2**20
"""No protobuf message is longer than 2 GiB; names and shapes take up part of that."""

_OPTIONS = (
    # A tile's answer exceeds the default of 4 MiB; the server's own limit is 2 GiB.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A restarted server should be found at the next try, not minutes later.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # Scans go to the server that was named, as by REST, and not through the proxy of http_proxy.
    ("grpc.enable_http_proxy", 0),
)


class GrpcTransport:
    """A channel to a server; see `transport.Transport`.

    Raises:
        ConfigError: if the certificate file is not one.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        if server.tls_ca is None:
            self._channel = grpc.insecure_channel(server.address, _OPTIONS)
        else:
            trusted = grpc.ssl_channel_credentials(read_authority(server.tls_ca))
            self._channel = grpc.secure_channel(server.address, trusted, _OPTIONS)
        self._predict = self._method("PredictionService/Predict", "PredictResponse")
        self._status = self._method("ModelService/GetModelStatus", "GetModelStatusResponse")

    def _method(self, name: str, answer: str) -> Any:
        return self._channel.unary_unary(
            f"/tensorflow.serving.{name}",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=message_class(answer).FromString,
        )

    def _call(self, method: Any, request: Any) -> Any:
        try:
            return method(request, timeout=self._server.deadline_s)
        except grpc.RpcError as error:
            text = error.details() or ""
            if "Failed parsing HTTP/2" in text:
                raise TryError("INTERNAL", "no answer by gRPC, as from a port for REST") from error
            raise TryError(error.code().name, text) from error
        except ValueError as error:  # the channel was closed meanwhile
            raise TryError("CANCELLED", str(error)) from error

    def states(self) -> Mapping[int, str]:
        """See `transport.Transport.states`."""
        request = message_class("GetModelStatusRequest")()
        request.model_spec.name = self._server.model_name
        answer = self._call(self._status, request)
        return {
            status.version: MODEL_STATES.get(status.state, f"state {status.state}")
            for status in answer.model_version_status
        }

    def predict(
        self, version: int, signature: str, given: tuple[str, NDArray[Any]], wanted: str
    ) -> NDArray[Any]:
        """See `transport.Transport.predict`."""
        inputs = dict([given])
        if given[1].nbytes >= LONGEST_BYTES:
            text = f"a request of {given[1].nbytes} bytes, {TOO_LONG} of a message, 2 GiB"
            raise TryError("RESOURCE_EXHAUSTED", text)
        request = predict_request(self._server.model_name, signature, inputs, version)
        answer = self._call(self._predict, request)
        answered = answer.model_spec.version.value
        if answered not in (0, version):  # 0: it does not say
            raise TryError("INTERNAL", f"an answer of version {answered} instead of {version}")
        outputs = {output.key: output.value for output in answer.outputs}
        if wanted not in outputs:
            raise TryError("INTERNAL", f"outputs {sorted(outputs)} instead of {wanted}")
        try:
            return from_tensor(outputs[wanted])
        except ValueError as error:
            raise TryError("INTERNAL", f"{wanted}: {error}") from error

    def close(self) -> None:
        """Abort requests in progress."""
        self._channel.close()

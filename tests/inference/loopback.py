"""A server of TF Serving's interface on this host, behind which stands a formula.

As a program (`python -m tests.inference.loopback CONTRACT PORT DIES_AT`) it serves by gRPC and
kills itself when it is asked for tiles the DIES_AT-th time; 0 is never.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import numpy as np

from voxres_tf.contract import CONTRACT, SEGMENT, SEGMENT_PROBABILITIES
from voxres_tf.preprocess.filters import normalise_slices
from voxres_tf.wire import MODEL_STATES, from_tensor, message_class, to_tensor


def formula(tiles):
    """Class 3 where T1 is bright, 2 where FLAIR is, else 1."""
    t1, flair = tiles[..., 0], tiles[..., 1]
    codes = np.where(t1 > 0.5, 3, np.where(flair > 0.5, 2, 1))
    return np.eye(4, dtype=np.float32)[codes]


class RefusalError(Exception):
    """An answer that is a status code."""

    def __init__(self, code, text):
        super().__init__(code, text)
        self.code, self.text = code, text


class Model:
    """Versions of a formula, which a test may change while they are asked.

    `before` is called with the number of the request, from 1, and the version; `answer` may be
    replaced. `asked` is all (version, signature) that were answered.
    """

    def __init__(self, contract, *, name="formula", values=False):
        self.contract, self.name, self.values = contract, name, values
        self.states = {3: "AVAILABLE"}
        self.functions = {3: formula}
        self.asked = []
        self.before = lambda *_: None
        self._lock, self._count = threading.Lock(), 0

    def status(self, name):
        if name != self.name:
            raise RefusalError("NOT_FOUND", f"Could not find any versions of model {name}")
        return self.states

    def predict(self, name, version, signature, inputs):
        if self.status(name).get(version) != "AVAILABLE":
            text = f"Servable not found for request: Specific({name}, {version})"
            raise RefusalError("NOT_FOUND", text)
        if signature == CONTRACT:
            assert list(inputs["format_version"]) == [1]
            return {"contract": self.contract}
        with self._lock:
            self._count += 1
            number = self._count
        self.before(number, version)
        answer = self.answered(self.functions[version], signature, inputs)
        self.asked.append((version, signature))
        return answer

    def answered(self, function, signature, inputs):
        if signature not in (SEGMENT, SEGMENT_PROBABILITIES):
            return {"probabilities": function(inputs["image"])}
        images = inputs["images"]
        channels = [normalise_slices(images[..., n]) for n in range(images.shape[-1])]
        probabilities = function(np.stack(channels, -1))
        if signature == SEGMENT:
            return {"labels": probabilities.argmax(-1).astype(np.uint8)}
        return {"probabilities": probabilities}


def as_message(value, values):
    """A tensor in either of the encodings that TF Serving may choose."""
    if isinstance(value, str):
        tensor = message_class("Tensor")(dtype=7, string_val=[value.encode()])
        tensor.tensor_shape.dim.add(size=1)
        return tensor
    tensor = to_tensor(value)
    if values:
        tensor.ClearField("tensor_content")
        field = tensor.float_val if value.dtype == np.float32 else tensor.int_val
        field.extend(value.reshape(-1).tolist())
    return tensor


class _Grpc(grpc.GenericRpcHandler):
    def __init__(self, model):
        self.model = model

    def service(self, details):
        name = details.method.rsplit("/", 1)[-1]
        function, request = {
            "Predict": (self.predict, "PredictRequest"),
            "GetModelStatus": (self.status, "GetModelStatusRequest"),
        }[name]
        return grpc.unary_unary_rpc_method_handler(
            lambda message, context: self.guarded(function, message, context),
            request_deserializer=message_class(request).FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )

    def guarded(self, function, message, context):
        try:
            return function(message)
        except RefusalError as refusal:
            context.abort(getattr(grpc.StatusCode, refusal.code), refusal.text)

    def status(self, message):
        answer = message_class("GetModelStatusResponse")()
        numbers = {name: number for number, name in MODEL_STATES.items()}
        for version, state in self.model.status(message.model_spec.name).items():
            answer.model_version_status.add(version=version, state=numbers[state])
        return answer

    def predict(self, message):
        spec = message.model_spec
        inputs = {named.key: from_tensor(named.value) for named in message.inputs}
        outputs = self.model.predict(spec.name, spec.version.value, spec.signature_name, inputs)
        answer = message_class("PredictResponse")(model_spec=spec)
        for key, value in outputs.items():
            answer.outputs.add(key=key, value=as_message(value, self.model.values))
        return answer


@contextmanager
def serve_grpc(model, port=0, credentials=None, longest=-1):
    """Yields the address; `longest` is of a request, in bytes, and -1 as good as none."""
    pool = ThreadPoolExecutor(4)
    options = [("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", longest)]
    server = grpc.server(pool, handlers=[_Grpc(model)], options=options)
    if credentials is None:
        port = server.add_insecure_port(f"127.0.0.1:{port}")
    else:
        port = server.add_secure_port(f"localhost:{port}", credentials)
    server.start()
    try:
        yield f"127.0.0.1:{port}" if credentials is None else f"localhost:{port}"
    finally:
        server.stop(None).wait()
        pool.shutdown()


def main(contract, port, dies_at):
    model = Model(Path(contract).read_text(encoding="utf-8"))

    def before(number, version):
        if number == int(dies_at):
            os.kill(os.getpid(), signal.SIGKILL)

    model.before = before
    with serve_grpc(model, int(port)) as address:
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A model on a server, as an engine: one version for good, patience, checked answers."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from voxres_tf.contract import (
    CONTRACT,
    FORMAT_VERSION,
    SEGMENT,
    SEGMENT_PROBABILITIES,
    Contract,
    parse_contract,
)
from voxres_tf.errors import ModelError, ServerError, message
from voxres_tf.inference.rest import RestTransport
from voxres_tf.inference.rpc import GrpcTransport
from voxres_tf.inference.server import Server
from voxres_tf.inference.tiling import Floats, TileFunction
from voxres_tf.inference.transport import TOO_LONG, Transport, TryError

MAY_PASS = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"})
"""Status codes after which the same request may be answered."""

TOLERANCE = 1e-3
"""By how much probabilities may leave 0 to 1, and their sums 1."""

AVAILABLE = "AVAILABLE"

T = TypeVar("T")


class RemoteEngine:
    """A model on a server.

    Making one asks the server which versions it has, decides for one, which every later request
    names, and asks that one for its contract.

    Args:
        server: where it is and how it is asked.

    Raises:
        ServerError: if the server does not answer, or has no such model or version.
        ModelError: if the contract cannot be honoured.
        ConfigError: if the file of certificates is none.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._closed = threading.Event()
        self._transport: Transport = RestTransport(server) if server.rest else GrpcTransport(server)
        self.version = self._pinned()
        self.contract = self._told_contract()

    @property
    def name(self) -> str:
        """Server, model and version, for messages and reports."""
        return f"{self._server.address} ({self._server.model_name} version {self.version})"

    def run(self, signature: str, array: NDArray[np.float32]) -> NDArray[Any]:
        """What a signature answers to one request.

        Args:
            signature: one of the contract's.
            array: float32, tiles [B, x, y, z, C], or [X, Y, Z, M] for the signatures of a volume.

        Returns:
            Labels, uint8 [X, Y, Z], of `segment_volume`, else probabilities, float32, of the
            array's shape with K for its last axis.

        Raises:
            ServerError: if there is no sound answer.
        """
        given = "images" if signature in (SEGMENT, SEGMENT_PROBABILITIES) else "image"
        wanted = "labels" if signature == SEGMENT else "probabilities"
        answer = self._patiently(
            lambda: self._transport.predict(self.version, signature, (given, array), wanted)
        )
        classes = len(self.contract.classes)
        if signature == SEGMENT:
            return self._labels(answer, array.shape[:-1], classes)
        return self._probabilities(answer, (*array.shape[:-1], classes))

    def apply(self, function: TileFunction, batches: Iterator[Floats]) -> Iterator[Floats]:
        """As `map`, with as many requests under way as the server's `in_flight` says."""
        pending: deque[Future[Floats]] = deque()
        with ThreadPoolExecutor(self._server.in_flight) as pool:
            try:
                for batch in batches:
                    pending.append(pool.submit(function, batch))
                    if len(pending) == self._server.in_flight:
                        yield pending.popleft().result()
                while pending:
                    yield pending.popleft().result()
            except KeyboardInterrupt:
                self.close()  # else leaving would wait for answers that nobody wants
                raise
            finally:
                for future in pending:
                    future.cancel()

    def close(self) -> None:
        """End requests and pauses that are under way; they fail."""
        self._closed.set()
        self._transport.close()

    def _pinned(self) -> int:
        self.version = 0  # for messages, until it is known
        states = self._patiently(self._transport.states)
        there = [version for version, state in states.items() if state == AVAILABLE]
        version = self._server.version or max(there, default=0)
        if version not in there:
            asked = f"version {self._server.version}" if self._server.version else "a version"
            told = ", ".join(f"{number} {state}" for number, state in sorted(states.items()))
            rule = f"{asked} of {self._server.model_name} that is {AVAILABLE}"
            raise ServerError(
                message(
                    self._server.address, rule, told or "none", "wait for it, or name another one"
                )
            )
        return version

    def _told_contract(self) -> Contract:
        asked = np.array([FORMAT_VERSION], np.int32)
        answer = self._patiently(
            lambda: self._transport.predict(
                self.version, CONTRACT, ("format_version", asked), "contract"
            )
        )
        text = answer.reshape(-1)[0] if answer.size else None
        if not isinstance(text, str | bytes):
            received = type(text).__name__ if answer.size else "nothing"
            raise ModelError(message(self.name, "a contract in JSON", received, "export it again"))
        return parse_contract(text, self.name)

    def _patiently(self, call: Callable[[], T]) -> T:
        """Carry out a try, and again after a pause where that may help."""
        for retry in count():
            try:
                return call()
            except TryError as fault:
                if retry == self._server.retries or not _may_pass(fault):
                    raise self._error(fault) from fault
                # A random part, so that many clients of one server do not come back all at once.
                if self._closed.wait(self._server.pause_s(retry) * random.uniform(0.5, 1)):
                    raise self._error(TryError("CANCELLED", "closed")) from fault
        raise AssertionError("never reached")

    def _error(self, fault: TryError) -> ServerError:
        server = self._server
        rule, then = "an answer", "see the server's log"
        if fault.code in MAY_PASS and not _may_pass(fault):
            rule = "requests as long as a tile or a volume are let through"
            then = "raise that limit, or choose --mode tile, a smaller --tile or --batch"
        elif fault.code in MAY_PASS:
            tries = f"{server.retries + 1} tries" if server.retries else "one try"
            rule = f"an answer in {tries} of {server.deadline_s:g} s"
            then = "see whether the server runs, or raise --timeout or --retries"
        elif fault.code == "NOT_FOUND" and self.version:
            rule = "one version from the first request to the last"
            then = "see what the server has, and run the command again"
        elif fault.code == "NOT_FOUND":
            rule, then = f"a model called {server.model_name}", "name it by --model-name"
        elif fault.code == "INVALID_ARGUMENT":
            rule = "a request that the model takes"
            then = "choose another --tile, --batch or --mode, or export the model again"
        elif fault.code == "UNAUTHENTICATED":
            rule, then = "a certificate of the authority", "name another --tls-ca"
        where = self.name if self.version else server.address
        return ServerError(message(where, rule, f"{fault.code}: {fault.text}", then))

    def _probabilities(self, answer: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float32]:
        found = ""
        if answer.shape != shape or answer.dtype.kind not in "fiu":
            found = f"{answer.dtype} {answer.shape}"
        elif not (answer.min() >= -TOLERANCE and answer.max() <= 1 + TOLERANCE):  # NaN is neither
            found = f"{answer.min():g} to {answer.max():g}"
        elif np.abs(answer.sum(-1, dtype=np.float64) - 1).max() > TOLERANCE:
            found = "sums other than 1"
        if found:
            raise self._unsound(f"probabilities {shape} that sum to 1", found)
        return answer.astype(np.float32, copy=False)

    def _labels(
        self, answer: NDArray[Any], shape: tuple[int, ...], classes: int
    ) -> NDArray[np.uint8]:
        found = ""
        if answer.shape != shape or answer.dtype.kind not in "iu":
            found = f"{answer.dtype} {answer.shape}"
        elif answer.min() < 0 or answer.max() >= classes:
            found = f"{answer.min()} to {answer.max()}"
        if found:
            raise self._unsound(f"labels {shape} from 0 to {classes - 1}", found)
        return answer.astype(np.uint8, copy=False)

    def _unsound(self, rule: str, found: str) -> ServerError:
        return ServerError(message(self.name, rule, found, "see whether this is a voxres model"))


def _may_pass(fault: TryError) -> bool:
    # A message that is too long for somebody on the way has the same code as a server that is full.
    return fault.code in MAY_PASS and TOO_LONG not in fault.text

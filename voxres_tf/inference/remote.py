"""A model on a server, as an engine: one fixed version, retries, checked answers."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
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
from voxres_tf.inference.answers import checked_labels, checked_probabilities
from voxres_tf.inference.rest import RestTransport
from voxres_tf.inference.rpc import GrpcTransport
from voxres_tf.inference.server import Server
from voxres_tf.inference.tiling import Floats, TileFunction
from voxres_tf.inference.transport import TOO_LONG, Transport, TryError

MAY_PASS = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"})
"""Status codes after which the same request may succeed later."""

AVAILABLE = "AVAILABLE"
COMING = frozenset({"START", "LOADING"})
"""States of a version before `AVAILABLE`; a starting server has one version before the other."""

NO_CONTRACT = frozenset({"INVALID_ARGUMENT", "FAILED_PRECONDITION"})
"""Status codes, by REST and by gRPC, of a model that has no signature `contract`."""

T = TypeVar("T")


class RemoteEngine:
    """A model on a server.

    Creating one asks the server which versions it has, chooses one, which every later request
    names, and asks that version for its contract.

    Args:
        server: where it is and how to send it requests.

    Raises:
        ServerError: if the server does not answer, or has no such model or version.
        ModelError: if the contract cannot be honoured.
        ConfigError: if the certificate file is not one.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connect()
        self.version = self._pinned()
        self.contract = self._told_contract()

    def _connect(self) -> None:
        server = self._server
        self._closed = threading.Event()
        self._transport: Transport = RestTransport(server) if server.rest else GrpcTransport(server)

    @property
    def name(self) -> str:
        """Server, model and version, for messages and reports."""
        return f"{self._server.address} ({self._server.model_name} version {self.version})"

    def run(self, signature: str, array: NDArray[np.float32]) -> NDArray[Any]:
        """Send one request to a signature and return its checked answer.

        Args:
            signature: one of the contract's.
            array: float32, tiles [B, x, y, z, C], or [X, Y, Z, M] for whole-volume signatures.

        Returns:
            Labels, uint8 [X, Y, Z], for `segment_volume`, else probabilities, float32, in the
            array's shape with K as its last axis.

        Raises:
            ServerError: if there is no valid answer.
        """
        given = "images" if signature in (SEGMENT, SEGMENT_PROBABILITIES) else "image"
        wanted = "labels" if signature == SEGMENT else "probabilities"
        answer, retries = self._patiently(
            lambda: self._transport.predict(self.version, signature, (given, array), wanted)
        )
        # A server that came back may have another model under this number; for tiles, `apply`
        # checks that.
        if retries or given == "images":
            self._check_same_model()
        classes = len(self.contract.classes)
        if signature == SEGMENT:
            return checked_labels(answer, array.shape[:-1], classes, self.name)
        return checked_probabilities(answer, (*array.shape[:-1], classes), self.name)

    def apply(self, function: TileFunction, batches: Iterator[Floats]) -> Iterator[Floats]:
        """Like `map`, with as many requests in progress as the server's `in_flight` says.

        Raises:
            ServerError: also if the server in the end has another model under the same version.
        """
        try:
            yield from self._in_flight(function, batches)
        except (KeyboardInterrupt, SystemExit):
            self._connect()  # the connection was closed, but more may be asked in this process
            raise

    def _in_flight(self, function: TileFunction, batches: Iterator[Floats]) -> Iterator[Floats]:
        pending: deque[Future[Floats]] = deque()
        with ThreadPoolExecutor(self._server.in_flight) as pool:
            try:
                for batch in batches:
                    pending.append(pool.submit(function, batch))
                    if len(pending) == self._server.in_flight:
                        yield pending.popleft().result()
                while pending:
                    yield pending.popleft().result()
                self._check_same_model()
            except (KeyboardInterrupt, SystemExit):
                self.close()  # else leaving would wait for unwanted answers
                raise
            finally:
                for future in pending:
                    future.cancel()

    def close(self) -> None:
        """Abort requests and pauses in progress; they fail."""
        self._closed.set()
        self._transport.close()

    def _pinned(self) -> int:
        self.version = 0  # for messages, until it is known
        states, _ = self._patiently(self._transport.states, self._settled)
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

    def _settled(self, states: Mapping[int, str]) -> bool:
        """Whether a wanted version is available, or none is about to become so."""
        wanted = self._server.version
        found = {states.get(wanted)} if wanted else set(states.values())
        return AVAILABLE in found or not found & COMING

    def _told_contract(self) -> Contract:
        answer, _ = self._patiently(self._try_contract)
        text = answer.reshape(-1)[0] if answer.size else None
        if not isinstance(text, str | bytes):
            received = type(text).__name__ if answer.size else "nothing"
            raise ModelError(message(self.name, "a contract in JSON", received, "export it again"))
        return parse_contract(text, self.name)

    def _try_contract(self) -> NDArray[Any]:
        asked = ("format_version", np.array([FORMAT_VERSION], np.int32))
        try:
            return self._transport.predict(self.version, CONTRACT, asked, "contract")
        except TryError as fault:
            if fault.code not in NO_CONTRACT:
                raise
            rule = f"a model of voxres export, with the signature {CONTRACT}"
            then = "name another --model-name, or export it again"
            received = f"{fault.code}: {fault.text}"
            raise ModelError(message(self.name, rule, received, then)) from fault

    def _check_same_model(self) -> None:
        if self._told_contract() != self.contract:
            rule = "one model from the first request to the last"
            received = "another contract under the same version"
            raise ServerError(message(self.name, rule, received, "run the command again"))

    def _patiently(
        self, call: Callable[[], T], enough: Callable[[T], bool] = lambda _: True
    ) -> tuple[T, int]:
        """Make a try, and repeat it after a pause if that may help.

        Args:
            call: the try.
            enough: whether its answer is acceptable; the last one always is.

        Returns:
            The answer, and how many tries came before it.
        """
        retry = 0
        while True:
            last = retry == self._server.retries
            try:
                answer = call()
                if last or enough(answer):
                    return answer, retry
            except TryError as fault:
                if last or not self._may_be_answered(fault):
                    raise self._error(fault) from fault
            # Partly random, so that the clients of a server do not all come back at once.
            if self._closed.wait(self._server.pause_s(retry) * random.uniform(0.5, 1)):
                raise self._error(TryError("CANCELLED", "closed"))
            retry += 1

    def _may_be_answered(self, fault: TryError) -> bool:
        """Whether another try may succeed; a version that is not found may be about to load."""
        if fault.code != "NOT_FOUND" or not self.version:
            return _may_pass(fault)
        try:
            state = self._transport.states().get(self.version)
        except TryError as other:
            return _may_pass(other)
        return state == AVAILABLE or state in COMING

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


def _may_pass(fault: TryError) -> bool:
    # A message too long for something on the way has the same code as a server that is full.
    return fault.code in MAY_PASS and TOO_LONG not in fault.text

"""What a transport to a server has to do; the two that exist are gRPC and REST."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from voxres_tf.errors import ConfigError, message, shortened

TOO_LONG = "larger than max"
"""In the text of a `TryError`: something on the way rejects messages of that length."""


class TryError(Exception):
    """A try that failed.

    Attributes:
        code: name of the gRPC status code, whichever transport was used.
        text: what the server, or the connection to it, says about the failure.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, shortened(text)


class Transport(Protocol):
    """Makes one try per call, with a deadline; several threads may use it."""

    def states(self) -> Mapping[int, str]:
        """Version of the model -> its state: LOADING, AVAILABLE, UNLOADING, END, ...

        Raises:
            TryError: with NOT_FOUND if the server knows no such model.
        """
        ...

    def predict(
        self, version: int, signature: str, given: tuple[str, NDArray[Any]], wanted: str
    ) -> NDArray[Any]:
        """Ask one version for the output `wanted` of a signature.

        Args:
            version: version of the model; no other may answer.
            signature: its name.
            given: name and values of its only input.
            wanted: name of its only output.

        Raises:
            TryError: if there is no such answer.
        """
        ...

    def close(self) -> None:
        """Abort requests in progress."""
        ...


def trusting(path: Path) -> ssl.SSLContext:
    """A TLS context that trusts only the authority in a PEM file.

    Raises:
        ConfigError: as in `read_authority`.
    """
    return _context(path, read_authority(path))


def read_authority(path: Path) -> bytes:
    """The content of a PEM file of certificates.

    Raises:
        ConfigError: if it cannot be read, or holds no valid certificate.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(message(path, "a PEM file", error.strerror, "check the path")) from error
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise ConfigError(
            message(path, "a PEM file of certificates", "a file without one", "name another")
        )
    _context(path, content)  # gRPC would accept a damaged one and find no server.
    return content


def _context(path: Path, content: bytes) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=content.decode("ascii", "replace"))
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(
            message(path, "a PEM file of sound certificates", error, "name another")
        ) from error

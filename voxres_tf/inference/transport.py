"""What a way of asking a server has to do; gRPC and REST are the two there are."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from voxres_tf.errors import ConfigError, message

TOO_LONG = "larger than max"
"""In the text of a `TryError`: somebody on the way lets no message of that length through."""


class TryError(Exception):
    """A try that failed.

    Attributes:
        code: the name of gRPC's status code, whichever way was taken.
        text: what the server, or the way there, says about it.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, " ".join(text.split())[:300]


class Transport(Protocol):
    """One try each, with a deadline; may be used by several threads."""

    def states(self) -> Mapping[int, str]:
        """Version of the model -> what has become of it: LOADING, AVAILABLE, UNLOADING, END, ...

        Raises:
            TryError: with NOT_FOUND if the server knows no such model.
        """
        ...

    def predict(
        self, version: int, signature: str, given: tuple[str, NDArray[Any]], wanted: str
    ) -> NDArray[Any]:
        """Ask one version for the output `wanted` of a signature.

        Args:
            version: of the model; no other will do.
            signature: its name.
            given: name and values of its only input.
            wanted: name of its only output.

        Raises:
            TryError: if there is no such answer.
        """
        ...

    def close(self) -> None:
        """End what is under way."""
        ...


def trusting(path: Path) -> ssl.SSLContext:
    """A context of TLS that trusts the authority of a PEM file, and no other.

    Raises:
        ConfigError: as `read_authority`.
    """
    return _context(path, read_authority(path))


def read_authority(path: Path) -> bytes:
    """The content of a PEM file of certificates.

    Raises:
        ConfigError: if it cannot be read, or holds no sound certificate.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(message(path, "a PEM file", error.strerror, "check the path")) from error
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise ConfigError(
            message(path, "a PEM file of certificates", "a file without one", "name another")
        )
    _context(path, content)  # gRPC would take a damaged one, and find no server.
    return content


def _context(path: Path, content: bytes) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=content.decode("ascii", "replace"))
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(
            message(path, "a PEM file of sound certificates", error, "name another")
        ) from error

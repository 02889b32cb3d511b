"""What a way of asking a server has to do; gRPC and REST are the two there are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from voxres_tf.errors import ConfigError, message


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


def read_authority(path: Path) -> bytes:
    """The content of a PEM file of certificates.

    Raises:
        ConfigError: if it cannot be read or is none.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(message(path, "a PEM file", error.strerror, "check the path")) from error
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise ConfigError(
            message(path, "a PEM file of certificates", "a file without one", "name another")
        )
    return content

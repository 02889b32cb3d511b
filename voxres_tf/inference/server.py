"""Which server to ask for which model, with which deadlines and retries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from voxres_tf.contract import MODEL_NAME
from voxres_tf.errors import ConfigError, message
from voxres_tf.schema import Config

Mode = Literal["tile", "volume"]
DEADLINES_S: dict[Mode, float] = {"tile": 60.0, "volume": 600.0}
LONGEST_PAUSE_S = 8.0

THE_GRAPHS_OWN: Mapping[str, object] = MappingProxyType(
    {"overlap": None, "blend": "gaussian", "tile": None, "batch": 1, "tta": None, "one_piece": None}
)
"""Options of `Predictor` that the model's graph decides in volume mode, with their defaults."""


def check_address(address: str) -> str:
    """The address, if it is HOST:PORT, an IPv6 host in brackets and the port from 1 to 65535.

    Raises:
        ValueError: if it is not.
    """
    found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\s/:\[\]]+):([0-9]{1,5})", address)
    if not found or not 0 < int(found[2]) < 2**16:
        raise ValueError(f"{address!r} is not HOST:PORT, such as localhost:8500")
    return address


class Server(Config):
    """A TF Serving instance, or another server with its interface.

    Attributes:
        address: HOST:PORT (see `check_address`).
        model_name: name under which the server knows the model.
        version: the version to use; the highest available one if None.
        mode: "tile" makes channels and blends tiles locally and requests tiles; "volume" sends a
            subject's scans and gets its labels.
        timeout_s: seconds for one try of one request; 60 for a tile and 600 for a volume if None.
        retries: further tries of a request that may succeed later.
        in_flight: number of requests in progress at a time, in tile mode.
        tls_ca: PEM file of the authority that signed the server's certificate; without it nothing
            is encrypted.
        rest: use HTTP and JSON instead of gRPC.
    """

    address: Annotated[str, AfterValidator(check_address)]
    model_name: str = Field(pattern=f"^{MODEL_NAME}$")
    version: int | None = Field(default=None, gt=0)
    mode: Mode = "tile"
    timeout_s: float | None = Field(default=None, gt=0, le=86400)
    retries: int = Field(default=6, ge=0)
    in_flight: int = Field(default=2, ge=1)
    tls_ca: Path | None = None
    rest: bool = False

    @property
    def deadline_s(self) -> float:
        """Seconds for one try."""
        return self.timeout_s if self.timeout_s is not None else DEADLINES_S[self.mode]

    def pause_s(self, retry: int) -> float:
        """Longest pause before retry number `retry`, from 0: 0.5, 1, 2, ... up to 8 seconds."""
        return min(0.5 * 2.0**retry, LONGEST_PAUSE_S)

    @property
    def host_port(self) -> tuple[str, int]:
        """Host without brackets, and port."""
        host, _, port = self.address.rpartition(":")
        return host.strip("[]"), int(port)


def check_left_alone(server: Server, device: str, options: Mapping[str, object]) -> None:
    """Raise `ConfigError` if an option is set that the server decides by itself.

    Args:
        server: the server that predicts.
        device: as `Predictor` takes it.
        options: those of `THE_GRAPHS_OWN`, as `Predictor` takes them.
    """
    if device != "auto":
        raise ConfigError(message("device", "the server's own", device, "leave it out"))
    if server.mode == "volume" and options != THE_GRAPHS_OWN:
        rule = f"{', '.join(THE_GRAPHS_OWN)} are the model's own in volume mode"
        given = [f"{n} {v}" for n, v in options.items() if v != THE_GRAPHS_OWN[n]]
        then = "leave them out, or use tiles"
        raise ConfigError(message(server.address, rule, ", ".join(given), then))

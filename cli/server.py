"""The options of `voxres predict` that say which server to ask, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from .options import adding, given
from .types import Number, Place, Text


def _address(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None

    from voxres_tf.inference.server import check_address

    try:
        return check_address(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from error


_FILE = Place(dir_okay=False, exists=True)
server_options = adding(
    click.option(
        "--server", metavar="HOST:PORT", callback=_address,
        help="Query a TF Serving instead of a --model.",
    ),
    click.option(
        "--model-name", type=Text(), help="The model's name on the server.  [needed with --server]"
    ),
    click.option(
        "--model-version", type=click.IntRange(1),
        help="Its version.  [default: the highest that is available when the command starts]",
    ),
    click.option(
        "--mode", type=click.Choice(["tile", "volume"]),
        help="Request tiles, or send the scans and get labels.  [default: tile]",
    ),
    click.option(
        "--timeout", type=Number(0, 86400, min_open=True), metavar="S",
        help="Seconds for one try of a request.  [default: 60, or 600 in volume mode]",
    ),
    click.option(
        "--retries", type=click.IntRange(0),
        help="Retries if the server is unreachable, slow or full.  [default: 6]",
    ),
    click.option(
        "--in-flight", type=click.IntRange(1),
        help="Requests under way at a time, in tile mode.  [default: 2]",
    ),
    click.option("--tls-ca", type=_FILE, help="PEM file of the server's authority; turns TLS on."),
    click.option("--rest", is_flag=True, default=None, help="Use HTTP and JSON instead of gRPC."),
)  # fmt: skip
"""None of them has a default, so that it is known which were given."""

_TILES = ("in_flight", "overlap", "blend", "tile", "batch", "tta", "one_piece")
_FIELDS = {
    "server": "address",
    "model_name": "model_name",
    "model_version": "version",
    "mode": "mode",
    "timeout": "timeout_s",
    "retries": "retries",
    "in_flight": "in_flight",
    "tls_ca": "tls_ca",
    "rest": "rest",
}


def server_values(options: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a `Server` that were given; empty without a server.

    Raises:
        click.UsageError: for any of them without --server, a server without --model-name, or
            options that the server decides itself.
    """
    values = {_FIELDS[n]: options[n] for n in _FIELDS if options[n] is not None}
    if values and "address" not in values:
        raise click.UsageError(f"{', '.join(given(*_FIELDS))}: with --server only.")
    if values and "model_name" not in values:
        raise click.UsageError("--server needs --model-name.")
    if values and options["device"] != "auto":
        raise click.UsageError("--device: with --model only; a server has its own.")
    if values.get("mode") == "volume" and (tiles := given(*_TILES)):
        raise click.UsageError(f"{tiles[0]}: in tile mode only; a volume is one request.")
    return values

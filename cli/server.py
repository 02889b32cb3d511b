"""The options of `voxres predict` that say which server is asked, and how."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource


def _address(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None

    from voxres_tf.inference.server import check_address

    try:
        return check_address(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from error


_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
_OPTIONS = (
    click.option(
        "--server", metavar="HOST:PORT", callback=_address,
        help="Ask a TF Serving instead of a --model.",
    ),
    click.option("--model-name", help="The model's name on the server.  [needed with --server]"),
    click.option(
        "--model-version", type=click.IntRange(1),
        help="Its version.  [default: the highest that is available when the command starts]",
    ),
    click.option(
        "--mode", type=click.Choice(["tile", "volume"]),
        help="Ask for tiles, or send the scans and get labels.  [default: tile]",
    ),
    click.option(
        "--timeout", type=click.FloatRange(0, min_open=True), metavar="S",
        help="Seconds for one try of a request.  [default: 60, or 600 in volume mode]",
    ),
    click.option(
        "--retries", type=click.IntRange(0),
        help="Further tries where the server is away, slow or full.  [default: 6]",
    ),
    click.option(
        "--in-flight", type=click.IntRange(1),
        help="Requests under way at a time, in tile mode.  [default: 2]",
    ),
    click.option("--tls-ca", type=_FILE, help="PEM file of the server's authority; asks by TLS."),
    click.option("--rest", is_flag=True, default=None, help="Ask by HTTP and JSON, not by gRPC."),
)  # fmt: skip
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


def server_options(function: Any) -> Any:
    """Add the options; none of them has a default, so that what was given shows."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def server_values(options: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a `Server` that were given; none without a server.

    Raises:
        click.UsageError: if there are any without --server, a server without --model-name, or
            options that the server decides by itself.
    """
    given = {name: options[name] for name in _FIELDS if options[name] is not None}
    if given and "server" not in given:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise click.UsageError(f"{names}: with --server only.")
    if given and "model_name" not in given:
        raise click.UsageError("--server needs --model-name.")
    if given and options["device"] != "auto":
        raise click.UsageError("--device: with --model only; a server has its own.")
    if given.get("mode") == "volume":
        ctx = click.get_current_context()
        for name in _TILES:
            if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT:
                option = f"--{name.replace('_', '-')}"
                raise click.UsageError(f"{option}: in tile mode only; a volume is one request.")
    return {_FIELDS[name]: value for name, value in given.items()}

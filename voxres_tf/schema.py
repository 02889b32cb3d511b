"""What all configs have in common: frozen, strict, JSON, with one-line errors for broken rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    ValidationError,
)

from voxres_tf.errors import ConfigError, VoxResError, message


class Config(BaseModel):
    """Frozen, strict about unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False
    )


def _ordered(values: tuple[float, float]) -> tuple[float, float]:
    if values[0] > values[1]:
        raise ValueError("a range is its lowest value, then its highest")
    return values


Share = Annotated[float, Field(ge=0, le=1)]
Signal = Annotated[float, Field(ge=0, le=100)]
Count = Annotated[int, Field(ge=0, le=1000)]
BelowOne = Annotated[float, Field(ge=0, lt=1)]

_ORDERED = AfterValidator(_ordered)
Range = Annotated[tuple[float, float], _ORDERED]
"""(low, high); likewise the ranges below."""
PositiveRange = Annotated[tuple[PositiveFloat, PositiveFloat], _ORDERED]
NonNegativeRange = Annotated[tuple[NonNegativeFloat, NonNegativeFloat], _ORDERED]
ShareRange = Annotated[tuple[Share, Share], _ORDERED]
SignalRange = Annotated[tuple[Signal, Signal], _ORDERED]
CountRange = Annotated[tuple[Count, Count], _ORDERED]

ConfigT = TypeVar("ConfigT", bound=BaseModel)


def parse(
    kind: type[ConfigT], values: Any, where: object, error: type[VoxResError] = ConfigError
) -> ConfigT:
    """Validate values into a config, with pydantic's findings as one line.

    Args:
        kind: the config's class.
        values: a mapping, or JSON text, in which true is no number and "12" no 12.
        where: the file or command that the values come from.
        error: kind of the error that is raised if they break a rule.

    Raises:
        VoxResError: of that kind, naming every field that is wrong, its rule and what was received.
    """
    try:
        if isinstance(values, str | bytes):
            return kind.model_validate_json(_whole(values), strict=True)
        return kind.model_validate(values)
    except ValidationError as cause:
        found = cause.errors(include_url=False)
        rules = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or kind.__name__}: {e['msg']}" for e in found
        )
        received = "; ".join(_short(e["input"]) for e in found)
        raise error(message(where, rules, received, "mend these fields")) from cause


def _whole(text: str | bytes) -> str | bytes:
    """JSON with floats that are whole numbers as integers: some writers know no others."""

    def number(digits: str) -> float | int:
        found = float(digits)
        return int(found) if found.is_integer() else found

    try:
        return json.dumps(json.loads(text, parse_float=number))
    except (ValueError, RecursionError):  # no JSON that can be used, as the model will say
        return text


def load(kind: type[ConfigT], path: Path, error: type[VoxResError] = ConfigError) -> ConfigT:
    """Read a config from a JSON file.

    Raises:
        VoxResError: of the given kind, if the file is missing, is not JSON, repeats a name or
            breaks a rule.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise error(message(path, "a JSON file", cause, "check the path")) from cause
    config = parse(kind, text, path, error)
    _require_once(text, path, error)
    return config


def _require_once(text: str, path: Path, error: type[VoxResError]) -> None:
    """Refuse repeated names, which JSON allows and a parser would settle by the last one."""

    def distinct(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            received = f"twice: {', '.join(twice)}"
            raise error(message(path, "every name once", received, "leave one of them out"))

    json.loads(text, object_pairs_hook=distinct)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."

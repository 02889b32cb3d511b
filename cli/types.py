"""Types of options and arguments that several commands share."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from typing_extensions import override

if TYPE_CHECKING:
    _ParamType = click.ParamType[Any]
else:  # not generic at run time in older versions of click
    _ParamType = click.ParamType


class Place(click.Path):
    """A path, as a `Path`; empty text is refused, since `Path` takes it for the working folder."""

    def __init__(
        self, *, exists: bool = False, file_okay: bool = True, dir_okay: bool = True
    ) -> None:
        super().__init__(exists, file_okay, dir_okay, path_type=Path)

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path; empty text is a usage error."""
        if not str(value).strip():
            self.fail("a path; received an empty text", param, ctx)
        return super().convert(value, param, ctx)


class Text(_ParamType):
    """Text that is not empty, as a script passes it for a variable that is not set."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text; none is a usage error."""
        if not str(value).strip():
            self.fail("a value; received an empty text", param, ctx)
        return str(value)


class Number(click.FloatRange):
    """A number within bounds, not infinite and not NaN (which would pass the bounds check)."""

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number; anything else is a usage error."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"a finite number; received {value}", param, ctx)
        return number


class SubjectFolder(Place):
    """An existing folder; for a file, the error says how files are given."""

    def __init__(self) -> None:
        super().__init__(file_okay=False, exists=True)

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The folder as a `Path`; anything else is a usage error."""
        if Path(value).is_file():
            how = (
                "a manifest goes by --manifest"
                if Path(value).suffix == ".csv"
                else "scans go by their modalities, as in --t1"
            )
            self.fail(f"{value} is a file: {how} {value}")
        return super().convert(value, param, ctx)


class ModalityList(_ParamType):
    """`t1,t1-ir` -> ("t1", "t1-ir"); `all` -> (), which means all that the data set has."""

    name = "modalities"

    @override
    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """What the help page shows."""
        return "NAME[,NAME...]|all"

    def convert(
        self,
        value: str | tuple[str, ...],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[str, ...]:
        """Names in the order given; names that are unknown or repeated are usage errors."""
        if isinstance(value, tuple):
            return value
        if value.strip().lower() == "all":
            return ()

        from voxres_tf.config import MODALITIES

        names = tuple(name.strip().lower().replace("_", "-") for name in value.split(","))
        unknown = [name for name in names if name not in MODALITIES]
        if unknown:
            given = ", ".join(map(repr, unknown))
            self.fail(f"modalities are {', '.join(MODALITIES)}; received {given}", param, ctx)
        if len(set(names)) != len(names):
            self.fail(f"each modality once; received {value!r}", param, ctx)
        return names


class ShapeType(_ParamType):
    """`80` -> (80, 80, 80), `64,64,48` -> (64, 64, 48): voxels, positive multiples of 8."""

    name = "shape"

    @override
    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """What the help page shows."""
        return "N|X,Y,Z"

    def convert(
        self,
        value: str | tuple[int, int, int],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[int, int, int]:
        """Three sizes; anything else is a usage error."""
        if isinstance(value, tuple):
            return value

        from voxres_tf.config import STRIDE

        parts = [part.strip() for part in value.split(",")]
        sizes = [int(part) for part in parts if part.isdecimal()]
        if len(sizes) == len(parts) == 1:
            sizes *= 3
        if len(sizes) != 3 or len(parts) not in (1, 3) or any(n < 1 or n % STRIDE for n in sizes):
            rule = f"one size or three, each a multiple of {STRIDE}"
            self.fail(f"{rule}; received {value!r}", param, ctx)
        return sizes[0], sizes[1], sizes[2]

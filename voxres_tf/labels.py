"""Label schemes: what the codes in a label file mean, and which voxels are not scored.

Those of known data sets are defined here by name; any other is a JSON file (`SchemeFile`), which
may define classes of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BeforeValidator, Field, model_validator

from voxres_tf.errors import DataError, first_of, message
from voxres_tf.schema import Config, load

CLASS_NAMES = ("background", "CSF", "GM", "WM")
"""The classes of the paper (section 3.1) in the order of the network's outputs, 0 to 3."""


@dataclass(frozen=True)
class LabelScheme:
    """How one data set codes its labels.

    Attributes:
        name: its name in manifests and on the command line; for a custom scheme, its file.
        classes: code in the file -> class, an index into `class_names`.
        unscored: codes whose voxels have no weight in the loss and are excluded from evaluation.
        class_names: names of the network's outputs; the first is the background.
    """

    name: str
    classes: Mapping[int, int]
    unscored: frozenset[int] = frozenset()
    class_names: tuple[str, ...] = CLASS_NAMES

    @property
    def meaning(self) -> object:
        """What distinguishes it from other schemes, for a key: its name, or its file's content."""
        if self.name in SCHEMES:
            return self.name
        return [sorted(self.classes.items()), sorted(self.unscored), self.class_names]

    def unknown_codes(self, codes: ArrayLike) -> list[int | float]:
        """The codes that this scheme does not know, sorted; 1.5 is unknown, 1.0 counts as 1."""
        return [code for code in np.unique(np.asarray(codes)).tolist() if code not in self.classes]

    def merge(
        self,
        codes: NDArray[np.generic],
        where: object = "labels",
        then: str = "name the right scheme or mend the file",
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Turn the codes of a file into classes and the mask of scored voxels.

        Args:
            codes: integer codes, any shape.
            where: the file, for the error message.
            then: what to do about codes that the scheme does not know.

        Returns:
            The classes, uint8, and the mask, bool, both of the shape of `codes`.

        Raises:
            DataError: if a code is not part of the scheme.
        """
        values, inverse = np.unique(np.asarray(codes), return_inverse=True)
        unknown = self.unknown_codes(values)
        if unknown:
            raise DataError(
                message(
                    where,
                    f"labels of the scheme {self.name!r} are {sorted(self.classes)}",
                    f"codes [{listed(unknown)}]",
                    then,
                )
            )
        classes = np.array([self.classes[int(v)] for v in values], np.uint8)
        scored = np.array([int(v) not in self.unscored for v in values], np.bool_)
        shape = np.shape(codes)
        return classes[inverse].reshape(shape), scored[inverse].reshape(shape)


def listed(codes: Sequence[float]) -> str:
    """Codes as text; of many, only the first eight."""
    return first_of([f"{code:.9g}" for code in codes], 8)


def _scheme(name: str, classes: dict[int, int], unscored: tuple[int, ...] = ()) -> LabelScheme:
    return LabelScheme(name, MappingProxyType(classes), frozenset(unscored))


_MRBRAINS = {0: 0, 1: 2, 2: 2, 3: 3, 4: 3, 5: 1, 6: 1, 7: 0, 8: 0}

SCHEMES: Mapping[str, LabelScheme] = MappingProxyType(
    {
        scheme.name: scheme
        for scheme in (
            # 0..3 as this package writes them; also MRBrainS13's LabelsForTesting.
            _scheme("tissue", {0: 0, 1: 1, 2: 2, 3: 3}),
            # Cerebellum (7) and brainstem (8) are not evaluated (Mendrik et al. 2015).
            _scheme("mrbrains13", _MRBRAINS, (7, 8)),
            # 9 "infarction" and 10 "other" are removed from both images (MRBrainS18 site).
            _scheme("mrbrains18", {**_MRBRAINS, 9: 0, 10: 0}, (7, 8, 9, 10)),
            _scheme("ibsr18", {0: 0, 1: 1, 2: 2, 3: 3}),
            _scheme("iseg2017", {0: 0, 10: 1, 150: 2, 250: 3}),
        )
    }
)


def _plain(code: object) -> object:
    if isinstance(code, str) and not re.fullmatch(r"0|-?[1-9][0-9]*", code):
        raise ValueError("a code is a whole number, written as 7, not as 07, 7.0 or +7")
    return int(code) if isinstance(code, str) else code


_Code = Annotated[int, BeforeValidator(_plain)]
_ClassName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._+-]*$", max_length=40)]


class SchemeFile(Config):
    """A custom label scheme, as a JSON file.

    Attributes:
        classes: names of the network's outputs, the background first.
        codes: code in the label file -> name of its class.
        unscored: codes whose voxels are not scored.
    """

    classes: Annotated[tuple[_ClassName, ...], Field(min_length=2, max_length=256)]
    codes: dict[_Code, str]
    unscored: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("each class has a name of its own")
        if set(self.codes.values()) != set(self.classes):
            raise ValueError("codes name the classes, all of them and no others")
        if not set(self.unscored) <= set(self.codes):
            raise ValueError("unscored are some of the codes")
        return self


def is_scheme_file(name: str) -> bool:
    """Whether a scheme's name is that of a JSON file."""
    return name.lower().endswith(".json")


def scheme(name: str) -> LabelScheme:
    """The scheme with this name, or in this JSON file.

    Raises:
        DataError: if there is none, or the file is not a `SchemeFile`.
    """
    if is_scheme_file(name):
        return _read(Path(name))
    if name not in SCHEMES:
        rule = f"one of {', '.join(SCHEMES)}, or a .json file"
        raise DataError(message("label scheme", rule, repr(name), "choose one of these"))
    return SCHEMES[name]


def common_classes(schemes: Iterable[str]) -> tuple[str, ...]:
    """The class names that the schemes of a data set share, `CLASS_NAMES` if there are none.

    Raises:
        DataError: if they differ, or a scheme cannot be read.
    """
    found = {scheme(name).class_names: name for name in dict.fromkeys(schemes)}
    if len(found) > 1:
        received = "; ".join(f"{name}: {', '.join(classes)}" for classes, name in found.items())
        rule = "all labels of a training have the same classes"
        raise DataError(message("label schemes", rule, received, "name schemes of one kind"))
    return next(iter(found), CLASS_NAMES)


def _read(path: Path) -> LabelScheme:
    own = load(SchemeFile, path, DataError)
    classes = {code: own.classes.index(name) for code, name in own.codes.items()}
    return LabelScheme(str(path), MappingProxyType(classes), frozenset(own.unscored), own.classes)

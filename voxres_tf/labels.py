"""Label schemes: what the codes in a label file mean, and which voxels are not scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voxres_tf.errors import DataError, message

CLASS_NAMES = ("background", "CSF", "GM", "WM")
"""The classes of the paper (section 3.1) in the order of the network's outputs, 0 to 3."""


@dataclass(frozen=True)
class LabelScheme:
    """How one data set codes its labels.

    Attributes:
        name: what manifests and the command line call it.
        classes: code in the file -> class 0..3 (see `CLASS_NAMES`).
        unscored: codes whose voxels weigh nothing in the loss and leave the evaluation.
    """

    name: str
    classes: Mapping[int, int]
    unscored: frozenset[int] = frozenset()

    def unknown_codes(self, codes: ArrayLike) -> list[int | float]:
        """The codes that this scheme does not know, sorted; 1.5 is one, 1.0 is 1."""
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
            where: the file, for the error.
            then: what to do about codes that the scheme does not know.

        Returns:
            classes uint8 and scored bool, both of the shape of `codes`.

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
                    f"codes {unknown}",
                    then,
                )
            )
        classes = np.array([self.classes[int(v)] for v in values], np.uint8)
        scored = np.array([int(v) not in self.unscored for v in values], np.bool_)
        shape = np.shape(codes)
        return classes[inverse].reshape(shape), scored[inverse].reshape(shape)


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
            # 9 "infarction" and 10 "other" leave both images before scoring (MRBrainS18 site).
            _scheme("mrbrains18", {**_MRBRAINS, 9: 0, 10: 0}, (7, 8, 9, 10)),
            _scheme("ibsr18", {0: 0, 1: 1, 2: 2, 3: 3}),
            _scheme("iseg2017", {0: 0, 10: 1, 150: 2, 250: 3}),
        )
    }
)


def scheme(name: str) -> LabelScheme:
    """The scheme of that name.

    Raises:
        DataError: if there is none.
    """
    if name not in SCHEMES:
        raise DataError(
            message(
                "label scheme",
                f"one of {', '.join(SCHEMES)}",
                repr(name),
                "choose one of these",
            )
        )
    return SCHEMES[name]

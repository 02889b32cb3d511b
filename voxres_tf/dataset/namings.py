"""How each layout of a data set names its folders and files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from voxres_tf.config import SPELLINGS

TRAINING_FOLDERS = ("trainingdata", "training", "iseg-2017-training")
TEST_FOLDERS = ("testdata", "test", "testing", "iseg-2017-testing")


@dataclass(frozen=True)
class Naming:
    """How a layout names its files, in lower case and without their suffixes.

    Attributes:
        images: modality -> names; the first that exists wins.
        labels: name -> label scheme; the first that exists wins.
        pattern: groups `id` and `name` of a file's name; None if the folder's name is the id.
        below: a subfolder that holds images; their names start with `<below>/`.
        spellings: other spelling -> name; a file under each is the same scan twice.
    """

    images: Mapping[str, Sequence[str]]
    labels: Mapping[str, str]
    pattern: re.Pattern[str] | None = None
    below: str | None = None
    spellings: Mapping[str, str] = field(default_factory=dict)


NAMINGS: Mapping[str, Naming] = MappingProxyType(
    {
        "mrbrains18": Naming(
            {"t1": ["pre/reg_t1"], "t1-ir": ["pre/reg_ir"], "flair": ["pre/flair"]},
            {"segm": "mrbrains18"},
            below="pre",
        ),
        # segTRI_ana holds the three tissues; seg_ana may hold whole anatomical structures.
        "ibsr18": Naming(
            {"t1": ["ana", "ana_strip"]},
            {"segtri_ana": "ibsr18", "seg_ana": "ibsr18"},
            re.compile(r"(?P<id>ibsr_\d+)_(?P<name>.+)", re.IGNORECASE),
        ),
        "iseg2017": Naming(
            {"t1": ["t1"], "t2": ["t2"]},
            {"label": "iseg2017"},
            re.compile(r"(?P<id>subject-\d+)-(?P<name>.+)", re.IGNORECASE),
        ),
        # T1_1mm lies on another grid and is not listed.
        "mrbrains13": Naming(
            {
                "t1": ["t1"],
                "t1-ir": ["t1-ir"],
                "flair": ["flair"],
                "t2": ["t2"],
            },
            {"labelsfortraining": "mrbrains13", "labelsfortesting": "tissue"},
            spellings=SPELLINGS,
        ),
    }
)

"""The rows of a cross-validation's table, including the five of the paper's Table 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voxres_tf.config import RunConfig
from voxres_tf.crossval.plan import AutoContext

_TITLES = {"t1": "T1", "t1-ir": "T1-IR", "flair": "T2-FLAIR", "t2": "T2"}


@dataclass(frozen=True)
class RowSpec:
    """A row of the table.

    Attributes:
        name: name of the row.
        config: config of its (first) stage.
        how: where its second stage gets its maps; None for one stage.
    """

    name: str
    config: RunConfig
    how: AutoContext | None = None

    @property
    def file(self) -> str:
        """The file of its scores, relative to the cross-validation's folder."""
        words = "".join(c.lower() if c.isalnum() else " " for c in self.name).split()
        return f"scores/{'-'.join(words)}.csv"


def table_rows(
    config: RunConfig, available: Sequence[str], *, ablation: bool, how: AutoContext | None
) -> list[RowSpec]:
    """A row for the modalities of the config and, if requested, rows before and after it.

    Args:
        config: config of the (first) stage.
        available: modalities of the data set; a row of all of these is called "All".
        ablation: put a row for each modality alone before it, if there are several.
        how: put a row with this second stage after it; None for no such row.
    """
    modalities = config.preprocess.modalities
    every = len(modalities) > 1 and set(available) <= set(modalities)
    together = "All" if every else " + ".join(_TITLES[name] for name in modalities)
    single = modalities if ablation and len(modalities) > 1 else ()
    rows = [
        RowSpec(_TITLES[name], config.updated(preprocess={"modalities": (name,)}))
        for name in single
    ]
    rows.append(RowSpec(together, config))
    if how is not None:
        rows.append(RowSpec(f"{together} + auto-context", config, how))
    return rows

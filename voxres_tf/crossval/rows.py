"""The rows of a cross-validation's table, among them the five of the paper's Table 1."""

from __future__ import annotations

from dataclasses import dataclass

from voxres_tf.config import RunConfig
from voxres_tf.crossval.plan import AutoContext

_TITLES = {"t1": "T1", "t1-ir": "T1-IR", "flair": "T2-FLAIR", "t2": "T2"}


@dataclass(frozen=True)
class RowSpec:
    """A row of the table.

    Attributes:
        name: of the row.
        config: of its (first) stage.
        how: where its second stage gets its maps; None for one stage.
    """

    name: str
    config: RunConfig
    how: AutoContext | None = None

    @property
    def file(self) -> str:
        """Its scores, relative to the cross-validation's folder."""
        words = "".join(c.lower() if c.isalnum() else " " for c in self.name).split()
        return f"scores/{'-'.join(words)}.csv"


def table_rows(config: RunConfig, *, ablation: bool, how: AutoContext | None) -> list[RowSpec]:
    """The modalities of the config together and, if asked for, rows before and after it.

    Args:
        config: of the (first) stage.
        ablation: a row for each modality alone goes before, if there are several.
        how: a row with a second stage goes after; None for none.
    """
    modalities = config.preprocess.modalities
    together = "All" if len(modalities) > 1 else _TITLES[modalities[0]]
    single = modalities if ablation and len(modalities) > 1 else ()
    rows = [
        RowSpec(_TITLES[name], config.updated(preprocess={"modalities": (name,)}))
        for name in single
    ]
    rows.append(RowSpec(together, config))
    if how is not None:
        rows.append(RowSpec(f"{together} + auto-context", config, how))
    return rows

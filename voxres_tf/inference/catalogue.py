"""What people want to know about a model before using it, from its contract and model card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxres_tf.contract import Contract, read_contract
from voxres_tf.inference.models import resolve_model, shipped_models

CARD_FILE = "README.md"
"""The model card, `<name>/README.md`."""

CARD_SECTIONS = ("Intended use", "Licence")
"""Headings of the card whose text `voxres models info` shows."""

MANY = 8
"""Longer lists are cut to this many entries."""

_ELSEWHERE = {
    "format_version", "name", "version", "preprocess", "channels", "model", "classes", "patch",
    "optional_modalities", "first_stage", "training", "versions", "weights_sha256",
}  # fmt: skip


@dataclass(frozen=True)
class Description:
    """A model on disk.

    Attributes:
        folder: `<name>/<version>/`.
        contract: its contract.
        megabytes: size of its files, in 10^6 bytes.
        card: headings of the model card, in lower case -> their text; empty without a card.
    """

    folder: Path
    contract: Contract
    megabytes: float
    card: Mapping[str, str]

    @property
    def takes(self) -> str:
        """The modalities, and which of them may be missing."""
        optional = self.contract.optional_modalities
        names = ", ".join(self.contract.preprocess.modalities)
        return names + (f" (may be missing: {', '.join(optional)})" if optional else "")


def describe(model: str | Path) -> Description:
    """A model by its folder or its shipped name; see `models.resolve_model`.

    Raises:
        ModelError: if there is no such model, or its contract cannot be honoured.
    """
    folder = resolve_model(model)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    card = folder.resolve().parent / CARD_FILE
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    return Description(folder, read_contract(folder), size / 1e6, card_sections(text))


def shipped_table() -> list[str]:
    """A line per shipped model under a line of titles; no lines if none is installed."""
    models = [describe(folder) for folder in shipped_models().values()]
    rows = [("name", "version", "takes", "classes", "size")]
    rows += [
        (
            m.contract.name,
            str(m.contract.version),
            m.takes,
            ", ".join(m.contract.classes),
            f"{m.megabytes:.1f} MB",
        )
        for m in models
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return lines if models else []


def details(model: Description) -> Iterator[tuple[str, str]]:
    """What a contract says, in human-readable form: pairs of a title and a text."""
    contract = model.contract
    yield "model", f"{contract.name}, version {contract.version}, {model.megabytes:.1f} MB"
    yield "folder", str(model.folder)
    yield "takes", model.takes
    yield "pre-processing", _fields(contract.preprocess.model_dump(exclude={"modalities"}))
    yield "channels", ", ".join(contract.channels)
    yield "answers", ", ".join(contract.classes)
    stages = f"; two stages, the first of {len(contract.first_stage)} networks"
    yield "network", _fields(contract.model.model_dump()) + (stages if contract.first_stage else "")
    yield "tile", "x".join(map(str, contract.patch)) + " voxels"
    # Whatever else a contract holds, in this version or the next.
    yield from ((_words(name), _short(value)) for name, value in contract.model_dump().items()
                if name not in _ELSEWHERE)  # fmt: skip
    training = {name: value for name, value in contract.training.items() if name != "data"}
    yield "training", _fields(training) or "not recorded"
    yield "exported with", ", ".join(f"{k} {v}" for k, v in contract.versions.items())
    yield "weights SHA-256", contract.weights_sha256
    for heading in CARD_SECTIONS:
        yield heading.lower(), model.card.get(heading.lower(), "no model card says")


def card_sections(text: str) -> dict[str, str]:
    """Headings of a Markdown text, in lower case -> the text below each, as one line.

    Lines inside fenced code are not headings.
    """
    sections: dict[str, list[str]] = {}
    title, fenced = "", False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        if line.startswith("#") and not fenced:
            title = line.strip("# ").lower()
        else:
            sections.setdefault(title, []).append(line)
    return {title: " ".join(" ".join(lines).split()) for title, lines in sections.items() if title}


def _fields(values: Mapping[str, Any]) -> str:
    return "; ".join(f"{_words(name)} {_short(value)}" for name, value in values.items())


def _words(name: str) -> str:
    return name.replace("_", " ")


def _short(value: object) -> str:
    if not isinstance(value, list | tuple):
        return str(value)
    shown = ", ".join(map(str, value[:MANY])) or "none"
    return shown if len(value) <= MANY else f"{shown}, ... ({len(value)} in all)"

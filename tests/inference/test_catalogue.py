"""What a contract and a model card tell people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from voxres_tf.contract import CONTRACT_FILE
from voxres_tf.files import write_json
from voxres_tf.inference import catalogue, models
from voxres_tf.inference.catalogue import card_sections, describe, details, shipped_table

CARD = """# formula

## Intended use
To show tissue
in a scan.

```sh
# no heading
```

## Licence
CC-BY-4.0.
"""


@pytest.fixture
def shipped(contract_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(catalogue, "shipped_models", lambda: {"formula": contract_folder.parent})
    return contract_folder


def test_a_line_for_each_model(shipped: Path) -> None:
    (shipped / "saved_model.pb").write_bytes(bytes(1_500_000))
    titles, line = shipped_table()
    assert titles.split() == ["name", "version", "takes", "classes", "size"]
    cells = [cell.strip() for cell in line.split("  ") if cell]
    assert cells == ["formula", "3", "t1, flair", "background, CSF, GM, WM", "1.5 MB"]


def test_no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "PACKAGE", "no_such_package_here")
    assert shipped_table() == []


def test_modalities_that_may_be_missing_are_named(contract_folder: Path) -> None:
    model = describe(contract_folder)
    assert model.takes == "t1, flair"
    contract = model.contract.model_copy(update={"optional_modalities": ("flair",)})
    optional = catalogue.Description(model.folder, contract, 1.0, {})
    assert optional.takes == "t1, flair (may be missing: flair)"


def test_details_are_for_people(contract_folder: Path) -> None:
    values = json.loads((contract_folder / CONTRACT_FILE).read_text())
    training = {"subjects": [f"s{n}" for n in range(12)], "steps": 70, "data": ["f" * 64]}
    write_json(contract_folder / CONTRACT_FILE, values | {"training": training})
    (contract_folder.parent / "README.md").write_text(CARD)
    found = dict(details(describe(contract_folder)))
    assert found["model"].startswith("formula, version 3, ")
    assert found["takes"] == found["channels"] == "t1, flair"
    assert found["pre-processing"].startswith("filtered False; gaussian sigma 5.0; ")
    assert found["answers"] == "background, CSF, GM, WM"
    assert found["network"].startswith("architecture voxresnet; in channels 2; ")
    assert found["tile"] == "8x16x8 voxels"
    assert found["stride"] == "8"  # a field that no line is made for
    last = ", ".join(f"s{n}" for n in range(8))
    assert found["training"] == f"steps 70; subjects {last}, ... (12 in all)"
    assert found["weights SHA-256"] == "0" * 64
    assert found["licence"] == "CC-BY-4.0."
    assert found["intended use"] == "To show tissue in a scan. ```sh # no heading ```"


def test_without_a_card_it_says_so(contract_folder: Path) -> None:
    found = dict(details(describe(contract_folder)))
    assert found["licence"] == "no model card says"
    assert found["training"] == "not recorded"
    assert card_sections("only text\n") == {}

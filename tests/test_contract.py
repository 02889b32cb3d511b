"""The contract of an exported model: what cannot be honoured is refused before anything is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxres_tf.config import MODALITIES, ModelConfig, PreprocessConfig
from voxres_tf.contract import CONTRACT_FILE, HABITS, Contract, read_contract
from voxres_tf.errors import ModelError
from voxres_tf.files import write_json, write_text


def contract() -> Contract:
    preprocess = PreprocessConfig(modalities=("t1", "flair"))
    return Contract(
        name="half",
        version=3,
        preprocess=preprocess,
        channels=preprocess.channels,
        model=ModelConfig(in_channels=4),
        patch=(64, 64, 48),
        training={"subjects": ["1", "2"], "steps": 10},
        versions={"keras": "3.15"},
        weights_sha256="00",
    )


def stored(folder: Path, **changes: Any) -> Path:
    write_json(folder / CONTRACT_FILE, contract().model_dump(mode="json") | changes)
    return folder


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_contract(stored(tmp_path)) == contract()


def test_an_older_contract_says_nothing_of_fusion(tmp_path: Path) -> None:
    values = contract().model_dump(mode="json")
    del values["fused"]
    write_json(tmp_path / CONTRACT_FILE, values)
    assert not read_contract(tmp_path).fused


def test_an_older_contract_is_predicted_as_it_was(tmp_path: Path) -> None:
    values = contract().model_dump(mode="json")
    for name in HABITS:
        del values[name]
    write_json(tmp_path / CONTRACT_FILE, values)
    found = read_contract(tmp_path)
    assert (found.overlap, found.tta, found.one_piece, found.align) == (0.5, False, False, False)


def test_a_model_that_aligns_takes_each_of_its_scans_alone(tmp_path: Path) -> None:
    found = read_contract(stored(tmp_path, align=True, optional_modalities=["t1", "flair"]))
    assert found.align
    assert found.takes_each_alone
    for optional in ([], ["flair"]):
        with pytest.raises(ModelError, match=r"align with optional modalities alone\. Received: "):
            read_contract(stored(tmp_path, align=True, optional_modalities=optional))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"format_version": 2}, r"contracts of format 1\. Received: format 2"),
        ({"format_version": 2, "new": 1}, r"contracts of format 1\. Received: format 2"),
        ({"channels": ["flair", "t1", "t1:filtered", "flair:filtered"]}, "channels .*'t1', 'fl"),
        ({"model": {"in_channels": 6}}, r"4 channels and context\. Received: 6"),
        ({"stride": 16}, "stride 8"),
        ({"classes": ["background", "brain"]}, "a name per class"),
        ({"first_stage": [{"in_channels": 4}]}, "4 context channels. Received: 0"),
        ({"model": {"in_channels": 8, "context_channels": 4}}, "0 context channels. Received: 4"),
        ({"optional_modalities": ["flair", "t2"]}, "optional modalities among t1, flair.*: flair"),
        ({"overlap": 1}, "overlap"),
        ({"surprise": 1}, "surprise: Extra inputs"),
        ({"patch": [64, 64, 50]}, r"patch\.2: .*multiple of 8"),
        ({"version": 0}, "version: .*greater than 0"),
    ],
)
def test_what_cannot_be_honoured_is_refused(
    changes: dict[str, Any], fault: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=rf"voxres\.json: .*{fault}"):
        read_contract(stored(tmp_path, **changes))


TAKES = frozenset({"t1", "flair"})


@given(optional=st.sets(st.sampled_from(sorted(TAKES))), there=st.sets(st.sampled_from(MODALITIES)))
def test_a_subject_needs_what_may_not_be_missing_and_one_at_least(
    optional: set[str], there: set[str]
) -> None:
    free = contract().model_copy(update={"optional_modalities": tuple(optional)})
    enough = TAKES - optional <= there and bool(TAKES & there)
    assert (free.fault_of(tuple(there)) is None) == enough


def test_a_model_without_contract_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"voxres\.json: .*Received: nothing\. Run voxres export"):
        read_contract(tmp_path)


def test_a_contract_that_is_no_json_is_refused(tmp_path: Path) -> None:
    write_text(tmp_path / CONTRACT_FILE, "{")
    with pytest.raises(ModelError, match=r"voxres\.json: .*JSON"):
        read_contract(tmp_path)

"""Label schemes against the codes of the data sets' own descriptions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxres_tf.errors import DataError
from voxres_tf.labels import CLASS_NAMES, SCHEMES, common_classes, scheme

EVERY_SCHEME = pytest.mark.parametrize("name", sorted(SCHEMES))


def test_mrbrains13_merges_as_the_challenge_says() -> None:
    # 1 cortical GM, 2 basal ganglia, 3 WM, 4 lesion, 5 outer CSF, 6 ventricles, 7 cerebellum,
    # 8 brainstem; classes 0 background, 1 CSF, 2 GM, 3 WM.
    classes, scored = scheme("mrbrains13").merge(np.arange(9))
    assert classes.tolist() == [0, 2, 2, 3, 3, 1, 1, 0, 0]
    assert scored.tolist() == [True] * 7 + [False] * 2
    assert (classes.dtype, scored.dtype) == (np.uint8, np.bool_)


def test_mrbrains18_adds_other_and_infarction() -> None:
    classes, scored = scheme("mrbrains18").merge(np.arange(11))
    assert classes.tolist() == [0, 2, 2, 3, 3, 1, 1, 0, 0, 0, 0]
    assert np.flatnonzero(~scored).tolist() == [7, 8, 9, 10]


def test_iseg2017_and_ibsr18_go_from_csf_to_wm() -> None:
    assert scheme("iseg2017").merge(np.array([0, 10, 150, 250]))[0].tolist() == [0, 1, 2, 3]
    assert scheme("ibsr18").merge(np.array([0, 1, 2, 3]))[0].tolist() == [0, 1, 2, 3]


@EVERY_SCHEME
def test_unscored_codes_are_background(name: str) -> None:
    classes = scheme(name).classes
    assert all(classes[code] == 0 for code in scheme(name).unscored)
    assert set(classes.values()) == set(range(len(CLASS_NAMES)))


@given(name=st.sampled_from(sorted(SCHEMES)), draws=st.lists(st.integers(0, 99), max_size=12))
def test_merge_looks_at_each_voxel_alone(name: str, draws: list[int]) -> None:
    known = scheme(name)
    table = sorted(known.classes)
    codes = np.array([table[draw % len(table)] for draw in draws], np.int16).reshape(-1, 1)
    classes, scored = known.merge(codes)
    assert classes.shape == scored.shape == codes.shape
    assert classes.ravel().tolist() == [known.classes[int(code)] for code in codes.flat]
    assert scored.ravel().tolist() == [int(code) not in known.unscored for code in codes.flat]


OWN = {
    "classes": ["background", "brain", "lesion"],
    "codes": {"0": "background", "2": "brain", "3": "brain", "40": "lesion", "7": "background"},
    "unscored": [7],
}


def write(path: Path, **changes: object) -> str:
    path.write_text(json.dumps(OWN | changes))
    return str(path)


def test_a_file_names_codes_and_classes_of_ones_own(tmp_path: Path) -> None:
    own = scheme(write(tmp_path / "own.json"))
    assert own.class_names == ("background", "brain", "lesion")
    classes, scored = own.merge(np.array([40, 7, 3, 2, 0]))
    assert classes.tolist() == [2, 0, 1, 1, 0]
    assert scored.tolist() == [True, False, True, True, True]
    with pytest.raises(
        DataError, match=r"own\.json' are \[0, 2, 3, 7, 40\]\. Received: codes \[1\]"
    ):
        own.merge(np.array([1]))


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"classes": ["background", "brain", "brain"]}, "each class has a name of its own"),
        ({"classes": ["background", "brain"]}, "codes name the classes, all of them and no others"),
        ({"codes": {"0": "background", "1": "brain"}}, "all of them and no others"),
        ({"codes": {"zero": "background"}}, r"codes\.zero.*a whole number"),
        ({"codes": OWN["codes"] | {"02": "lesion"}}, r"codes\.02.*written as 7, not as 07"),
        ({"classes": ["brain"]}, "classes: .*at least 2"),
        ({"classes": ["background", "a,b"]}, r"classes\.1: .*pattern"),
        ({"unscored": [8]}, "unscored are some of the codes"),
        ({"colour": "red"}, "colour: Extra inputs"),
    ],
)
def test_a_file_that_is_no_scheme_is_refused(changes: dict, rule: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"own.json: .*{rule}"):
        scheme(write(tmp_path / "own.json", **changes))
    with pytest.raises(DataError, match=r"none\.json: .*a JSON file"):
        scheme(str(tmp_path / "none.json"))


def test_all_labels_of_a_training_have_the_same_classes(tmp_path: Path) -> None:
    own = write(tmp_path / "own.json")
    codes = {"1": "lesion", "0": "background", "2": "brain"}
    other = write(tmp_path / "other.json", codes=codes, unscored=[])
    assert common_classes([own, other]) == ("background", "brain", "lesion")
    assert common_classes(["ibsr18", "iseg2017"]) == common_classes([]) == CLASS_NAMES
    assert scheme(own).meaning != scheme(other).meaning
    with pytest.raises(DataError, match=r"the same classes\. Received: .*own\.json.*; tissue: "):
        common_classes([own, "tissue"])


def test_codes_stored_as_floats_are_merged() -> None:
    assert scheme("ibsr18").merge(np.array([[0.0, 3.0]], np.float32))[0].tolist() == [[0, 3]]


def test_unknown_codes_are_named() -> None:
    with pytest.raises(DataError, match=r"labels\.nii: .*'ibsr18'.*Received: codes \[-1, 7\]"):
        scheme("ibsr18").merge(np.array([0, 7, -1, 7]), "labels.nii")


def test_an_unknown_scheme_lists_the_known_ones() -> None:
    with pytest.raises(DataError, match=r"one of tissue, mrbrains13.*Received: 'mrbrain13'"):
        scheme("mrbrain13")

"""The errors: one family, one line."""

from __future__ import annotations

import pytest

from voxres_tf import errors

KINDS = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_caught_as_one(kind: type[Exception]) -> None:
    assert issubclass(kind, errors.VoxResError)
    assert kind.__doc__


@pytest.mark.parametrize("then", ["mend it", "Mend it", "mend it."])
def test_message_names_place_rule_value_and_step(then: str) -> None:
    line = errors.message("a.nii", "three axes", (4, 4), then)
    assert line == "a.nii: three axes. Received: (4, 4). Mend it."


def test_message_leaves_capitals_inside_the_step_alone() -> None:
    assert errors.message("a", "b", "c", "use NIfTI").endswith("Use NIfTI.")


def test_message_is_one_line_whatever_a_library_said() -> None:
    assert errors.message("a", "b", "first\n - second", "c") == "a: b. Received: first - second. C."


@pytest.mark.parametrize(
    ("names", "shown"),
    [([], ""), (["1"], "1"), (["1", "2"], "1, 2"), (["1", "2", "3", "4"], "1, 2 and 2 more")],
)
def test_of_many_names_the_first_are_told(names: list[str], shown: str) -> None:
    assert errors.first_of(names, 2) == shown

"""How TensorFlow is imported where stderr is not what it usually is."""

from __future__ import annotations

import logging
import os
import sys
from types import SimpleNamespace

import pytest

from voxres_tf import runtime


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of modules that were imported; none of them is, for TensorFlow's sake."""
    names: list[str] = []

    def pretend(name: str) -> SimpleNamespace:
        names.append(name)
        return SimpleNamespace(get_logger=logging.getLogger)

    level = logging.getLogger().level
    monkeypatch.setattr(runtime, "import_module", pretend)
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    yield names
    logging.getLogger().setLevel(level)


def test_without_a_stream_for_stderr(imported: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    runtime.import_tensorflow()
    assert imported == ["tensorflow"]


def test_with_a_stderr_that_is_closed(imported: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(_: int) -> int:
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr(os, "dup", closed)
    runtime.import_tensorflow()
    assert imported == ["tensorflow"]

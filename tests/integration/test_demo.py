"""The demonstration, cut short: everything that it promises lies there at the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from voxres_tf import demo
from voxres_tf.errors import OutputExistsError
from voxres_tf.evaluation.scores import read_scores


def test_it_leaves_what_it_promises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "TRAINING_SUBJECTS", 1)
    said: list[str] = []
    result = demo.run_demo(tmp_path / "demo", said.append, steps=3)
    assert [line[:3] for line in said] == ["1/5", "2/5", "3/5", "4/5", "5/5"]
    assert result.picture.read_bytes().startswith(b"\x89PNG")
    assert [score.class_name for score in read_scores(result.scores)] == ["CSF", "GM", "WM"]
    assert result.segmentation.is_file()
    assert (result.model / "assets.extra" / "voxres.json").is_file()
    assert (tmp_path / "demo" / "run" / "curves.png").is_file()
    with pytest.raises(OutputExistsError, match=r"scores\.csv"):
        demo.run_demo(tmp_path / "demo", said.append, steps=3)

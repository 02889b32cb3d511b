"""`benchmarks/subsets.py`: where it keeps what a model has segmented, of which scans."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import subsets
from tests.contracts import formula_contract
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.evaluation.scores import Score
from voxres_tf.inference.outcome import Outcome
from voxres_tf.inference.outputs import OutputPlan
from voxres_tf.labels import CLASS_NAMES


def test_segmentations_of_another_model_or_data_set_are_not_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = formula_contract()
    made: list[Path] = []

    def predict(_: object, subjects: Sequence[SubjectFiles], plan: OutputPlan) -> list[Outcome]:
        for files in subjects:
            path = plan.labels(files.id)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            made.append(path.relative_to(tmp_path / "out"))
        return [Outcome(files.id) for files in subjects]

    def model(name: str, **_: object) -> SimpleNamespace:
        return SimpleNamespace(contract=contract.model_copy(update={"weights_sha256": name * 64}))

    images = {"t1": tmp_path / "t1.nii", "flair": tmp_path / "flair.hdr"}
    images["t1"].write_text("scan")
    nib.save(nib.Nifti1Pair(np.zeros((2, 2, 2), np.uint8), np.eye(4)), images["flair"])
    tissues = CLASS_NAMES[1:]
    scores = [Score("1", name, 0.5, 1.0, 0.0, 1.0, 1.0) for name in tissues]
    evaluation = SimpleNamespace(scores=scores, class_names=CLASS_NAMES)
    monkeypatch.setattr(subsets, "Predictor", model)
    monkeypatch.setattr(subsets, "find_subjects", lambda *_, **__: [SubjectFiles("1", images)])
    monkeypatch.setattr(subsets, "predict_all", predict)
    monkeypatch.setattr(subsets, "evaluate", lambda *_, **__: evaluation)
    monkeypatch.setattr(subsets, "write_scores", lambda *_: None)
    for name in ("a", "b", "a", "b"):
        if len(made) == 6 and name == "b":
            (tmp_path / "flair.img").write_bytes(bytes(range(8)))
        done = CliRunner().invoke(subsets.main, [name, str(tmp_path), str(tmp_path / "out")])
        assert done.exit_code == 0, done.output
        assert "| t1, flair | 0.500 (0.500) |" in done.output
    assert [str(path.parent.name) for path in made] == ["t1+flair", "t1", "flair"] * 3
    folders = [path.parent.parent.name for path in made[::3]]
    assert [folder[:19] for folder in folders] == [f"formula-3-{n * 8}-" for n in "abb"]
    assert folders[0][19:] == folders[1][19:] != folders[2][19:]
    for option, ending in (("--align", "aligned"), ("--no-align", "not-aligned")):
        made.clear()
        arguments = ["b", str(tmp_path), str(tmp_path / "out"), option]
        done = CliRunner().invoke(subsets.main, arguments)
        assert done.exit_code == 0, done.output
        assert {path.parent.parent.name for path in made} == {f"{folders[2]}-{ending}"}
    del images["flair"]
    done = CliRunner().invoke(subsets.main, ["a", str(tmp_path), str(tmp_path / "out")])
    assert (done.exit_code, done.stderr) == (1, "Error: subject 1 lacks one of t1, flair\n")

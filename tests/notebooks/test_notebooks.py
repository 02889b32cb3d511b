"""The notebooks, executed from start to end as a reader would, and the values that they come to."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
COLAB = "https://colab.research.google.com"
LINK = re.compile(rf"{COLAB}/github/([\w.-]+/[\w.-]+)/blob/main/notebooks/(0\d-[a-z-]+\.ipynb)")
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])


@pytest.fixture(autouse=True)
def _as_a_user_starts_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the log level that TensorFlow, imported by other tests, has left in this process."""
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)


def executed(name: str, folder: Path, wanted: str) -> tuple[Any, nbformat.NotebookNode]:
    """The value of an expression after the last cell, and the notebook with its outputs."""
    notebook = nbformat.read(FOLDER / name, as_version=4)
    told = folder / "told.json"
    last = f"import json\nPath({str(told)!r}).write_text(json.dumps({wanted}), encoding='utf-8')"
    notebook.cells.append(nbformat.v4.new_code_cell(last))
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=900, kernel_name="python3", resources=resources).execute()
    return json.loads(told.read_text(encoding="utf-8")), notebook


def outputs(notebook: nbformat.NotebookNode) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def pictures(notebook: nbformat.NotebookNode) -> int:
    return sum("image/png" in output.get("data", ()) for output in outputs(notebook))


def complaints(notebook: nbformat.NotebookNode) -> list[str]:
    return [output.text for output in outputs(notebook) if output.get("name") == "stderr"]


def test_the_shipped_model_segments_a_phantom(tmp_path: Path) -> None:
    wanted = """{
        "three scans": {s.class_name: s.dice for s in three_scans_scores.scores},
        "T1 alone": {s.class_name: s.dice for s in t1_alone_scores.scores},
        "used": [three_scans.modalities, t1_alone.modalities, segmentation.modalities],
        "own": bool((segmentation.labels.data == t1_alone.labels.data).all()),
    }"""
    found, notebook = executed("01-segment-a-scan.ipynb", tmp_path, wanted)
    assert min(found["three scans"].values()) > 0.8
    assert min(found["T1 alone"].values()) > 0.6
    assert found["used"] == [["t1", "t1-ir", "flair"], ["t1"], ["t1"]]
    assert found["own"], "without an upload the phantom's T1 is segmented"
    assert (tmp_path / "runs" / "01" / "mine_dseg.nii.gz").is_file()
    assert pictures(notebook) == 2
    assert not complaints(notebook)


def test_both_stages_are_trained_and_compared(tmp_path: Path) -> None:
    wanted = """{
        "dice": {row.name: {tissue: row.summaries[tissue, "dice"].mean
                            for tissue in ("GM", "WM", "CSF")} for row in results},
        "scores": [len(row.scores) for row in results],
        "trainings": len(list((run / "networks").iterdir())),
        "channels": [Predictor(model).contract.model.in_channels for model in models.values()],
    }"""
    found, notebook = executed("02-train-with-auto-context.ipynb", tmp_path, wanted)
    assert list(found["dice"]) == ["stage 1", "both stages"]
    assert all(min(row.values()) > 0.5 for row in found["dice"].values())
    assert found["scores"] == [9, 9]
    assert found["trainings"] == 4
    assert found["channels"] == [6, 10]
    assert pictures(notebook) == 3
    assert not complaints(notebook)


def test_the_server_answers_what_the_model_does(tmp_path: Path) -> None:
    wanted = """{
        "same": same,
        "tissues": sorted(set(labels["local"].ravel().tolist())),
        "line": docker_line(model.parent),
    }"""
    found, notebook = executed("03-export-serve-query.ipynb", tmp_path, wanted)
    assert found["same"].keys() == {"tile", "volume"}
    assert min(found["same"].values()) >= 0.999
    assert len(found["tissues"]) > 2
    assert found["line"].startswith("docker run --rm -p 127.0.0.1:8500:8500")
    assert pictures(notebook) == 1
    assert not complaints(notebook)


def test_there_are_three() -> None:
    assert [path.name[:2] for path in NOTEBOOKS] == ["01", "02", "03"]


@every_notebook
def test_it_is_stored_as_it_was_written(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert not [cell for cell in code if cell.outputs or cell.execution_count is not None]


@every_notebook
def test_it_opens_in_colab_and_installs_itself_there(path: Path) -> None:
    title, install, *_ = nbformat.read(path, as_version=4).cells
    listed = LINK.findall((FOLDER / "README.md").read_text(encoding="utf-8"))
    assert [name for _, name in listed] == [path.name for path in NOTEBOOKS]
    (repository,) = {repository for repository, _ in listed}
    assert f"[![Open in Colab]({COLAB}/assets/colab-badge.svg)]({COLAB}/" in title.source
    assert LINK.findall(title.source) == [(repository, path.name)]
    assert install.source.endswith(f"%pip install --quiet git+https://github.com/{repository}")


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=["lint", "format"])
def test_ruff_finds_nothing(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, *map(str, NOTEBOOKS)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout

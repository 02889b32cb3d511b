"""`benchmarks/finetune.sh`, with a stand-in for `voxres`: repeated it goes on."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "finetune.sh"
VOXRES = """#!/usr/bin/env bash
echo "$*" >> "$CALLS"
case $1 in
  export) mkdir -p "$4/1" ;;
  evaluate) [[ ! -e $7 || $* == *--overwrite* ]] && touch "$7" ;;
esac
"""


def test_a_repeated_call_goes_on_and_other_steps_are_other_runs(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / "train" / str(number)).mkdir(parents=True)
    (tmp_path / "out").mkdir()
    stand_in, calls = tmp_path / "bin" / "voxres", tmp_path / "calls"
    stand_in.parent.mkdir()
    stand_in.write_text(VOXRES)
    stand_in.chmod(0o755)
    path = f"{stand_in.parent}{os.pathsep}{os.environ['PATH']}"
    folders = [str(tmp_path / name) for name in ("train", "test", "out")]
    for steps in ("5", "5", "7"):
        subprocess.run(
            [str(SCRIPT), "model", *folders, steps],
            env={**os.environ, "PATH": path, "CALLS": str(calls)},
            check=True,
            capture_output=True,
        )
    lines = calls.read_text().splitlines()
    # Tuned and from scratch on 1, 2 and 5 subjects, 5 and 7 steps long.
    exported = [line for line in lines if line.startswith("export")]
    assert len(exported) == len(set(exported)) == 12
    assert len([line for line in lines if line.startswith("evaluate")]) == 18

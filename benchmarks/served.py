"""Labels of `predict` here and of `predict --server`, compared voxel by voxel, as a Markdown table.

    python -m benchmarks.served MODEL DATA

from a checkout. The server is the tests' loopback one, on TensorFlow's C API, not TF Serving's
binary.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np

from tests.inference.exported import Exported
from tests.inference.loopback import serve_grpc
from voxres_tf.contract import read_contract
from voxres_tf.dataset.layouts import find_subjects
from voxres_tf.export.capi import CApiSession
from voxres_tf.export.serving import write_warmup
from voxres_tf.inference.models import resolve_model
from voxres_tf.inference.predict import Predictor
from voxres_tf.inference.server import Mode, Server

MODES: tuple[Mode, ...] = ("tile", "volume")


@click.command()
@click.argument("model")
@click.argument("data", type=click.Path(exists=True, path_type=Path))
def main(model: str, data: Path) -> None:
    found = resolve_model(model)
    contract = read_contract(found)
    here = Predictor(found, probabilities=False)
    click.echo("| subject | mode | voxels | that differ | equal |\n|---|---|---|---|---|")
    with TemporaryDirectory() as scratch:
        folder = shutil.copytree(found, Path(scratch) / contract.name / str(contract.version))
        write_warmup(folder, contract)
        with CApiSession(folder) as session, serve_grpc(Exported(folder, session)) as address:
            there = {
                mode: Predictor(
                    Server(address=address, model_name=contract.name, mode=mode),
                    probabilities=False,
                )
                for mode in MODES
            }
            for subject in find_subjects(data, layout="auto"):
                expected = here(subject).labels.data
                for mode, predictor in there.items():
                    differ = int(np.count_nonzero(predictor(subject).labels.data != expected))
                    share = 100 * (1 - differ / expected.size)
                    row = f"{expected.size:,} | {differ:,} | {share:.4f} %"
                    click.echo(f"| {subject.id} | {mode} | {row} |")


if __name__ == "__main__":
    main()

"""Compare the labels of `predict` and `predict --server` voxel by voxel, as a Markdown table.

    python -m benchmarks.served MODEL DATA

Run it from a checkout. The server is the loopback server of the tests, on TensorFlow's C API, not
TF Serving's binary.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from tests.inference.exported import behind_server
from tests.inference.loopback import serve_grpc
from voxres_tf.contract import read_contract
from voxres_tf.dataset.layouts import find_subjects
from voxres_tf.inference.models import resolve_model
from voxres_tf.inference.predict import Predictor
from voxres_tf.inference.server import Mode, Server

MODES: tuple[Mode, ...] = ("tile", "volume")


@click.command()
@click.argument("model")
@click.argument("data", type=click.Path(exists=True, path_type=Path))
def main(model: str, data: Path) -> None:
    found = resolve_model(model)
    name = read_contract(found).name
    here = Predictor(found, probabilities=False)
    click.echo("| subject | mode | voxels | that differ | equal |\n|---|---|---|---|---|")
    with behind_server(found) as served, serve_grpc(served) as address:
        servers = {m: Server(address=address, model_name=name, mode=m) for m in MODES}
        there = {mode: Predictor(s, probabilities=False) for mode, s in servers.items()}
        for subject in find_subjects(data, layout="auto"):
            expected = here(subject).labels.data
            for mode, predictor in there.items():
                differ = int(np.count_nonzero(predictor(subject).labels.data != expected))
                share = 100 * (1 - differ / expected.size)
                row = f"{expected.size:,} | {differ:,} | {share:.4f} %"
                click.echo(f"| {subject.id} | {mode} | {row} |")


if __name__ == "__main__":
    main()

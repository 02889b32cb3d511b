"""`python -m voxres_tf.export.verify MODEL WORK`: several roads to an exported model's answers.

`export.compare` starts it in a process that has neither the trained network nor its code.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from voxres_tf.contract import SEGMENT, SEGMENT_PROBABILITIES, read_contract
from voxres_tf.dataset.subject import SubjectFiles, read_subject
from voxres_tf.export.agreement import Agreement, agreement
from voxres_tf.export.capi import CApiSession
from voxres_tf.export.reference import CASES_FILE, alone, scan_file
from voxres_tf.inference.predict import Predictor
from voxres_tf.preprocess.channels import stack_modalities
from voxres_tf.volume import Volume

PYTHON, C_API, PREDICT = "SavedModel", "C API", "voxres predict"

Run = Callable[..., Mapping[str, NDArray[Any]]]
"""(signature, its inputs by name) -> its outputs by name."""


def roads(model: Path, work: Path) -> Iterator[Agreement]:
    """Obtain a SavedModel's answers by several roads, and compare them with the live networks'.

    TensorFlow for Python and the C API each predict tiles and whole volumes; `voxres predict` reads
    files, tiles and blends by itself. A model that can work with one modality is also run with one.

    Args:
        model: folder of the SavedModel.
        work: the folder that `live.write_cases` wrote to.
    """
    contract = read_contract(model)
    with np.load(work / CASES_FILE, allow_pickle=False) as stored:
        cases = dict(stored)
    every: tuple[str, ...] = contract.preprocess.modalities
    files = {name: scan_file(work, name) for name in every}
    predict = Predictor(model, device="cpu")

    def segmented(road: str, run: Run, modalities: tuple[str, ...], expected: str) -> Agreement:
        subject = read_subject(_subject(files, modalities), modalities)
        images = stack_modalities(subject, contract.preprocess).image
        labels = run(SEGMENT, images=images)["labels"]
        probabilities = run(SEGMENT_PROBABILITIES, images=images)["probabilities"]
        return agreement(road, [probabilities], [labels], [cases[expected]])

    def predicted(road: str, modalities: tuple[str, ...], expected: str) -> Agreement:
        found = predict(_subject(files, modalities))
        probabilities = cast(Volume, found.probabilities)  # kept by default
        return agreement(road, [probabilities.data], [found.labels.data], [cases[expected]])

    first = alone(contract)

    def by_python() -> list[Agreement]:
        run = in_python(model)
        whole = segmented(f"{PYTHON}, {SEGMENT}", run, every, "volume")
        wanted = "aligned" if contract.align else "volume"
        found = [*tiles(PYTHON, run, cases), whole, predicted(PREDICT, every, wanted)]
        return (
            [*found, predicted(f"{PREDICT}, {first} alone", (first,), "alone")] if first else found
        )

    def by_c() -> list[Agreement]:
        with CApiSession(model) as session:
            whole = segmented(f"{C_API}, {SEGMENT}", session.run, every, "volume")
            found = [*tiles(C_API, session.run, cases), whole]
            if first:
                road = f"{C_API}, {SEGMENT}, {first} alone"
                found.append(segmented(road, session.run, (first,), "alone"))
        return found

    # Much of the time is spent loading and rewriting graphs, which uses a single core.
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(by_python), pool.submit(by_c)]
        found = [road for future in both for road in future.result()]
    for way in (PYTHON, C_API, PREDICT):
        yield from (road for road in found if road.road.startswith(way))


def tiles(way: str, run: Run, cases: Mapping[str, NDArray[Any]]) -> Iterator[Agreement]:
    """Compare each signature that takes tiles with the live networks.

    Args:
        way: name of `run` in the results.
        run: runs a signature.
        cases: see `live.write_cases`.
    """
    asked = cases["signatures"].tolist()
    for signature in dict.fromkeys(asked):
        numbers = [n for n, name in enumerate(asked) if name == signature]
        found = [run(signature, image=cases[f"tile{n}"])["probabilities"] for n in numbers]
        labels = [probabilities.argmax(axis=-1) for probabilities in found]
        expected = [cases[f"expected{n}"] for n in numbers]
        yield agreement(f"{way}, {signature}", found, labels, expected)


def in_python(model: Path) -> Run:
    """Load a SavedModel with TensorFlow for Python; the result runs its signatures."""
    loaded = tf.saved_model.load(str(model))

    def run(signature: str, **inputs: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        given = {name: tf.constant(array) for name, array in inputs.items()}
        answers = loaded.signatures[signature](**given)
        return {name: answer.numpy() for name, answer in answers.items()}

    return run


def _subject(files: Mapping[str, Path], modalities: tuple[str, ...]) -> SubjectFiles:
    return SubjectFiles("reference", {name: files[name] for name in modalities})


def main(arguments: list[str]) -> None:
    """Print the findings as one line of JSON."""
    found = [asdict(road) for road in roads(Path(arguments[0]), Path(arguments[1]))]
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])

"""Subjects on disk and a predictor whose network is a formula."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.contracts import formula_contract
from tests.inference.loopback import Model, formula
from tests.inference.ways import WAYS
from voxres_tf.config import Resolution
from voxres_tf.contract import ANSWER, CONTRACT_FILE
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.files import write_json
from voxres_tf.grid import Grid
from voxres_tf.inference.predict import Predictor
from voxres_tf.volume import write_volume


@pytest.fixture
def contract_folder(tmp_path: Path) -> Path:
    """`<name>/<version>/` with a contract and nothing else."""
    folder = tmp_path / "formula" / "3"
    write_json(folder / CONTRACT_FILE, formula_contract().model_dump(mode="json"))
    return folder


@pytest.fixture
def optional(contract_folder):
    """Make T1 and FLAIR, both of which the model takes, ones that may be missing."""

    def make(*modalities):
        path = contract_folder / CONTRACT_FILE
        write_json(path, json.loads(path.read_text()) | {"optional_modalities": modalities})

    return make


@pytest.fixture
def any_spacing(contract_folder):
    """Make the model one that takes spacings of about 1 mm in plane, 0.8 to 5.5 between slices."""
    path = contract_folder / CONTRACT_FILE
    contract = json.loads(path.read_text())
    contract["preprocess"]["resolution"] = Resolution().model_dump(mode="json")
    write_json(path, contract)


class OneStage:
    """Stands in for `SavedModelEngine`: a formula for the only signature of one stage."""

    def __init__(self, function):
        self._function = function

    def run(self, signature, tiles):
        assert signature == ANSWER
        return self._function(tiles)


@pytest.fixture
def make_predictor(contract_folder):
    def make(engine=formula, **options):
        predictor = Predictor(contract_folder, **options)
        predictor.__dict__["engine"] = OneStage(engine)
        return predictor

    return make


# Left-posterior-superior, axes permuted and a few degrees oblique; 0.9 x 3 x 1.2 mm.
OBLIQUE = np.array(
    [
        [0.02, -0.1, -1.2, 90.0],
        [-0.9, 0.2, 0.03, -60.0],
        [0.05, 2.99, -0.1, 40.0],
        [0, 0, 0, 1.0],
    ]
)


@pytest.fixture
def write_subject(tmp_path):
    def write(name="s1", *, shape=(18, 10, 20), affine=OBLIQUE, modalities=("t1", "flair")):
        random = np.random.default_rng(len(name))
        grid = Grid(shape, affine, sform=affine, sform_code=2)
        images = {}
        for modality in modalities:
            images[modality] = tmp_path / "data" / name / f"{modality}.nii"
            write_volume(images[modality], random.random(shape, np.float32), grid)
        return SubjectFiles(name, images)

    return write


@pytest.fixture
def contract(contract_folder):
    return (contract_folder / CONTRACT_FILE).read_text()


@pytest.fixture
def model(contract):
    return Model(contract)


@pytest.fixture(params=WAYS)
def way(request):
    return request.param


@pytest.fixture
def address(model, way):
    with WAYS[way](model) as address:
        yield address


@pytest.fixture
def local(make_predictor):
    return make_predictor(formula)

"""A whole head of MRBrainS13's size, segmented by the shipped model here and by a server."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from tests.inference.exported import Exported
from tests.inference.loopback import serve_grpc
from voxres_tf.contract import read_contract
from voxres_tf.dataset.subject import Subject
from voxres_tf.export.capi import CApiSession
from voxres_tf.export.serving import write_warmup
from voxres_tf.inference.models import resolve_model
from voxres_tf.inference.predict import Predictor
from voxres_tf.inference.server import Server
from voxres_tf.phantom.generate import STEMS, generate_subject

NAME = "brain-tissue"


@pytest.fixture(scope="module")
def subject():
    found = generate_subject("full", 3, 1)
    images = {modality: found[stem] for modality, stem in STEMS.items()}
    return Subject("phantom", images, images["t1"].grid)


@pytest.fixture(scope="module")
def expected(subject):
    return Predictor(NAME, device="cpu", probabilities=False)(subject).labels.data


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    found = resolve_model(NAME)
    folder = shutil.copytree(found, tmp_path_factory.mktemp("served") / NAME / found.name)
    write_warmup(folder, read_contract(folder))
    with CApiSession(folder) as session, serve_grpc(Exported(folder, session)) as address:
        yield address


@pytest.mark.parametrize("mode", ["tile", "volume"])
def test_a_server_gives_the_labels_of_prediction_here(subject, expected, address, mode):
    assert expected.shape == (240, 240, 48)
    assert min(np.bincount(expected.ravel(), minlength=4)) > 10_000
    predictor = Predictor(Server(address=address, model_name=NAME, mode=mode), probabilities=False)
    assert np.mean(predictor(subject).labels.data == expected) >= 0.999

"""A whole head of MRBrainS13's size, segmented by the shipped model here and by a server."""

from __future__ import annotations

import numpy as np
import pytest

from tests.inference.exported import behind_server
from tests.inference.loopback import serve_grpc
from voxres_tf.dataset.subject import Subject
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
    return Predictor(NAME, device="cpu", probabilities=False, align=False)(subject).labels.data


@pytest.fixture(scope="module")
def address():
    with behind_server(resolve_model(NAME)) as model, serve_grpc(model) as address:
        yield address


@pytest.mark.parametrize("mode", ["tile", "volume"])
def test_a_server_gives_the_labels_of_prediction_here(subject, expected, address, mode):
    assert expected.shape == (240, 240, 48)
    assert min(np.bincount(expected.ravel(), minlength=4)) > 10_000
    server = Server(address=address, model_name=NAME, mode=mode)
    predictor = Predictor(server, probabilities=False, align=False)
    assert np.mean(predictor(subject).labels.data == expected) >= 0.999

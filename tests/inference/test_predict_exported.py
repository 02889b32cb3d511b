"""`voxres predict --server` on the session of an exported model gives what it gives without."""

from __future__ import annotations

import numpy as np
import pytest

from tests.inference.exported import behind_server
from tests.inference.ways import WAYS, connect
from voxres_tf.contract import ANSWER, SEGMENT
from voxres_tf.inference.predict import Predictor


@pytest.fixture(scope="module")
def served(tiny_model):
    """The version, and it behind the server's interface."""
    with behind_server(tiny_model) as model:
        yield tiny_model, model


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("mode", "signature"), [("tile", ANSWER), ("volume", SEGMENT)])
def test_labels_are_those_of_prediction_here(served, write_subject, mode, signature, way):
    folder, model = served
    files = write_subject()
    expected = Predictor(folder, device="cpu")(files)
    model.asked.clear()
    with WAYS[way](model) as address:
        server = {"model_name": "tiny", "mode": mode}
        found = connect(address, way, server=server, probabilities=False)(files)
    assert set(model.asked) == {(1, signature)}
    assert len(np.unique(expected.labels.data)) > 1
    np.testing.assert_array_equal(found.labels.data, expected.labels.data)


def test_warm_up_requests_are_answered_first(served):
    _, model = served
    assert set(model.warmed) == set(model.functions[1].signatures)

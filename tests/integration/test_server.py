"""An exported model behind a server answers as it does when it is loaded here."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.inference.loopback import Model, serve_grpc
from tests.inference.ways import asking, serve_rest
from voxres_tf.dataset.subject import Subject
from voxres_tf.grid import Grid
from voxres_tf.inference.predict import Predictor
from voxres_tf.volume import Volume


class SavedModelBehind(Model):
    """A loopback model that asks the signatures of a SavedModel, `contract` too."""

    def __init__(self, path):
        super().__init__("", name="tiny")
        self.signatures = tf.saved_model.load(str(path)).signatures
        self.states = {1: "AVAILABLE"}

    def predict(self, name, version, signature, inputs):
        assert self.status(name)[version] == "AVAILABLE"
        function = self.signatures[signature]
        specs = function.structured_input_signature[1]
        given = {k: tf.constant(v, specs[k].dtype) for k, v in inputs.items()}
        answer = {k: v.numpy() for k, v in function(**given).items()}
        self.asked.append((version, signature))
        return {k: v[0].decode() if v.dtype == object else v for k, v in answer.items()}


@pytest.fixture(scope="module")
def behind(tiny_model):
    return SavedModelBehind(tiny_model)


@pytest.fixture(scope="module")
def subject():
    grid = Grid((20, 17, 11), np.diag([-1.0, 1, 3, 1]))
    random = np.random.default_rng(3)
    images = {
        name: Volume(random.gamma(2, 100, grid.shape).astype(np.float32), grid)
        for name in ("t1", "flair")
    }
    return Subject("s", images, grid)


@pytest.mark.parametrize("serve", [serve_grpc, serve_rest])
@pytest.mark.parametrize("mode", ["tile", "volume"])
def test_local_and_served_labels_are_the_same(behind, tiny_model, subject, serve, mode):
    local = Predictor(tiny_model, device="cpu")(subject)
    with serve(behind) as address:
        server = asking(address, model_name="tiny", mode=mode, rest=serve is serve_rest)
        served = Predictor(server)(subject)
    np.testing.assert_allclose(served.probabilities.data, local.probabilities.data, atol=1e-5)
    same = served.labels.data == local.labels.data
    assert same.mean() >= 0.999
    assert len(np.unique(local.labels.data)) > 1

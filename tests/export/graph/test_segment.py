"""The exported signatures of a whole subject against `Predictor`, which asks tile by tile."""

from __future__ import annotations

from contextlib import closing

import nibabel as nib
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.config_pb2 import CallableOptions
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from tests.contracts import formula_contract
from voxres_tf.contract import (
    ANSWER,
    CONTRACT,
    CONTRACT_FILE,
    SEGMENT,
    SEGMENT_NIFTI,
    SEGMENT_PROBABILITIES,
)
from voxres_tf.dataset.subject import Subject
from voxres_tf.export.graph.segment import volume_functions
from voxres_tf.export.live import write_cases
from voxres_tf.export.reference import CASES_FILE
from voxres_tf.files import write_json
from voxres_tf.grid import Grid
from voxres_tf.inference.predict import Predictor
from voxres_tf.volume import Volume, write_volume


def random_images(*shape):
    return np.random.default_rng(0).gamma(2, 100, (*shape, 2)).astype(np.float32)


def as_subject(images):
    grid = Grid(images.shape[:3], np.eye(4))
    volumes = {name: Volume(images[..., n], grid) for n, name in enumerate(("t1", "flair"))}
    return Subject("s", volumes, grid)


# Several tiles along every axis, then a volume that is shorter than a tile along two.
PATCH = (24, 16, 8)
SHAPES = ((20, 18, 11), (9, 18, 5))


@pytest.mark.parametrize("name", ["tiny_model", "two_stage_model"])
def test_the_whole_subject_in_one_call(request, name):
    predictor = Predictor(request.getfixturevalue(name), device="cpu")
    signatures = tf.saved_model.load(str(predictor.path)).signatures
    for shape in SHAPES:
        images = random_images(*shape)
        expected = predictor(as_subject(images))
        given = tf.constant(images)
        labels = signatures[SEGMENT](images=given)["labels"].numpy()
        shares = signatures[SEGMENT_PROBABILITIES](images=given)["probabilities"].numpy()
        assert (labels.dtype, labels.shape) == (np.uint8, shape)
        assert len(np.unique(labels)) > 1
        assert np.mean(labels == expected.labels.data) >= 0.999
        assert (shares.dtype, shares.shape) == (np.float32, (*shape, 4))
        np.testing.assert_allclose(shares, expected.probabilities.data, atol=1e-4)


def leaning(channels):
    """Class 2 where the first channel is positive, more surely on a tile's left; any library."""
    lean = np.linspace(0.4, 0, channels.shape[1], dtype=np.float32)[:, None, None, None]
    return (channels[..., :1] + lean) * np.float32([-1, 0, 1, 0])


class Formula:
    """Stands in for `Stages` of one network."""

    def answer(self, signature, **_):
        assert signature == ANSWER
        return leaning

    def run(self, signature, tiles):
        return self.answer(signature)(tiles)


def test_one_scan_is_not_two():
    function = volume_functions(Formula(), formula_contract(patch=PATCH))[SEGMENT]
    images = random_images(24, 16, 8)
    images[..., 1] = images[..., 0]
    with pytest.raises(tf.errors.InvalidArgumentError, match="flair: t1 and flair are two scans"):
        function(tf.constant(images))
    assert function(tf.zeros((24, 16, 8, 2)))["labels"].shape == (24, 16, 8)  # both are missing


@pytest.mark.parametrize("careful", [{}, {"overlap": 0.25, "tta": True, "one_piece": True}])
def test_all_roads_predict_as_the_contract_says(tmp_path, careful):
    contract = formula_contract(patch=PATCH).model_copy(update=careful)
    # A brain, and a tenth of it apart.
    images = random_images(60, 40, 30) / 20
    images[3:, :, 13:28, 0] += 2000
    images[20:40, :20, 1:3, 0] += 2000
    subject = as_subject(images)
    write_json(tmp_path / CONTRACT_FILE, contract.model_dump(mode="json"))
    predictor = Predictor(tmp_path)
    predictor.__dict__["engine"] = Formula()
    expected = predictor(subject)
    signatures = volume_functions(Formula(), contract)
    shares = signatures[SEGMENT_PROBABILITIES](tf.constant(images))["probabilities"].numpy()
    labels = signatures[SEGMENT](tf.constant(images))["labels"].numpy()
    write_cases(tmp_path, subject, Formula(), contract)
    live = np.load(tmp_path / CASES_FILE)["volume"]
    for found in (shares, live):
        np.testing.assert_allclose(found, expected.probabilities.data, atol=1e-5)
    np.testing.assert_array_equal(labels, expected.labels.data)
    neck = np.mean(labels[20:40, :20, 1:3] == 2)
    assert neck == 0 if careful else neck > 0.9
    assert np.mean(labels[..., 13:28] == 2) > 0.9


class Bright:
    """Stands in for `Stages`: white matter wherever a channel is bright, the more the surer."""

    def answer(self, *_, **__):
        def shares(channels):
            most = tf.reduce_max(channels, axis=-1, keepdims=True)
            white = tf.nn.sigmoid(4 * (most - 0.3))
            return tf.concat([1 - white, tf.zeros_like(most), tf.zeros_like(most), white], -1)

        return shares

    def run(self, signature, tiles):
        return self.answer(signature)(tiles).numpy()


def test_scans_are_aligned_in_the_graph_as_by_predict(tmp_path):
    both = ("t1", "flair")
    contract = formula_contract(both, PATCH, optional=both).model_copy(update={"align": True})
    write_json(tmp_path / CONTRACT_FILE, contract.model_dump(mode="json"))
    predictor = Predictor(tmp_path)
    predictor.__dict__["engine"] = Bright()
    # Stored from right to left, the slices first.
    grid = Grid((24, 60, 70), np.array([[0, -1, 0, 9], [0, 0, 1, 8], [3, 0, 0, 7], [0, 0, 0, 1.0]]))
    files = {}
    for name, shift_mm in zip(both, ((0, 0, 0), (-2.5, 1.5, 1)), strict=True):
        at = (np.indices(grid.shape).T - (12, 30, 34)) * (3, 1, 1) - np.roll(shift_mm, 1)
        radius = np.linalg.norm(at / (0.9, 1, 1.2), axis=-1).T
        files[name] = tmp_path / f"{name}.nii"
        write_volume(files[name], (100 / (1 + np.exp(radius - 25))).astype(np.float32), grid)
    expected = predictor(files)
    assert expected.alignment.offsets["flair"].size[1] > 2
    segment = volume_functions(Bright(), contract)[SEGMENT_NIFTI]
    given = [tf.constant(files[name].read_bytes()) for name in both]
    found = nib.Nifti1Image.from_bytes(segment(*given)["labels_nifti_bytes"].numpy())
    np.testing.assert_array_equal(np.asanyarray(found.dataobj), expected.labels.data)
    left = Predictor(tmp_path, align=False)
    left.__dict__["engine"] = Bright()
    assert np.mean(left(files).labels.data != expected.labels.data) > 0.005


@pytest.fixture(scope="module")
def segment_in_session(tiny_model):
    """What TF Serving does: a session, which holds no fed array against the signature."""
    # Not the default graph, in which other fixtures could not run.
    with closing(tf.compat.v1.Session(graph=tf.Graph())) as session:
        with session.graph.as_default():
            graph = tf.compat.v1.saved_model.load(session, ["serve"], str(tiny_model))
        signature = graph.signature_def[SEGMENT]
        names = CallableOptions(
            feed=[signature.inputs["images"].name], fetch=[signature.outputs["labels"].name]
        )
        yield session._make_callable_from_options(names)


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        (random_images(16, 16, 8)[..., :1], r"\[16,16,8,1\] is not compatible with .*2\]"),
        (random_images(16, 16, 8)[..., 0], r"\[16,16,8\] is not compatible with"),
        (random_images(16, 16, 0), r"voxres: images \[X, Y, Z, 2\] \(t1, flair\) must have a vo"),
        (np.full((16, 16, 8, 2), np.inf), r"voxres: images .* must be finite : Tensor had Inf"),
        (np.full((16, 16, 8, 2), np.nan), r"voxres: images .* must be finite : Tensor had NaN"),
    ],
)
def test_a_session_refuses_what_is_no_subject(segment_in_session, images, reason):
    with pytest.raises(tf.errors.InvalidArgumentError, match=reason):
        segment_in_session(images.astype(np.float32))


def test_nothing_is_compiled_by_xla(two_stage_model):
    # On a CPU XLA takes minutes for such a network, and a server may lack it.
    stored = SavedModel()
    stored.ParseFromString((two_stage_model / "saved_model.pb").read_bytes())
    functions = stored.meta_graphs[0].graph_def.library.function
    assert not [f.signature.name for f in functions if f.attr["_XlaMustCompile"].b]


def test_signatures_are_named_and_open_in_space(tiny_model):
    signatures = tf.saved_model.load(str(tiny_model)).signatures
    volumes = {SEGMENT, SEGMENT_PROBABILITIES, SEGMENT_NIFTI}
    assert set(signatures) == {"serving_default", CONTRACT, *volumes}
    for name, output in ((SEGMENT, "labels"), (SEGMENT_PROBABILITIES, "probabilities")):
        (spec,) = signatures[name].structured_input_signature[1].values()
        assert (spec.name, spec.shape.as_list()) == ("images", [None, None, None, 2])
        assert list(signatures[name].structured_outputs) == [output]
    files = signatures[SEGMENT_NIFTI].structured_input_signature[1]
    assert {name: spec.dtype for name, spec in files.items()} == dict.fromkeys(
        ("t1", "flair"), tf.string
    )
    # A name that ends in _bytes is what TF Serving sends as base64.
    assert list(signatures[SEGMENT_NIFTI].structured_outputs) == ["labels_nifti_bytes"]

"""What TF Serving reads: settings by its own message types, warm-up requests by a session."""

from __future__ import annotations

import shlex
import shutil
import subprocess

import nibabel as nib
import numpy as np
import pytest
import tensorflow as tf
import yaml
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from tests.contracts import formula_contract
from tests.tiny import agreed
from voxres_tf.contract import CONTRACT, SEGMENT, SEGMENT_NIFTI, parse_contract, read_contract
from voxres_tf.errors import ConfigError, ModelError
from voxres_tf.export import saved_model, serving
from voxres_tf.export.integrity import check_whole
from voxres_tf.export.saved_model import export_run
from voxres_tf.export.serving import (
    MOST_AT_ONCE,
    SETTINGS,
    WARMUP_FILE,
    docker_line,
    warmup_requests,
)


@pytest.fixture(scope="module")
def served(tiny_run, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saved_model, "compare_in_fresh_process", agreed)
        return export_run(tiny_run, tmp_path_factory.mktemp("served") / "net", serving=True)


# These two are no part of tensorflow-serving-api; names and numbers are those of
# session_bundle_config.proto and monitoring_config.proto, field by field.
PUBLISHED = """
name: "published.proto" package: "tensorflow.serving" syntax: "proto3"
dependency: "google/protobuf/wrappers.proto"
message_type {
  name: "BatchingParameters"
  field { name: "max_batch_size" number: 1 label: LABEL_OPTIONAL
          type: TYPE_MESSAGE type_name: ".google.protobuf.Int64Value" }
  field { name: "batch_timeout_micros" number: 2 label: LABEL_OPTIONAL
          type: TYPE_MESSAGE type_name: ".google.protobuf.Int64Value" }
  field { name: "max_enqueued_batches" number: 3 label: LABEL_OPTIONAL
          type: TYPE_MESSAGE type_name: ".google.protobuf.Int64Value" }
  field { name: "num_batch_threads" number: 4 label: LABEL_OPTIONAL
          type: TYPE_MESSAGE type_name: ".google.protobuf.Int64Value" }
}
message_type {
  name: "PrometheusConfig"
  field { name: "enable" number: 1 label: LABEL_OPTIONAL type: TYPE_BOOL }
  field { name: "path" number: 2 label: LABEL_OPTIONAL type: TYPE_STRING }
}
message_type {
  name: "MonitoringConfig"
  field { name: "prometheus_config" number: 1 label: LABEL_OPTIONAL
          type: TYPE_MESSAGE type_name: ".tensorflow.serving.PrometheusConfig" }
}
"""


def published(name):
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(text_format.Parse(PUBLISHED, descriptor_pb2.FileDescriptorProto()))
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tensorflow.serving.{name}"))


def test_models_config(served):
    text = (served.parent / "models.config").read_text()
    (config,) = text_format.Parse(text, ModelServerConfig()).model_config_list.config
    assert (config.name, config.base_path) == ("net", "/models/net")
    assert config.model_platform == "tensorflow"
    assert config.model_version_policy.latest.num_versions == 2


def test_batching_never_joins_volumes(served):
    text = (served.parent / "batching_parameters.txt").read_text()
    parameters = text_format.Parse(text, published("BatchingParameters")())
    assert 1 < parameters.max_batch_size.value == MOST_AT_ONCE < 8
    assert parameters.num_batch_threads.value == 1
    assert parameters.max_enqueued_batches.value >= 1


def test_metrics(served):
    text = (served.parent / "monitoring.config").read_text()
    metrics = text_format.Parse(text, published("MonitoringConfig")()).prometheus_config
    assert metrics.enable
    assert metrics.path == "/monitoring/prometheus/metrics"


def test_compose_and_docker_say_the_same(served):
    (service,) = yaml.safe_load((served.parent / "docker-compose.yml").read_text())[
        "services"
    ].values()
    words = shlex.split(docker_line(served.parent))
    image = words.index(service["image"])
    assert words[:2] == ["docker", "run"]
    assert words[image + 1 :] == service["command"]
    assert [words[n + 1] for n, word in enumerate(words) if word == "-p"] == service["ports"]
    (volume,) = service["volumes"]
    assert volume["target"] == "/models/net"
    assert volume["read_only"]
    mount = words[words.index("--mount") + 1]
    assert mount == f"type=bind,source={served.parent},target=/models/net,readonly"
    files = {word.split("/models/net/")[1] for word in service["command"] if "/models/" in word}
    assert files < SETTINGS.keys()


def records(version):
    path = str(version / WARMUP_FILE)
    return [
        PredictionLog.FromString(record.numpy()).predict_log.request
        for record in tf.data.TFRecordDataset(path)
    ]


def signatures(version):
    model = SavedModel.FromString((version / "saved_model.pb").read_bytes())
    (graph,) = model.meta_graphs
    return {k: v for k, v in graph.signature_def.items() if not k.startswith("__")}


def test_a_session_answers_every_warm_up_request(served):
    requests = {request.model_spec.signature_name: request for request in records(served)}
    assert requests.keys() == signatures(served).keys()
    assert (served / WARMUP_FILE).stat().st_size < 2000
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], str(served))
        for name, request in requests.items():
            signature = graph.signature_def[name]
            assert request.model_spec.name == "net"
            feed = {signature.inputs[k].name: tf.make_ndarray(v) for k, v in request.inputs.items()}
            fetch = {k: v.name for k, v in signature.outputs.items()}
            answer = session.run(fetch, feed)
            if name == CONTRACT:
                (text,) = answer["contract"]
                assert parse_contract(text, "server") == read_contract(served)
            elif name == SEGMENT:
                assert answer["labels"].shape == (MOST_AT_ONCE, 16, 8)
            elif name == SEGMENT_NIFTI:
                (file,) = answer["labels_nifti_bytes"]
                assert nib.Nifti1Image.from_bytes(file).shape == (8, 8, 8)
            else:
                np.testing.assert_allclose(answer["probabilities"].sum(-1), 1, atol=1e-5)


def test_two_stages_have_a_request_for_each_of_their_signatures(two_stage_model):
    requests = {
        log.predict_log.request.model_spec.signature_name: log.predict_log.request
        for log in warmup_requests(read_contract(two_stage_model))
    }
    known = signatures(two_stage_model)
    assert requests.keys() == known.keys()
    for name, request in requests.items():
        assert {given.key for given in request.inputs} == known[name].inputs.keys()
        for given in request.inputs:
            wanted = known[name].inputs[given.key]
            shape = [dim.size for dim in given.value.tensor_shape.dim]
            assert tf.TensorShape(wanted.tensor_shape).is_compatible_with(shape)
            assert wanted.dtype == given.value.dtype


@pytest.mark.parametrize("patch", [(16, 16, 8), (96, 96, 64)])
def test_a_server_that_batches_takes_the_warm_up(patch):
    # Its session wraps every signature: an input without a first axis, inputs that differ in it, or
    # one longer than max_batch_size is an error, and a version whose warm-up fails never loads.
    for log in warmup_requests(formula_contract(("t1", "t1-ir", "flair"), patch)):
        shapes = [given.value.tensor_shape.dim for given in log.predict_log.request.inputs]
        first = {shape[0].size if shape else None for shape in shapes}
        assert len(first) == 1, "one first axis in a signature"
        assert first <= set(range(1, MOST_AT_ONCE + 1))


def test_a_contract_of_another_format_is_refused(served):
    function = tf.saved_model.load(str(served)).signatures[CONTRACT]
    with pytest.raises(tf.errors.InvalidArgumentError, match="this model is of format 1"):
        function(format_version=tf.constant([2]))


def test_the_version_appears_at_once_and_its_hashes_are_its_last_word(
    tiny_run, tmp_path, monkeypatch
):
    monkeypatch.setattr(saved_model, "compare_in_fresh_process", agreed)
    monkeypatch.setattr(saved_model, "_save", lambda folder, *_: folder.mkdir())
    seen = []

    def looking(folder):
        # What a server that watches the folder sees, just before the version is there.
        seen.extend(sorted(p.name for p in (tmp_path / "net").iterdir() if p.name.isdigit()))
        assert (folder / WARMUP_FILE).is_file()
        assert (folder.parent / "models.config").is_file()
        raise KeyboardInterrupt

    monkeypatch.setattr(saved_model, "write_hashes", looking)
    with pytest.raises(KeyboardInterrupt):
        export_run(tiny_run, tmp_path / "net", serving=True)
    assert not seen
    assert sorted(p.name for p in (tmp_path / "net").iterdir()) == sorted(SETTINGS)


def test_warm_up_requests_are_among_the_hashes(served, tmp_path):
    copy = shutil.copytree(served, tmp_path / "1")
    assert check_whole(copy) > 5
    (copy / WARMUP_FILE).unlink()
    with pytest.raises(ModelError, match="tf_serving_warmup_requests is missing"):
        check_whole(copy)


def test_settings_that_are_there_stay(tmp_path):
    (tmp_path / "models.config").write_text("mine")
    serving.write_settings(tmp_path)
    assert (tmp_path / "models.config").read_text() == "mine"
    assert all((tmp_path / name).is_file() for name in SETTINGS)


@pytest.mark.parametrize("name", ["a b", 'quote"', "-x", "brain\n"])
def test_names_that_a_server_could_not_take(tmp_path, name):
    with pytest.raises(ConfigError, match="letters, digits"):
        serving.check_name(tmp_path / name)


def test_the_docker_line_is_one_for_a_shell(tmp_path):
    folder = tmp_path / "with space" / "net"
    words = subprocess.run(
        ["sh", "-c", f"printf '%s\\n' {docker_line(folder)}"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout.splitlines()
    assert f"type=bind,source={folder},target=/models/net,readonly" in words
    # Docker reads a mount as a line of CSV.
    assert f'"source={tmp_path}/a,b/net"' in docker_line(tmp_path / "a,b" / "net")

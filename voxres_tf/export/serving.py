"""What TF Serving reads in addition to a model: warm-up requests and settings files."""

from __future__ import annotations

import gzip
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any

import nibabel as nib
import numpy as np
import tensorflow as tf

from voxres_tf.config import STRIDE
from voxres_tf.contract import (
    CONTRACT,
    FORMAT_VERSION,
    MODEL_NAME,
    SEGMENT,
    SEGMENT_NIFTI,
    SEGMENT_PROBABILITIES,
    Contract,
    nifti_input,
)
from voxres_tf.errors import ConfigError, message
from voxres_tf.files import csv_text, write_text
from voxres_tf.wire import message_class, predict_request, string_tensor, to_tensor, zeros_tensor

WARMUP_FILE = Path("assets.extra") / "tf_serving_warmup_requests"
"""In a version: TFRecords of `PredictionLog`, which a server runs before it takes requests."""

IMAGE = "tensorflow/serving:2.21.0"
GRPC_PORT, REST_PORT = 8500, 8501

MOST_AT_ONCE = 4
"""Longest first axis of a request to a server that batches, warm-up requests included."""

_MODELS = """\
# Read with --model_config_file. Two versions stay loaded, so that a client that began a volume with
# the older one can finish with it; docs/serving.md says how to pin a version or to go back.
model_config_list {
  config {
    name: "$name"
    base_path: "/models/$name"
    model_platform: "tensorflow"
    model_version_policy { latest { num_versions: 2 } }
  }
}
"""

_BATCHING = """\
# Read with --enable_batching --batching_parameters_file, which docker-compose.yml leaves out. A
# server that batches joins requests along their first axis, which is right for tiles but wrong for
# segment_volume. As long as max_batch_size is smaller than the width of any volume, such requests
# are refused instead of joined. With less than $most, the warm-up requests and so the model fail.
max_batch_size { value: $most }
batch_timeout_micros { value: 20000 }
max_enqueued_batches { value: 16 }
num_batch_threads { value: 1 }
"""

_MONITORING = """\
# Read with --monitoring_config_file; served on the REST port.
prometheus_config {
  enable: true
  path: "/monitoring/prometheus/metrics"
}
"""

_COMPOSE = """\
# docker compose up -d, in this folder. Ports are open to this host only, because TF Serving has no
# authentication.
services:
  tf-serving:
    image: "$image"
    command:
$arguments
    ports:
      - "127.0.0.1:$grpc:$grpc"
      - "127.0.0.1:$rest:$rest"
    volumes:
      - type: bind
        source: .
        target: "/models/$name"
        read_only: true
    restart: unless-stopped
"""

SETTINGS = {
    "models.config": _MODELS,
    "batching_parameters.txt": _BATCHING,
    "monitoring.config": _MONITORING,
    "docker-compose.yml": _COMPOSE,
}
"""Name of a file in the model's folder -> its template."""


def check_name(model: Path) -> None:
    """Raise `ConfigError` unless a server can use the folder's name as the model's."""
    name = model.resolve().name
    if not re.fullmatch(MODEL_NAME, name):
        rule = "a served model is called by letters, digits, '_', '.' and '-'"
        raise ConfigError(message(model, rule, repr(name), "name another folder"))


def warmup_requests(contract: Contract) -> Iterator[Any]:
    """A `PredictionLog` of zeros for each signature; none takes longer than one tile.

    A server that batches does not load a model whose warm-up it cannot batch, so every input has a
    first axis of at most `MOST_AT_ONCE`, the same in all inputs of a signature. Tiles have the size
    of the contract's patch. Volumes are narrower and scans smaller, and the graph pads them to a
    tile; scans have two values each, since constant and equal scans are rejected.
    """
    tiles = contract.tile_channels
    width, *others = contract.patch
    modalities = contract.preprocess.modalities
    volume = zeros_tensor((min(width, MOST_AT_ONCE), *others, len(modalities)))
    asked = to_tensor(np.array([FORMAT_VERSION], np.int32))
    inputs = {
        **{name: {"image": zeros_tensor((1, *contract.patch, c))} for name, c in tiles.items()},
        **{name: {"images": volume} for name in (SEGMENT, SEGMENT_PROBABILITIES)},
        SEGMENT_NIFTI: {nifti_input(m): _small_scan(n) for n, m in enumerate(modalities, 1)},
        CONTRACT: {"format_version": asked},
    }
    for signature, tensors in inputs.items():
        log = message_class("PredictionLog")()
        log.predict_log.request.CopyFrom(predict_request(contract.name, signature, tensors))
        yield log


def _small_scan(brightness: int) -> Any:
    halves = np.indices((STRIDE,) * 3)[0] >= STRIDE // 2
    image = nib.Nifti1Image(brightness * halves.astype(np.uint8), np.eye(4))
    return string_tensor(gzip.compress(image.to_bytes(), mtime=0))


def write_warmup(folder: Path, contract: Contract) -> None:
    """Write `assets.extra/tf_serving_warmup_requests` of a version that nothing reads yet."""
    with tf.io.TFRecordWriter(str(folder / WARMUP_FILE)) as writer:
        for log in warmup_requests(contract):
            writer.write(log.SerializeToString())


def write_settings(model: Path) -> None:
    """Write the `SETTINGS` into a model's folder; existing files, perhaps edited, are kept.

    Args:
        model: `<name>/`, which a server mounts as `/models/<name>`.
    """
    name = model.resolve().name
    words = {
        "name": name,
        "image": IMAGE,
        "grpc": str(GRPC_PORT),
        "rest": str(REST_PORT),
        "most": str(MOST_AT_ONCE),
        "arguments": "\n".join(f"      - {word}" for word in _arguments(name)),
    }
    for file, template in SETTINGS.items():
        if not (model / file).exists():
            write_text(model / file, Template(template).substitute(words))


def docker_line(model: Path) -> str:
    """The command that serves a model's folder, ready for a shell."""
    folder = model.resolve()
    ports = [f"127.0.0.1:{port}:{port}" for port in (GRPC_PORT, REST_PORT)]
    fields = ("type=bind", f"source={folder}", f"target=/models/{folder.name}", "readonly")
    mount = csv_text(fields, []).rstrip()  # docker reads it as such: a path may have a comma
    options = ["--rm", "-p", ports[0], "-p", ports[1], "--mount", mount]
    return shlex.join(["docker", "run", *options, IMAGE, *_arguments(folder.name)])


def _arguments(name: str) -> list[str]:
    return [
        f"--model_config_file=/models/{name}/models.config",
        f"--monitoring_config_file=/models/{name}/monitoring.config",
        # A whole volume by REST takes longer than the default of 30 s.
        "--rest_api_timeout_in_ms=600000",
    ]

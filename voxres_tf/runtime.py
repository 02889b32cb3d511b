"""How TensorFlow and gRPC are started: settings that they read once, with log lines held back."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

DEVICES = r"auto|cpu|gpu(?::(\d+))?"
"""Pattern of a device's name; its group is the number of a GPU."""

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def import_tensorflow() -> Any:
    """Import TensorFlow with this project's settings; variables set by the user are kept.

    oneDNN kernels are off by default on processors without AVX-512, where they make this
    network's training 1.6 times faster. TensorFlow writes log lines to stderr before its log level
    takes effect, so stderr is discarded during the first import; errors are raised as exceptions.
    Users who set TF_CPP_MIN_LOG_LEVEL see everything that it lets through.

    Returns:
        The module `tensorflow`.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if _LOG_LEVEL in os.environ or "tensorflow" in sys.modules:
        return import_module("tensorflow")
    os.environ[_LOG_LEVEL] = "3"
    try:
        kept = os.dup(2)
    except OSError:  # stderr is closed, so nothing has to be held back
        return import_module("tensorflow")
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        tensorflow = import_module("tensorflow")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    # It would report every model that is written, in a notebook, and every training after a few,
    # since each traces functions of its own.
    tensorflow.get_logger().setLevel("ERROR")
    return tensorflow


def import_grpc() -> Any:
    """Import gRPC, which reads its log level once: errors, unless the user has set another.

    Otherwise it reports on stderr that a server went away, as the exceptions already do.

    Returns:
        The module `grpc`.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    import grpc

    return grpc

"""How TensorFlow and gRPC are started: settings that they read once, their lines held back."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

DEVICES = r"auto|cpu|gpu(?::(\d+))?"
"""What a device is called; its group is the number of a GPU."""

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def import_tensorflow() -> Any:
    """Import TensorFlow as this project wants it; variables that the user has set stay.

    oneDNN kernels are off by default on processors without AVX-512, where they make this
    network's training 1.6 times faster. TensorFlow writes lines about itself to stderr before any
    setting of its log level counts, so that stderr leads nowhere during the first import; errors
    are exceptions. Who sets TF_CPP_MIN_LOG_LEVEL sees all that it lets through.

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
    except OSError:  # closed, so that nothing has to be held back
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
    # In a notebook TensorFlow would tell of every model that is written.
    tensorflow.get_logger().setLevel("WARNING")
    return tensorflow


def import_grpc() -> Any:
    """Import gRPC, which reads once what it shall log: errors, unless the user has said otherwise.

    Else it tells on stderr that a server went away, which the exceptions do too.

    Returns:
        The module `grpc`.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    import grpc

    return grpc

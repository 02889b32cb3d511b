"""An exported model behind the loopback server, as TF Serving has it behind its own."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import tensorflow as tf

from tests.inference.loopback import Model
from voxres_tf.contract import read_contract
from voxres_tf.export.capi import CApiSession
from voxres_tf.export.serving import WARMUP_FILE, write_warmup
from voxres_tf.wire import from_tensor, message_class


class Exported(Model):
    """A version in a session of TensorFlow's C API.

    It answers the warm-up requests of the version first; `warmed` is their signatures.
    """

    def __init__(self, folder, session):
        contract = read_contract(folder)
        super().__init__(contract.model_dump_json(), name=contract.name)
        self.states = {contract.version: "AVAILABLE"}
        self.functions = {contract.version: session}
        self.warmed = []
        for record in tf.data.TFRecordDataset(str(folder / WARMUP_FILE)):
            log = message_class("PredictionLog").FromString(record.numpy())
            request = log.predict_log.request
            inputs = {named.key: from_tensor(named.value) for named in request.inputs}
            self.answered(session, request.model_spec.signature_name, inputs)
            self.warmed.append(request.model_spec.signature_name)

    def answered(self, function, signature, inputs):
        # Numbers of a JSON request have come as float64.
        given = {k: v.astype(np.float32) if v.dtype == float else v for k, v in inputs.items()}
        return function.run(signature, **given)


@contextmanager
def behind_server(found):
    """A copy of the version `<name>/<version>/`, with warm-up requests, as an `Exported`."""
    with TemporaryDirectory() as scratch:
        folder = shutil.copytree(found, Path(scratch) / found.name)
        write_warmup(folder, read_contract(folder))
        with CApiSession(folder) as session:
            yield Exported(folder, session)

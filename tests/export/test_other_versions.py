"""Exported models hold nothing that an older TensorFlow lacks."""

from __future__ import annotations

from pathlib import Path

from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from voxres_tf.inference.models import resolve_model

# All operations that TensorFlow 2.15.1 registers (TF_GetAllOpList), one to a line.
OF_2_15 = frozenset(Path(__file__).with_name("tensorflow-2.15-operations.txt").read_text().split())


def operations(model: Path) -> set[str]:
    (meta,) = SavedModel.FromString((model / "saved_model.pb").read_bytes()).meta_graphs
    functions = meta.graph_def.library.function
    nodes = [*meta.graph_def.node, *(node for f in functions for node in f.node_def)]
    return {node.op for node in nodes} - {function.signature.name for function in functions}


def test_tensorflow_2_15_knows_every_operation(tiny_model, two_stage_model):
    for model in (tiny_model, two_stage_model, resolve_model("brain-tissue")):
        found = operations(model)
        assert "Conv3D" in found
        assert found <= OF_2_15, model

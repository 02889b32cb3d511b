"""Runs an exported model in the kind of session that TF Serving uses, via TensorFlow's C API.

A server calls `TF_LoadSessionFromSavedModel` and `TF_SessionRun` too. TensorFlow for Python takes
no part in an answer; it only locates the library and reads the model's table of signatures.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from ctypes import byref, c_char_p, c_void_p
from pathlib import Path
from typing import Any, Self

from numpy.typing import NDArray
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

from voxres_tf.errors import ModelError, message, shortened
from voxres_tf.export.clibrary import DTYPES, Output, library, to_array, to_tensor

_TAG = b"serve"


class CApiSession:
    """An exported model, loaded and run via the C API; use it in a `with` block.

    Several threads may call `run` at the same time.

    Args:
        folder: the SavedModel's folder, `<name>/<version>/`.

    Raises:
        ModelError: if it cannot be loaded, or TensorFlow's C library is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder
        api = library()
        with ExitStack() as made:
            self._graph = api.TF_NewGraph()
            made.callback(api.TF_DeleteGraph, self._graph)
            options, described = api.TF_NewSessionOptions(), api.TF_NewBuffer()
            made.callback(api.TF_DeleteSessionOptions, options)
            made.callback(api.TF_DeleteBuffer, described)
            with self._checked("a SavedModel", "export the model again") as status:
                self._session = api.TF_LoadSessionFromSavedModel(
                    options, None, os.fsencode(folder), byref(c_char_p(_TAG)), 1,
                    self._graph, described, status,
                )  # fmt: skip
            made.callback(self._delete_session)
            content = ctypes.string_at(described.contents.data, described.contents.length)
            self._signatures = MetaGraphDef.FromString(content).signature_def
            self._opened = made.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    @property
    def signatures(self) -> tuple[str, ...]:
        """Names of the signatures that `run` accepts."""
        return tuple(sorted(name for name in self._signatures if not name.startswith("__")))

    def run(self, signature: str, **inputs: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Run one signature.

        Args:
            signature: one of `signatures`.
            **inputs: all its inputs by name: arrays of float32, int32, uint8, or object arrays
                of bytes for strings.

        Returns:
            Name of an output -> array, of the same dtypes.

        Raises:
            ModelError: if it takes no such inputs, or rejects them; with the library's message.
        """
        wanted = self._wanted(signature, inputs)
        outputs = dict(self._signatures[signature].outputs)
        api = library()
        with ExitStack() as made:
            fed = [to_tensor(made, inputs[name]) for name in wanted]
            answers = (c_void_p * len(outputs))()
            then = "feed what the contract says"
            with self._checked(f"inputs that {signature} takes", then) as status:
                api.TF_SessionRun(
                    self._session, None,
                    self._places(wanted.values()), (c_void_p * len(fed))(*fed), len(fed),
                    self._places(outputs.values()), answers, len(outputs),
                    None, 0, None, status,
                )  # fmt: skip
            # Freed before the inputs, whose memory an answer may share.
            for answer in answers:
                made.callback(api.TF_DeleteTensor, answer)
            return {name: to_array(a) for name, a in zip(outputs, answers, strict=True)}

    def _wanted(self, signature: str, inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, Any]:
        if signature not in self._signatures:
            rule = f"a signature among {', '.join(self.signatures)}"
            raise ModelError(message(self._path, rule, signature, "choose one of these"))
        wanted = dict(self._signatures[signature].inputs)
        # Compared by name, since NumPy treats None as float64 when comparing dtypes.
        takes = {name: str(DTYPES.get(info.dtype, "other")) for name, info in wanted.items()}
        given = {name: str(array.dtype) for name, array in inputs.items()}
        if takes != given:
            rule = f"{signature} takes {_listed(takes)}"
            raise ModelError(message(self._path, rule, _listed(given), "feed these"))
        return wanted

    def _places(self, infos: Iterable[Any]) -> Any:
        """Locate tensors named `operation:index` in the graph; an array of `Output`."""
        api = library()
        places = []
        for info in infos:
            operation, index = info.name.rsplit(":", 1)
            found = api.TF_GraphOperationByName(self._graph, operation.encode())
            places.append(Output(found, int(index)))
        return (Output * len(places))(*places)

    def _delete_session(self) -> None:
        for end in (library().TF_CloseSession, library().TF_DeleteSession):
            with self._checked("a session that ends", "report this") as status:
                end(self._session, status)

    @contextmanager
    def _checked(self, rule: str, then: str) -> Iterator[int]:
        """Provide a `TF_Status` for one call, and raise `ModelError` if it reports an error."""
        api = library()
        status = api.TF_NewStatus()
        try:
            yield status
            if api.TF_GetCode(status):
                text = api.TF_Message(status).decode(errors="replace")
                raise ModelError(message(self._path, rule, shortened(text), then))
        finally:
            api.TF_DeleteStatus(status)


def _listed(dtypes: Mapping[str, str]) -> str:
    named = (f"{name} ({dtype})" for name, dtype in dtypes.items())
    return ", ".join(sorted(named)) or "nothing"

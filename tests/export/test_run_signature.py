"""A program without Python answers every signature of an exported model as Python does."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import tensorflow as tf

from voxres_tf.contract import (
    CONTRACT,
    SEGMENT,
    SEGMENT_NIFTI,
    SEGMENT_PROBABILITIES,
    nifti_input,
    read_contract,
)
from voxres_tf.export.capi import CApiSession
from voxres_tf.export.clibrary import DTYPES
from voxres_tf.export.verify import in_python

SOURCE = Path(__file__).parents[1] / "capi" / "run_signature.c"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("needs a C compiler")
    path = tmp_path_factory.mktemp("bin") / "run_signature"
    folder = Path(tf.sysconfig.get_lib())
    libraries = [next(folder.glob(f"libtensorflow_{name}.*")) for name in ("cc", "framework")]
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-I", tf.sysconfig.get_include()]
    command = [compiler, *flags, SOURCE, *libraries, f"-Wl,-rpath,{folder}", "-o", path]
    subprocess.run(command, check=True)
    return path


@pytest.fixture
def ask(program, tmp_path):
    """The outputs of a signature, by the program."""

    def run(model, signature, **inputs):
        words = []
        for name, array in inputs.items():
            file = tmp_path / f"{name}.raw"
            file.write_bytes(array.item() if array.dtype.kind == "O" else array.tobytes())
            words += [name, "x".join(map(str, array.shape)), file]
        done = subprocess.run(
            [program, model, signature, tmp_path, *words],
            capture_output=True,
            text=True,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        outputs = {}
        for line in done.stdout.splitlines():
            name, kind, shape = line.split()
            content = (tmp_path / name).read_bytes()
            dtype = DTYPES[int(kind)]
            strings = dtype.kind == "O"
            values = np.array([content], object) if strings else np.frombuffer(content, dtype)
            outputs[name] = values.reshape([int(size) for size in shape.split("x")])
        return outputs

    return run


def inputs_of(contract):
    """An input for each signature: several tiles along two axes, and shorter than a tile."""
    random = np.random.default_rng(0)
    channels, classes = len(contract.channels), len(contract.classes)
    tiles = {"serving_default": channels}
    if contract.first_stage:
        tiles |= {"first_stage": channels, "second_stage": channels + classes}
    images = random.gamma(2, 100, (20, 18, 5, 2)).astype(np.float32)
    files = {
        nifti_input(modality): nib.Nifti1Image(
            images[..., number], np.diag([1, 1, 3, 1])
        ).to_bytes()
        for number, modality in enumerate(contract.preprocess.modalities)
    }
    return {
        **{
            name: {"image": random.standard_normal((2, 16, 8, 8, count), np.float32)}
            for name, count in tiles.items()
        },
        SEGMENT: {"images": images},
        SEGMENT_PROBABILITIES: {"images": images},
        SEGMENT_NIFTI: {name: np.array([file], object) for name, file in files.items()},
        CONTRACT: {"format_version": np.array([1], np.int32)},
    }


@pytest.mark.parametrize("name", ["tiny_model", "two_stage_model"])
def test_every_signature_to_the_bit(request, ask, name):
    model = request.getfixturevalue(name)
    inputs = inputs_of(read_contract(model))
    with CApiSession(model) as session:
        assert set(inputs) == set(session.signatures)
    python = in_python(model)
    for signature, given in inputs.items():
        found, expected = ask(model, signature, **given), python(signature, **given)
        assert found.keys() == expected.keys()
        for output, values in expected.items():
            assert found[output].dtype == values.dtype
            np.testing.assert_array_equal(found[output], values)


@pytest.mark.parametrize(
    ("signature", "inputs", "reason"),
    [
        ("nothing", {}, "a signature of the model. Received: nothing"),
        (SEGMENT, {}, "all inputs of the signature. Received: images"),
        (SEGMENT, {"images": np.zeros((8, 8, 8, 3), np.float32)}, "inputs that the signature"),
    ],
)
def test_what_the_model_does_not_take(ask, tiny_model, signature, inputs, reason):
    with pytest.raises(RuntimeError, match=reason):
        ask(tiny_model, signature, **inputs)

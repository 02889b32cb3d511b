"""Files in, a file out: the signature against reading, preparing and writing in NumPy."""

from __future__ import annotations

import gzip
from contextlib import closing
from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
import tensorflow as tf
from nibabel.orientations import apply_orientation, inv_ornt_aff
from scipy.ndimage import gaussian_filter

from tests.contracts import formula_contract
from voxres_tf.config import Resolution
from voxres_tf.contract import SEGMENT_NIFTI
from voxres_tf.dataset.subject import SubjectFiles, read_subject
from voxres_tf.export.graph.nifti import nifti_function
from voxres_tf.export.graph.nifti_header import DATATYPES, FIRST_VOXEL
from voxres_tf.inference.predict import Predictor
from voxres_tf.preprocess.channels import stack_modalities
from voxres_tf.volume import read_volume

MODALITIES = {"t1_ir": "t1-ir", "flair": "flair"}
SHAPE, AFFINE = (26, 22, 6), np.diag([0.5, 0.6, 7.0, 1.0])
OBLIQUE = np.array(
    [[0.02, -0.1, -1.2, 90], [-0.9, 0.2, 0.03, -60], [0.05, 2.99, -0.1, 40], [0, 0, 0, 1]]
)
ORIENTATIONS = [
    np.array(list(zip(order, flips, strict=True)))
    for order in permutations(range(3))
    for flips in product((1, -1), repeat=3)
]


PLAIN = formula_contract(tuple(MODALITIES.values()), (8, 8, 8))
RESAMPLING = formula_contract(
    tuple(MODALITIES.values()),
    (8, 8, 8),
    resolution=Resolution().model_dump(),
    optional=tuple(MODALITIES.values()),
)


def formula(images):
    """Shares that change with both scans and along every axis, float32 [X, Y, Z, 4]."""
    sizes = tf.unstack(tf.shape(images)[:3])
    x, y, z = (tf.linspace(0.0, 40.0, size) for size in sizes)
    place = x[:, None, None] + 0.5 * y[:, None] - z
    first, second = tf.unstack(images, axis=-1)
    return tf.stack([first + place, 110 - second, 70 - place, abs(first - second) + 30], axis=-1)


def stretched(images, spacing_mm):
    """Stands in for alignment: by what it is told, the first scan changes and the second not."""
    x, y, z = tf.unstack(tf.cast(spacing_mm, tf.float32))
    return images * tf.stack([1 + (x + 2 * y + 3 * z) / 100, 1.0])


@pytest.fixture(scope="module")
def answers():
    """The file of labels, by contract."""
    functions = {}

    def answer(files, contract=PLAIN):
        name = contract.model_dump_json()
        if name not in functions:
            functions[name] = nifti_function(formula, contract, stretched)
        given = [tf.constant(files.get(name, b"")) for name in MODALITIES]
        return functions[name](*given)["labels_nifti_bytes"].numpy()

    return answer


def in_numpy(files, contract, folder):
    """Labels by the code of `voxres predict`, and the grid that they lie on."""
    images = {}
    for name, content in files.items():
        suffix = ".nii.gz" if content[:2] == b"\x1f\x8b" else ".nii"
        images[MODALITIES[name]] = folder / f"{name}{suffix}"
        images[MODALITIES[name]].write_bytes(content)
    subject = read_subject(SubjectFiles("s", images), tuple(images))
    prepared = stack_modalities(subject, contract.preprocess)
    aligned = stretched(prepared.image, prepared.working.spacing_mm)
    shares = prepared.on_own_grid(formula(aligned).numpy())
    return shares.argmax(-1).astype(np.uint8), subject.grid


def values():
    """Blobs of both scans that are larger than voxels, about 60."""
    noise = np.random.default_rng(5).standard_normal((2, *SHAPE))
    smooth = gaussian_filter(noise, (0, 3, 3, 0.7))
    return (60 + 30 * smooth / smooth.std()).astype(np.float32)


def scan(data, affine=AFFINE, *, code=1, order="<", slope=1, inter=0, offset=FIRST_VOXEL):
    header = nib.Nifti1Header(endianness=order)
    header.set_data_shape(data.shape)
    header.set_data_dtype(data.dtype)
    header.set_sform(affine, code)
    header["pixdim"][1:4] = np.linalg.norm(affine[:3, :3], axis=0)
    header["vox_offset"], header["magic"] = offset, b"n+1"
    header["scl_slope"], header["scl_inter"] = slope, inter
    stored = data.astype(data.dtype.newbyteorder(order)).tobytes("F")
    return header.binaryblock + bytes(offset - len(header.binaryblock)) + stored


def subject(affine=AFFINE, **options):
    return {n: scan(v, affine, **options) for n, v in zip(MODALITIES, values(), strict=True)}


def check(found, files, contract, folder, equal=1.0):
    expected, grid = in_numpy(files, contract, folder)
    labels = nib.Nifti1Image.from_bytes(found)
    data = np.asanyarray(labels.dataobj)
    assert data.dtype == np.uint8
    assert data.shape == grid.shape
    assert len(np.unique(data)) > 2
    np.testing.assert_array_equal(labels.affine, grid.affine)
    assert np.mean(data == expected) >= equal


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("dtype", [dtype.as_numpy_dtype for dtype in DATATYPES.values()])
@pytest.mark.parametrize(("slope", "inter", "pack"), [(np.nan, 9, False), (0.5, -3.25, True)])
def test_every_datatype(answers, tmp_path, order, dtype, slope, inter, pack):
    stored = [v if np.dtype(dtype).kind == "f" else np.rint(v.clip(0, 127)) for v in values()]
    files = {}
    for name, data in zip(MODALITIES, stored, strict=True):
        content = scan(data.astype(dtype), order=order, slope=slope, inter=inter, offset=368)
        files[name] = gzip.compress(content) if pack else content
    check(answers(files), files, PLAIN, tmp_path)


def test_all_48_orientations_and_an_oblique_one(answers, tmp_path):
    for orientation in ORIENTATIONS:
        affine = AFFINE @ inv_ornt_aff(orientation, SHAPE)
        moved = [apply_orientation(v, orientation) for v in values()]
        files = {n: scan(v, affine) for n, v in zip(MODALITIES, moved, strict=True)}
        check(answers(files), files, PLAIN, tmp_path)
        # Both ways round off, and a voxel that is nearly a tie may fall either way.
        check(answers(files, RESAMPLING), files, RESAMPLING, tmp_path, equal=0.999)
    check(answers(subject(OBLIQUE)), subject(OBLIQUE), PLAIN, tmp_path)


@pytest.mark.parametrize("name", MODALITIES)
def test_a_modality_that_may_be_missing(answers, tmp_path, name):
    files = {name: subject(OBLIQUE)[name]}
    check(answers(files, RESAMPLING), files, RESAMPLING, tmp_path, equal=0.999)


def test_extensions_are_skipped_and_a_fourth_axis_of_length_1_is_dropped(answers, tmp_path):
    files = {}
    for name, data in zip(MODALITIES, values(), strict=True):
        image = nib.Nifti1Image(data[..., None], OBLIQUE)
        image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"a word " * 9))
        files[name] = image.to_bytes()
        assert np.frombuffer(files[name], "<f4", 1, offset=108) > FIRST_VOXEL
    check(answers(files), files, PLAIN, tmp_path)


def with_second(content):
    return subject() | {"flair": content}


MOVED = AFFINE + np.eye(4, k=3) * 0.2
ELSEWHERE, TEMPLATE = (scan(values()[0], MOVED, code=code) for code in (1, 4))
SOUND = subject()["flair"]
# A header that claims more voxels than any memory holds, before the voxels of SOUND.
CLAIMED = SOUND[:42] + np.full(3, 30000, "<i2").tobytes() + SOUND[48:]


@pytest.mark.parametrize(
    ("files", "contract", "line"),
    [
        (with_second(b""), PLAIN, "flair: the model needs this modality. Received: an empty str"),
        ({}, RESAMPLING, "files: the model takes at least one of t1_ir, flair. Received: none"),
        (with_second(b"no scan"), PLAIN, "flair: a file in NIfTI-1 format.* Received: 7 bytes"),
        (with_second(bytes(400)), PLAIN, "flair: a file in NIfTI-1 format.* sizeof_hdr 0, magic"),
        ({"flair": SOUND[:300]}, RESAMPLING, "flair: a file in NIfTI-1.*Received: 300 bytes"),
        (with_second(SOUND[:-1]), PLAIN, f"flair: .* its header tells. Received: {len(SOUND) - 1}"),
        ({"flair": CLAIMED}, RESAMPLING, f"flair: .* its header tells. Received: {len(SOUND)}"),
        (with_second(gzip.compress(SOUND)[:-50]), PLAIN, "flair: .* its header tells. Received: "),
        (
            with_second(scan(values()[0, :9])),
            PLAIN,
            r"flair: the grid.*shape \[9 22 6\] instead of",
        ),
        (with_second(ELSEWHERE), PLAIN, r"flair: the grid of the.* 0\.2.* mm apart\. Resample"),
        (with_second(TEMPLATE), PLAIN, "flair: the grid .* mm apart, form codes 4 and 1: one lies"),
        (with_second(scan(values()[0] * 0 + 7)), PLAIN, "flair: a scan has contrast.*: 7 every"),
        (with_second(scan(values()[0] * np.nan)), PLAIN, "flair: voxels must be finite"),
        (with_second(scan(values()[0] * np.float64(1e300))), PLAIN, "flair: voxels must be finite"),
    ],
)
def test_what_is_no_subject_is_refused(answers, files, contract, line):
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"voxres: {line}"):
        answers(files, contract)


def test_a_damaged_stream_is_refused(answers):
    packed = bytearray(gzip.compress(SOUND))
    packed[len(packed) // 2] ^= 255
    with pytest.raises(tf.errors.DataLossError):
        answers(with_second(bytes(packed)))


@pytest.fixture(scope="module")
def ask_session(two_stage_model):
    """What TF Serving does: a session, which holds no fed array against the signature."""
    # Not the default graph, in which `Predictor` could not run.
    with closing(tf.compat.v1.Session(graph=tf.Graph())) as session:
        with session.graph.as_default():
            graph = tf.compat.v1.saved_model.load(session, ["serve"], str(two_stage_model))
        signature = graph.signature_def[SEGMENT_NIFTI]
        fetch = {name: tensor.name for name, tensor in signature.outputs.items()}

        def ask(files):
            return session.run(fetch, {signature.inputs[n].name: f for n, f in files.items()})

        yield ask


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_an_exported_model_answers_as_voxres_predict(ask_session, two_stage_model, tmp_path, shape):
    files, paths = {}, {}
    for name, data in zip(("t1", "flair"), values(), strict=True):
        content = gzip.compress(scan(np.rint(data).astype(np.int16), OBLIQUE, order=">"))
        paths[name] = tmp_path / f"{name}.nii.gz"
        paths[name].write_bytes(content)
        files[name] = np.full(shape, content, object)
    (answer,) = ask_session(files).values()
    assert np.shape(answer) == shape
    found = tmp_path / "labels.nii"
    # An array of NumPy's own bytes would drop zeros at its end.
    found.write_bytes(np.asarray(answer, object).item())
    labels = read_volume(found)
    expected = Predictor(two_stage_model, device="cpu")(SubjectFiles("s", paths)).labels
    assert len(np.unique(labels.data)) > 1
    assert np.mean(labels.data == expected.data) >= 0.999
    np.testing.assert_array_equal(labels.grid.affine, expected.grid.affine)
    assert labels.grid.sform_code == expected.grid.sform_code


def test_a_session_takes_one_subject_at_a_time(ask_session):
    files = dict.fromkeys(("t1", "flair"), np.full(2, SOUND, object))
    line = r"voxres: (t1|flair): one file in a request. Received: shape \[2\]. Send one subject"
    with pytest.raises(tf.errors.InvalidArgumentError, match=line):
        ask_session(files)

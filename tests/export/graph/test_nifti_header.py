"""Headers in the graph against nibabel, through a function that was traced once."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import tensorflow as tf
from nibabel.orientations import io_orientation
from nibabel.quaternions import quat2mat

from voxres_tf.export.graph.nifti_affine import distance_mm, orientation
from voxres_tf.export.graph.nifti_header import DATATYPES, FIRST_VOXEL, label_header, read_header
from voxres_tf.grid import Grid

SHAPE = (5, 7, 3)
OBLIQUE = np.array(
    [[0.02, -0.1, -1.2, 90], [-0.9, 0.2, 0.03, -60], [0.05, 2.99, -0.1, 40], [0, 0, 0, 1]]
)


@pytest.fixture(scope="module")
def read():
    @tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
    def function(raw):
        header = read_header(raw, tf.constant("t1"))
        found = {name: getattr(header, name) for name in ("shape", "slope", "inter", "affine")}
        targets, flipped = orientation(header.affine)
        return {
            **found,
            "offset": header.offset,
            "bytes": header.voxel_bytes,
            "spacing": header.spacing_mm,
            "orientation": tf.stack([targets, 1 - 2 * tf.cast(flipped, tf.int32)], axis=1),
            "labels": label_header(header),
        }

    return lambda header: {
        name: value.numpy() for name, value in function(header.binaryblock).items()
    }


def make_header(order="<", *, shape=SHAPE, dtype="int16"):
    header = nib.Nifti1Header(endianness=order)
    header.set_data_shape(shape)
    header.set_data_dtype(dtype)
    header["vox_offset"], header["magic"] = FIRST_VOXEL, b"n+1"
    return header


def random_affine(seed):
    """Rotated, mirrored at random, and sheared a little."""
    random = np.random.default_rng(seed)
    affine = np.eye(4)
    rotation = quat2mat(random.standard_normal(4)) + random.normal(0, 0.05, (3, 3))
    affine[:3, :3] = rotation * random.uniform(0.4, 6, 3) * random.choice([-1, 1], 3)
    affine[:3, 3] = random.uniform(-200, 200, 3)
    return affine


def placed(kind, order="<"):
    header = make_header(order)
    if kind == "sform":
        header.set_sform(OBLIQUE, 1)
        header.set_qform(np.diag([*np.linalg.norm(OBLIQUE[:3, :3], axis=0), 1]), 1)
    elif kind == "qform":
        header.set_qform(OBLIQUE, 2)
        header.set_sform(np.eye(4), 0)
    elif kind == "half turn":  # a is 0 within rounding
        header.set_qform(np.diag([1, -2, -3, 1]), 1)
    elif kind == "spacing":
        header["pixdim"][1:4] = 2, 0.5, 4
    elif kind == "unset spacing":
        header.set_sform(OBLIQUE, 1)
    elif kind == "no spacing":
        header.set_sform(OBLIQUE, 2)
        header["pixdim"][1:4] = 0, np.nan, 0
    elif kind == "odd spacing":
        header["pixdim"][:4] = 0.3, -2, 0.5, 4
        header["qform_code"] = 1
    else:
        header["sform_code"], header["qform_code"] = 6, -1
    return header


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    "kind",
    [
        *("sform", "qform", "half turn", "spacing", "odd spacing", "unset spacing", "no spacing"),
        "unknown codes",
    ],
)
def test_affines_are_those_of_nibabel(read, kind, order):
    header = placed(kind, order)
    image = nib.Nifti1Image.from_bytes(header.binaryblock + bytes(4 + 2 * 105))
    found = read(header)
    np.testing.assert_allclose(found["affine"], image.affine, atol=1e-6)
    np.testing.assert_array_equal(found["orientation"], io_orientation(image.affine))
    np.testing.assert_allclose(found["spacing"], Grid(SHAPE, image.affine).spacing_mm, atol=1e-6)
    # The labels lie where the scan lies, and nibabel finds them there.
    labels = nib.Nifti1Image.from_bytes(found["labels"] + bytes(105))
    assert labels.header.endianness == order
    np.testing.assert_array_equal(labels.affine, image.affine)
    for name in ("pixdim", "qform_code", "sform_code", "srow_x", "quatern_b", "qoffset_z"):
        np.testing.assert_array_equal(labels.header[name], image.header[name])
    assert labels.get_data_dtype() == np.uint8
    assert labels.shape == SHAPE
    assert labels.header.get_slope_inter() in [(None, None), (1, 0)]


def test_labels_take_nothing_else_from_the_scan(read):
    header = make_header(shape=(*SHAPE, 1))
    header["descrip"], header["aux_file"], header["intent_name"] = b"born 1950", b"a", b"b"
    header["cal_max"], header["scl_slope"], header["scl_inter"] = 9, 3, 4
    header["extents"], header["intent_code"], header["xyzt_units"] = 7, 3, 2 + 16
    block = read(header)["labels"]
    assert len(block) == FIRST_VOXEL
    labels = nib.Nifti1Header(block[:348], endianness="<")
    empty = nib.Nifti1Header(endianness="<")
    empty.set_data_shape(SHAPE)
    empty.set_data_dtype("uint8")
    empty.set_xyzt_units("mm", "sec")
    empty["vox_offset"], empty["scl_slope"], empty["scl_inter"] = FIRST_VOXEL, 1, 0
    assert labels == empty


@pytest.mark.parametrize("seed", range(20))
def test_orientations_are_those_of_nibabel(seed):
    affine = random_affine(seed)
    targets, flipped = orientation(tf.constant(affine))
    expected = io_orientation(affine)
    np.testing.assert_array_equal(targets, expected[:, 0])
    np.testing.assert_array_equal(flipped, expected[:, 1] < 0)
    other = affine + np.random.default_rng(seed).normal(0, 0.01, (4, 4))
    found = distance_mm(tf.constant(affine), tf.constant(other), tf.constant(SHAPE))
    expected = Grid(SHAPE, affine).distance_mm(Grid(SHAPE, other))
    assert found.numpy() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("slope", "inter", "expected"),
    [(0, 5, (1, 0)), (np.nan, 5, (1, 0)), (np.inf, 5, (1, 0)), (2, -1, (2, -1)), (1, 0, (1, 0))],
)
def test_scale(read, slope, inter, expected):
    header = make_header(">", dtype="float64")
    header["scl_slope"], header["scl_inter"], header["vox_offset"] = slope, inter, 368
    found = read(header)
    assert (found["slope"], found["inter"]) == expected
    assert (found["offset"], found["bytes"]) == (368, 8)


def test_further_axes_of_length_1_are_dropped(read):
    assert read(make_header(shape=(*SHAPE, 1, 1)))["shape"].tolist() == list(SHAPE)


def changed(**fields):
    header = make_header()
    for name, value in fields.items():
        header[name] = value
    return header


def scaled(code, qform=0):
    header = make_header()
    header.set_sform(np.diag([1.12, 1.12, 1.12, 1]), code)
    header["qform_code"] = qform
    return header


SIZES = "voxres: t1: a sform whose voxel sizes are those of pixdim, within 1 %. Received: "
NIFTI = "voxres: t1: a file in NIfTI-1 format, .nii or .nii.gz. Received: "


@pytest.mark.parametrize(
    ("header", "line"),
    [
        (nib.Nifti2Header(), NIFTI + r"sizeof_hdr 540, magic .*\. Convert it"),
        (changed(magic=b"ni1"), NIFTI + r"sizeof_hdr 348, magic \[110 105 49 0\]"),
        (make_header(shape=(4, 4)), r"three axes. Received: dim \[2 4 4 1 1 1 1 1\]. Extract one"),
        (make_header(shape=(4, 4, 4, 2)), r"voxres: t1: a volume has three axes. Received: dim"),
        (
            changed(dim=(3, 4, 0, 4, 1, 1, 1, 1)),
            r"a volume has three axes. Received: dim \[3 4 0 4",
        ),
        (changed(dim=(3, -4, 4, 4, 1, 1, 1, 1)), r"a volume has three axes"),
        (changed(dim=(9, 4, 4, 4, 1, 1, 1, 1)), r"a volume has three axes"),
        (make_header(dtype="int64"), r"datatype 2 \(uint8\), .*Received: 1024. Convert it to floa"),
        (make_header(dtype="complex64"), r"t1: datatype .*Received: 32\."),
        (changed(datatype=128), r"t1: datatype .*Received: 128\."),
        (changed(vox_offset=0), r"t1: vox_offset of at least 352. Received: 0\. Mend"),
        (changed(vox_offset=np.nan), r"t1: vox_offset of at least 352. Received: nan"),
        (changed(vox_offset=1e30), r"t1: vox_offset of at least 352. Received: 1e\+30"),
        (
            changed(xyzt_units=3 + 8),
            r"t1: voxel sizes in mm, by xyzt_units. Received: unit 3\. Conv",
        ),
        (changed(xyzt_units=1), r"t1: voxel sizes in mm, by xyzt_units. Received: unit 1\."),
        (changed(scl_slope=2, scl_inter=np.inf), "t1: a finite scl_inter. Received: inf"),
        (changed(sform_code=1), r"t1: an affine that can be inverted. Received: \[\[0 0 0 0\]"),
        (changed(sform_code=1, srow_x=np.nan), "t1: an affine that can be inverted"),
        (changed(qform_code=1, quatern_b=1.5), "t1: an affine that can be inverted"),
        (changed(pixdim=(1, 1, 1, 0, 1, 1, 1, 1)), r"above 0 in pixdim.*Received: \[1 1 0\]"),
        (changed(qform_code=1, pixdim=(1, 0, 1, 1, 1, 1, 1, 1)), r"above 0 in pixdim"),
        (scaled(4), SIZES + r"\[1.12 1.12 1.12\] mm by the sform, \[1 1 1\] mm by pixdim. Mend"),
        (scaled(1, qform=1), SIZES),
    ],
)
def test_what_is_no_scan_of_ours_is_refused(read, header, line):
    with pytest.raises(tf.errors.InvalidArgumentError, match=line):
        read(header)


def test_datatypes_are_those_of_the_format():
    for code, dtype in DATATYPES.items():
        header = make_header(dtype=dtype.as_numpy_dtype)
        assert (header["datatype"], header["bitpix"]) == (code, 8 * dtype.size)

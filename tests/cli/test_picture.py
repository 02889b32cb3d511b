from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.image import imread
from voxres_cli.main import cli

from voxres_tf.grid import Grid
from voxres_tf.report.panels import class_colours
from voxres_tf.volume import write_volume

AFFINE = np.diag([1.0, 1.0, 3.0, 1.0])
SHAPE = (40, 48, 12)


def picture(*args):
    return CliRunner().invoke(cli, ["picture", *map(str, args)])


def marked(path, colour):
    rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return int((np.abs(imread(path)[..., :3] * 255 - rgb).max(axis=-1) < 40).sum())


@pytest.fixture
def files(tmp_path):
    """A function that writes a volume; `labels` are three boxes in each other."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[4:36, 4:44, 1:11], labels[8:32, 8:40, 1:11], labels[14:26, 14:34, 1:11] = 1, 2, 3

    def write(name, change=lambda labels: labels, affine=AFFINE):
        data = change(labels.copy())
        write_volume(tmp_path / name, data, Grid(data.shape, affine))
        return tmp_path / name

    return write


def test_a_segmentation_over_its_scan(files, tmp_path):
    scan, labels = files("t1.nii.gz", lambda v: v * 50.0), files("t1_dseg.nii.gz")
    out = tmp_path / "pictures" / "t1.png"
    result = picture(scan, labels, "-o", out)
    assert (result.exit_code, result.output) == (0, f"{out}\n"), result.output
    for colour in class_colours(["CSF", "GM", "WM"]).values():
        assert marked(out, colour) > 200


def test_a_reference_adds_rows_and_what_differs(files, tmp_path):
    def other(labels):
        labels[14:26, 14:34] = 2
        return labels

    scan, labels = files("t1.nii"), files("t1_dseg.nii.gz", other)
    alone, beside = tmp_path / "alone.png", tmp_path / "beside.png"
    assert picture(scan, labels, "-o", alone).exit_code == 0
    result = picture(scan, labels, "--ref", files("ref.nii.gz"), "-o", beside, "--title", "A head")
    assert result.exit_code == 0, result.output
    assert imread(beside).shape[0] > 1.5 * imread(alone).shape[0]
    assert marked(beside, "#ff5a36") > 1000


def test_axes_may_run_otherwise(files, tmp_path):
    turned = AFFINE @ np.array([[-1, 0, 0, 39], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    pictures = []
    for name, change, affine in (("a", lambda v: v, AFFINE), ("b", lambda v: v[::-1], turned)):
        labels = files(f"{name}_dseg.nii", lambda v, c=change: c(np.where(v == 3, v, 0)), affine)
        scan = files(f"{name}.nii", change, affine)
        out = tmp_path / f"{name}.png"
        assert picture(scan, labels, "--title", "same", "-o", out).exit_code == 0
        pictures.append(imread(out))
    np.testing.assert_array_equal(*pictures)


def test_classes_of_ones_own(files, tmp_path):
    labels = files("seg.nii.gz", lambda v: np.where(v == 3, np.uint8(4), v))
    scan, out = files("t1.nii.gz"), tmp_path / "own.png"
    result = picture(scan, labels, "-o", out)
    assert result.exit_code == 1
    assert "codes [4]" in result.output
    assert not out.exists()
    names = ["CSF", "brain", "nothing", "lesion"]
    result = picture(scan, labels, "--classes", ", ".join(names), "-o", out)
    assert result.exit_code == 0, result.output
    colours = class_colours(names)
    assert len(set(colours.values())) == 4
    assert all(marked(out, colours[name]) > 200 for name in ("CSF", "brain", "lesion"))


def test_another_grid_is_refused(files, tmp_path):
    scan, labels = files("t1.nii.gz"), files("seg.nii.gz", lambda v: v[:-1])
    result = picture(scan, labels, "-o", tmp_path / "out.png")
    assert result.exit_code == 1
    assert "seg.nii.gz: the grid of" in result.output
    assert "(39, 48, 12) instead of (40, 48, 12)" in result.output


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["-o", "out.jpg"], "out.jpg does not end in .png"),
        (["-o", "out.png", "--protocol", "plain"], "pass --ref"),
        (["-o", "out.png", "--ref", "REF", "--classes", "a,b,c"], "without --ref"),
        (["-o", "out.png", "--classes", "a,,c"], "names that differ, with commas"),
        (["-o", "out.png", "--classes", "a,a"], "names that differ, with commas"),
        ([], "Missing option '-o'"),
    ],
)
def test_wrong_usage(files, options, told):
    scan, labels = files("t1.nii.gz"), files("seg.nii.gz")
    given = [str(labels) if option == "REF" else option for option in options]
    result = picture(scan, labels, *given)
    assert result.exit_code == 2
    assert told in " ".join(result.output.replace("│", " ").split())


def test_a_picture_that_is_there_is_kept(files, tmp_path):
    scan, labels, out = files("t1.nii.gz"), files("seg.nii.gz"), tmp_path / "out.png"
    out.write_text("mine")
    result = picture(scan, labels, "-o", out)
    assert result.exit_code == 1
    assert "pass --overwrite" in result.output.lower()
    assert out.read_text() == "mine"
    assert picture(scan, labels, "-o", out, "--overwrite").exit_code == 0
    assert out.read_bytes().startswith(b"\x89PNG")


def test_a_reference_with_classes_of_its_own(files, tmp_path):
    labels, scan = files("b.nii.gz"), files("t1.nii.gz")
    names = ["background", "WM", "GM", "lesion"]
    scheme = {"classes": names, "codes": {str(code): name for code, name in enumerate(names)}}
    (tmp_path / "own.json").write_text(json.dumps(scheme))
    shutil.copy(labels, tmp_path / "drawn.nii.gz")
    (tmp_path / "m.csv").write_text("subject,t1,label,scheme\nb,t1.nii.gz,drawn.nii.gz,own.json\n")
    out = tmp_path / "out.png"
    result = picture(scan, labels, "--ref", tmp_path / "m.csv", "-o", out)
    assert result.exit_code == 0, result.output
    colours = class_colours(names[1:])
    assert all(marked(out, colour) > 200 for colour in colours.values())
    assert marked(out, class_colours(["CSF"])["CSF"]) == 0


@pytest.mark.parametrize("title", ["a $_$ b", "100 $", "x\udcffy"])
def test_a_title_is_no_formula(files, tmp_path, title):
    scan, labels = files("t1.nii.gz"), files("seg.nii.gz")
    out, names = tmp_path / "out.png", "$x_$,b,c"
    result = picture(scan, labels, "--title", title, "--classes", names, "-o", out)
    assert result.exit_code == 0, result.output


def test_scans_that_are_thin_or_of_small_numbers(files, tmp_path):
    thin = [files(name, lambda v: v[20:21]) for name in ("t1.nii.gz", "seg.nii.gz")]
    assert picture(*thin, "-o", tmp_path / "thin.png").exit_code == 0
    pictures = []
    for number, scale in enumerate((1.0, 1e-9)):
        scan = files(f"{number}.nii", lambda v, s=scale: (v * s).astype(np.float32))
        out = tmp_path / f"{number}.png"
        assert picture(scan, files("whole.nii"), "-o", out).exit_code == 0
        pictures.append(imread(out))
    np.testing.assert_allclose(*pictures, atol=0.02)

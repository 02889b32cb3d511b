from __future__ import annotations

import json
import re
import shutil
import struct

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner
from voxres_cli.main import cli

from voxres_tf.config import Resolution
from voxres_tf.contract import CONTRACT_FILE
from voxres_tf.files import write_json


def run(*arguments):
    return CliRunner().invoke(cli, ["predict", *map(str, arguments)])


@pytest.fixture
def data(tmp_path):
    """Two subjects of T1 and FLAIR, in a data set's folder."""
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        for scan in ("T1", "T2_FLAIR"):
            values = random.integers(0, 1000, (12, 9, 5)).astype(np.int16)
            nib.save(nib.Nifti1Image(values, np.diag([-1.0, 1, 3, 1])), folder / f"{scan}.nii")
    return tmp_path / "data"


def test_data_set_to_folder_with_tables(tiny_model, data, tmp_path):
    result = run(
        *("-m", tiny_model, data, "-o", tmp_path / "out", "--save-probabilities"),
        *("--volumes", tmp_path / "ml.csv", "--report", tmp_path / "run.json", "--tile", "8"),
        *("--overlap", "0.25", "--blend", "constant", "--device", "cpu"),
    )
    assert result.exit_code == 0, result.output
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == [
        str(tmp_path / "out" / f"{name}_dseg.nii.gz") for name in ("a", "b")
    ]
    labels = nib.load(tmp_path / "out" / "a_dseg.nii.gz")
    probabilities = np.asarray(nib.load(tmp_path / "out" / "a_probseg.nii.gz").dataobj)
    np.testing.assert_array_equal(np.asarray(labels.dataobj), probabilities.argmax(-1))
    np.testing.assert_array_equal(labels.affine, np.diag([-1.0, 1, 3, 1]))
    assert (tmp_path / "ml.csv").read_text().startswith("subject,CSF_ml,GM_ml,WM_ml,reason\na,")
    options = json.loads((tmp_path / "run.json").read_text())["options"]
    assert (options["tile"], options["overlap"], options["blend"]) == ([8, 8, 8], 0.25, "constant")


def test_what_is_not_asked_for_is_as_the_model_says(tiny_model, data, tmp_path):
    model, report = tmp_path / "model" / "1", tmp_path / "run.json"
    shutil.copytree(tiny_model, model)
    says = {"overlap": 0.25, "tta": True, "one_piece": True}
    contract = json.loads((model / CONTRACT_FILE).read_text()) | says
    write_json(model / CONTRACT_FILE, contract)
    other = {"overlap": 0.0, "tta": False, "one_piece": False}
    asked = ("--overlap", "0", "--no-tta", "--all-pieces")
    for name, arguments, expected in (("a", (), says), ("b", asked, other)):
        written = ("-o", tmp_path / name, "--report", report, "--overwrite")
        result = run("-m", model, data / "a", *written, *arguments)
        assert result.exit_code == 0, result.output
        told = json.loads(report.read_text())
        assert told["options"].items() >= expected.items()
        assert (told["subjects"][0]["loose_ml"] is None) == (name == "b")


def test_one_subject_to_a_file_and_never_over_it(tiny_model, data, tmp_path):
    scans = ("--t1", data / "a" / "T1.nii", "--flair", data / "a" / "T2_FLAIR.nii")
    arguments = ("-m", tiny_model.parent, *scans, "-o", tmp_path / "x.nii", "--quiet", "--tta")
    result = run(*arguments)
    assert (result.exit_code, result.output) == (0, "")
    assert nib.load(tmp_path / "x.nii").shape == (12, 9, 5)
    again = run(*arguments)
    assert again.exit_code == 1
    assert "Pass --overwrite" in again.stderr
    assert run(*arguments, "--overwrite").exit_code == 0


def test_a_scan_that_tells_not_how_it_lies_is_noted(tiny_model, data, tmp_path):
    for scan in ("T1", "T2_FLAIR"):
        values = np.random.default_rng(len(scan)).integers(0, 1000, (12, 9, 5)).astype(np.int16)
        nib.save(nib.Nifti1Image(values, None), data / "b" / f"{scan}.nii")
    arguments = ("-m", tiny_model, data, "-o", tmp_path / "out")
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    first = data / "b" / "T1.nii"
    assert result.stdout.startswith(f"Note: {first}, like 1 more, does not say how it lies")
    assert result.stdout.count("Note") == 1
    report = tmp_path / "run.json"
    assert run(*arguments, "--overwrite", "--quiet", "--report", report).output == ""
    told = {s["id"]: s["oriented"] for s in json.loads(report.read_text())["subjects"]}
    assert told == {"a": True, "b": False}


def test_scans_on_different_grids_and_spacings_as_they_come(tiny_model, data, tmp_path):
    nib.save(
        nib.Nifti1Image(np.arange(480.0).reshape(10, 8, 6), np.diag([-1.2, 1.1, 2.4, 1])),
        data / "a" / "T1.nii",
    )
    arguments = ("-m", tiny_model.parent, data / "a", "-o", tmp_path / "out", "--keep-spacing")
    result = run(*arguments)
    assert result.exit_code == 1
    assert "--resample-to MODALITY" in result.stderr
    report = tmp_path / "run.json"
    result = run(*arguments, "--resample-to", "t1", "--report", report)
    assert result.exit_code == 0, result.output
    assert nib.load(tmp_path / "out" / "a_dseg.nii.gz").shape == (10, 8, 6)
    written = json.loads(report.read_text())
    assert (written["options"]["resample_to"], written["options"]["keep_spacing"]) == ("t1", True)
    (subject,) = written["subjects"]
    assert subject["spacing_mm"] == pytest.approx([1.2, 1.1, 2.4])
    assert (subject["oriented"], subject["oblique_deg"]) == (True, 0)


def test_what_nibabel_mends_is_not_told(tiny_model, data, tmp_path, caplog):
    scan = data / "b" / "T1.nii"
    content = bytearray(scan.read_bytes())
    content[80:84] = np.float32(-struct.unpack("<f", content[80:84])[0]).tobytes()
    scan.write_bytes(content)
    result = run("-m", tiny_model, data, "-o", tmp_path / "out", "--quiet")
    assert (result.exit_code, result.output, caplog.records) == (0, "", [])


def test_voxels_much_longer_than_the_model_takes_are_noted(tiny_model, data, tmp_path):
    model = tmp_path / "model" / "1"
    shutil.copytree(tiny_model, model)
    contract = json.loads((model / CONTRACT_FILE).read_text())
    contract["preprocess"]["resolution"] = Resolution().model_dump(mode="json")
    write_json(model / CONTRACT_FILE, contract)
    for scan in ("T1", "T2_FLAIR"):
        image = nib.load(data / "b" / f"{scan}.nii")
        nib.save(nib.Nifti1Image(image.get_fdata(), np.diag([-1.0, 3, 1, 1])), image.get_filename())
    arguments = ("-m", model, data, "-o", tmp_path / "out")
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    (note,) = [line for line in result.stdout.splitlines() if line.startswith("Note")]
    assert note.startswith("Note: b: voxels of 1 x 3 x 1 mm, interpolated to 1 x 1 x 1 mm")
    assert run(*arguments, "--overwrite", "--quiet").output == ""
    assert "Note" not in run(*arguments, "--overwrite", "--keep-spacing").output


def test_a_bad_subject_is_a_line_and_exit_code_1(tiny_model, data, tmp_path):
    (data / "a" / "T1.nii").write_bytes((data / "a" / "T1.nii").read_bytes()[:400])
    result = run("-m", tiny_model, data, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert result.stderr.startswith("voxres: a failed: ")
    assert len(result.stderr.splitlines()) == 1
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["b_dseg.nii.gz"]
    arguments = ["-v", "predict", "-m", tiny_model, data, "-o", tmp_path / "again"]
    told = CliRunner().invoke(cli, [*map(str, arguments)]).stderr
    assert told.startswith("Traceback (most recent call last):")
    assert told.endswith(result.stderr)


@pytest.mark.parametrize("extra", [(), ("--flair", "T2_FLAIR.nii", "--t2", "T1.nii")])
def test_scans_that_the_model_does_not_take(tiny_model, data, tmp_path, monkeypatch, extra):
    monkeypatch.chdir(data / "a")
    result = run("-m", tiny_model, "--t1", "T1.nii", *extra, "-o", tmp_path / "x.nii")
    assert result.exit_code == 1
    assert "the model takes t1, flair" in result.stderr


def test_parts_share_the_subjects(tiny_model, data, tmp_path):
    part = ("--num-parts", 2, "--part-id", 1)
    tables = ("--volumes", tmp_path / "ml.csv", "--report", tmp_path / "run.json")
    result = run("-m", tiny_model, data, "-o", tmp_path / "out", *part, *tables)
    assert result.exit_code == 0, result.output
    written = [path.name for path in tmp_path.rglob("*") if path.suffix in (".gz", ".csv", ".json")]
    assert sorted(written) == ["b_dseg.nii.gz", "ml_part-1.csv", "run_part-1.json"]
    result = run("-m", tiny_model, data, "-o", tmp_path / "x.nii", *part)
    assert result.exit_code == 1
    assert "a file for one subject. Received: 2 subjects" in result.stderr


def test_unknown_model_names_the_shipped_ones(data, tmp_path):
    result = run("-m", "nowhere", data, "-o", tmp_path)
    assert result.exit_code == 1
    assert "shipped model (shipped: " in result.stderr


def test_a_file_without_its_modality_is_told_how_to_be_given(data):
    table = data / "subjects.csv"
    table.touch()
    result = run("-m", "model", "-o", "out", table)
    assert result.exit_code == 2
    assert re.search(
        r"a manifest goes by --manifest .*subjects\.csv", " ".join(result.output.split())
    )
    result = run("-m", "model", "-o", "out", data / "a" / "T1.nii")
    assert result.exit_code == 2
    assert re.search(r"T1.nii is a file: scans go by .* --t1 ", " ".join(result.output.split()))


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["data", "--t1", "data/a/T1.nii"],
        ["data", "--num-parts", "2", "--part-id", "2"],
        ["data", "--overlap", "1"],
        ["data", "--overlap", "nan"],
        ["data", "--volumes", ""],
        ["data", "--tile", "12"],
        ["data", "--blend", "square"],
        ["data", "--device", "tpu"],
        ["nowhere"],
    ],
)
def test_usage(data, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    assert run("-m", "model", "-o", "out", *arguments).exit_code == 2


def test_a_manifest_in_the_folder_is_not_replaced(tiny_model, data, tmp_path):
    manifest = data / "manifest.csv"
    manifest.write_text("subject,t1,flair\na,a/T1.nii,a/T2_FLAIR.nii\n")
    result = run(
        "-m", tiny_model, data, "-o", tmp_path / "out", "--volumes", manifest, "--overwrite"
    )
    assert result.exit_code == 1
    assert "an output must not be an input" in result.stderr
    assert manifest.read_text().startswith("subject,t1,flair")


def test_one_file_is_not_two_scans(tiny_model, data, tmp_path):
    scan = data / "a" / "T1.nii"
    result = run("-m", tiny_model, "--t1", scan, "--flair", scan, "-o", tmp_path / "x.nii.gz")
    assert result.exit_code == 1
    assert "t1 and flair are two scans. Received: the voxels of" in result.stderr


def test_files_of_the_model_are_not_replaced(tiny_model, data, tmp_path):
    contract = next(tiny_model.rglob("voxres.json"))
    before = contract.read_bytes()
    to = ("-o", tmp_path / "out", "--report", contract, "--overwrite")
    result = run("-m", tiny_model, data, *to)
    assert (result.exit_code, contract.read_bytes()) == (1, before)
    assert "an output must not be an input" in result.stderr

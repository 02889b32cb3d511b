import csv
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner
from voxres_cli.main import cli

AFFINE = np.diag([0.958, 0.958, 3.0, 1.0])
PHANTOM = Path(__file__).parents[2] / "../shared/data/phantom13/TestData"


def save(path, codes, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.asarray(codes, np.int16), affine), path)
    return path


def brain():
    """Nested boxes in the training coding, with a cerebellum in the last slice."""
    codes = np.zeros((12, 12, 4), int)
    codes[1:11, 1:11], codes[2:10, 2:10], codes[4:8, 4:8] = 5, 1, 3
    codes[4:8, 4:8, 3] = 7
    return codes


def tissues(codes):
    return np.array([0, 2, 2, 3, 3, 1, 1, 0, 0])[codes]


@pytest.fixture
def data(tmp_path):
    """Two subjects in MRBrainS13's layout, predicted without fault where it is scored."""
    for subject in ("1", "2"):
        codes = brain()
        save(tmp_path / f"ref/{subject}/LabelsForTraining.nii.gz", codes)
        save(tmp_path / f"ref/{subject}/LabelsForTesting.nii.gz", tissues(codes))
        # The cerebellum is called white matter, which must not cost anything.
        predicted = np.where(codes == 7, 3, tissues(codes))
        save(tmp_path / f"pred/{subject}_dseg.nii.gz", predicted)
    return tmp_path


def evaluate(root, *more, pred="pred", ref="ref"):
    args = ["evaluate", "--pred", str(root / pred), "--ref", str(root / ref), *more]
    return CliRunner().invoke(cli, args)


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_folders(data):
    result = evaluate(data, "-o", str(data / "scores.csv"))
    assert result.exit_code == 0, result.output
    assert "2 subjects, protocol mrbrains13: cerebellum and brainstem left out" in result.output
    found = rows(data / "scores.csv")
    assert [(r["subject"], r["class"]) for r in found] == [
        (s, c) for s in ("1", "2") for c in ("CSF", "GM", "WM")
    ]
    assert {(r["dice"], r["hd95_mm"], r["avd_percent"]) for r in found} == {("1.0", "0.0", "0.0")}
    # 4 x 4 voxels of white matter in three of the four slices.
    assert float(found[2]["ref_ml"]) == pytest.approx(48 * 0.958**2 * 3 / 1000)


def test_plain_scores_every_voxel(data):
    result = evaluate(data, "--protocol", "plain", "-o", str(data / "scores.csv"))
    assert result.exit_code == 0, result.output
    white = rows(data / "scores.csv")[2]
    assert float(white["dice"]) == pytest.approx(2 * 48 / (48 + 64))
    assert float(white["avd_percent"]) == pytest.approx(100 / 3)


def test_two_files_agree_with_folders(data):
    first = evaluate(data, pred="pred/1_dseg.nii.gz", ref="ref/1/LabelsForTraining.nii.gz")
    second = evaluate(data, pred="pred/1_dseg.nii.gz", ref="ref/1")
    assert first.exit_code == 0, first.output
    (told, *one), (other, *two) = (found.output.splitlines() for found in (first, second))
    assert one == two
    assert told.removesuffix("as LabelsForTraining") == other.removesuffix("0..3")


def test_references_that_seem_to_have_two_codings_are_refused(data):
    save(data / "loose/1.nii", tissues(brain()))
    save(data / "loose/2.nii", brain())
    result = evaluate(data, ref="loose")
    assert result.exit_code == 1
    assert "references: one coding. Received: 0..3 in " in result.stderr
    assert "and as LabelsForTraining in " in result.stderr
    save(data / "loose/1.nii", brain())
    told = evaluate(data, ref="loose").output.splitlines()[0]
    assert told.endswith("; references coded as LabelsForTraining")


def test_a_reference_without_a_mask_says_so(data):
    save(data / "ref.nii", tissues(brain()))
    result = evaluate(data, pred="pred/1_dseg.nii.gz", ref="ref.nii")
    assert "reference of 1 does not mark what the protocol leaves out" in result.output


def test_a_missed_tissue_costs_dice_and_volume_and_has_no_distance(data):
    codes = tissues(brain())
    save(data / "pred/2_dseg.nii.gz", np.where(codes == 1, 0, codes))
    result = evaluate(data, "-o", str(data / "scores.csv"))
    assert result.exit_code == 0, result.output
    row = rows(data / "scores.csv")[3]
    assert (row["dice"], row["hd95_mm"], row["avd_percent"]) == ("0.0", "", "100.0")
    assert float(row["pred_ml"]) == 0
    assert "Undefined: 2 CSF HD95: absent from the prediction" in result.output
    csf = next(line for line in result.output.splitlines() if line.startswith("CSF"))
    assert csf.split() == ["CSF", "Dice", "0.500", "0.707", "0.500", "2"]


def test_a_wrong_grid_is_one_line(data):
    affine = AFFINE.copy()
    affine[1, 3] = 2.5
    save(data / "pred/2_dseg.nii.gz", tissues(brain()), affine)
    result = evaluate(data, "-o", str(data / "scores.csv"))
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "2_dseg.nii.gz: the grid of" in result.stderr
    assert "2.50 mm apart" in result.stderr
    assert not (data / "scores.csv").exists()


@pytest.mark.parametrize("side", ["pred/1_dseg.nii.gz", "ref/1/LabelsForTesting.nii.gz"])
def test_unknown_codes(data, side):
    save(data / side, brain() * 11)
    result = evaluate(data)
    assert result.exit_code == 1
    assert "codes [11, 33" in result.stderr


@pytest.mark.parametrize(
    ("gone", "fault"),
    [
        ("pred/2_dseg.nii.gz", "every reference has a prediction. Received: none for 2."),
        ("ref/2/LabelsFor", "every prediction has a reference. Received: none for 2."),
    ],
)
def test_a_missing_subject_is_named(data, gone, fault):
    for path in list(data.glob(f"{gone}*")):
        path.unlink()
    result = evaluate(data)
    assert result.exit_code == 1
    assert fault in result.stderr


def test_outputs_are_not_replaced(data):
    output = data / "scores.csv"
    output.write_text("mine")
    result = evaluate(data, "-o", str(output))
    assert result.exit_code == 1
    assert "pass --overwrite" in result.stderr.lower()
    assert output.read_text() == "mine"
    assert evaluate(data, "-o", str(output), "--overwrite").exit_code == 0
    assert len(rows(output)) == 6


@pytest.mark.parametrize("ref", ["m/manifest.csv", "m"])
def test_inputs_are_not_replaced(data, ref):
    manifest = data / "m" / "manifest.csv"
    manifest.parent.mkdir()
    rows = [f"{n},t1.nii,../ref/{n}/LabelsForTesting.nii.gz,tissue" for n in "12"]
    manifest.write_text("\n".join(["subject,t1,label,scheme", *rows]))
    before = manifest.read_text()
    result = evaluate(data, "-o", str(manifest), "--overwrite", ref=ref)
    assert result.exit_code == 1
    assert "an output must not be an input" in result.stderr
    assert manifest.read_text() == before


def test_a_label_scheme_is_not_replaced(data):
    own, manifest = data / "own.json", data / "own.csv"
    own.write_text('{"classes": ["background", "CSF", "GM", "WM"], "codes": {"0": 0, "1": 1}}')
    rows = [f"{n},ref/{n}/T1.nii.gz,ref/{n}/LabelsForTesting.nii.gz,own.json" for n in "12"]
    manifest.write_text("\n".join(["subject,t1,label,scheme", *rows]))
    before = own.read_text()
    result = evaluate(data, "-o", str(own), "--overwrite", ref="own.csv")
    assert (result.exit_code, own.read_text()) == (1, before)
    assert "an output must not be an input" in result.stderr


def test_what_is_scored_is_not_replaced(data):
    predicted = next((data / "pred").iterdir())
    before = predicted.read_bytes()
    result = evaluate(data, "-o", str(predicted), "--overwrite")
    assert (result.exit_code, predicted.read_bytes()) == (1, before)
    assert "an output must not be an input" in result.stderr


def test_usage_errors(data):
    assert evaluate(data, pred="none").exit_code == 2
    assert evaluate(data, "--protocol", "other").exit_code == 2
    assert evaluate(data, "--overwrite").exit_code == 2


def test_tensorflow_stays_out(data):
    script = (
        "import sys; from voxres_cli.main import cli\n"
        f"cli(['evaluate', '--pred', r'{data / 'pred'}', '--ref', r'{data / 'ref'}'], "
        "standalone_mode=False)\n"
        "sys.exit('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not PHANTOM.is_dir(), reason="../shared/data/phantom13 is not here")
def test_labels_of_real_size_score_themselves(tmp_path):
    shutil.copy(PHANTOM / "1/LabelsForTesting.nii.gz", tmp_path / "1.nii.gz")
    result = CliRunner().invoke(
        cli, ["evaluate", "--pred", str(tmp_path / "1.nii.gz"), "--ref", str(PHANTOM / "1")]
    )
    assert result.exit_code == 0, result.output
    assert result.output.count("Dice          1.000") == 3


def test_upper_case_names_are_scored_too(data):
    for path in (*data.glob("pred/2*"), *data.glob("ref/2/*")):
        path.rename(path.with_name(path.name.replace(".nii.gz", ".NII.GZ")))
    assert evaluate(data).stdout.startswith("2 subjects")


def test_scores_are_shown_though_they_cannot_be_written(data):
    (data / "file").touch()
    result = evaluate(data, "-o", str(data / "file" / "scores.csv"))
    assert (result.exit_code, result.stdout[:10]) == (1, "2 subjects")

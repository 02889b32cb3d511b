from __future__ import annotations

import csv
import errno
import io
import json
import re
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from voxres_tf.errors import ConfigError, OutputExistsError
from voxres_tf.inference import outputs
from voxres_tf.inference.batch import predict_all
from voxres_tf.inference.outputs import OutputPlan


def test_good_subjects_finish_beside_a_bad_one(make_predictor, write_subject, tmp_path):
    good, bad, last = write_subject("a"), write_subject("b"), write_subject("c")
    bad.images["t1"].write_bytes(bad.images["t1"].read_bytes()[:500])
    plan = OutputPlan(tmp_path / "out", True, tmp_path / "tables" / "ml.csv", tmp_path / "run.json")
    outcomes = predict_all(make_predictor(), [good, bad, last], plan)
    assert [bool(o.failure) for o in outcomes] == [False, True, False]
    assert sorted(p.name for p in plan.out.iterdir()) == [
        "a_dseg.nii.gz",
        "a_probseg.nii.gz",
        "c_dseg.nii.gz",
        "c_probseg.nii.gz",
    ]
    rows = list(csv.DictReader(io.StringIO((tmp_path / "tables" / "ml.csv").read_text())))
    assert [row["subject"] for row in rows] == ["a", "b", "c"]
    assert float(rows[0]["GM_ml"]) == pytest.approx(outcomes[0].volumes_ml["GM"], abs=1e-3)
    assert rows[1]["CSF_ml"] == rows[1]["GM_ml"] == rows[1]["WM_ml"] == ""
    assert "t1.nii" in rows[1]["reason"]
    report = json.loads((tmp_path / "run.json").read_text())
    assert [s["status"] for s in report["subjects"]] == ["ok", "failed", "ok"]
    assert set(report["subjects"][0]["seconds"]) == {"read", "prepare", "predict", "write"}
    assert report["model"]["name"] == "formula"
    assert report["options"]["blend"] == "gaussian"
    assert "tensorflow" in report["versions"]


def test_the_report_says_which_modalities_were_used(
    make_predictor, write_subject, optional, tmp_path
):
    optional("flair")
    subjects = [write_subject("a"), write_subject("b", modalities=("t1", "t2"))]
    subjects.append(write_subject("c", modalities=("flair",)))
    plan = OutputPlan(tmp_path / "out", report=tmp_path / "run.json")
    predict_all(make_predictor(), subjects, plan)
    report = json.loads(plan.report.read_text())
    assert report["model"]["optional_modalities"] == ["flair"]
    used = [subject["modalities"] for subject in report["subjects"]]
    assert used == [["t1", "flair"], ["t1"], []]
    assert "missing: t1" in report["subjects"][2]["failure"]


@pytest.mark.usefixtures("any_spacing")
def test_the_report_tells_both_spacings(make_predictor, write_subject, tmp_path):
    affine = np.array([[0, 0, 1.0, 0], [-1.0, 0, 0, 0], [0, 9.0, 0, 0], [0, 0, 0, 1]])
    plan = OutputPlan(tmp_path / "out", report=tmp_path / "run.json")
    (outcome,) = predict_all(make_predictor(), [write_subject(affine=affine)], plan)
    told = json.loads(plan.report.read_text())["subjects"][0]
    assert told["own_spacing_mm"] == outcome.own_spacing_mm == [1.0, 1.0, 9.0]
    assert told["spacing_mm"] == [1.0, 1.0, 5.5]
    assert told["extent_mm"] == outcome.extent_mm == [20.0, 18.0, 90.0]
    assert ["voxels of 1 x 1 x 9 mm" in note for note in outcome.notes] == [True]


def test_files_hold_the_prediction_on_the_input_geometry(make_predictor, write_subject, tmp_path):
    files, predictor = write_subject(), make_predictor()
    plan = OutputPlan(tmp_path, save_probabilities=True)
    predict_all(predictor, [files], plan)
    source, labels = nib.load(files.images["t1"]), nib.load(plan.labels("s1"))
    probabilities = nib.load(plan.probabilities("s1"))
    prediction = predictor(files)
    np.testing.assert_array_equal(np.asarray(labels.dataobj), prediction.labels.data)
    np.testing.assert_array_equal(np.asarray(probabilities.dataobj), prediction.probabilities.data)
    assert labels.get_data_dtype() == np.uint8
    assert probabilities.get_data_dtype() == np.float32
    for image in (labels, probabilities):
        np.testing.assert_allclose(image.affine, source.affine)
        assert image.header["sform_code"] == source.header["sform_code"] == 2
        assert image.header["qform_code"] == source.header["qform_code"]


@pytest.mark.parametrize(
    ("name", "probabilities"),
    [("x.nii", "x_probseg.nii.gz"), ("x_dseg.nii.gz", "x_probseg.nii.gz")],
)
def test_out_may_name_the_file_of_one_subject(
    make_predictor, write_subject, tmp_path, name, probabilities
):
    plan = OutputPlan(tmp_path / "o" / name, save_probabilities=True)
    (outcome,) = predict_all(make_predictor(), [write_subject()], plan)
    assert outcome.outputs == [str(plan.out), str(tmp_path / "o" / probabilities)]
    assert sorted(p.name for p in plan.out.parent.iterdir()) == sorted([name, probabilities])


def test_existing_outputs_are_refused_before_work(make_predictor, write_subject, tmp_path):
    def engine(tiles):
        raise NotImplementedError

    subjects = [write_subject("a"), write_subject("b")]
    out = tmp_path / "out"
    out.mkdir()
    (out / "b_dseg.nii.gz").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"b_dseg.nii.gz: .*Pass --overwrite"):
        predict_all(make_predictor(engine), subjects, OutputPlan(out))
    assert (out / "b_dseg.nii.gz").read_text() == "mine"
    predict_all(make_predictor(), subjects, OutputPlan(out, overwrite=True))
    assert nib.load(out / "b_dseg.nii.gz").shape == (18, 10, 20)


def test_a_file_cannot_hold_two_subjects(make_predictor, write_subject, tmp_path):
    with pytest.raises(ConfigError, match=r"a file for one subject\. Received: 2 subjects"):
        predict_all(
            make_predictor(),
            [write_subject("a"), write_subject("b")],
            OutputPlan(tmp_path / "x.nii"),
        )


def test_a_file_is_no_folder(make_predictor, write_subject, tmp_path):
    (tmp_path / "out").touch()
    for name in ("out", "labels.img", "labels.NII.GZ"):
        with pytest.raises(ConfigError, match=r"a folder, or a file that ends in \.nii"):
            predict_all(make_predictor(), [write_subject()], OutputPlan(tmp_path / name))


def test_outputs_do_not_replace_each_other(make_predictor, write_subject, tmp_path):
    out = tmp_path / "out"
    for options in (
        {"volumes": out / "s1_dseg.nii.gz"},
        {"volumes": tmp_path / "x", "report": tmp_path / "a" / ".." / "x"},
        {"volumes": out},
        {"volumes": tmp_path / "x", "report": tmp_path / "x" / "y"},
    ):
        with pytest.raises(ConfigError, match="a file for each output"):
            predict_all(make_predictor(), [write_subject()], OutputPlan(out, **options))
    with pytest.raises(ConfigError, match="an output must not be an input"):
        predict_all(make_predictor(), [write_subject()], OutputPlan(out, report=tmp_path))
    assert not out.exists()


@pytest.mark.parametrize("id_", ["../../x", "a/b", "..", ""])
def test_ids_that_lead_elsewhere_are_refused(make_predictor, write_subject, tmp_path, id_):
    with pytest.raises(ConfigError, match="ids of subjects that can be file names"):
        predict_all(
            make_predictor(), [replace(write_subject(), id=id_)], OutputPlan(tmp_path / "a/b/out")
        )
    assert not (tmp_path / "a").exists()


def test_subjects_may_come_one_by_one(make_predictor, write_subject, tmp_path):
    subjects = (write_subject(name) for name in "ab")
    outcomes = predict_all(make_predictor(), subjects, OutputPlan(tmp_path / "out"))
    assert [outcome.id for outcome in outcomes] == ["a", "b"]


def test_inputs_are_never_replaced(make_predictor, write_subject):
    files = write_subject()
    plan = OutputPlan(files.images["t1"], overwrite=True)
    with pytest.raises(ConfigError, match="an output must not be an input"):
        predict_all(make_predictor(), [files], plan)


def test_an_input_is_known_by_its_file(make_predictor, write_subject, tmp_path):
    files, other = write_subject(), tmp_path / "other.nii"
    other.hardlink_to(files.images["t1"])
    with pytest.raises(ConfigError, match="an output must not be an input"):
        predict_all(make_predictor(), [files], OutputPlan(other, overwrite=True))


def test_all_parts_of_an_input_are_kept(make_predictor, write_subject, tmp_path):
    files, scheme = write_subject(), tmp_path / "own.json"
    scheme.write_text("{}")
    pair = nib.load(files.images["t1"])
    nib.save(nib.Nifti1Pair(pair.dataobj, pair.affine), tmp_path / "t1.img")
    images = files.images | {"t1": tmp_path / "t1.hdr"}
    files = replace(files, images=images, labels=files.images["t1"], scheme=str(scheme))
    for name in ("t1.img", "t1.hdr", "own.json"):
        plan = OutputPlan(tmp_path / "out", report=tmp_path / name, overwrite=True)
        with pytest.raises(ConfigError, match=f"{name}: an output must not be an input"):
            predict_all(make_predictor(), [files], plan)


def test_probabilities_whose_labels_are_gone_do_not_lie_beside_new_labels(
    make_predictor, write_subject, tmp_path
):
    plan = OutputPlan(tmp_path / "out")
    probabilities = plan.probabilities("s1")
    probabilities.parent.mkdir()
    probabilities.write_text("old")
    with pytest.raises(OutputExistsError, match=r"s1_probseg\.nii\.gz: outputs are not replaced"):
        predict_all(make_predictor(), [write_subject()], plan)
    assert probabilities.read_text() == "old"
    predict_all(make_predictor(), [write_subject()], replace(plan, overwrite=True))
    assert not probabilities.exists()


@pytest.mark.parametrize("where", ["out", "out/s1_dseg.nii.gz"])
def test_links_whose_targets_are_away_are_not_replaced(
    make_predictor, write_subject, tmp_path, where
):
    (tmp_path / where).parent.mkdir(exist_ok=True)
    (tmp_path / where).symlink_to(tmp_path / "away")
    with pytest.raises((OutputExistsError, ConfigError)):
        predict_all(make_predictor(), [write_subject()], OutputPlan(tmp_path / "out"))
    assert (tmp_path / where).is_symlink()


def test_what_is_read_besides_scans_is_never_replaced(make_predictor, write_subject, tmp_path):
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("subject,t1,flair\n")
    plan = OutputPlan(tmp_path / "out", volumes=manifest, overwrite=True, kept=(manifest,))
    with pytest.raises(ConfigError, match=r"an output must not be an input"):
        predict_all(make_predictor(), [write_subject()], plan)
    assert manifest.read_text() == "subject,t1,flair\n"


def test_a_place_that_cannot_be_written_is_found_before_work(
    make_predictor, write_subject, tmp_path, monkeypatch
):
    (tmp_path / "file").touch()
    for out in (tmp_path / "file" / "out", tmp_path / "file" / "x.nii"):
        with pytest.raises(
            ConfigError, match=r"a folder that can be written\. .*file, no folder\."
        ):
            predict_all(make_predictor(), [write_subject()], OutputPlan(out))
    monkeypatch.setattr(outputs.os, "access", lambda *_: False)
    with pytest.raises(ConfigError, match="read-only"):
        predict_all(make_predictor(), [write_subject()], OutputPlan(tmp_path / "out"))


def test_whatever_befalls_one_subject_the_others_go_on(make_predictor, write_subject, tmp_path):
    predictor, subjects = make_predictor(), [write_subject("a"), write_subject("b")]

    def predict(files):
        if files.id == "a":
            raise ZeroDivisionError("by chance")
        return predictor(files)

    predict.engine, predict.contract = predictor.engine, predictor.contract
    outcomes = predict_all(predict, subjects, OutputPlan(tmp_path / "out"))
    failed, other = (outcome.failure for outcome in outcomes)
    assert re.fullmatch(r"ZeroDivisionError: by chance \(test_batch\.py, line \d+\)", failed)
    assert other is None
    assert "raise ZeroDivisionError" in outcomes[0].trace
    assert outcomes[1].trace is None


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "x_probseg.nii.gz: .*No space left"),
        (MemoryError("too large"), "MemoryError: too large"),
    ],
)
def test_a_subject_that_failed_leaves_no_file(
    make_predictor, write_subject, tmp_path, monkeypatch, error, told
):
    save, files = nib.save, write_subject("x")

    def full(image, path):
        if "probseg" in str(path):
            raise error
        save(image, path)

    monkeypatch.setattr(nib, "save", full)
    plan = OutputPlan(tmp_path / "out", save_probabilities=True)
    (outcome,) = predict_all(make_predictor(), [files], plan)
    assert re.search(told, outcome.failure)
    assert not plan.out.exists()
    # And what was there before is there still.
    plan.out.mkdir()
    plan.labels("x").write_text("before")
    predict_all(make_predictor(), [files], replace(plan, overwrite=True))
    assert [(p.name, p.read_text()) for p in plan.out.iterdir()] == [("x_dseg.nii.gz", "before")]


def test_probabilities_go_with_the_labels_that_they_belong_to(
    make_predictor, write_subject, tmp_path
):
    files, plan = write_subject("x"), OutputPlan(tmp_path / "out", save_probabilities=True)
    predict_all(make_predictor(), [files], plan)
    assert plan.probabilities("x").exists()
    predict_all(make_predictor(), [files], OutputPlan(plan.out, overwrite=True))
    assert [p.name for p in plan.out.iterdir()] == ["x_dseg.nii.gz"]


def test_probabilities_that_are_not_kept_cannot_be_saved(make_predictor, write_subject, tmp_path):
    predictor = make_predictor(probabilities=False)
    plan = OutputPlan(tmp_path / "out", save_probabilities=True)
    with pytest.raises(ConfigError, match="a predictor that keeps probabilities"):
        predict_all(predictor, [write_subject()], plan)
    assert not (tmp_path / "out").exists()

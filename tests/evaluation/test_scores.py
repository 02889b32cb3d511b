import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxres_tf.errors import DataError
from voxres_tf.evaluation.scores import (
    FIGURES,
    Score,
    read_scores,
    score_subject,
    summarise,
    write_scores,
)

figures = st.none() | st.floats(0, 1e6)
volumes = st.floats(0, 1e6)
score_lists = st.lists(
    st.builds(
        Score,
        subject=st.text("ab,\"'_1é ", min_size=1),
        class_name=st.sampled_from(["CSF", "GM", "WM"]),
        dice=figures,
        hd95_mm=figures,
        avd_percent=figures,
        ref_ml=volumes,
        pred_ml=volumes,
    ),
    max_size=6,
)


def test_score_subject_by_hand():
    # Voxels of 1 x 1 x 3 mm are 0.003 ml. CSF: one voxel each, 1 mm apart. GM: in both images,
    # but the second voxel is not scored. WM: only in the prediction.
    prediction = np.array([1, 0, 0, 2, 2, 3, 0], np.uint8).reshape(7, 1, 1)
    reference = np.array([0, 1, 0, 2, 0, 0, 0], np.uint8).reshape(7, 1, 1)
    scored = np.array([1, 1, 1, 1, 0, 1, 1], bool).reshape(7, 1, 1)
    csf, gm, wm = score_subject("7", prediction, reference, (1, 1, 3), scored)
    assert csf == Score("7", "CSF", 0.0, 1.0, 0.0, 0.003, 0.003)
    assert gm == Score("7", "GM", 1.0, 0.0, 0.0, 0.003, 0.003)
    assert wm == Score("7", "WM", 0.0, None, None, 0.0, 0.003)
    assert csf.reason is None
    assert wm.reason == "absent from the reference"


def test_volumes_of_voxels_that_are_not_cuboids():
    labels = np.array([2, 2, 0], np.uint8).reshape(3, 1, 1)
    (_, gm, _) = score_subject("a", labels, labels, (1, 1, 3), voxel_ml=0.002)
    assert (gm.ref_ml, gm.pred_ml) == (0.004, 0.004)


def test_every_voxel_counts_without_a_mask():
    labels = np.array([2, 2, 0], np.uint8).reshape(3, 1, 1)
    (_, gm, _) = score_subject("a", labels, labels, (1, 1, 1))
    assert gm.ref_ml == 0.002


@pytest.mark.parametrize(
    ("score", "reason"),
    [
        (Score("a", "GM", 0.0, None, 100.0, 1.0, 0.0), "absent from the prediction"),
        (Score("a", "GM", None, None, None, 0.0, 0.0), "absent from the reference and the predict"),
        (Score("a", "GM", 1.0, None, 0.0, 1.0, 1.0), "no boundary"),
    ],
)
def test_reasons(score, reason):
    assert reason in score.reason


@given(score_lists)
def test_csv_gives_back_the_same_scores(tmp_path_factory, scores):
    path = tmp_path_factory.mktemp("scores") / "scores.csv"
    write_scores(path, scores)
    assert read_scores(path) == scores


def test_csv_by_hand(tmp_path):
    path = tmp_path / "scores.csv"
    write_scores(path, [Score("1", "GM", 0.5, None, 12.5, 3.0, 2.0)])
    assert path.read_text() == (
        "subject,class,dice,hd95_mm,avd_percent,ref_ml,pred_ml\n1,GM,0.5,,12.5,3.0,2.0\n"
    )
    assert [p.name for p in tmp_path.iterdir()] == ["scores.csv"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "columns subject,class,dice"),
        ("subject,dice\n", "Received: subject,dice"),
        ("subject,class,dice,hd95_mm,avd_percent,ref_ml,pred_ml\na,GM,x,,,1,1\n", "line 2 holds"),
        ("subject,class,dice,hd95_mm,avd_percent,ref_ml,pred_ml\na,GM,1\n", "line 2 holds"),
    ],
)
def test_faulty_csv(tmp_path, text, fault):
    path = tmp_path / "scores.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=fault):
        read_scores(path)


@pytest.mark.parametrize("content", [b"\x1f\x8b\x08", b"a" * 200_000])
def test_a_file_that_is_no_csv_is_named(tmp_path, content):
    path = tmp_path / "T1.nii.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"T1\.nii\.gz: a CSV file in UTF-8.*Pass scores of voxres"):
        read_scores(path)


def test_a_spreadsheet_may_put_a_bom_first(tmp_path):
    path = tmp_path / "scores.csv"
    scores = [Score("1", "GM", 0.5, None, 12.5, 3.0, 2.0)]
    write_scores(path, scores)
    path.write_text(path.read_text(), encoding="utf-8-sig")
    assert read_scores(path) == scores


def test_missing_csv(tmp_path):
    with pytest.raises(DataError, match="an existing file"):
        read_scores(tmp_path / "none.csv")


def test_summary_by_hand():
    scores = [
        Score("1", "GM", 0.8, 1.0, 0.0, 1.0, 1.0),
        Score("2", "GM", 0.9, None, 10.0, 1.0, 1.0),
        Score("3", "GM", None, None, None, 0.0, 0.0),
    ]
    found = {(s.class_name, s.figure): s for s in summarise(scores)}
    overlap, distance = found["GM", "dice"], found["GM", "hd95_mm"]
    assert (overlap.n, overlap.mean, overlap.median) == (2, *[pytest.approx(0.85)] * 2)
    assert overlap.sd == pytest.approx(math.sqrt(2 * 0.05**2 / 1))
    assert (distance.n, distance.mean, distance.sd, distance.median) == (1, 1.0, None, 1.0)
    assert found["WM", "dice"].n == 0
    assert found["WM", "dice"].mean is None


def test_a_missed_tissue_counts_in_the_means():
    labels = np.array([1, 2, 3], np.uint8).reshape(3, 1, 1)
    missed = np.where(labels == 2, 0, labels).astype(np.uint8)
    scores = [
        *score_subject("1", labels, labels, (1, 1, 1)),
        *score_subject("2", missed, labels, (1, 1, 1)),
    ]
    found = {s.figure: (s.n, s.mean) for s in summarise(scores) if s.class_name == "GM"}
    assert found == {"dice": (2, 0.5), "hd95_mm": (1, 0.0), "avd_percent": (2, 50.0)}


def test_no_scores_still_name_every_figure():
    assert [(s.class_name, s.figure) for s in summarise([])] == [
        (name, figure) for name in ("CSF", "GM", "WM") for figure in FIGURES
    ]

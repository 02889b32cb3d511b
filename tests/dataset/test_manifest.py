from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxres_tf.config import MODALITIES
from voxres_tf.dataset.checks import check_dataset
from voxres_tf.dataset.manifest import read_manifest, write_manifest
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.errors import DataError
from voxres_tf.labels import SCHEMES


@pytest.fixture
def manifest(tmp_path):
    """Write a manifest beside the empty files a.nii, b.nii and seg/a.nii."""
    (tmp_path / "seg").mkdir()
    for name in ("a.nii", "b.nii", "seg/a.nii"):
        (tmp_path / name).touch()

    def write(text: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "people.csv"
        path.write_text(text, encoding=encoding)
        return path

    return write


def test_rows_become_subjects(manifest, tmp_path):
    path = manifest(
        "Subject, T1 ,t2_flair,label,scheme\n"
        "zoe,a.nii,b.nii,seg/a.nii,mrbrains13\n"
        "\n"
        f"adam,{tmp_path / 'b.nii'},,,\n"
    )
    assert read_manifest(path) == [
        SubjectFiles(
            "zoe",
            {"t1": tmp_path / "a.nii", "flair": tmp_path / "b.nii"},
            tmp_path / "seg" / "a.nii",
            "mrbrains13",
        ),
        SubjectFiles("adam", {"t1": tmp_path / "b.nii"}, None, "tissue"),
    ]


def test_spellings_byte_order_mark_and_short_rows(manifest, tmp_path):
    path = manifest("subject,t1_ir,t2,label\nx,a.nii\n", encoding="utf-8-sig")
    assert read_manifest(path) == [SubjectFiles("x", {"t1-ir": tmp_path / "a.nii"})]


@pytest.mark.parametrize(("named", "voxels"), [("c.hdr", "c.img"), ("c.HDR", "c.IMG")])
def test_pair_is_named_by_its_voxels(manifest, tmp_path, named, voxels):
    (tmp_path / voxels).touch()
    found = read_manifest(manifest(f"subject,t1\nx,{named}\n"))[0]
    assert found.images["t1"] == tmp_path / voxels


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("subject,t1,age\nx,a.nii,7\n", r"csv: .* unknown columns 'age'"),
        ("subject;t1\nx;a.nii\n", r"unknown columns 'subject;t1'"),
        ("subject,t1_ir,t1-ir\nx,a.nii,b.nii\n", r"there twice: t1-ir"),
        ("t1,label\na.nii,\n", r"Received: no column subject"),
        ("subject,label\nx,a.nii\n", r"Received: no modality"),
        ("subject,t1\n", r"a header and a row per subject. Received: a header alone"),
        ("", r"Received: an empty file"),
        ("subject,t1\nx,a.nii\n,b.nii\n", r"line 3: '' is no subject id"),
        ("subject,t1\n../x,a.nii\n", r"line 2: '../x' is no subject id"),
        ("subject,t1\nx,a.nii\ny,b.nii\nx,b.nii\n", r"line 4: subject 'x' is on line 2 already"),
        ("subject,t1\nx,a.nii,b.nii\n", r"line 2: cells beyond the last column: b.nii"),
        ("subject,t1,label\nx,,a.nii\n", r"line 2: subject 'x' has no scan"),
        ("subject,t1,scheme\nx,a.nii,brats\n", r"line 2: scheme 'brats' is none of tissue, "),
        ('subject,t1\n"x,a.nii\n', r"a CSV file in UTF-8"),
    ],
)
def test_faults(manifest, text, fault):
    with pytest.raises(DataError, match=fault):
        read_manifest(manifest(text))


def test_all_faults_at_once(manifest):
    path = manifest("subject,t1,t2\n,no.nii,a.nii\nx,a.nii,\nx,a.nii,\ny,,\n")
    with pytest.raises(DataError) as caught:
        read_manifest(path)
    for fault in (
        "line 2: '' is no subject id",
        "line 4: subject 'x'",
        "line 5: subject 'y'",
    ):
        assert fault in str(caught.value)


def test_a_missing_file_is_the_fault_of_its_subject_alone(manifest):
    subjects = read_manifest(manifest("subject,t1,label\nx,no.nii,\ny,a.nii,none.nii\n"))
    assert [files.id for files in subjects] == ["x", "y"]
    problems = list(map(str, check_dataset(subjects, None, need_labels=False, quiet=True)))
    assert any("subject x" in p and "no.nii: an existing file" in p for p in problems)
    assert any("subject y" in p and "none.nii: an existing file" in p for p in problems)


def test_not_utf8_and_not_there(manifest, tmp_path):
    with pytest.raises(DataError, match="a CSV file in UTF-8"):
        read_manifest(manifest("subject,t1\nZoë,a.nii\n", encoding="latin-1"))
    with pytest.raises(DataError, match="a CSV file in UTF-8"):
        read_manifest(tmp_path / "absent.csv")


def test_written_paths_are_relative(tmp_path):
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "a.nii").touch()
    path = tmp_path / "tables" / "m.csv"
    write_manifest(path, [SubjectFiles("x", {"t1": tmp_path / "scans" / "a.nii"})])
    assert path.read_text() == "subject,t1,label,scheme\nx,../scans/a.nii,,tissue\n"


def test_written_paths_lead_to_the_file_below_a_link(tmp_path):
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "deep")
    (tmp_path / "a.nii").touch()
    path = tmp_path / "link" / "m.csv"
    write_manifest(path, [SubjectFiles("x", {"t1": tmp_path / "a.nii"})])
    assert read_manifest(path)[0].images["t1"].samefile(tmp_path / "a.nii")


ids = (
    st.text(min_size=1, max_size=8)
    .map(str.strip)
    .filter(lambda text: text not in ("", ".", "..") and not set(text) & set("/\\\0\r\n"))
)


@st.composite
def subjects(draw):
    names = draw(st.lists(ids, unique=True, min_size=1, max_size=4))
    found = []
    for name in names:
        images = draw(st.sets(st.sampled_from(MODALITIES), min_size=1))
        files = {m: Path(f"{m}.nii") for m in MODALITIES if m in images}
        labels = draw(st.sampled_from([None, Path("label, drawn.nii")]))
        found.append(SubjectFiles(name, files, labels, draw(st.sampled_from(sorted(SCHEMES)))))
    return found


@settings(max_examples=50, deadline=None)
@given(subjects())
def test_what_is_written_is_read_back(found):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        for file in (*(f"{m}.nii" for m in MODALITIES), "label, drawn.nii"):
            (folder / file).touch()
        placed = [
            SubjectFiles(
                files.id,
                {m: folder / p for m, p in files.images.items()},
                folder / files.labels if files.labels else None,
                files.scheme,
            )
            for files in found
        ]
        write_manifest(folder / "m.csv", placed)
        assert read_manifest(folder / "m.csv") == placed

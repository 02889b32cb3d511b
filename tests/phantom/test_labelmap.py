"""Label maps: codes, pose, what is dropped, and people made from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from tests.phantom.conftest import CENTRE, FACE, NOD_DEG, STRAY, draw_codes
from voxres_tf.errors import DataError
from voxres_tf.phantom.deformation import Pose
from voxres_tf.phantom.freesurfer import LANDMARKS, TISSUE_OF
from voxres_tf.phantom.labelmap import LabelHead, LabelLattice, LabelPerson, read_lattice
from voxres_tf.phantom.tissues import CLASSES, TRAINING_CODES, Tissue

STILL = Pose(
    angles_deg=(0, 0, 0),
    size_sd=0,
    centre_mm=(0, 0, 0),
    centre_sd_mm=(0, 0, 0),
    warp_mm=(0, 0),
)


@pytest.fixture(scope="module")
def lattice(label_map: Path) -> LabelLattice:
    return read_lattice(label_map)


def test_every_tissue_has_a_class_and_a_code() -> None:
    assert len(CLASSES) == len(TRAINING_CODES) == len(Tissue)
    for tissue in Tissue:
        if TRAINING_CODES[tissue] in (7, 8):
            assert CLASSES[tissue] in (2, 3)


@pytest.mark.parametrize(
    ("codes", "tissue"),
    [
        # wmparc: white matter by the parcel of the cortex above it, and what is far from any.
        ((3000, 3035, 4000, 4035, 5001, 5002), Tissue.WM),
        # aparc+aseg and aparc.a2009s+aseg: the first parcel of each hemisphere and the last.
        ((1000, 1035, 2000, 2035, 11100, 11175, 12100, 12175), Tissue.CORTEX),
        # Outside the brain in SAMSEG and in FreeSurfer's whole heads.
        ((165, 915), Tissue.BONE),
        ((258, 908), Tissue.MUSCLE),
        ((259, 506), Tissue.EYE),
        ((24, 257), Tissue.CSF),
        ((31, 63), Tissue.PLEXUS),
    ],
)
def test_parcellations_of_freesurfer_are_known(codes: tuple[int, ...], tissue: Tissue) -> None:
    assert {TISSUE_OF[code] for code in codes} == {tissue}


def test_landmarks_are_codes_of_the_table() -> None:
    assert all(code in TISSUE_OF for codes in LANDMARKS for code in codes)


def test_a_nodding_head_comes_to_the_common_pose(lattice: LabelLattice) -> None:
    rotation = Rotation.from_euler("x", NOD_DEG, degrees=True).as_matrix()
    assert np.abs(lattice.matrix - rotation).max() < 0.01
    assert np.abs(lattice.shift_mm - CENTRE).max() < 0.5
    for (code, *_), centre in LANDMARKS.items():
        place = lattice.place(np.float32(centre).reshape(3, 1))
        assert lattice.at(place)[0] == TISSUE_OF[code]


def test_what_is_not_attached_is_dropped(lattice: LabelLattice) -> None:
    assert lattice.tissues[STRAY] == Tissue.AIR
    assert (lattice.tissues == Tissue.CSF).sum() > 10_000


def test_fluid_far_from_the_brain_is_soft_tissue(lattice: LabelLattice) -> None:
    assert lattice.tissues[FACE] == Tissue.MUSCLE


def test_a_map_without_fluid_gets_it_around_the_brain(tmp_path: Path) -> None:
    codes = draw_codes().copy()
    codes[np.isin(codes, (24, 507, 511, 515))] = 0
    top = int(np.argwhere(codes[90, 110] == 3).max())
    codes[87:93, 80:140, top - 8 :] = 0  # a sulcus, 6 mm wide
    nib.save(nib.Nifti1Image(codes, np.eye(4)), tmp_path / "aseg.nii.gz")
    tissues = read_lattice(tmp_path / "aseg.nii.gz").tissues
    assert set(tissues[88:92, 90:130, top - 5].ravel().tolist()) == {Tissue.CSF}
    assert tissues[70, 110, :].tolist().count(Tissue.CSF) == pytest.approx(4, abs=3)
    assert tissues[90, 110, top + 10] == Tissue.AIR
    # Nothing that was there has become fluid.
    np.testing.assert_array_equal(tissues == Tissue.WM, codes == 2)


def test_a_mirrored_head_is_an_error(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(draw_codes()[::-1], np.eye(4)), tmp_path / "head.nii.gz")
    with pytest.raises(DataError, match=r"lie as in a head.*mm off on the mean"):
        read_lattice(tmp_path / "head.nii.gz")


def test_outside_the_map_is_air(lattice: LabelLattice) -> None:
    far = np.float32([[-5, 500], [90, 90], [90, 90]])
    assert lattice.at(far).tolist() == [Tissue.AIR, Tissue.AIR]


def test_below_a_map_that_cuts_through_the_head_its_lowest_slice_runs_on(
    lattice: LabelLattice, tmp_path: Path
) -> None:
    assert lattice.cut is None
    codes = draw_codes()[:, :, 36:]
    nib.save(nib.Nifti1Image(codes, np.eye(4)), tmp_path / "head.nii.gz")
    cut = read_lattice(tmp_path / "head.nii.gz")
    assert cut.cut == 0
    across = np.stack(np.meshgrid(np.arange(180), [110], [0, -80], indexing="ij"))
    lowest, below = np.moveaxis(cut.at(across.astype(np.float32))[:, 0], -1, 0)
    brain = np.array(CLASSES)[lowest] > 0
    assert brain.sum() > 50
    assert set(below[brain].tolist()) == {Tissue.MUSCLE}
    np.testing.assert_array_equal(below[~brain], lowest[~brain])
    # What lies so deep is far from the brain, and gone where a head is stripped.
    person = LabelPerson(
        cut,
        LabelHead(tmp_path / "head.nii.gz")
        .person(np.random.default_rng(0), (20, 20, 20), STILL)
        .deformation,
        np.zeros((0, 4), np.float32),
    )
    deep = np.float32([[0.0], [-60.0], [-150.0]])
    assert person.fractions(deep)[Tissue.MUSCLE, 0] == 1
    assert person.brain_mm(deep)[0] > 40


def test_distance_to_the_brain(lattice: LabelLattice) -> None:
    inside, outside = np.float32([[0], [-18], [0]]), np.float32([[0], [-18], [90]])
    assert lattice.brain_mm.at(lattice.place(inside))[0] < -40
    # The brain ends at 62 mm.
    assert lattice.brain_mm.at(lattice.place(outside))[0] == pytest.approx(28, abs=3)


def test_lesions_arise_near_ventricles_in_white_matter(label_map: Path) -> None:
    found = LabelHead(label_map).person(np.random.default_rng(1), (40, 40, 40), STILL)
    assert len(found.lesions_mm) > 0
    fractions = found.fractions(np.indices((80, 80, 80), dtype=np.float32) - 40)
    assert fractions[Tissue.LESION].sum() > 10
    assert np.array_equal(fractions.sum(axis=0), np.ones((80, 80, 80)))


def test_a_person_who_is_left_alone_is_the_map(label_map: Path, lattice: LabelLattice) -> None:
    found = LabelHead(label_map).person(np.random.default_rng(0), (20, 20, 20), STILL)
    points = np.float32([[-11, 11, 0], [-19, -19, -27], [7, 7, -33]])
    assert found.fractions(points).argmax(axis=0).tolist() == [
        Tissue.THALAMUS, Tissue.THALAMUS, Tissue.BRAINSTEM,
    ]  # fmt: skip


def test_mirrored_people_are_mirrored(label_map: Path) -> None:
    mirror = Pose(**{**STILL.__dict__, "mirrored": 1.0})
    heads = [
        LabelHead(label_map).person(np.random.default_rng(0), (20, 20, 20), pose)
        for pose in (STILL, mirror)
    ]
    assert np.linalg.det(heads[0].deformation.matrix) == pytest.approx(1)
    assert np.linalg.det(heads[1].deformation.matrix) == pytest.approx(-1)


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ((3,), "cortex"),
        ((2,), "white matter"),
        ((8, 47), "cerebellar cortex"),
    ],
)
def test_a_map_of_a_part_of_the_brain_is_an_error(
    missing: tuple[int, ...], named: str, tmp_path: Path
) -> None:
    codes = draw_codes().copy()
    codes[np.isin(codes, missing)] = 0
    nib.save(nib.Nifti1Image(codes, np.eye(4)), tmp_path / "part.nii.gz")
    with pytest.raises(DataError, match=f"hardly any {named}"):
        read_lattice(tmp_path / "part.nii.gz")


def without_left(codes: NDArray[np.float32]) -> NDArray[np.float32]:
    """The head without cortex, white matter and what lies outside on its left."""
    codes[:88] = np.where(np.isin(codes[:88], (2, 3, 24, 507, 511, 515)), 0, codes[:88])
    return codes


def with_a_gap(codes: NDArray[np.float32]) -> NDArray[np.float32]:
    codes[88:92] = 0
    return codes


@pytest.mark.parametrize(
    ("change", "received"),
    [
        (without_left, "% of the cortex on the right side"),
        (with_a_gap, "% of the brain apart from the rest"),
        (lambda codes: codes[:, :, :110], "cm2 of brain at a border of the map"),
    ],
)
def test_half_a_brain_is_an_error(change: Any, received: str, tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(change(draw_codes().copy()), np.eye(4)), tmp_path / "half.nii.gz")
    with pytest.raises(DataError, match=received):
        read_lattice(tmp_path / "half.nii.gz")


@pytest.mark.parametrize(
    ("codes", "spacing", "rule"),
    [
        ({0: 0, 1: 9999}, 1.0, "FreeSurfer's codes"),
        ({0: 0, 1: 2}, 1.0, "deep structures"),
        ({0: 0, 1: 2}, 2.0, "label map of 1 mm"),
        ({0: 0, 1: 2.5}, 1.0, "FreeSurfer's codes"),
        ({0: 0, 1: -3}, 1.0, "FreeSurfer's codes"),
    ],
)
def test_faults_are_named(
    codes: dict[int, float], spacing: float, rule: str, tmp_path: Path
) -> None:
    data = np.zeros((12, 12, 12), np.float32)
    data[3:9, 3:9, 3:9] = codes[1]
    nib.save(nib.Nifti1Image(data, np.diag([spacing, spacing, spacing, 1])), tmp_path / "a.nii")
    with pytest.raises(DataError, match=rule):
        read_lattice(tmp_path / "a.nii")

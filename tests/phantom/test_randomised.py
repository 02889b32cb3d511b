"""Randomised subjects: determinism, ranges that are kept, labels that follow the anatomy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from voxres_tf.dataset.manifest import read_manifest
from voxres_tf.dataset.subject import read_subject
from voxres_tf.errors import ConfigError, OutputExistsError
from voxres_tf.phantom.contrast import SEQUENCES
from voxres_tf.phantom.deformation import Pose
from voxres_tf.phantom.labelmap import LabelHead
from voxres_tf.phantom.lesions import draw_lesions
from voxres_tf.phantom.mni import MniHead
from voxres_tf.phantom.randomisation import (
    Artefacts,
    Contrast,
    Geometry,
    Lesions,
    Outside,
    Randomisation,
)
from voxres_tf.phantom.randomised import _draw_geometry, randomised_subject
from voxres_tf.phantom.write_randomised import write_randomised
from voxres_tf.schema import parse
from voxres_tf.volume import Volume

COARSE = Geometry(
    in_plane_mm=(3.0, 3.5),
    slice_mm=(6.0, 7.0),
    axial=1,
    view_mm=(190, 200),
    height_mm=(150, 160),
    middle_z_mm=(5, 5),
    slices=27,
    size_sd=0,
)


def config(**outside: float) -> Randomisation:
    return Randomisation(geometry=COARSE, outside=Outside(**outside))


@pytest.fixture(scope="module")
def subject(label_map: Path) -> dict[str, Volume]:
    return randomised_subject(LabelHead(label_map), config(stripped=1, partly=0), 3, 1)


def test_volumes_lie_on_one_grid_within_the_ranges(subject: dict[str, Volume]) -> None:
    assert list(subject) == [*SEQUENCES, "labels"]
    for name, volume in subject.items():
        assert volume.data.dtype == (np.uint8 if name == "labels" else np.int16)
        assert volume.grid.distance_mm(subject["T1"].grid) == 0
    x, y, z = subject["T1"].grid.spacing_mm
    assert x == y
    assert 3.0 <= x <= 3.5
    assert 6.0 <= z <= 7.0
    assert subject["T1"].grid.shape[2] <= 27


def test_labels_hold_every_class(subject: dict[str, Volume]) -> None:
    labels = subject["labels"]
    ml = [(labels.data == c).sum() * labels.grid.voxel_ml for c in range(1, 4)]
    # Ellipsoids of .9 x 1.2 x r^3: WM 56 mm 794 ml, GM up to 62 mm 284 ml and the landmarks' 10.
    assert ml[2] == pytest.approx(760, rel=0.2)
    assert ml[1] == pytest.approx(290, rel=0.35)
    assert ml[0] > 5


def test_a_voxel_loses_its_sign_with_all_tissues_in_it(label_map: Path) -> None:
    clean = Artefacts(blur_mm=(0, 0), thick=0, noise=(0, 0), shift_mm=(0, 0))
    signed, unsigned = (
        randomised_subject(
            LabelHead(label_map),
            Randomisation(
                geometry=COARSE,
                outside=Outside(stripped=0, partly=0, dark_air=0),
                contrast=Contrast(arbitrary=0, magnitude=share, offset=0),
                artefacts=clean,
            ),
            3,
            1,
        )["T1_IR"].data.astype(int)
        for share in (0, 1)
    )
    assert signed.min() < -100
    assert signed.max() > 100
    np.testing.assert_array_equal(unsigned, np.abs(signed))


@pytest.mark.parametrize("offset", [0.0, 1.0])
def test_an_offset_makes_what_was_stripped_darker_than_tissue(
    label_map: Path, offset: float
) -> None:
    contrast = Contrast(arbitrary=0, magnitude=0, inversion_ms=(350, 400), offset=offset)
    ranges = config(stripped=1, partly=0).model_copy(update={"contrast": contrast})
    found = randomised_subject(LabelHead(label_map), ranges, 3, 1)
    scan, tissue = found["T1_IR"].data, found["labels"].data > 0
    assert (scan == 0).any()
    assert np.mean(scan[tissue] > 0) == pytest.approx(offset, abs=0.1)
    assert (found["T1"].data >= 0).all()


def test_a_stripped_head_ends_near_the_brain(subject: dict[str, Volume], label_map: Path) -> None:
    whole = randomised_subject(LabelHead(label_map), config(stripped=0, partly=0), 3, 1)
    stripped, full = (found["T1"].data != 0 for found in (subject, whole))
    assert stripped.mean() < 0.8 * full.mean()
    far = ndimage.distance_transform_edt(whole["labels"].data == 0) > 2
    assert not stripped[far].any()
    assert full[far].any()


def test_equal_arguments_give_equal_values(subject: dict[str, Volume], label_map: Path) -> None:
    again = randomised_subject(LabelHead(label_map), config(stripped=1, partly=0), 3, 1)
    other = randomised_subject(LabelHead(label_map), config(stripped=1, partly=0), 3, 2)
    for name, volume in subject.items():
        assert np.array_equal(again[name].data, volume.data)
    assert (
        other["T1"].data.shape != subject["T1"].data.shape
        or (other["T1"].data != subject["T1"].data).any()
    )


def test_a_slab_beside_the_brain_is_drawn_again(label_map: Path) -> None:
    # The brain ends 62 mm from its middle: most slabs of 21 mm lie beside it.
    slabs = COARSE.model_copy(update={"slices": 3, "centre_z_mm": (-200, 40)})
    ranges = config().model_copy(update={"geometry": slabs})
    made = [randomised_subject(LabelHead(label_map), ranges, 0, n) for n in range(1, 9)]
    assert all(one["labels"].data.any() for one in made)


def test_ranges_without_a_brain_are_an_error(label_map: Path) -> None:
    far = COARSE.model_copy(update={"slices": 3, "centre_z_mm": (-300, -280)})
    ranges = config().model_copy(update={"geometry": far})
    with pytest.raises(ConfigError, match=r"holds some of the brain.*centre_z_mm"):
        randomised_subject(LabelHead(label_map), ranges, 0, 1)


def test_lesions_are_drawn_from_their_ranges() -> None:
    sites = np.arange(300, dtype=np.float32).reshape(100, 3)
    lesions = Lesions(count=(4, 6), radius_mm=(2, 3))
    found = [draw_lesions(np.random.default_rng(n), sites, lesions) for n in range(40)]
    assert {len(one) for one in found} == {4, 5, 6}
    radii = np.concatenate(found)[:, 3]
    assert (radii.min() >= 2, radii.max() <= 3) == (True, True)
    assert draw_lesions(np.random.default_rng(0), sites[:0], lesions).shape == (0, 4)
    assert len(draw_lesions(np.random.default_rng(0), sites[:3], lesions)) == 3


@pytest.mark.parametrize("kind", ["packaged", "label map"])
def test_an_anatomy_s_own_lesions_give_way(kind: str, label_map: Path) -> None:
    head = MniHead() if kind == "packaged" else LabelHead(label_map)
    drawn = []
    for lesions in (
        None,
        Lesions(),
        Lesions(count=(11, 11), radius_mm=(4, 4)),
        Lesions(count=(0, 0)),
    ):
        person = head.person(np.random.default_rng(5), (20, 20, 20), Pose(), lesions)
        drawn.append(person.lesions_mm)
    own, usual, many, none = drawn
    assert np.array_equal(own, usual) == (kind == "label map")
    assert many[:, 3].tolist() == [4] * 11
    assert len(none) == 0


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_of_the_subjects_has_the_thinnest_slices(share: float) -> None:
    ranges = Geometry(slice_mm=(2.0, 5.0), thinnest=share)
    sizes = [_draw_geometry(np.random.default_rng(n), ranges)[0] for n in range(5)]
    assert {size.spacing_mm[2] == 2 for size in sizes} == {bool(share)}


@pytest.mark.parametrize(("thickness", "expected"), [(2.0, -50.0), (5.0, 7.0)])
def test_slabs_and_whole_heads_have_their_own_middle(thickness: float, expected: float) -> None:
    ranges = Geometry(
        slice_mm=(thickness, thickness),
        shift_sd_mm=(0, 0, 0),
        height_mm=(200, 200),
        middle_z_mm=(7, 7),
        centre_z_mm=(-50, -50),
    )
    _, pose = _draw_geometry(np.random.default_rng(0), ranges)
    assert pose.centre_mm[2] == expected


def test_slices_may_be_sagittal_and_coronal() -> None:
    ranges = Geometry(slice_mm=(4.6, 5.0), axial=0)
    sizes = [_draw_geometry(np.random.default_rng(n), ranges)[0] for n in range(12)]
    for size in sizes:
        thick = size.spacing_mm.index(max(size.spacing_mm))
        assert thick == size.slice_axis == size.shape.index(min(size.shape))
        assert size.samples == tuple(11 if axis == thick else 1 for axis in range(3))
    assert {size.slice_axis for size in sizes} == {0, 1}
    # Slabs of thin slices stay axial.
    thin = Geometry(slice_mm=(1.0, 1.1), axial=0)
    sizes = [_draw_geometry(np.random.default_rng(n), thin)[0] for n in range(12)]
    assert {size.slice_axis for size in sizes} == {2}


def test_sagittal_slices_show_the_same_head(label_map: Path) -> None:
    shares = []
    for axial in (0, 1):
        update = {"axial": axial, "height_mm": (190, 200), "slices": 40}
        geometry = COARSE.model_copy(update=update)
        whole = Randomisation(geometry=geometry, outside=Outside(stripped=0, partly=0))
        found = randomised_subject(LabelHead(label_map), whole, 4, 1)["labels"]
        shares.append([(found.data == c).sum() * found.grid.voxel_ml for c in range(1, 4)])
    np.testing.assert_allclose(shares[0], shares[1], rtol=0.05)


def test_a_call_that_is_repeated_goes_on(tmp_path: Path, label_map: Path) -> None:
    heads = [LabelHead(label_map)]
    manifest = write_randomised(tmp_path, 1, 0, heads, config())
    first = tmp_path / "1" / "T1.nii.gz"
    stamp = first.stat().st_mtime_ns
    write_randomised(tmp_path, 2, 0, heads, config())
    assert first.stat().st_mtime_ns == stamp
    files = read_manifest(manifest)
    assert [f.id for f in files] == ["1", "2"]
    subject = read_subject(files[1], ("t1", "t1-ir", "flair"), with_labels=True)
    assert subject.scheme == "tissue"
    with pytest.raises(OutputExistsError, match=r"randomisation\.json"):
        write_randomised(tmp_path, 1, 1, heads, config())
    write_randomised(tmp_path, 1, 1, heads, config(), overwrite=True)
    assert first.stat().st_mtime_ns != stamp


@pytest.mark.parametrize(
    ("part", "values", "fault"),
    [
        ("lesions", {"count": (-1, 2)}, r"lesions\.count\.0: .* 0"),
        ("lesions", {"count": (3, 2)}, r"lesions\.count: .*lowest value"),
        ("geometry", {"thinnest": 2}, r"geometry\.thinnest: .* 1"),
        ("artefacts", {"bias_mm": 1}, r"artefacts\.bias_mm: .* 10"),
        ("contrast", {"least_difference": 0.95}, "least_difference is at most half the width"),
        ("artefacts", {"bias": (50, 50)}, r"artefacts\.bias\.0: .*less than or equal to 1"),
        ("contrast", {"between": (0.5, 1.2)}, r"contrast\.between\.1: .*less than or equal to 1"),
        ("contrast", {"inversion_ms": (-400, 400)}, r"contrast\.inversion_ms\.0: .* 0"),
        (
            "artefacts",
            {"blur_mm": (-1, -1)},
            r"artefacts\.blur_mm\.0: .*greater than or equal to 0",
        ),
        ("geometry", {"in_plane_mm": (0, 0)}, r"geometry\.in_plane_mm\.0: .* 0"),
        ("geometry", {"lobes_mm": (-1, 1)}, r"geometry\.lobes_mm\.0: .*greater than or equal to 0"),
        ("geometry", {"height_mm": (4, 190)}, "height_mm begins at the end of slice_mm"),
        ("geometry", {"view_mm": (1, 190)}, "view_mm begins at the end of in_plane_mm"),
    ],
)
def test_ranges_that_no_scan_can_have(part: str, values: dict[str, object], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        parse(Randomisation, {part: values}, "ranges.json")


def test_ranges_have_an_order() -> None:
    with pytest.raises(ConfigError, match="lowest value, then its highest"):
        parse(Randomisation, {"artefacts": {"noise": (0.2, 0.1)}}, "ranges.json")
    with pytest.raises(ConfigError, match="at most 1 together"):
        parse(Randomisation, {"outside": {"stripped": 0.7, "partly": 0.7}}, "ranges.json")

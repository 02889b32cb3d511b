"""Subject -> Prepared, on orientations and labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from nibabel.orientations import apply_orientation, inv_ornt_aff

from voxres_tf.config import PreprocessConfig, Resolution
from voxres_tf.dataset.subject import Subject
from voxres_tf.errors import DataError
from voxres_tf.grid import Grid, from_canonical
from voxres_tf.preprocess.channels import Prepared, prepare, stack_modalities
from voxres_tf.volume import Volume

SHAPE = (18, 16, 5)
CONFIG = PreprocessConfig(modalities=("t1", "flair"), gaussian_radius=4, clahe_tile=6)


def subject(orientation: np.ndarray | None = None, codes: np.ndarray | None = None) -> Subject:
    random = np.random.default_rng(0)
    affine = np.diag([1.0, 1.1, 3.0, 1.0])
    arrays = {m: random.normal(100, 20, SHAPE).astype(np.float32) for m in ("t1", "flair")}
    labels = codes if codes is not None else random.integers(0, 9, SHAPE).astype(np.int16)
    if orientation is not None:
        affine = affine @ inv_ornt_aff(orientation, SHAPE)
        arrays = {m: apply_orientation(a, orientation) for m, a in arrays.items()}
        labels = apply_orientation(labels, orientation)
    grid = Grid(labels.shape, affine)
    images = {m: Volume(a, grid) for m, a in arrays.items()}
    return Subject("s", images, grid, Volume(labels, grid), "mrbrains13")


def test_channels_are_originals_then_filtered() -> None:
    prepared = prepare(subject(), CONFIG)
    assert prepared.channels == ("t1", "flair", "t1:filtered", "flair:filtered")
    assert prepared.image.shape == (*SHAPE, 4)
    assert prepared.image.dtype == np.float32
    np.testing.assert_allclose(prepared.image.mean(axis=(0, 1)), 0, atol=1e-5)
    plain = prepare(subject(), CONFIG.model_copy(update={"filtered": False}))
    np.testing.assert_array_equal(plain.image, prepared.image[..., :2])


def test_a_modality_that_the_subject_lacks_is_zeros() -> None:
    whole = subject()
    part = Subject("s", {"flair": whole.images["flair"]}, whole.grid)
    image = prepare(part, CONFIG).image
    np.testing.assert_array_equal(image[..., [0, 2]], 0)
    np.testing.assert_array_equal(image[..., [1, 3]], prepare(whole, CONFIG).image[..., [1, 3]])


def test_modalities_are_stacked_as_they_are_in_canonical_order() -> None:
    turned = subject(np.array([[2, -1], [0, 1], [1, -1]]))
    part = Subject("s", {"flair": turned.images["flair"]}, turned.grid)
    config = CONFIG.model_copy(update={"resolution": Resolution(slice_mm=(1, 2))})
    stacked = stack_modalities(part, config)
    assert stacked.channels == ("t1", "flair")
    assert stacked.image.dtype == np.float32
    np.testing.assert_array_equal(stacked.image[..., 0], 0)
    # What makes channels of them afterwards gets what `prepare` gets.
    again = prepare(
        Subject("s", {"flair": Volume(stacked.image[..., 1], grid_of(stacked))}, grid_of(stacked)),
        CONFIG,
    )
    np.testing.assert_array_equal(again.image, prepare(part, config).image)


def grid_of(prepared: Prepared) -> Grid:
    return Grid(prepared.working.shape, np.diag([*prepared.working.spacing_mm, 1.0]))


def test_cerebellum_and_brainstem_are_background_and_not_scored() -> None:
    codes = np.arange(9, dtype=np.int16).repeat(160).reshape(SHAPE)
    prepared = prepare(subject(codes=codes), CONFIG)
    assert prepared.classes is not None
    assert prepared.scored is not None
    np.testing.assert_array_equal(prepared.scored, codes < 7)
    np.testing.assert_array_equal(prepared.classes, np.array([0, 2, 2, 3, 3, 1, 1, 0, 0])[codes])


def test_the_stored_orientation_does_not_matter() -> None:
    straight = prepare(subject(), CONFIG)
    turned = prepare(subject(np.array([[2, -1], [0, 1], [1, -1]])), CONFIG)
    np.testing.assert_array_equal(turned.image, straight.image)
    assert straight.classes is not None
    assert turned.classes is not None
    back = from_canonical(turned.classes, turned.grid)
    assert back.shape == turned.grid.shape


def test_an_unknown_code_is_refused() -> None:
    codes = np.full(SHAPE, 42, np.int16)
    with pytest.raises(DataError, match=r"subject s: labels: .*42"):
        prepare(subject(codes=codes), CONFIG)


@pytest.mark.parametrize("look", [prepare, stack_modalities])
def test_an_absurd_spacing_names_the_subject(look: Callable[..., Prepared]) -> None:
    grid = Grid(SHAPE, np.diag([1000.0, 1100.0, 3000.0, 1.0]))
    scan = Subject("s", {"flair": Volume(subject().images["flair"].data, grid)}, grid)
    with pytest.raises(DataError, match="subject s: spacing: a head has voxels of at least"):
        look(scan, CONFIG.model_copy(update={"resolution": Resolution()}))


def test_no_labels_give_no_classes(tmp_path: Path) -> None:
    with_labels = subject()
    bare = Subject("s", with_labels.images, with_labels.grid)
    assert prepare(bare, CONFIG).classes is None

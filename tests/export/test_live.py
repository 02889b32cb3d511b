"""What the trained networks answer of the reference; here they are formulas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.export.test_reference import contract_of
from voxres_tf.contract import ANSWER, FIRST_STAGE, SECOND_STAGE
from voxres_tf.export.live import TILES, write_cases
from voxres_tf.export.reference import CASES_FILE, reference_scan, scan_file
from voxres_tf.preprocess.channels import prepare
from voxres_tf.volume import Volume, read_volume


def first(channels):
    """Four shares of a tile's first channel."""
    return np.stack([np.tanh(channels[..., 0]) * n for n in range(4)], -1)


def second(channels):
    """What the first said, turned round, and the last channel but those."""
    return channels[..., :1:-1] + channels[..., 1:2]


def both(channels):
    """Both stages, voxel by voxel."""
    return second(np.concatenate([channels, first(channels)], -1))


FORMULAS = {ANSWER: both, FIRST_STAGE: first, SECOND_STAGE: second}


class TwoStages:
    """Stands in for `Stages` of two networks, two channels and four maps."""

    def answer(self, signature, *, fuse):
        assert not fuse
        return FORMULAS[signature]


@pytest.fixture(scope="module", params=[(), ("t1", "flair")], ids=["needs both", "needs one"])
def written(request, tmp_path_factory):
    """The contract, the reference, what was written for it, and where."""
    contract = contract_of(modalities=("t1", "flair"), filtered=False, optional=request.param)
    contract = contract.model_copy(update={"first_stage": (contract.model,)})
    subject, folder = reference_scan(contract), tmp_path_factory.mktemp("work")
    write_cases(folder, subject, TwoStages(), contract)
    with np.load(folder / CASES_FILE) as stored:
        return contract, subject, dict(stored), folder


def test_scans_are_files(written):
    _, subject, _, folder = written
    for name, volume in subject.images.items():
        stored = read_volume(scan_file(folder, name))
        np.testing.assert_array_equal(stored.data, volume.data)
        np.testing.assert_array_equal(stored.grid.affine, subject.grid.affine)


def test_the_volume_is_answered_by_both_stages(written):
    contract, subject, cases, _ = written
    image = prepare(subject, contract.preprocess).image
    np.testing.assert_allclose(cases["volume"], both(image), atol=1e-5)
    assert ("alone" in cases) == bool(contract.optional_modalities)
    if "alone" in cases:
        image[..., 1] = 0
        np.testing.assert_allclose(cases["alone"], both(image), atol=1e-5)


def test_every_signature_of_tiles_gets_every_shape(written):
    contract, _, cases, _ = written
    channels = contract.tile_channels
    assert channels == {ANSWER: 2, FIRST_STAGE: 2, SECOND_STAGE: 6}
    asked = [(name, shape) for name in channels for shape in TILES]
    assert cases["signatures"].tolist() == [name for name, _ in asked]
    for n, (name, shape) in enumerate(asked):
        tile = cases[f"tile{n}"]
        assert tile.shape == (*shape, channels[name])
        np.testing.assert_array_equal(cases[f"expected{n}"], FORMULAS[name](tile))
        if name == SECOND_STAGE:
            np.testing.assert_allclose(tile[..., 2:], first(tile), atol=1e-5)
    left, right = cases["tile1"]
    assert np.abs(left - right).max() > 0.1
    assert len({shape[0] for shape in TILES}) > 1
    assert len({shape[1:] for shape in TILES}) > 1


class Bright(TwoStages):
    """Stands in for `Stages` of one network: white matter wherever a channel is bright."""

    def answer(self, *_, **__):
        def shares(channels):
            white = 1 / (1 + np.exp(-4 * (channels.max(axis=-1, keepdims=True) - 0.3)))
            return np.concatenate([1 - white, white * 0, white * 0, white], -1)

        return shares


def test_the_aligned_volume_is_answered_once_its_scans_lie_on_the_first(tmp_path):
    names = ("t1", "flair")
    contract = contract_of(modalities=names, filtered=False, optional=names)
    contract = contract.model_copy(update={"align": True, "patch": (64, 64, 24)})
    subject = reference_scan(contract)
    t1 = subject.images["t1"]
    off = Volume(np.roll(t1.data, 2, axis=1), subject.grid)
    subject = replace(subject, images={"t1": t1, "flair": off})
    write_cases(tmp_path, subject, Bright(), contract)
    with np.load(tmp_path / CASES_FILE) as stored:
        alone, aligned, volume = (stored[n] for n in ("alone", "aligned", "volume"))
    assert np.abs(aligned - alone).mean() < 0.75 * np.abs(volume - alone).mean()

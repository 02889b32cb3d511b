"""Multiply-adds: a layer by hand, and the figures that the documentation gives."""

from __future__ import annotations

import pytest
from keras import layers

from benchmarks.cost import NETWORKS, both, main, multiply_adds


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        # 8 * 16 * 24 voxels, 27 taps, 2 channels to 5.
        (layers.Conv3D(5, 3, padding="same"), 3072 * 27 * 2 * 5),
        # A stride of 2 leaves an eighth of the voxels.
        (layers.Conv3D(5, 3, 2, padding="same"), 384 * 27 * 2 * 5),
        # Every voxel that goes in reaches 4^3 that come out.
        (layers.Conv3DTranspose(5, 4, 4, padding="same"), 3072 * 64 * 2 * 5),
        (layers.BatchNormalization(), 3072 * 2),
        (layers.ReLU(), 0),
    ],
)
def test_layers_by_hand(layer, expected):
    assert multiply_adds(lambda image: layer(image), (8, 16, 24), 2) == expected


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("VoxResNet, half width", (19.4, 15.2)),
        ("VoxResNet, full width", (74.6, 55.8)),
        ("3D U-Net, full width", (479.4, 479.3)),
    ],
)
def test_figures_of_the_documentation(name, figures):
    assert tuple(round(count / 1e9, 1) for count in both(NETWORKS[name])) == figures


def test_command_prints_a_line_per_network(monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.cost.both", lambda _: (4_000_000_000, 3_000_000_000))
    main()
    title, *lines = capsys.readouterr().out.splitlines()
    assert title.startswith("80x80x80 voxels")
    assert lines == [f"{name}: 4.0 -> 3.0 (25% fewer)" for name in NETWORKS]

"""Fields: exact where linear, and noise that is what it says."""

from __future__ import annotations

import numpy as np
import pytest

from voxres_tf.phantom.field import Field, random_field, smooth_noise


def test_a_linear_field_is_interpolated_exactly() -> None:
    x, y, z = np.indices((5, 6, 7), dtype=np.float32)
    # Place = 2 * index + (-4, 0, 10), so x = (X + 4) / 2 and so on.
    field = Field(x + 10 * y + 100 * z, (-4.0, 0.0, 10.0), 2.0)
    points = np.array([[-1.0], [3.0], [15.0]], np.float32)
    assert field.at(points) == pytest.approx(1.5 + 10 * 1.5 + 100 * 2.5)


def test_outside_the_lattice_the_nearest_value_holds() -> None:
    field = Field(np.arange(8, dtype=np.float32).reshape(2, 2, 2), (0.0, 0.0, 0.0), 1.0)
    assert field.at(np.full((3, 1), 99.0, np.float32)) == pytest.approx(7.0)
    assert field.at(np.full((3, 1), -99.0, np.float32)) == pytest.approx(0.0)
    assert field.at(np.empty((3, 0), np.float32)).shape == (0,)


def test_noise_has_mean_0_and_deviation_1() -> None:
    noise = smooth_noise(np.random.default_rng(0), (20, 24, 12), (2.0, 2.0, 0.5))
    assert noise.dtype == np.float32
    assert noise.mean() == pytest.approx(0, abs=1e-5)
    assert noise.std() == pytest.approx(1, abs=1e-4)


def test_a_random_field_covers_its_box() -> None:
    field = random_field(np.random.default_rng(0), (21.0, 10.0, 5.0), 5.0, 10.0)
    # 21 mm need 5 steps of 5 mm on either side of 0.
    assert field.values.shape == (11, 5, 3)
    assert field.origin_mm == (-25.0, -10.0, -5.0)

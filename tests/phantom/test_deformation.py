"""Warps can be undone and never fold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxres_tf.errors import VoxResError
from voxres_tf.phantom.deformation import Pose, integrate, random_deformation, random_warp
from voxres_tf.phantom.field import Field, Floats, random_field

HALF_MM = (60.0, 60.0, 40.0)


def velocity(seed: int, sign: float = 1.0, strength: float = 4.0) -> tuple[Field, Field, Field]:
    rng = np.random.default_rng(seed)
    fields = [random_field(rng, HALF_MM, 5.0, 20.0) for _ in range(3)]
    x, y, z = (Field(np.float32(sign * strength) * f.values, f.origin_mm, 5.0) for f in fields)
    return x, y, z


def points(count: int = 200) -> Floats:
    rng = np.random.default_rng(1)
    return np.float32(rng.uniform(-0.5, 0.5, (3, count)) * np.array(HALF_MM)[:, None])


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_flow_of_the_negated_field_undoes_a_warp(seed: int) -> None:
    start = points()
    there = integrate(velocity(seed))(start)
    back = integrate(velocity(seed, -1.0))(there)
    assert np.abs(there - start).max() > 1.0
    assert np.abs(back - start).max() < 0.6
    assert np.abs(back - start).mean() < 0.1


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_warps_do_not_fold(seed: int) -> None:
    jacobian = random_warp(np.random.default_rng(seed), HALF_MM, Pose().warp_mm).jacobian()
    assert jacobian.min() > 0
    assert jacobian.mean() == pytest.approx(1, abs=0.2)


def test_a_constant_velocity_shifts() -> None:
    shift = tuple(
        Field(np.full((5, 5, 5), mm, np.float32), (-10.0, -10.0, -10.0), 5.0) for mm in (3, 0, -2)
    )
    x, y, z = shift
    moved = integrate((x, y, z))(np.zeros((3, 1), np.float32))
    assert moved.ravel() == pytest.approx([3, 0, -2], abs=1e-4)


def test_a_field_that_folds_is_refused() -> None:
    with pytest.raises(VoxResError, match="Jacobians above 0"):
        integrate(velocity(0, strength=400.0))


def test_a_pose_keeps_handedness_and_is_moderate() -> None:
    for seed in range(5):
        pose = random_deformation(np.random.default_rng(seed), HALF_MM, Pose(), (0.92, 0.92, 0.915))
        # Sizes around .92 per axis: 1 / .92 ** 3 = 1.28.
        assert np.linalg.det(pose.matrix) == pytest.approx(1.28, abs=0.3)
        assert np.abs(pose.shift_mm - (0, -18, 7)).max() < 12

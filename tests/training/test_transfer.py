"""Trained weights in a network with other channels and classes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxres_tf.config import RunConfig
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.errors import ConfigError, ModelError, TrainingError
from voxres_tf.export.stages import load_stages
from voxres_tf.files import write_json
from voxres_tf.model.network import build_network
from voxres_tf.schema import load
from voxres_tf.start import read_start, tile_of
from voxres_tf.training import fit
from voxres_tf.training.transfer import NEW_CHANNEL, begin_with, by_name

NAMES = ("t1", "flair", "t2", "t1:filtered", "flair:filtered")


def arrays(model: keras.Model) -> dict[str, np.ndarray]:
    return {variable.path: variable.numpy().copy() for variable in model.variables}


@given(
    st.permutations(NAMES),
    st.integers(1, 5),
    st.permutations(NAMES),
    st.integers(1, 5),
    st.sampled_from([-1, -2]),
)
def test_weights_follow_their_names(
    known: list[str], few: int, wanted: list[str], others: int, axis: int
) -> None:
    known, wanted = known[:few], wanted[:others]
    random = np.random.default_rng(0)
    trained, fresh = (
        np.moveaxis(random.standard_normal((3, 2, len(names)), np.float32), -1, axis)
        for names in (known, wanted)
    )
    found = by_name(trained, fresh, known, wanted, axis)
    assert (found.dtype, found.shape) == (np.float32, fresh.shape)
    for number, name in enumerate(wanted):
        source = (
            trained.take(known.index(name), axis) if name in known else fresh.take(number, axis)
        )
        np.testing.assert_array_equal(found.take(number, axis), source)


def test_capitals_count_where_both_spellings_are_there() -> None:
    weights, names = np.float32([1, 2, 3]), ("background", "WM", "wm")
    np.testing.assert_array_equal(by_name(weights, 0 * weights, names, names, 0), weights)
    np.testing.assert_array_equal(by_name(weights, np.float32([0]), names, ("Wm",), 0), [3])


@pytest.mark.parametrize("kind", ["run", "exported"])
def test_every_weight_arrives_by_its_name(tiny_run: Path, tiny_model: Path, kind: str) -> None:
    start = read_start(tiny_run if kind == "run" else tiny_model)
    config = start.configured(RunConfig(), {})
    model = build_network(config.model)
    record = begin_with(model, config, start)
    stages = load_stages(tiny_run)
    expected, found = arrays(stages.last.model), arrays(model)
    assert expected.keys() == found.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
    assert record["init_weights_sha256"] == stages.weights_hash()
    assert record["init_name"] == ("run" if kind == "run" else "tiny")
    assert record.get("init_version") == (None if kind == "run" else 1)
    assert record["init_patch"] == list(stages.last.config.training.crop)
    habits = {"overlap": 0.5, "tta": False, "one_piece": False, "align": False}
    assert record["init_habits"] == ({} if kind == "run" else habits)


@pytest.mark.parametrize("architecture", ["voxresnet", "unet3d"])
def test_other_channels_and_classes(tmp_path: Path, architecture: str) -> None:
    source = RunConfig().updated(
        preprocess={"modalities": ("t1", "flair"), "filtered": False},
        model={"width": 2, "architecture": architecture},
    )
    write_json(tmp_path / "config.json", source.model_dump(mode="json"))
    trained = build_network(source.model)
    trained.save_weights(str(tmp_path / "last.weights.h5"))
    config = source.updated(preprocess={"modalities": ("flair", "t2")})
    config = config.for_classes(["background", "lesion", "csf"])  # of the source's CSF
    model = build_network(config.model)
    before, given = arrays(model), arrays(trained)
    begin_with(model, config, read_start(tmp_path))
    after = arrays(model)
    first = {"voxresnet": "conv1a", "unet3d": "down1_conv1"}[architecture] + "/kernel"
    for name, array in after.items():
        if name == first:
            np.testing.assert_array_equal(array[..., 0, :], given[first][..., 1, :])
            np.testing.assert_allclose(array[..., 1, :], NEW_CHANNEL * before[first][..., 1, :])
        elif array.shape == given[name].shape:
            np.testing.assert_array_equal(array, given[name], err_msg=name)
        else:
            assert array.shape[-1] == 3
            for place, known in ((0, 0), (2, 1)):  # background and CSF
                np.testing.assert_array_equal(array[..., place], given[name][..., known], name)
            np.testing.assert_array_equal(array[..., 1], before[name][..., 1], err_msg=name)
    ends = {n for n in after if n != first and after[n].shape != given[n].shape}
    kernels = {name.removesuffix("/kernel") for name in ends if name.endswith("/kernel")}
    if architecture == "unet3d":
        assert kernels == {"main"}
    else:
        sides = [f"branch{n}_{end}" for n in range(1, 5) for end in ("aux", "share")]
        assert kernels == set(sides)


def test_a_run_starts_from_another_and_resumes_without_it(
    subjects: list[SubjectFiles], config: RunConfig, tiny_run: Path, tmp_path: Path
) -> None:
    start = read_start(tiny_run)
    config = config.updated(training={"steps": 1, "steps_per_epoch": 1, "learning_rate": 1e-9})
    run = fit.train(subjects[:1], tmp_path / "run", config, start=start)
    source = load_stages(tiny_run)
    summary = json.loads((run / "summary.json").read_text())
    assert summary["init_name"] == "run"
    assert summary["init_weights_sha256"] == source.weights_hash()
    # One step of 1e-9 leaves the source's weights as they were.
    kernel = "conv1a/kernel"
    found = arrays(load_stages(run).last.model)[kernel]
    np.testing.assert_allclose(found, arrays(source.last.model)[kernel], atol=1e-6)

    more = config.updated(training={"steps": 2})
    empty = tmp_path / "gone" / "run"
    write_json(empty / "config.json", load(RunConfig, tiny_run / "config.json").model_dump())
    fit.train(subjects[:1], run, more, start=read_start(empty))  # has no weights to load
    assert json.loads((run / "summary.json").read_text()) == {**summary, "steps": 2}
    longer = config.updated(training={"steps": 3})
    other = tmp_path / "other"
    empty.rename(other)
    with pytest.raises(TrainingError, match=r"keeps its first weights, here run .*init from .*oth"):
        fit.train(subjects[:1], run, longer, start=read_start(other))


def test_validation_has_the_tiles_with_which_the_model_will_predict(
    subjects: list[SubjectFiles],
    config: RunConfig,
    tiny_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []

    def measured(*given: Any) -> dict[str, float]:
        seen.append(given[-1].tile)
        return dict.fromkeys(("CSF", "GM", "WM"), 0.5)

    monkeypatch.setattr(fit, "mean_dice", measured)
    config = config.updated(training={"steps": 1, "validate_every": 1})
    start = replace(read_start(tiny_run), patch=(8, 48, 64))
    run = fit.train(subjects[:1], tmp_path / "run", config, val=subjects[1:2], start=start)
    assert seen == [tile_of(run, config.training.crop)]
    assert seen != [config.training.crop]


@pytest.mark.parametrize("frozen", [True, False])
def test_normalisation_keeps_what_it_starts_with(
    subjects: list[SubjectFiles], config: RunConfig, tiny_run: Path, tmp_path: Path, frozen: bool
) -> None:
    config = config.updated(training={"steps": 2, "frozen_norm": frozen})
    run = fit.train(subjects[:1], tmp_path / "run", config, start=read_start(tiny_run))
    given, found = (arrays(load_stages(path).last.model) for path in (tiny_run, run))
    kept = {name for name, array in found.items() if np.array_equal(array, given[name])}
    norms = {name for name in given if "_bn/" in name}
    assert kept == (norms if frozen else set())


def test_normalisation_without_a_start_has_nothing_to_keep(
    subjects: list[SubjectFiles], config: RunConfig, tmp_path: Path
) -> None:
    frozen = config.updated(training={"frozen_norm": True})
    with pytest.raises(TrainingError, match=r"come with trained weights.*Give --init"):
        fit.train(subjects[:1], tmp_path / "run", frozen)
    assert not (tmp_path / "run" / "cache").exists()  # said before the scans are prepared


def test_a_network_that_cannot_start_so(
    subjects: list[SubjectFiles], config: RunConfig, tiny_run: Path, tmp_path: Path
) -> None:
    wide = config.updated(model={"width": 3})
    with pytest.raises(ConfigError, match="width 2 -> 3"):
        fit.train(subjects, tmp_path / "run", wide, start=read_start(tiny_run))
    empty = tmp_path / "empty"
    write_json(empty / "config.json", config.model_dump(mode="json"))
    with pytest.raises(ModelError, match=r"no weights\. Train it first"):
        begin_with(build_network(config.model), config, read_start(empty))


def test_weights_that_are_not_those_of_the_contract(tiny_model: Path) -> None:
    start = replace(read_start(tiny_model), weights_sha256="0" * 64)
    config = start.configured(RunConfig(), {})
    with pytest.raises(ModelError, match=r"the contract, 0{16}\.\.\..*export the model again"):
        begin_with(build_network(config.model), config, start)

"""Configurations: every field is checked, everything travels as JSON."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from voxres_tf.config import (
    MODALITIES,
    STRIDE,
    ModelConfig,
    PreprocessConfig,
    Resolution,
    RunConfig,
    TrainingConfig,
)
from voxres_tf.errors import ConfigError
from voxres_tf.files import write_json
from voxres_tf.presets import PRESETS
from voxres_tf.schema import load, parse

SUBSETS = [s for n in range(1, 5) for s in combinations(MODALITIES, n)]


def test_channels_are_originals_then_filtered() -> None:
    config = PreprocessConfig(modalities=("flair", "t1"))
    assert config.channels == ("flair", "t1", "flair:filtered", "t1:filtered")
    assert len(PreprocessConfig().channels) == 6  # three modalities and their filtered versions
    assert PreprocessConfig(modalities=("t1",), filtered=False).channels == ("t1",)


@given(
    modalities=st.sampled_from(SUBSETS),
    filtered=st.booleans(),
    preset=st.sampled_from(sorted(PRESETS)),
)
def test_in_channels_follow_the_modalities(
    modalities: tuple[str, ...], filtered: bool, preset: str
) -> None:
    config = PRESETS[preset].updated(preprocess={"modalities": modalities, "filtered": filtered})
    assert config.model.in_channels == len(modalities) * (2 if filtered else 1)
    assert config.model.width == PRESETS[preset].model.width
    assert config.training == PRESETS[preset].training


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_are_valid_and_survive_json(name: str, tmp_path: Path) -> None:
    config = PRESETS[name]
    write_json(tmp_path / "config.json", config.model_dump(mode="json"))
    assert load(RunConfig, tmp_path / "config.json") == config
    assert all(size % STRIDE == 0 for size in config.training.crop)
    assert config.training.aux_start == (0.01 if name == "finetune" else 1)
    assert config.training.aux_end == pytest.approx(1e-3)


def test_the_full_preset_is_the_paper_s() -> None:
    full = PRESETS["full"]
    assert (full.model.in_channels, full.model.classes, full.model.width) == (6, 4, 32)
    assert full.training.crop == (80, 80, 80)


@pytest.mark.parametrize(
    ("steps", "per_epoch", "epochs"), [(100, 100, 1), (101, 100, 2), (99, 100, 1), (1, 1, 1)]
)
def test_the_last_epoch_may_be_short(steps: int, per_epoch: int, epochs: int) -> None:
    assert TrainingConfig(steps=steps, steps_per_epoch=per_epoch).epochs == epochs


def test_configs_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        TrainingConfig().steps = 3  # type: ignore[misc]


@pytest.mark.parametrize("kind", [PreprocessConfig, ModelConfig, TrainingConfig, RunConfig])
def test_unknown_keys_are_errors(kind: type[RunConfig]) -> None:
    with pytest.raises(ConfigError, match=r"here: widht: .*not permitted.*Received: 3"):
        parse(kind, {"widht": 3}, "here")


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("crop", (80, 80, 12), "multiple of 8"),
        ("crop", (80, 80), "Field required"),
        ("steps", 0, "greater than 0"),
        ("optimizer", "rmsprop", "'sgd', 'adam' or 'adamw'"),
        ("precision", "float16", "'mixed_float16'"),
        ("momentum", 1.0, "less than 1"),
        ("foreground_share", 1.5, "less than or equal to 1"),
        ("aux_end", 0.0, "greater than 0"),
        ("modality_dropout", 1.0, "less than 1"),
        ("seed", -1, "greater than or equal to 0"),
    ],
)
def test_values_out_of_range_are_one_line(field: str, value: object, rule: str) -> None:
    with pytest.raises(ConfigError, match=rf"training\.{field}.*{rule}.*Received: ") as caught:
        RunConfig().updated(training={field: value})
    assert "\n" not in str(caught.value)


def test_several_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigError, match=r"batch: .*; steps: .*Received: 'x'; 0\."):
        parse(TrainingConfig, {"steps": 0, "batch": "x"}, "here")


@pytest.mark.parametrize("modalities", [(), ("t1", "t1")])
def test_modalities_are_distinct_and_some(modalities: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="distinct and at least one"):
        RunConfig().updated(preprocess={"modalities": modalities})


def test_an_unknown_modality_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="'t1', 't1-ir', 'flair' or 't2'"):
        RunConfig().updated(preprocess={"modalities": ("pd",)})


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"slice_mm": (5.0, 1.0)}, "its lowest value, then its highest"),
        ({"in_plane_target_mm": 1.5}, "lies in the range"),
        ({"in_plane_mm": (0.0, 1.2)}, "greater than 0"),
    ],
)
def test_a_resolution_is_ranges_and_a_target_in_one(fields: dict[str, object], rule: str) -> None:
    with pytest.raises(ConfigError, match=rf"resolution.*{rule}"):
        RunConfig().updated(preprocess={"resolution": fields})


def test_a_resolution_travels_and_configs_without_one_still_load() -> None:
    config = RunConfig().updated(preprocess={"resolution": {"slice_mm": (1.0, 4.0)}})
    assert config.preprocess.resolution == Resolution(slice_mm=(1.0, 4.0))
    assert parse(RunConfig, config.model_dump_json(), "here") == config
    values = RunConfig().model_dump(mode="json")
    del values["preprocess"]["resolution"], values["training"]["modality_dropout"]
    assert parse(RunConfig, values, "here") == RunConfig()


def test_channels_and_network_must_agree() -> None:
    with pytest.raises(ConfigError, match="in_channels is 10, but pre-processing gives 6"):
        parse(RunConfig, {"model": {"in_channels": 10}}, "here")


def test_thin_kernels_are_voxresnet_s() -> None:
    with pytest.raises(
        ConfigError, match=r"model: .*thin_kernels are VoxResNet's; unet3d has none"
    ):
        PRESETS["thin"].updated(model={"architecture": "unet3d"})


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_and_configs_of_earlier_versions_are_voxresnet_s(name: str) -> None:
    values = PRESETS[name].model_dump(mode="json")
    assert values["model"].pop("architecture") == "voxresnet"
    assert parse(RunConfig, values, "here") == PRESETS[name]


def test_long_values_are_cut_in_errors() -> None:
    with pytest.raises(ConfigError, match=r"x{50,}\.\.\.") as caught:
        parse(ModelConfig, {"width": "x" * 500}, "here")
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe{}", b"[]"])
def test_a_file_that_is_no_config_names_itself(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"config\.json: "):
        load(RunConfig, path)


def test_a_file_that_says_something_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"training": {"seed": 1, "steps": 5, "seed": 2}}')
    with pytest.raises(ConfigError, match=r"config\.json: every name once\. Received: twice: seed"):
        load(RunConfig, path)


def test_a_missing_file_names_itself(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.json: a JSON file"):
        load(RunConfig, tmp_path / "config.json")


@pytest.mark.parametrize(
    "values",
    [
        {"seed": 2**32},
        {"jitter": float("inf")},
        {"learning_rate": float("nan")},
        {"crop": (8, 8, 2048)},
    ],
)
def test_values_that_would_fail_later_are_refused_at_once(values):
    with pytest.raises(ConfigError):
        RunConfig().updated(training=values)


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        ('{"training": {"steps": 1e4, "learning_rate": 1, "crop": [80, 80, 80.0]}}', True),
        ('{"training": {"steps": 12.5}}', False),
        ('{"training": {"steps": "12"}}', False),
        ('{"training": {"batch": true}}', False),
        ('{"training": {"learning_rate": true}}', False),
        ('{"training": {"flip": "no"}}', False),
        ('{"training": {"frozen_norm": 1}}', False),
    ],
)
def test_in_json_numbers_are_numbers(text: str, sound: bool, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text)
    if sound:
        training = load(RunConfig, tmp_path / "config.json").training
        assert (training.steps, training.crop) == (10_000, (80, 80, 80))
        return
    with pytest.raises(ConfigError, match=r"config\.json: training\."):
        load(RunConfig, tmp_path / "config.json")

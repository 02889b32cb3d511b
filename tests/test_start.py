"""What a training may start from, and which networks its weights fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from voxres_tf.config import RunConfig
from voxres_tf.contract import CONTRACT_FILE, Contract
from voxres_tf.errors import ConfigError, ModelError
from voxres_tf.files import write_json
from voxres_tf.start import is_run, read_start

SOURCE = (
    RunConfig()
    .updated(
        preprocess={"modalities": ("t1", "flair"), "gaussian_sigma": 3.0},
        model={"width": 16, "norm_momentum": 0.9},
    )
    .for_classes([f"class {n}" for n in range(9)])
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_json(tmp_path / "first" / "config.json", SOURCE.model_dump(mode="json"))
    return tmp_path / "first"


def write_contract(folder: Path, config: RunConfig = SOURCE, **fields: object) -> Path:
    contract = Contract(
        name="net",
        version=3,
        preprocess=config.preprocess,
        channels=config.preprocess.channels,
        model=config.model,
        classes=config.classes,
        patch=(16, 16, 16),
        weights_sha256="f" * 64,
        **fields,
    )
    write_json(folder / CONTRACT_FILE, contract.model_dump(mode="json"))
    return folder


def test_a_run_and_an_exported_model_are_read_alike(run: Path, tmp_path: Path) -> None:
    model = write_contract(tmp_path / "net" / "3")
    first, second = read_start(run), read_start(model)
    assert (first.name, first.version, first.weights_sha256) == ("first", None, None)
    assert (second.name, second.version, second.weights_sha256) == ("net", 3, "f" * 64)
    for start in (first, second):
        assert (start.preprocess, start.model) == (SOURCE.preprocess, SOURCE.model)
        assert start.classes == SOURCE.classes
    assert (first.patch, second.patch) == (SOURCE.training.crop, (16, 16, 16))
    # A run hands on the larger tiles of what it began with itself.
    habits = {"overlap": 0.25, "tta": True, "one_piece": True}
    write_json(run / "summary.json", {"init_patch": [96, 8, 96], "init_habits": habits})
    assert read_start(run).patch == (96, SOURCE.training.crop[1], 96)
    assert read_start(run).habits == habits
    assert is_run(run)
    assert not is_run(model)
    with pytest.raises(ModelError, match="an exported model holds its contract"):
        read_start(tmp_path)


def test_how_volumes_are_predicted_is_handed_on_where_it_suits(tmp_path: Path) -> None:
    habits = {"overlap": 0.25, "tta": True, "one_piece": True, "align": False}
    start = read_start(write_contract(tmp_path / "net" / "3", **habits))
    flips = SOURCE.updated(training={"flip": True})
    assert start.handed_on(flips) == habits
    assert start.handed_on(SOURCE.updated(training={"flip": False})) == habits | {"tta": False}
    lesions = flips.for_classes(["background", "lesion"])
    assert start.handed_on(lesions) == habits | {"one_piece": False}


def test_alignment_is_handed_on_where_each_of_several_scans_will_do(tmp_path: Path) -> None:
    names = SOURCE.preprocess.modalities
    start = read_start(
        write_contract(tmp_path / "net" / "3", align=True, optional_modalities=names)
    )
    assert not start.handed_on(SOURCE)["align"]
    dropping = SOURCE.updated(training={"modality_dropout": 0.5})
    assert start.handed_on(dropping)["align"]
    assert not start.handed_on(dropping.updated(preprocess={"modalities": names[:1]}))["align"]


@pytest.mark.parametrize(
    ("modalities", "classes", "available", "text"),
    [
        (("t1", "flair"), SOURCE.classes, ("t1", "flair"), "Starts from first: t1, flair"),
        (
            ("t2", "t1"),
            ("CLASS 1", "lesion"),
            ("t1", "t1-ir", "t2"),
            "Starts from first: t1; new modalities t2; without the data's t1-ir; "
            "new classes lesion",
        ),
    ],
)
def test_it_tells_what_is_taken(
    run: Path,
    modalities: tuple[str, ...],
    classes: tuple[str, ...],
    available: tuple[str, ...],
    text: str,
) -> None:
    config = SOURCE.updated(preprocess={"modalities": modalities}).for_classes(classes)
    assert read_start(run).told(config, available) == text


def test_two_stages_are_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "both" / "cascade.json", {"first": ["a"], "second": "b"})
    second = RunConfig().updated(model={"context_channels": 4})
    write_json(tmp_path / "second" / "config.json", second.model_dump(mode="json"))
    write_contract(tmp_path / "model", second, first_stage=(RunConfig().model,))
    assert is_run(tmp_path / "both")
    for name in ("both", "second", "model"):
        with pytest.raises(ConfigError, match=f"{name}: .*one stage. Received: one of two stages"):
            read_start(tmp_path / name)


def test_the_network_is_the_sources_but_for_its_ends(run: Path) -> None:
    base = RunConfig().updated(training={"steps": 7})
    config = read_start(run).configured(base, {})
    assert config.training == base.training
    assert config.preprocess == SOURCE.preprocess
    assert (config.model.width, config.model.norm_momentum) == (16, 0.9)
    assert (config.model.in_channels, config.model.classes) == (4, 4)
    stated = {"preprocess": {"filtered": False}, "model": {"norm_momentum": 0.5}}
    config = read_start(run).configured(base, stated)
    assert config.preprocess.channels == ("t1", "flair")
    assert (config.preprocess.gaussian_sigma, config.model.norm_momentum) == (3.0, 0.5)
    read_start(run).require_match(config)


@pytest.mark.parametrize(
    ("sections", "text"),
    [
        ({"model": {"width": 8}}, "Received: width 16 -> 8"),
        ({"model": {"architecture": "unet3d"}}, "architecture voxresnet -> unet3d"),
        ({"model": {"thin_kernels": True}}, "thin_kernels False -> True"),
        ({"model": {"context_channels": 4}}, "Received: a second stage"),
        ({"preprocess": {"modalities": ("t2",)}}, "one of the source's channels, t1, flair"),
    ],
)
def test_what_does_not_fit(run: Path, sections: dict[str, dict[str, object]], text: str) -> None:
    start = read_start(run)
    config = start.configured(RunConfig(), {}).updated(**sections)
    with pytest.raises(ConfigError, match=text):
        start.require_match(config)

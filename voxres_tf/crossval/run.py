"""Cross-validation and auto-context, from subjects to a folder; a killed call can be repeated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from voxres_tf.config import CASCADE_FILE, CascadeConfig, PreprocessConfig, RunConfig
from voxres_tf.crossval.engines import Engine, Say
from voxres_tf.crossval.network import Cascade, Network
from voxres_tf.crossval.notes import note_file, other_rows, require_same_row, told_of
from voxres_tf.crossval.plan import (
    AutoContext,
    Keys,
    context_cascade,
    cross_validation,
)
from voxres_tf.crossval.rows import RowSpec
from voxres_tf.crossval.tasks import ScoreCase, Store, Task, TrainNetwork, in_order
from voxres_tf.dataset.checks import classes_of, require_sound
from voxres_tf.dataset.folds import Folds
from voxres_tf.dataset.subject import SubjectFiles
from voxres_tf.errors import ConfigError, TrainingError, message
from voxres_tf.evaluation.results import Results
from voxres_tf.evaluation.rows import write_rows
from voxres_tf.evaluation.scores import write_scores
from voxres_tf.files import json_hash, locked, write_json
from voxres_tf.labels import CLASS_NAMES
from voxres_tf.preprocess.cache import CachedSubject, cached
from voxres_tf.training.run import RunFolder, require_classes

_MANY_STEPS = 500
"""No forecast for fewer steps in all: they end soon, and it takes as long as a training's start."""


def cross_validate(
    subjects: Sequence[SubjectFiles],
    out: Path,
    rows: Sequence[RowSpec],
    folds: Folds,
    *,
    engine: Engine | None = None,
    say: Say = lambda _: None,
) -> list[Results]:
    """Train and score every fold of every row; equal trainings are done once.

    Args:
        subjects: with labels.
        out: folder for networks, maps, scores and `rows.json`, which `voxres tables` reads.
        rows: at least one.
        folds: see `dataset.folds`.
        engine: where the tasks run, in this process by default.
        say: called with each line about the progress.

    Returns:
        The scores of all subjects, row by row.

    Raises:
        DataError: if a subject breaks a rule.
        ConfigError: if the folds leave a network nothing to learn from, the labels or a config
            have classes other than `labels.CLASS_NAMES`, or a config has frozen_norm.
        OutputExistsError: if `out` holds the scores of a row of the same name that was trained with
            another configuration or on other folds.
        TrainingError: if `out` is the folder of a training, or a training fails.
    """
    _require_tissues(subjects)
    for row in rows:
        _require_trainable(row.config, subjects)
    with locked(out):
        _require_no_run(out)
        store, keys = _prepare(subjects, out, [row.config.preprocess for row in rows])
        notes = {row: told_of(row, keys[row.config.preprocess], folds) for row in rows}
        for row, note in notes.items():
            require_same_row(out, row, note)
        targets = {row: _targets(row, keys, folds) for row in rows}
        _work((target for found in targets.values() for target in found), store, engine, say)
        scores = {
            row: [score for target in found for score in target.scores(store)]
            for row, found in targets.items()
        }
        for row, found in scores.items():
            write_json(note_file(out, row), notes[row])
            write_scores(out / row.file, found)
        write_rows(out, {row.name: row.file for row in rows} | other_rows(out, notes))
        return [Results(row.name, tuple(found)) for row, found in scores.items()]


def auto_context(
    subjects: Sequence[SubjectFiles],
    out: Path,
    config: RunConfig,
    folds: Folds,
    how: AutoContext,
    *,
    engine: Engine | None = None,
    say: Say = lambda _: None,
) -> Path:
    """Train both stages on all subjects (paper, section 2.3), ready for `export_run`.

    Args:
        subjects: with labels.
        out: folder for networks, maps and `cascade.json`, which names the stages.
        config: config of the first stage; the second has the maps as further channels.
        folds: folds for the out-of-fold maps.
        how: where maps come from, and which first stage predicts.
        engine: where the tasks run, in this process by default.
        say: called with each line about the progress.

    Returns:
        `out`.

    Raises:
        As `cross_validate`, but never OutputExistsError; any classes that the labels and the config
        share are allowed.
    """
    _require_trainable(config, subjects)
    with locked(out):
        _require_no_run(out)
        store, keys = _prepare(subjects, out, [config.preprocess])
        ids = [files.id for files in subjects]
        cascade = context_cascade(config, keys[config.preprocess], ids, folds, how)
        _work(map(TrainNetwork, cascade.stages), store, engine, say)
        _write_cascade(out, cascade, store)
    return out


def _require_no_run(out: Path) -> None:
    if RunFolder(out).begun:
        rule, then = "a folder for several networks", "choose another folder"
        raise TrainingError(message(out, rule, "one training's", then))


def _require_tissues(subjects: Sequence[SubjectFiles]) -> None:
    names = classes_of(subjects)
    if names != CLASS_NAMES:
        rule = f"cross-validation compares {', '.join(CLASS_NAMES[1:])}"
        then = "use voxres train, predict and evaluate for classes of your own"
        raise ConfigError(message("label schemes", rule, ", ".join(names), then))


def _require_trainable(config: RunConfig, subjects: Sequence[SubjectFiles]) -> None:
    require_classes(config, subjects)
    if config.training.frozen_norm:
        rule = "networks that begin with random weights have no statistics to keep"
        then = "leave it out of the config; voxres train --init can keep those of a trained network"
        raise ConfigError(message("training.frozen_norm", rule, "true", then))


def _prepare(
    subjects: Sequence[SubjectFiles], out: Path, configs: Iterable[PreprocessConfig]
) -> tuple[Store, Mapping[PreprocessConfig, Keys]]:
    wanted = list(dict.fromkeys(configs))
    modalities = list(dict.fromkeys(m for config in wanted for m in config.modalities))
    require_sound(subjects, modalities, need_labels=True)
    folder = out.resolve()
    found: dict[str, CachedSubject] = {}
    keys: dict[PreprocessConfig, Keys] = {}
    for config in wanted:
        prepared = cached(subjects, config, folder / "cache")
        found |= {s.key: s for s in prepared}
        keys[config] = {s.id: s.key for s in prepared}
    return Store(folder, found), keys


def _targets(row: RowSpec, keys: Mapping[PreprocessConfig, Keys], folds: Folds) -> list[ScoreCase]:
    own = keys[row.config.preprocess]
    cases = {c.subject: c for c in cross_validation(row.name, row.config, own, folds, row.how)}
    return [ScoreCase(cases[id_]) for id_ in own]


def _work(targets: Iterable[Task], store: Store, engine: Engine | None, say: Say) -> None:
    tasks = in_order(targets)
    trainings = [task for task in tasks if isinstance(task, TrainNetwork)]
    missing = [task.network for task in trainings if not task.done(store)]
    say(f"{len(trainings)} trainings, {len(trainings) - len(missing)} of them done already")
    if missing:
        say(_forecast(missing))
    (engine or Engine()).run(tasks, store, say)


def _forecast(missing: Sequence[Network]) -> str:
    if sum(network.config.training.steps for network in missing) < _MANY_STEPS:
        return f"{len(missing)} to do"

    from voxres_tf.training.pace import Pace, measure_pace

    paces: dict[str, Pace] = {}
    total = 0.0
    for network in missing:
        model, training = network.config.model, network.config.training
        # Input channels only change the first convolution.
        alike = model.model_dump(mode="json", exclude={"in_channels", "context_channels"})
        kind = json_hash([alike, training.crop, training.batch])
        if kind not in paces:
            paces[kind] = measure_pace(network.config)
        total += paces[kind].seconds(training.steps)
    hours, minutes = divmod(round(total / 60), 60)
    return f"{len(missing)} to do: about {hours} h {minutes:02d} min, one after the other"


def _write_cascade(out: Path, cascade: Cascade, store: Store) -> None:
    def relative(network: Network) -> str:
        return store.run(network).path.relative_to(store.folder).as_posix()

    config = CascadeConfig(
        first=tuple(map(relative, cascade.first)),
        second=relative(cascade.stages[-1]),
    )
    write_json(out / CASCADE_FILE, config.model_dump(mode="json"))

"""Ray's workers do what this process does, also if one of them is killed in mid-task."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import ray

from voxres_tf.crossval import engines
from voxres_tf.crossval.engines import Engine
from voxres_tf.crossval.rows import RowSpec
from voxres_tf.crossval.run import cross_validate
from voxres_tf.crossval.tasks import Store, in_order
from voxres_tf.dataset.folds import make_folds
from voxres_tf.errors import ConfigError, DataError, VoxResError

LOO = make_folds(list("12"), None, 0)


class Note:
    """A task that leaves a file, or fails."""

    def __init__(self, name, *needs, fails=None):
        self.name, self._needs, self._fails = name, needs, fails

    def needs(self):
        return self._needs

    def done(self, store):
        return (store.folder / self.name).is_file()

    def title(self, _store):
        return f"Noting {self.name}"

    def carry_out(self, store):
        if self._fails:
            raise self._fails
        assert all(needed.done(store) for needed in self._needs)
        (store.folder / self.name).touch()


@pytest.fixture(scope="module")
def cluster():
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    # The workers do not see the folder of the tests.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    ray.shutdown()


def test_needs_come_first_and_once():
    a = Note("a")
    b, c = Note("b", a), Note("c", a)
    d = Note("d", b, c)
    assert [task.name for task in in_order([d, b])] == ["a", "b", "c", "d"]


@pytest.mark.parametrize("name", ["local", "ray"])
def test_what_is_done_is_not_done_again(name, tmp_path, request):
    if name == "ray":
        request.getfixturevalue("cluster")
    done, said = Note("done", fails=DataError("again")), []
    (tmp_path / "done").touch()
    tasks = in_order([Note("last", done, Note("first"))])
    Engine(name).run(tasks, Store(tmp_path, {}), said.append)
    assert {p.name for p in tmp_path.iterdir()} == {"done", "first", "last"}
    assert [line.split(":")[0].split()[-1] for line in said] == ["first", "last"]


def test_a_failure_on_a_worker_is_told_as_it_is_here(cluster, tmp_path):
    bad = Note("bad", fails=DataError("t1.nii: broken"))
    tasks = in_order([Note("after", bad), Note("other")])
    with pytest.raises(DataError, match=r"t1\.nii: broken"):
        Engine("ray").run(tasks, Store(tmp_path, {}), lambda _: None)
    assert {p.name for p in tmp_path.iterdir()} == {"other"}
    with pytest.raises(VoxResError, match=r"Noting odd: .*KeyError.*Look at the logs"):
        Engine("ray").run([Note("odd", fails=KeyError("x"))], Store(tmp_path, {}), lambda _: None)


def test_no_cluster_at_the_address(monkeypatch):
    def refuse(**_):
        raise ConnectionError("nobody there")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(ConfigError, match=r"a cluster at 10\.0\.0\.1:6379.*nobody there"):
        Engine("ray", ray_address="10.0.0.1:6379").run(
            [Note("x")], Store(Path("/nowhere"), {}), lambda _: None
        )


def test_ray_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match="pip install ray"):
        engines._import_ray()


def workers():
    """Processes of Ray that train at this moment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(b"ray::carry_out"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def kill_one_in_mid_task(out, killed, over):
    """Kill a worker as soon as a network has made its first epoch, but is not trained."""
    while not over.is_set():
        begun = list(out.glob("networks/*/history.csv"))
        if begun and (pids := workers()):
            os.kill(pids[0], signal.SIGKILL)
            killed.append(pids[0])
            return
        time.sleep(0.02)


def test_a_lost_worker_changes_nothing(cluster, subjects, config, tmp_path, monkeypatch):
    monkeypatch.setattr("voxres_tf.crossval.run._forecast", lambda _: "soon")
    config = config.updated(training={"steps": 12, "checkpoint_minutes": 1e-6})
    rows = [RowSpec("All", config)]
    here = cross_validate(subjects[:2], tmp_path / "here", rows, LOO)
    killed: list[int] = []
    over = threading.Event()
    killer = threading.Thread(target=kill_one_in_mid_task, args=(tmp_path / "there", killed, over))
    killer.start()
    try:
        there = cross_validate(subjects[:2], tmp_path / "there", rows, LOO, engine=Engine("ray"))
    finally:
        over.set()
        killer.join()
    assert killed
    assert there == here
    states = sorted((tmp_path / "here").glob("networks/*/state.npz"))
    assert len(states) == 2
    for state in states:
        other = tmp_path / "there" / state.relative_to(tmp_path / "here")
        with np.load(state) as mine, np.load(other) as theirs:
            for name in mine.files:
                np.testing.assert_array_equal(mine[name], theirs[name])

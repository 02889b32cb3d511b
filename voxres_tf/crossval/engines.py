"""Where tasks run: one after the other in this process, or on the workers of a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from voxres_tf.crossval.tasks import Store, Task
from voxres_tf.errors import ConfigError, VoxResError, message, shortened

EngineName = Literal["local", "ray"]
Say = Callable[[str], None]
RETRIES = 3
"""How often Ray repeats a task whose worker was lost."""


@dataclass(frozen=True)
class Engine:
    """Where tasks run.

    Attributes:
        name: "local" or "ray".
        ray_address: address of an existing cluster, "auto" for the one of this machine; None starts
            one on this machine for as long as the work takes.
        cpus, gpus: what a task needs, as declared to Ray.
    """

    name: EngineName = "local"
    ray_address: str | None = None
    cpus: float = 1
    gpus: float = 0

    def run(self, tasks: Sequence[Task], store: Store, say: Say) -> None:
        """Carry out the tasks that are not done yet; each must come after those that it needs.

        Raises:
            VoxResError: whatever a task raises; with Ray, after the tasks that do not depend on it.
            ConfigError: if Ray is requested but not installed, or no cluster answers.
        """
        todo = [task for task in tasks if not task.done(store)]
        if self.name == "local":
            _run_local(todo, store, say)
        elif todo:
            self._run_ray(todo, store, say)

    def _run_ray(self, todo: Sequence[Task], store: Store, say: Say) -> None:
        ray = _import_ray()
        own = not ray.is_initialized()
        if own:
            self._connect(ray)
        try:
            remote = ray.remote(num_cpus=self.cpus, num_gpus=self.gpus, max_retries=RETRIES)(
                carry_out
            )
            references: dict[str, Any] = {}
            for task in todo:
                before = [references[n.name] for n in task.needs() if n.name in references]
                references[task.name] = remote.remote(task, store, *before)
            _collect(ray, {references[task.name]: task for task in todo}, store, say)
        finally:
            if own:
                ray.shutdown()

    def _connect(self, ray: Any) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else Ray reports to its makers
        try:
            ray.init(
                address=self.ray_address,
                log_to_driver=False,
                include_dashboard=False if self.ray_address is None else None,
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ConfigError(
                message(
                    "Ray",
                    f"a cluster at {self.ray_address}",
                    shortened(error),
                    "start one with `ray start --head`, or leave --ray-address out",
                )
            ) from error


def carry_out(task: Task, store: Store, *_before: None) -> None:
    """Do a task unless it is done; `_before` makes Ray wait for the tasks that it needs."""
    if not task.done(store):
        task.carry_out(store)


def _run_local(todo: Sequence[Task], store: Store, say: Say) -> None:
    from voxres_tf.training.fit import forget_networks

    for number, task in enumerate(todo, 1):
        say(f"{number}/{len(todo)} {task.title(store)}")
        carry_out(task, store)
        forget_networks()


def _collect(ray: Any, waiting: dict[Any, Task], store: Store, say: Say) -> None:
    total, failures = len(waiting), []
    while waiting:
        (ready, *_), _ = ray.wait(list(waiting), num_returns=1)
        task = waiting.pop(ready)
        try:
            ray.get(ready)
        except ray.exceptions.RayError as error:
            failures.append(_cause(error, task, store))
        else:
            say(f"{total - len(waiting)}/{total} {task.title(store)}: done")
    if failures:
        raise failures[0]


def _cause(error: Any, task: Task, store: Store) -> VoxResError:
    cause: Any = error
    while getattr(cause, "cause", None) is not None:
        cause = cause.cause
    if isinstance(cause, VoxResError):
        return cause
    return VoxResError(
        message(
            task.title(store),
            "a task that ends well on one of the workers",
            shortened(f"{type(error).__name__}: {cause}"),
            "look at the logs of Ray; the same command goes on with what is missing",
        )
    )


def _import_ray() -> Any:
    try:
        import ray
    except ImportError:
        then = "run pip install ray, or pip install '.[ray]' in this project's folder"
        raise ConfigError(message("engine ray", "Ray is installed", "no Ray", then)) from None
    return ray

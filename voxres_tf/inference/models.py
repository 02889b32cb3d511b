"""Finds models: by a folder on disk or the name of one that is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from voxres_tf.contract import CONTRACT_FILE
from voxres_tf.errors import ModelError, message
from voxres_tf.start import Start, is_run, read_start

PACKAGE = "voxres_models"
"""The package that contains shipped models, one folder per name, if it is installed."""

GRAPH_FILE = "saved_model.pb"


def resolve_model(model: str | Path) -> Path:
    """The SavedModel folder that a path or a name stands for.

    Args:
        model: `<name>/<version>/`, or `<name>/` for its highest version, or the name of a shipped
            model. If the working folder has a model's folder with a shipped model's name, the name
            alone is ambiguous and refused; `./<name>`, as a string, means the folder.

    Raises:
        ModelError: if there is no such model (the message lists the shipped ones), or if there are
            two.
    """
    return _version_in(_named(model), model)


def _version_in(path: Path, model: str | Path) -> Path:
    if not path.exists():
        known = ", ".join(shipped_models()) or "none"
        raise ModelError(
            message(
                model,
                f"an exported model's folder or a shipped model (shipped: {known})",
                "neither",
                "check the path, or make one with voxres export",
            )
        )
    if (path / GRAPH_FILE).is_file() or (path / CONTRACT_FILE).is_file():
        return path
    versions = model_versions(path)
    if not versions:
        raise ModelError(
            message(
                path,
                f"a folder with {GRAPH_FILE}, or with a folder per version",
                "neither",
                "make one with voxres export",
            )
        )
    return versions[max(versions)]


def find_start(model: str | Path) -> Start:
    """Find what a training is to start from, by a path or a name.

    Args:
        model: a run folder, or whatever `resolve_model` takes.

    Raises:
        ModelError: if there is neither, or if a contract cannot be honoured.
        ConfigError: if a run's config cannot be read, or the network has two stages.
    """
    path = _named(model)
    return read_start(path if is_run(path) else _version_in(path, model))


def _named(model: str | Path) -> Path:
    path, shipped = Path(model), shipped_models().get(str(model))
    if shipped is None:
        return path
    here = is_run(path) or (path / GRAPH_FILE).is_file() or model_versions(path)
    if not here or path.samefile(shipped):
        return shipped
    raise ModelError(
        message(
            model,
            "the name of one model",
            f"a folder here and the shipped model {shipped}",
            f"write ./{model} for the folder, or give the other's whole path",
        )
    )


def model_versions(folder: Path) -> dict[int, Path]:
    """Version of a model in `<name>/` -> its folder, such as 7 -> `007`; empty if there is none."""
    if not folder.is_dir():
        return {}
    folders = (child for child in sorted(folder.iterdir()) if child.is_dir())
    return {int(f.name): f for f in folders if f.name.isascii() and f.name.isdigit()}


def shipped_models() -> dict[str, Path]:
    """Name -> folder of the models that are installed; empty if there are none."""
    spec = find_spec(PACKAGE)
    roots = spec.submodule_search_locations if spec is not None else None
    return {
        child.name: child
        for root in roots or ()
        for child in sorted(Path(root).iterdir())
        if child.is_dir() and model_versions(child)
    }

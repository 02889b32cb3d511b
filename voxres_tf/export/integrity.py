"""Whether an exported model is whole: every file as export left it, the weights as it says."""

from __future__ import annotations

import json
from pathlib import Path

from voxres_tf.contract import CONTRACT_FILE, read_contract
from voxres_tf.errors import ModelError, message
from voxres_tf.files import file_hash, write_json
from voxres_tf.model.stored import VARIABLES, stored_weights, weights_hash

HASHES_FILE = Path("assets.extra") / "sha256.json"
"""Beside the contract: the SHA-256 of every other file of the version, by its path."""

_OF_EVERY_MODEL = (
    "saved_model.pb",
    f"{VARIABLES}.index",
    f"{VARIABLES}.data-00000-of-00001",
    CONTRACT_FILE.as_posix(),
)
NEXT_STEP = "install or export the model again"


def write_hashes(folder: Path) -> None:
    """Note the SHA-256 of all files of a version; the last thing that export does."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    listed = {path.relative_to(folder).as_posix(): file_hash(path) for path in files}
    listed.pop(HASHES_FILE.as_posix(), None)
    write_json(folder / HASHES_FILE, listed)


def check_whole(folder: Path) -> int:
    """Hold a model to its list of hashes, and its weights to the hash in its contract.

    The weights are read from the SavedModel's variables; the graph is not started.

    Args:
        folder: `<name>/<version>/`.

    Returns:
        How many files were compared.

    Raises:
        ModelError: naming what is missing or changed.
    """
    listed = _listed(folder)
    missing = [name for name in listed if not (folder / name).is_file()]
    changed = [
        name
        for name, expected in listed.items()
        if name not in missing and file_hash(folder / name) != expected
    ]
    found = [f"{name} is missing" for name in missing] + [f"{name} has changed" for name in changed]
    if found:
        raise ModelError(
            message(folder, "every file as it was exported", ", ".join(found), NEXT_STEP)
        )
    expected = read_contract(folder).weights_sha256
    received = weights_hash(stored_weights(folder))
    if received != expected:
        rule = f"weights with the SHA-256 of the contract, {expected}"
        raise ModelError(message(folder, rule, received, NEXT_STEP))
    return len(listed)


def _listed(folder: Path) -> dict[str, str]:
    path = folder / HASHES_FILE
    try:
        listed: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(message(path, "the hashes of the files", error, NEXT_STEP)) from error
    sound = isinstance(listed, dict) and all(isinstance(value, str) for value in listed.values())
    if not sound:
        raise ModelError(message(path, "a SHA-256 for every file", "another content", NEXT_STEP))
    # Further files, such as requests with which a server warms up, are nobody's business.
    without = [name for name in _OF_EVERY_MODEL if name not in listed]
    if without:
        received = f"none for {', '.join(without)}"
        raise ModelError(message(path, "a SHA-256 for every file", received, NEXT_STEP))
    return listed

"""Integrity check of an exported model: files as exported, weights as its contract says."""

from __future__ import annotations

from pathlib import Path

from voxres_tf.contract import CONTRACT_FILE, read_contract
from voxres_tf.errors import ModelError, message
from voxres_tf.files import file_hash, read_json, write_json
from voxres_tf.model.stored import VARIABLES, stored_weights, weights_hash

HASHES_FILE = Path("assets.extra") / "sha256.json"
"""Beside the contract: path -> SHA-256 of every other file of the version."""

_OF_EVERY_MODEL = (
    "saved_model.pb",
    f"{VARIABLES}.index",
    f"{VARIABLES}.data-00000-of-00001",
    CONTRACT_FILE.as_posix(),
)
NEXT_STEP = "install or export the model again"


def write_hashes(folder: Path) -> None:
    """Write down the SHA-256 of all files of a version; this is the last step of an export."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    listed = {path.relative_to(folder).as_posix(): file_hash(path) for path in files}
    listed.pop(HASHES_FILE.as_posix(), None)
    write_json(folder / HASHES_FILE, listed)


def check_whole(folder: Path) -> int:
    """Check a model against its list of hashes, and its weights against its contract's hash.

    The weights are read from the SavedModel's variables; the graph is not loaded.

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
    listed: dict[str, str] = read_json(path, NEXT_STEP, ModelError)
    sound = isinstance(listed, dict) and all(isinstance(value, str) for value in listed.values())
    if not sound:
        raise ModelError(message(path, "a SHA-256 for every file", "another content", NEXT_STEP))
    # Other files, such as a server's warm-up requests, need not be listed.
    without = [name for name in _OF_EVERY_MODEL if name not in listed]
    if without:
        received = f"none for {', '.join(without)}"
        raise ModelError(message(path, "a SHA-256 for every file", received, NEXT_STEP))
    return listed

"""Prepared subjects on disk, each under a key derived from everything that it is made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from voxres_tf.config import PreprocessConfig
from voxres_tf.dataset.subject import SubjectFiles, read_subject
from voxres_tf.errors import DataError, VoxResError, message
from voxres_tf.files import atomic_path, file_hash, json_hash
from voxres_tf.labels import scheme
from voxres_tf.preprocess.channels import prepare
from voxres_tf.volume import image_parts

CACHE_FORMAT = 3
"""Increases whenever the same files and config would give different channels."""


@dataclass(frozen=True)
class CachedSubject:
    """A prepared subject whose arrays stay on disk: a crop reads only the pages that it needs.

    Every access maps the file again, and the mapping is released with the array, so a process's
    memory does not grow with the number of subjects it has used.

    Attributes:
        id: id of the subject.
        entry: its folder in the cache, named after its key.
        channel_names: names of the channels of `image`, as in `PreprocessConfig.channels`.
        context: file of a first stage's probability map, float [X, Y, Z, K]; None without one.
    """

    id: str
    entry: Path
    channel_names: tuple[str, ...]
    context: Path | None = None

    @property
    def key(self) -> str:
        """The key of the cache entry; the same key means the same voxels."""
        return self.entry.name

    @property
    def image(self) -> NDArray[np.float32]:
        """Channels, float32 [X, Y, Z, C]."""
        return self._map("image")

    @property
    def parts(self) -> list[NDArray[Any]]:
        """The arrays on disk that make up the network's channels: `image` and any `context`."""
        return [self.image, *([_mapped(self.context)] if self.context else [])]

    def look(self) -> None:
        """Read how the files are laid out, so that no later access parses a header.

        NumPy parses headers as Python, which occasionally fails while TensorFlow traces in another
        thread ("AST constructor recursion depth mismatch", python/cpython#106905).
        """
        _ = self.parts, self.classes, self.scored, self.tissue

    def channels(self) -> NDArray[np.float32]:
        """All channels in memory, float32 [X, Y, Z, C] or, with context, [X, Y, Z, C + K]."""
        return np.concatenate([part.astype(np.float32) for part in self.parts], axis=-1)

    def with_context(self, file: Path) -> CachedSubject:
        """The same subject with a probability map as additional channels."""
        return replace(self, context=file)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between voxel centres along the canonical axes, in mm."""
        x, y, z = self._map("spacing_mm").tolist()
        return (x, y, z)

    @property
    def classes(self) -> NDArray[np.uint8]:
        """Classes, uint8 [X, Y, Z]."""
        return self._map("classes")

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Which voxels have weight, bool [X, Y, Z]."""
        return self._map("scored")

    @property
    def tissue(self) -> NDArray[np.int16]:
        """Positions of the scored voxels of classes 1 and above, int16 [N, 3]."""
        return self._map("tissue")

    def _map(self, name: str) -> NDArray[Any]:
        return _mapped(self.entry / f"{name}.npy")


def _mapped(path: Path) -> NDArray[Any]:
    try:
        status = path.stat()
        return np.memmap(path, mode="r", **_layout(path, status.st_mtime_ns, status.st_size))
    except (OSError, ValueError, EOFError) as error:
        rule, then = "an array as it was prepared", "remove its folder, and it is made again"
        raise DataError(message(path, rule, error, then)) from error


@cache
def _layout(path: Path, _changed_ns: int, _size: int) -> Mapping[str, Any]:
    """The arguments that `numpy.memmap` needs for an array's file."""
    array: np.memmap[Any, Any] = np.load(path, mmap_mode="r")
    order = "C" if array.flags.c_contiguous else "F"
    return {"dtype": array.dtype, "shape": array.shape, "offset": array.offset, "order": order}


def cache_key(files: SubjectFiles, config: PreprocessConfig) -> str:
    """Key of a subject's entry, from its files' contents, label scheme, config and format version.

    File names and locations are not part of it, nor is the subject's id.
    """
    return json_hash(
        {
            "format": CACHE_FORMAT,
            "images": {m: _content(files.images[m]) for m in config.modalities},
            "labels": _content(files.labels) if files.labels else None,
            "scheme": scheme(files.scheme).meaning,
            "config": config.model_dump(mode="json"),
        }
    )


def _content(path: Path) -> list[str]:
    return [file_hash(part) for part in image_parts(path)]


def cached(
    subjects: Iterable[SubjectFiles], config: PreprocessConfig, folder: Path
) -> list[CachedSubject]:
    """Prepare the subjects that are not in the cache yet, and open all of them.

    Raises:
        DataError: if a subject cannot be read or has no tissue to learn from.
    """
    progress = tqdm(list(subjects), desc="Preparing", unit="subject", disable=None)
    return [_entry(files, config, folder) for files in progress]


def _entry(files: SubjectFiles, config: PreprocessConfig, folder: Path) -> CachedSubject:
    entry = folder / cache_key(files, config)
    if not entry.is_dir():
        try:
            _write(files, config, entry)
        except VoxResError:
            # Another process may have prepared the same voxels in the meantime.
            if not entry.is_dir():
                raise
    return CachedSubject(files.id, entry, config.channels)


def _write(files: SubjectFiles, config: PreprocessConfig, entry: Path) -> None:
    subject = read_subject(files, config.modalities, with_labels=True)
    prepared = prepare(subject, config)
    if prepared.classes is None or prepared.scored is None:
        raise DataError(message(f"subject {files.id}", "a label file", "none", "add it"))
    tissue = np.argwhere((prepared.classes > 0) & prepared.scored).astype(np.int16)
    if not len(tissue):
        raise DataError(
            message(files.labels, "labels hold tissue", "none", "check the file or its scheme")
        )
    with atomic_path(entry) as temporary:
        temporary.mkdir()
        np.save(temporary / "image.npy", prepared.image)
        np.save(temporary / "spacing_mm.npy", np.array(prepared.working.spacing_mm))
        np.save(temporary / "classes.npy", prepared.classes)
        np.save(temporary / "scored.npy", prepared.scored)
        np.save(temporary / "tissue.npy", tissue)

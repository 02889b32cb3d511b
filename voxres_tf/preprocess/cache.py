"""Prepared subjects on disk, under a key of everything that they are made from."""

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
from voxres_tf.files import atomic_path, file_hash, json_hash, sweep
from voxres_tf.labels import scheme
from voxres_tf.preprocess.channels import prepare
from voxres_tf.volume import image_parts

CACHE_FORMAT = 2
"""Counts up whenever the same files and config would give other channels."""

RESAMPLED_FORMAT = 2
"""Counts up whenever only those would be others that are resampled."""


@dataclass(frozen=True)
class CachedSubject:
    """A prepared subject whose arrays stay on disk: a crop reads the pages that it needs.

    Every access maps the file anew and the mapping goes with the array, so that the memory of a
    process does not grow with the subjects that it has met.

    Attributes:
        id: of the subject.
        entry: its folder in the cache, named by its key.
        channel_names: of the channels of `image`, as `PreprocessConfig.channels` has them.
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
        """What makes the network's channels, on disk: `image` and, if there is one, `context`."""
        return [self.image, *([_mapped(self.context)] if self.context else [])]

    def look(self) -> None:
        """Read how the files are laid out, so that no later access parses a header.

        NumPy parses headers as Python, which beside TensorFlow's tracing in another thread fails
        now and then ("AST constructor recursion depth mismatch", python/cpython#106905).
        """
        _ = self.parts, self.classes, self.scored, self.tissue

    def channels(self) -> NDArray[np.float32]:
        """All channels in memory, float32 [X, Y, Z, C] or, with context, [X, Y, Z, C + K]."""
        return np.concatenate([part.astype(np.float32) for part in self.parts], axis=-1)

    def with_context(self, file: Path) -> CachedSubject:
        """The same subject with a probability map as further channels."""
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
        """Where a voxel has weight, bool [X, Y, Z]."""
        return self._map("scored")

    @property
    def tissue(self) -> NDArray[np.int16]:
        """Positions of the scored voxels of classes 1.., int16 [N, 3]."""
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
    """What `numpy.memmap` must be told of an array's file."""
    array: np.memmap[Any, Any] = np.load(path, mmap_mode="r")
    order = "C" if array.flags.c_contiguous else "F"
    return {"dtype": array.dtype, "shape": array.shape, "offset": array.offset, "order": order}


def cache_key(files: SubjectFiles, config: PreprocessConfig) -> str:
    """Key of a subject's entry: contents of its files, label scheme, config, format version.

    Names and places of files are not part of it, nor is the subject's id.
    """
    resampled = {"resampled": RESAMPLED_FORMAT} if config.resolution else {}
    return json_hash(
        resampled
        | {
            "format": CACHE_FORMAT,
            "images": {m: _content(files.images[m]) for m in config.modalities},
            "labels": _content(files.labels) if files.labels else None,
            "scheme": scheme(files.scheme).meaning,
            # What is None was added later and changes nothing: entries of earlier configs stay.
            "config": config.model_dump(mode="json", exclude_none=True),
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
    sweep(folder)
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

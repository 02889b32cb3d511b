"""A subject in, its tissues out: the road that `voxres predict` and the library share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from voxres_tf.contract import ANSWER, FIRST_STAGE, SECOND_STAGE, read_contract
from voxres_tf.dataset.subject import Subject, SubjectFiles, read_subject
from voxres_tf.errors import ConfigError, DataError, message
from voxres_tf.inference.models import resolve_model
from voxres_tf.inference.tiling import OVERLAP, Blend, check_tiling, predict_tiled, tile_count
from voxres_tf.preprocess.channels import prepare
from voxres_tf.volume import Volume, from_canonical

if TYPE_CHECKING:
    from voxres_tf.inference.engine import SavedModelEngine


@dataclass(frozen=True, eq=False)
class Prediction:
    """The tissues of one subject, on its own grid.

    Attributes:
        id: of the subject.
        labels: uint8 [X, Y, Z], the class of the highest probability, in the model's order
            (0 background, 1 CSF, 2 GM, 3 WM).
        probabilities: float32 [X, Y, Z, K], which sum to 1 over K.
        volumes_ml: class name -> millilitres, without the background; 0 for an absent class.
        seconds: stage ("read", "prepare", "predict") -> wall time.
    """

    id: str
    labels: Volume
    probabilities: Volume
    volumes_ml: dict[str, float]
    seconds: dict[str, float]


class Predictor:
    """An exported model, ready for any number of subjects.

    Making one reads the model's contract; the network itself is loaded with the first prediction.

    Args:
        model: see `models.resolve_model`.
        overlap: least share of a tile that its neighbour covers too, 0 up to but not 1.
        blend: "gaussian" weights the middle of a tile more than its border, "constant" does not.
        tile: voxels of a tile, multiples of the model's stride; its training crop by default.
        batch: tiles per call of the network.
        device: "auto", "cpu", "gpu" or "gpu:N".
        tta: average over the subject and its left-right mirror image, which takes twice as long.
        progress: show a bar per subject on a terminal.

    Raises:
        ModelError: if there is no such model or its contract cannot be honoured.
        ConfigError: if an option is out of range.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        overlap: float = OVERLAP,
        blend: Blend = "gaussian",
        tile: Sequence[int] | None = None,
        batch: int = 1,
        device: str = "auto",
        tta: bool = False,
        progress: bool = False,
    ) -> None:
        self.path = resolve_model(model)
        self.contract = read_contract(self.path)
        self.tile = tuple(tile) if tile is not None else self.contract.patch
        self.overlap, self.blend, self.batch = overlap, blend, batch
        self.device, self.tta, self._progress = device, tta, progress
        check_tiling(self.tile, overlap, blend, batch)
        stride = self.contract.stride
        if any(size % stride for size in self.tile):
            raise ConfigError(
                message("tile", f"multiples of {stride}", self.tile, "choose another tile")
            )

    @cached_property
    def engine(self) -> SavedModelEngine:
        """The loaded network; loading takes seconds, and imports TensorFlow.

        Raises:
            ModelError: if TensorFlow cannot load it.
            ConfigError: if the device is not there.
        """
        from voxres_tf.inference.engine import SavedModelEngine

        return SavedModelEngine(self.path, self.contract, self.device)

    def __call__(self, subject: Subject | SubjectFiles) -> Prediction:
        """Segment one subject.

        Args:
            subject: on disk or in memory; modalities that the model does not take are left alone.

        Raises:
            DataError: if a modality is missing, or a file or grid breaks a rule.
            ModelError: if the network cannot be loaded or run.
        """
        seconds: dict[str, float] = {}
        modalities = self.contract.preprocess.modalities
        with _timed(seconds, "read"):
            if isinstance(subject, SubjectFiles):
                subject = read_subject(subject, modalities)
        _require(subject, modalities)
        with _timed(seconds, "prepare"):
            prepared = prepare(_without_labels(subject), self.contract.preprocess)
        _ = self.engine  # Loading it is no part of the time of a subject.
        with _timed(seconds, "predict"):
            canonical = self._probabilities(prepared.image, subject.id)
            labels = from_canonical(canonical.argmax(axis=-1).astype(np.uint8), subject.grid)
            probabilities = from_canonical(canonical, subject.grid)
        return Prediction(
            subject.id,
            Volume(labels, subject.grid),
            Volume(probabilities, subject.grid),
            self._volumes_ml(labels, subject.grid.voxel_ml),
            seconds,
        )

    def _probabilities(self, image: NDArray[np.float32], name: str) -> NDArray[np.float32]:
        stages = (FIRST_STAGE, SECOND_STAGE) if self.contract.first_stage else (ANSWER,)
        tiles = tile_count(image.shape[:3], self.tile, self.overlap)
        total = tiles * len(stages) * (2 if self.tta else 1)
        hidden = None if self._progress else True
        with tqdm(total=total, desc=name, unit="tile", leave=False, disable=hidden) as bar:

            def all_stages(view: NDArray[np.float32]) -> NDArray[np.float32]:
                answer = self._tiled(view, stages[0], bar.update)
                for stage in stages[1:]:
                    answer = self._tiled(np.concatenate([view, answer], -1), stage, bar.update)
                return answer

            result = all_stages(image)
            if self.tta:
                # The first axis of a canonical image runs from left to right.
                result += all_stages(image[::-1])[::-1]
                result *= np.float32(0.5)
        return result

    def _tiled(
        self, image: NDArray[np.float32], stage: str, progress: Callable[[int], object]
    ) -> NDArray[np.float32]:
        return predict_tiled(
            image,
            lambda tiles: self.engine.run(stage, tiles),
            len(self.contract.classes),
            self.tile,
            overlap=self.overlap,
            blend=self.blend,
            batch=self.batch,
            progress=progress,
        )

    def _volumes_ml(self, labels: NDArray[np.uint8], voxel_ml: float) -> dict[str, float]:
        counts = np.bincount(labels.reshape(-1), minlength=len(self.contract.classes))
        names = enumerate(self.contract.classes)
        return {name: int(counts[number]) * voxel_ml for number, name in names if number}


def _require(subject: Subject, modalities: Sequence[str]) -> None:
    missing = [name for name in modalities if name not in subject.images]
    if missing:
        raise DataError(
            message(
                f"subject {subject.id}",
                f"the model takes {', '.join(modalities)}",
                f"{', '.join(subject.images) or 'none'} (missing: {', '.join(missing)})",
                "add these volumes or choose another model",
            )
        )


def _without_labels(subject: Subject) -> Subject:
    # What a subject's labels hold must not matter to its prediction.
    return Subject(subject.id, subject.images, subject.grid)


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start

"""From a subject to its tissues: the pipeline shared by `voxres predict` and the library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voxres_tf.contract import SEGMENT, SEGMENT_PROBABILITIES, Contract, read_contract
from voxres_tf.dataset.subject import (
    Subject,
    SubjectFiles,
    as_subject,
    read_subject,
    require_subject,
)
from voxres_tf.errors import ConfigError, DataError, message
from voxres_tf.grid import from_canonical
from voxres_tf.inference.align import Alignment, aligned
from voxres_tf.inference.models import resolve_model
from voxres_tf.inference.notes import scan_notes
from voxres_tf.inference.pieces import drop_loose
from voxres_tf.inference.prediction import Prediction, timed, volumes_ml
from voxres_tf.inference.server import Server, check_left_alone
from voxres_tf.inference.stages import Engine, through_stages
from voxres_tf.inference.tiling import Apply, Blend, Tiling
from voxres_tf.preprocess.channels import Prepared, stack_modalities, with_channels
from voxres_tf.volume import Volume


class Predictor:
    """An exported model, ready for any number of subjects.

    Creating one reads the model's contract, or asks a server for it; a network that is not on a
    server is loaded with the first prediction.

    Args:
        model: see `models.resolve_model`; or the server that has it.
        overlap: least share of a tile that its neighbour also covers, from 0 to below 1; the
            contract's by default.
        blend: "gaussian" weights the middle of a tile more than its border, "constant" does not.
        tile: voxels of a tile, multiples of the model's stride; the contract's `patch` by default.
        batch: tiles per call of the network.
        device: "auto", "cpu", "gpu" or "gpu:N".
        tta: average over each tile and its left-right mirror image, which takes twice as long; by
            default as the contract says.
        one_piece: turn tissue separate from the largest piece into background, see `pieces`; by
            default as the contract says.
        progress: show a bar per subject on a terminal.
        keep_spacing: resample nothing, whatever spacings the model takes.
        resample_to: modality to whose grid the others of a subject on disk are resampled; by
            default they must share one.
        align: move a subject's other scans onto the model's first one, or onto that of
            `resample_to`, see `align`; the model is run on each alone. By default as the contract
            says, if the first one is present.
        probabilities: keep them in the predictions; without them a server in volume mode sends
            only labels.

    A server chooses its own device and, in volume mode, its own tiles: any other value than the
    default of device, or of overlap, blend, tile, batch, tta and one_piece, is an error then.

    Raises:
        ModelError: if there is no such model or its contract cannot be honoured.
        ServerError: if the server does not answer, or has no such model.
        ConfigError: if an option is out of range, or has no meaning with a server.
    """

    def __init__(
        self,
        model: str | Path | Server,
        *,
        overlap: float | None = None,
        blend: Blend = "gaussian",
        tile: Sequence[int] | None = None,
        batch: int = 1,
        device: str = "auto",
        tta: bool | None = None,
        one_piece: bool | None = None,
        progress: bool = False,
        keep_spacing: bool = False,
        resample_to: str | None = None,
        align: bool | None = None,
        probabilities: bool = True,
    ) -> None:
        self.server = model if isinstance(model, Server) else None
        self._apply: Apply = map
        if isinstance(model, Server):
            tiles = {"overlap": overlap, "blend": blend, "tile": tile, "batch": batch}
            check_left_alone(model, device, {**tiles, "tta": tta, "one_piece": one_piece})
            self.contract = self._connect(model)
        else:
            path = resolve_model(model)
            self.source, self.path = str(path), path
            self.contract = read_contract(path)
        self._whole = self.server is not None and self.server.mode == "volume"
        self.keep_probabilities = probabilities
        self.tiling = Tiling(
            self.contract.patch if tile is None else tuple(tile),
            self.contract.overlap if overlap is None else overlap,
            blend,
            batch,
        )
        self.tta = self.contract.tta if tta is None else tta
        self.one_piece = self.contract.one_piece if one_piece is None else one_piece
        self.device, self._progress = device, progress
        self.align, self._must_align = self.contract.align if align is None else align, bool(align)
        self.keep_spacing, self.resample_to = keep_spacing, resample_to
        taken = self.contract.preprocess
        self._preprocess = taken.model_copy(update={"resolution": None}) if keep_spacing else taken
        if resample_to is not None and resample_to not in taken.modalities:
            rule = f"the model takes {', '.join(taken.modalities)}"
            raise ConfigError(message("resample_to", rule, resample_to, "name one of these"))
        if align and not self.contract.takes_each_alone:
            rule = "a model that takes each of its scans alone"
            raise ConfigError(message("align", rule, "one that does not", "leave it out"))
        stride = self.contract.stride
        if any(size % stride for size in self.tiling.tile):
            raise ConfigError(
                message("tile", f"multiples of {stride}", self.tiling.tile, "choose another tile")
            )

    def _connect(self, server: Server) -> Contract:
        from voxres_tf.inference.remote import RemoteEngine

        remote = RemoteEngine(server)
        self.source, self.engine, self._apply = remote.name, remote, remote.apply
        return remote.contract

    @cached_property
    def engine(self) -> Engine:
        """Runs the model; loading a network takes seconds, and imports TensorFlow.

        Raises:
            ModelError: if TensorFlow cannot load it.
            ConfigError: if the device does not exist.
        """
        from voxres_tf.inference.engine import SavedModelEngine

        return SavedModelEngine(self.path, self.contract, self.device)

    def __call__(self, subject: Subject | SubjectFiles | Mapping[str, str | Path]) -> Prediction:
        """Segment one subject.

        Args:
            subject: on disk or in memory, or modality -> file; modalities that the model does not
                take are ignored, and those that it does not require may be missing.

        Raises:
            ConfigError: if the subject is something else.
            DataError: if a modality that the model requires is missing, or a file, a volume or a
                grid breaks a rule.
            ModelError: if the network cannot be loaded or run.
            ServerError: if the server gives no valid answer.
        """
        subject, seconds = as_subject(subject), dict[str, float]()
        modalities = self._taken(subject)
        with timed(seconds, "read"):
            if isinstance(subject, SubjectFiles):
                subject = read_subject(subject, modalities, resample_to=self.resample_to)
            else:
                require_subject(subject, modalities)
        with timed(seconds, "prepare"):
            # The labels of a subject must not affect its prediction.
            raw = stack_modalities(replace(subject, labels=None), self._preprocess)
        _ = self.engine  # Loading it does not count as time of a subject.
        raw, alignment = self._aligned(raw, seconds)
        labels, probabilities, loose = self._tissues(raw, seconds)
        scans = {name: subject.images[name].data for name in modalities}
        return Prediction(
            subject.id,
            Volume(labels, subject.grid),
            None if probabilities is None else Volume(probabilities, subject.grid),
            volumes_ml(labels, subject.grid.voxel_ml, self.contract.classes),
            seconds,
            modalities,
            raw.working.spacing_mm,
            loose,
            alignment,
            tuple(scan_notes(scans, labels, self.contract.classes, subject.grid.voxel_ml)),
        )

    def _taken(self, subject: Subject | SubjectFiles) -> tuple[str, ...]:
        fault = self.contract.fault_of(subject.images)
        if fault:
            then = "add these volumes or choose another model"
            raise DataError(message(f"subject {subject.id}", *fault, then))
        modalities = self.contract.preprocess.modalities
        taken = tuple(m for m in modalities if m in subject.images)
        onto = [m for m in (modalities[0], self.resample_to) if m and m not in taken]
        if self._must_align and len(taken) > 1 and onto:
            rule = f"has {onto[0]}, onto which the others are moved"
            received, then = ", ".join(taken), "add it, or predict without --align"
            raise DataError(message(f"subject {subject.id}", rule, received, then))
        return taken

    def _aligned(self, raw: Prepared, seconds: dict[str, float]) -> tuple[Prepared, Alignment]:
        """The scans, moved onto the one whose grid they have if `align` is set."""
        if not self.align:
            return raw, Alignment()

        def alone(image: NDArray[np.float32]) -> NDArray[np.float32]:
            return self._probabilities(replace(raw, image=image), {}, tta=False)

        onto = raw.channels.index(self.resample_to) if self.resample_to else 0
        with timed(seconds, "align"):
            image, done = aligned(raw.image, raw.working.spacing_mm, raw.channels, alone, onto)
        return replace(raw, image=image), done

    def _tissues(
        self, raw: Prepared, seconds: dict[str, float]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None, float | None]:
        """Labels and probabilities, if kept, on the subject's grid, and the ml of loose tissue."""
        # Probabilities can be resampled, labels cannot.
        if self._whole and not self.keep_probabilities and not raw.working.resampled:
            with timed(seconds, "predict"):
                labels = self.engine.run(SEGMENT, raw.image)
            return from_canonical(labels, raw.grid), None, None
        probabilities, loose = self._probabilities(raw, seconds, tta=self.tta), None
        with timed(seconds, "predict"):
            if self.one_piece and not self._whole:
                loose = drop_loose(probabilities) * raw.working.voxel_ml
            labels = raw.labels_on_own_grid(probabilities)
            kept = raw.on_own_grid(probabilities) if self.keep_probabilities else None
        return labels, kept, loose

    def _probabilities(
        self, raw: Prepared, seconds: dict[str, float], *, tta: bool
    ) -> NDArray[np.float32]:
        """The model's output for the scans, float32 [X, Y, Z, K]; in volume mode the server's."""
        if self._whole:
            with timed(seconds, "predict"):
                found: NDArray[np.float32] = self.engine.run(SEGMENT_PROBABILITIES, raw.image)
            return found
        with timed(seconds, "prepare"):
            image = with_channels(raw, self._preprocess).image
        bar = raw.id if self._progress else None
        with timed(seconds, "predict"):
            return through_stages(
                image,
                self.contract,
                self.engine,
                self.tiling,
                tta=tta,
                apply=self._apply,
                bar=bar,
            )

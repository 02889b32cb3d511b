"""The contract inside every exported model: what input it needs and what its output means."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from pydantic import BaseModel, Field

from voxres_tf.config import STRIDE, ModelConfig, PreprocessConfig, Shape
from voxres_tf.errors import ModelError, message
from voxres_tf.labels import CLASS_NAMES
from voxres_tf.schema import Config, parse

FORMAT_VERSION = 1
OVERLAP = 0.5
"""Default for the smallest share of a tile that its neighbour also covers."""

MODEL_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
"""Names by which servers know models."""

CONTRACT_FILE = Path("assets.extra") / "voxres.json"

ANSWER = "serving_default"
"""Signature: channels of a tile -> probabilities, by all stages."""

FIRST_STAGE, SECOND_STAGE = "first_stage", "second_stage"
"""Signatures of two-stage models, so that the second stage can see maps of the whole volume."""

HABITS = {"overlap", "tta", "one_piece", "align"}
"""Fields of a `Contract` that say how whole volumes are predicted, whatever the network."""

SEGMENT, SEGMENT_PROBABILITIES = "segment_volume", "segment_volume_probabilities"
"""Signatures: raw modalities of a subject -> labels, or probabilities, of the whole volume."""

SEGMENT_NIFTI = "segment_nifti"
"""Signature: a NIfTI file of each modality -> a NIfTI file of labels."""

CONTRACT = "contract"
"""Signature: the format that a client reads -> the contract as JSON, so that a server gives it."""


class Contract(Config):
    """`assets.extra/voxres.json` of a SavedModel.

    Attributes:
        format_version: version of this file's format; a reader refuses versions it does not know.
        name, version: name and version of the model, as in its path `<name>/<version>/`.
        preprocess: how channels are made; `channels` repeats their names in order.
        model: the network's shape; with two stages, the second's.
        classes: names of the outputs; class 0 is background.
        stride: spatial sizes of a tile are multiples of it.
        patch: size of the tiles by which whole volumes are predicted.
        overlap: smallest share of a tile that its neighbour also covers.
        tta: whether predictions of whole volumes are averaged over each tile and its left-right
            mirror image. This takes twice as long, and suits a training with flips.
        one_piece: whether tissue apart from the largest piece becomes background (see
            `inference.pieces`), since a brain is one piece.
        align: whether the scans of a subject are first aligned to the first one (see
            `inference.align`), which requires that each of them suffices alone. The signatures
            that take arrays are given no spacing and leave this to the caller.
        optional_modalities: those that may be missing, as long as one is present; their channels
            are then 0. All of them after training with modality dropout.
        first_stage: shapes of the networks whose mean probabilities the second stage takes as
            additional channels; empty for a one-stage model.
        training: summary of the training's data and length.
        versions: versions of the libraries that exported it.
        fused: whether the signatures fold batch normalisation and classifiers into convolutions;
            the stored weights are the trained ones in any case.
        weights_sha256: hash of all trained weights in the order of the network.
    """

    format_version: int = FORMAT_VERSION
    name: str
    version: int = Field(gt=0)
    preprocess: PreprocessConfig
    channels: tuple[str, ...]
    model: ModelConfig
    classes: tuple[str, ...] = CLASS_NAMES
    stride: int = STRIDE
    patch: Shape
    overlap: float = Field(default=OVERLAP, ge=0, lt=1)
    tta: bool = False
    one_piece: bool = False
    align: bool = False
    optional_modalities: tuple[str, ...] = ()
    first_stage: tuple[ModelConfig, ...] = ()
    training: dict[str, str | int | float | list[str]] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    fused: bool = False
    weights_sha256: str

    @property
    def takes_each_alone(self) -> bool:
        """Whether any single one of the modalities suffices."""
        return not any(self.fault_of([m]) for m in self.preprocess.modalities)

    @property
    def rough(self) -> Contract:
        """A copy that predicts fastest, by which each scan is predicted alone for alignment."""
        return self.model_copy(update={"tta": False, "one_piece": False, "align": False})

    @property
    def passes(self) -> tuple[str, ...]:
        """Signatures run on a whole volume in turn; a second also sees the first one's answer."""
        return (FIRST_STAGE, SECOND_STAGE) if self.first_stage else (ANSWER,)

    @property
    def tile_channels(self) -> dict[str, int]:
        """Signature that takes tiles -> number of its input channels."""
        own = len(self.channels)
        if not self.first_stage:
            return {ANSWER: own}
        return {ANSWER: own, FIRST_STAGE: own, SECOND_STAGE: own + len(self.classes)}

    def fault_of(self, modalities: Collection[str]) -> tuple[str, str] | None:
        """Why a subject with these modalities cannot be predicted: rule and what was received.

        Modalities that the model does not take are ignored.
        """
        takes = self.preprocess.modalities
        given = ", ".join(modalities) or "none"
        missing = [m for m in takes if m not in (*modalities, *self.optional_modalities)]
        if missing:
            received = f"{given} (missing: {', '.join(missing)})"
            return f"the model takes {', '.join(takes)}", received
        if not set(takes) & set(modalities):
            return f"the model takes at least one of {', '.join(takes)}", given
        return None


def nifti_input(modality: str) -> str:
    """The input of `SEGMENT_NIFTI` that takes a modality's file; TensorFlow allows no hyphen.

    >>> nifti_input("t1-ir")
    't1_ir'
    """
    return modality.replace("-", "_")


def read_contract(saved_model: Path) -> Contract:
    """Read the contract of the SavedModel in a folder.

    Raises:
        ModelError: if there is none, or one that this version does not support.
    """
    path = saved_model / CONTRACT_FILE
    if not path.is_file():
        raise ModelError(
            message(path, "an exported model holds its contract", "nothing", "run voxres export")
        )
    return parse_contract(path.read_bytes(), path)


def parse_contract(text: str | bytes, where: object) -> Contract:
    """Parse a contract from its JSON text.

    Args:
        text: content of `assets.extra/voxres.json`, or output of a server's signature `contract`.
        where: where it comes from.

    Raises:
        ModelError: if it is not a contract, or one that this version does not support.
    """
    then = "use a voxres that matches, or export again"
    # First, since another format may have other fields.
    found = parse(_Format, text, where, ModelError).format_version
    if found != FORMAT_VERSION:
        rule = f"contracts of format {FORMAT_VERSION}"
        raise ModelError(message(where, rule, f"format {found}", then))
    contract = parse(Contract, text, where, ModelError)
    fault = _fault(contract)
    if fault:
        raise ModelError(message(where, *fault, then))
    return contract


class _Format(BaseModel):
    """A contract's format alone; all other fields are ignored."""

    format_version: int = FORMAT_VERSION


def _fault(contract: Contract) -> tuple[str, str] | None:
    takes, optional = contract.preprocess.modalities, contract.optional_modalities
    if not set(optional) <= set(takes):
        return f"optional modalities among {', '.join(takes)}", ", ".join(optional)
    if contract.align and not contract.takes_each_alone:
        return "align with optional modalities alone", ", ".join(optional) or "none"
    if contract.channels != contract.preprocess.channels:
        return f"channels {contract.preprocess.channels}", f"{contract.channels}"
    context = len(contract.classes) if contract.first_stage else 0
    if contract.model.context_channels != context:
        return f"{context} context channels", f"{contract.model.context_channels}"
    for model in (*contract.first_stage, contract.model):
        if model.in_channels != len(contract.channels) + model.context_channels:
            return f"{len(contract.channels)} channels and context", f"{model.in_channels}"
    if contract.stride != STRIDE or len(contract.classes) != contract.model.classes:
        return f"stride {STRIDE} and a name per class", f"{contract.stride}, {contract.classes}"
    return None

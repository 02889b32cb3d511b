"""`voxres predict`: turn whole volumes into tissue maps."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from voxres_tf.config import MODALITIES
from voxres_tf.runtime import DEVICES

from .options import adding
from .server import server_options, server_values
from .types import Number, Place, ShapeType, SubjectFolder, Text

if TYPE_CHECKING:
    from voxres_tf.inference.outcome import Outcome

FILE = Place(dir_okay=False, exists=True)
NEW_FILE = Place(dir_okay=False)
PREDICTOR = (
    "overlap", "blend", "tile", "batch", "tta", "one_piece", "device", "keep_spacing",
    "resample_to", "align",
)  # fmt: skip
PLAN = ("out", "save_probabilities", "volumes", "report", "overwrite")


_modality_options = adding(
    *(click.option(f"--{m}", type=FILE, help=f"{m} scan of one subject.") for m in MODALITIES)
)


def _device(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if not re.fullmatch(DEVICES, value):
        raise click.BadParameter(f"{value!r} is none of auto, cpu, gpu and gpu:N.")
    return value


@click.command()
@click.argument(
    "folders",
    nargs=-1,
    metavar="[SUBJECT_DIR]...",
    type=SubjectFolder(),
)
@click.option("-m", "--model", type=Text(), help="An exported model's folder or a shipped name.")
@server_options
@_modality_options
@click.option("--manifest", type=FILE, help="CSV: subject, and a column per modality.")
@click.option(
    "-o",
    "--output",
    "out",
    required=True,
    type=Place(),
    help="A folder for SUBJECT_dseg.nii.gz, or for one subject a name in .nii or .nii.gz.",
)
@click.option(
    "--overlap", type=Number(0, 1, max_open=True),
    help="Least share of a tile that its neighbour covers too.  [default: the model's]",
)  # fmt: skip
@click.option(
    "--blend", type=click.Choice(["gaussian", "constant"]), default="gaussian", show_default=True,
    help="How tiles are weighted where they overlap.",
)  # fmt: skip
@click.option("--tile", type=ShapeType(), help="Voxels of a tile.  [default: the model's]")
@click.option(
    "--batch", type=click.IntRange(1), default=1, show_default=True, help="Tiles per step."
)
@click.option(
    "--tta/--no-tta", default=None,
    help="Average with the left-right mirror image, in twice the time.  [default: the model's]",
)  # fmt: skip
@click.option(
    "--one-piece/--all-pieces", default=None,
    help="Turn tissue apart from the largest piece into background.  [default: the model's]",
)  # fmt: skip
@click.option(
    "--device", default="auto", show_default=True, callback=_device, help="auto, cpu, gpu or gpu:N."
)
@click.option(
    "--keep-spacing", is_flag=True, help="Segment at the scan's own spacing, whatever the model's."
)
@click.option(
    "--resample-to",
    type=click.Choice(MODALITIES),
    help="Put the other scans on this one's grid; the labels lie there.",
)
@click.option(
    "--align/--no-align", default=None,
    help="Align the other scans to the model's first modality, or to that of --resample-to, "
    "rigidly, by what is found in each alone, in some three times the time. --align is an error "
    "for several scans without that first one.  [default: the model's]",
)  # fmt: skip
@click.option("--save-probabilities", is_flag=True, help="Write SUBJECT_probseg.nii.gz too.")
@click.option("--volumes", type=NEW_FILE, help="Write the tissues' volumes in ml as CSV.")
@click.option("--report", type=NEW_FILE, help="Write options, times and outcomes as JSON.")
@click.option(
    "--overwrite", is_flag=True, help="Replace existing outputs; stale probabilities are removed."
)
@click.option(
    "--num-parts", type=click.IntRange(1), default=1, show_default=True,
    help="Split the subjects among this many processes. Each writes its own table and report, "
    "NAME_part-ID.",
)  # fmt: skip
@click.option(
    "--part-id", type=click.IntRange(0), default=0, show_default=True,
    help="Which part this process takes, from 0.",
)  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, help="Print failures only.")
@click.pass_context
def command(ctx: click.Context, /, quiet: bool, **options: Any) -> None:
    """Segment whole volumes with an exported model.

    Name one subject's scans (--t1 and so on), or folders of a subject or of a data set, or a
    manifest. The network is loaded from --model, or runs on a --server. A model trained with
    --modality-dropout takes any of its modalities, others need all of them. Labels lie on the
    subject's own grid: 0 background, 1 CSF, 2 GM, 3 WM, or the model's own classes. If a subject
    fails, the others continue and the exit code is 1.
    """
    images = {m: path for m in MODALITIES if (path := options[m.replace("-", "_")])}
    folders, manifest = options["folders"], options["manifest"]
    if sum(map(bool, (images, folders, manifest))) != 1:
        raise click.UsageError("Name scans (--t1 ...), folders or a --manifest: one of the three.")
    server = server_values(options)
    if bool(options["model"]) == bool(server):
        raise click.UsageError("Name a --model or a --server: one of the two.")
    if options["part_id"] >= options["num_parts"]:
        raise click.UsageError("--part-id runs from 0 to one below --num-parts.")

    from voxres_tf.dataset.layouts import MANIFEST_NAME, left_out_note
    from voxres_tf.dataset.subject import orientation_note
    from voxres_tf.inference.batch import predict_all
    from voxres_tf.inference.outputs import OutputPlan, check_target
    from voxres_tf.inference.predict import Predictor
    from voxres_tf.inference.server import Server
    from voxres_tf.inference.sources import find_sources, part_of
    from voxres_tf.schema import parse

    chosen = {name: options[name] for name in PREDICTOR}
    model = parse(Server, server, "--server") if server else options["model"]
    kept = {"probabilities": options["save_probabilities"], "progress": not quiet}
    predictor = Predictor(model, **kept, **chosen)
    subjects = find_sources(images, folders, manifest, predictor.contract)
    read = [manifest] if manifest else [folder / MANIFEST_NAME for folder in folders]
    if not server:
        read += predictor.path.rglob("*")
    plan = OutputPlan(**{n: options[n] for n in PLAN}, kept=tuple(read))
    check_target(subjects, plan)
    part, parts = options["part_id"], options["num_parts"]
    own = part_of(subjects, parts, part)
    note = None if quiet else orientation_note(own, predictor.contract.preprocess.modalities)
    left_out = [left_out_note(folder, subjects) for folder in folders]
    for line in filter(None, [] if quiet else [*left_out, note]):
        click.echo(f"Note: {line}")
    tell = partial(_tell, quiet=quiet, verbose=ctx.find_root().params["verbose"])
    outcomes = predict_all(predictor, own, plan.of_part(part, parts), tell=tell)
    ctx.exit(1 if any(outcome.failure for outcome in outcomes) else 0)


def _tell(outcome: Outcome, *, quiet: bool, verbose: bool) -> None:
    if outcome.trace and verbose:
        click.echo(outcome.trace, err=True, nl=False)
    if outcome.failure:
        click.echo(f"voxres: {outcome.id} failed: {outcome.failure}", err=True)
    elif not quiet:
        scans = ", ".join(outcome.modalities)
        click.echo(f"{outcome.outputs[0]}: {sum(outcome.seconds.values()):.1f} s, from {scans}")
        for line in outcome.notes:
            click.echo(f"Note: {line}")

"""`voxres check`: report everything that is wrong with a data set."""

from __future__ import annotations

from pathlib import Path

import click

from .options import LAYOUT
from .types import ModalityList, Place

NEED_LABELS = "Whether every subject must have labels.  [default: if any subject has them]"


@click.command()
@click.argument("data", type=Place(exists=True))
@click.option(
    "--layout", type=LAYOUT, default="auto", show_default=True, help="How DATA is laid out."
)
@click.option(
    "--modalities",
    type=ModalityList(),
    default="all",
    show_default=True,
    help="Those that every subject must have; all means those that any subject has.",
)
@click.option("--labels/--no-labels", default=None, help=NEED_LABELS)
@click.option("-q", "--quiet", is_flag=True, help="Print problems only.")
@click.pass_context
def command(
    ctx: click.Context,
    data: Path,
    layout: str,
    modalities: tuple[str, ...] | None,
    labels: bool | None,
    quiet: bool,
) -> None:
    """Report everything that is wrong with the subjects of DATA, a folder or a CSV manifest.

    The exit code is 0 if nothing is wrong, and 1 otherwise.
    """
    from voxres_tf.dataset.checks import check_dataset, overview
    from voxres_tf.dataset.layouts import find_subjects, left_out_note
    from voxres_tf.dataset.subject import orientation_note

    subjects = find_subjects(data, layout=layout)
    if not quiet:
        click.echo("\n".join(overview(subjects)))
    need = any(s.labels for s in subjects) if labels is None else labels
    problems = check_dataset(subjects, modalities or None, need_labels=need, quiet=quiet)
    for problem in problems:
        click.echo(problem)
    if not quiet:
        for note in filter(None, [left_out_note(data, subjects), orientation_note(subjects)]):
            click.echo(f"Note: {note}")
        click.echo(f"Subjects: {len(subjects)}. Problems: {len(problems) or 'none'}.")
    ctx.exit(1 if problems else 0)

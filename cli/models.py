"""`voxres models`: which models ship, what each is for, and whether it is intact."""

from __future__ import annotations

import click

from .types import Text


@click.group()
def command() -> None:
    """List the shipped models, describe one, or verify that its files are intact.

    MODEL is a shipped name, an exported model's folder or one of its versions.
    """


@command.command("list")
def list_models() -> None:
    """List the shipped models, one per line."""
    from voxres_tf.inference.catalogue import shipped_table

    for line in shipped_table() or ["No models ship with this installation."]:
        click.echo(line)


@command.command()
@click.argument("model", type=Text())
@click.option("--json", "as_json", is_flag=True, help="Print the contract itself.")
def info(model: str, as_json: bool) -> None:
    """Show what MODEL takes and returns, how it was trained and what it is for."""
    from voxres_tf.contract import CONTRACT_FILE
    from voxres_tf.inference.catalogue import describe, details

    description = describe(model)
    if as_json:
        text = (description.folder / CONTRACT_FILE).read_text(encoding="utf-8")
        click.echo(text.rstrip())
        return
    for title, text in details(description):
        click.echo(f"{title + ':':<17}{text}")


@command.command()
@click.argument("model", required=False, type=Text())
@click.pass_context
def verify(ctx: click.Context, /, model: str | None) -> None:
    """Check every file of MODEL and the hash of its weights; of all shipped models by default.

    Also show how its results compared with the trained network's when it was exported.
    """
    from voxres_tf.errors import ModelError
    from voxres_tf.inference.models import resolve_model, shipped_models

    folders = [resolve_model(m) for m in ([model] if model else shipped_models().values())]
    if not folders:
        click.echo("No models ship with this installation.")
        return
    from voxres_tf.export.agreement import read_certificate
    from voxres_tf.export.integrity import check_whole

    failed = False
    for folder in folders:
        try:
            files, certificate = check_whole(folder), read_certificate(folder)
            click.echo(f"{folder}: whole, {files} files and the weights; when exported, compared")
            click.echo("\n".join(certificate.lines()))
        except ModelError as error:
            click.echo(f"voxres: {error}", err=True)
            failed = True
    ctx.exit(1 if failed else 0)

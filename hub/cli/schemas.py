"""``hub schemas``: the published JSON Schema and XSD."""

from __future__ import annotations

from pathlib import Path

import click

from hub.cli.output import emit, json_option
from hub.schemas import publish


@click.group("schemas")
def schemas_group() -> None:
    """The published schemas of the envelope and of the unified form."""


@schemas_group.command()
@click.argument("name", required=False, type=click.Choice(sorted(publish.documents())))
def show(name: str | None) -> None:
    """Print one schema, or the names of all."""
    click.echo(publish.documents()[name].decode() if name else "\n".join(sorted(publish.documents())))


@schemas_group.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@json_option
def write(folder: Path, as_json: bool) -> None:
    """Write all schemas into a folder."""
    written = [str(path) for path in publish.write(folder)]
    emit({"written": written}, as_json=as_json, lines=written)

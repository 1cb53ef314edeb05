"""``hub channel skeleton``: the draft of a mapping out of what another system says of itself."""

from __future__ import annotations

from pathlib import Path

import click

from hub.errors import TooLarge
from hub.workbench import skeleton
from hub.workbench.json_slots import MAX_BYTES, of_json
from hub.workbench.slots import Slot

_A_FILE = click.Path(dir_okay=False, exists=True, path_type=Path)


@click.command("skeleton")
@click.option("--wsdl", type=_A_FILE, help="A WSDL, with what it imports beside it; needs --operation.")
@click.option("--operation", metavar="NAME", help="The operation that takes an appeal.")
@click.option("--xsd", type=_A_FILE, help="An XML Schema, with what it imports beside it; needs --element.")
@click.option("--element", metavar="NAME", help="The element that an appeal becomes.")
@click.option("--json", "json_file", type=_A_FILE, help="A JSON document as they take it, or its JSON Schema.")
@click.option("--answer", type=_A_FILE, help="A JSON answer of theirs, or its JSON Schema; with --json.")
def skeleton_command(
    wsdl: Path | None,
    operation: str | None,
    xsd: Path | None,
    element: str | None,
    json_file: Path | None,
    answer: Path | None,
) -> None:
    """Print the draft of a mapping with every member that their system knows, its type and its words.

    Our places stand where the name is clear; TODO stands for all that you have to fill in, and `hub registry check`
    refuses it by line until you have.
    """
    if sum(each is not None for each in (wsdl, xsd, json_file)) != 1:
        raise click.UsageError("Give one of --wsdl, --xsd and --json.")
    if (wsdl is None) != (operation is None) or (xsd is None) != (element is None):
        raise click.UsageError("--wsdl needs --operation, --xsd needs --element.")
    if answer is not None and json_file is None:
        raise click.UsageError("--answer goes with --json.")
    if json_file is not None:
        click.echo(skeleton.of_json(_slots(json_file), _slots(answer) if answer is not None else ()), nl=False)
        return
    from hub.workbench import xsd_slots  # brings lxml and the readers of WSDLs along

    if wsdl is not None and operation is not None:
        found = xsd_slots.operation_of(wsdl, operation)
        click.echo(skeleton.of_operation(found.name, found.request, found.answer), nl=False)
    elif xsd is not None and element is not None:
        click.echo(skeleton.of_element(xsd_slots.element_of(xsd, element)), nl=False)


def _slots(file: Path) -> tuple[Slot, ...]:
    with file.open("rb") as source:
        data = source.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise TooLarge(f"{file} is longer than {MAX_BYTES} bytes.", action="Give one document, without its files.")
    return of_json(data)

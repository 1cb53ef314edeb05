"""``hub channel fetch-wsdl``, ``pin-wsdl`` and ``wsdl``: bring a WSDL here, pin it, show what can be said with it."""

from __future__ import annotations

import hashlib
import ipaddress
from pathlib import Path

import click

from hub.cli.output import emit, json_option
from hub.errors import ConfigurationError

_ONE_WAY = " (one-way: it can never confirm a message)"


def _told(folder: Path, pin: str, as_json: bool) -> None:
    """Read the folder as a channel would, and print pin, repairs and operations."""
    from hub.protocols.soap.description import from_folder

    description = from_folder(folder, pin)
    operations = [
        {
            "service": each.service,
            "port": each.port,
            "operation": each.name,
            "soap": each.version,
            "action": each.action,
            "address": each.address,
            "signature": description.signature(each),
            "answers": each.answers,
        }
        for each in description.operations
    ]
    document = {
        "wsdl": str(folder),
        "wsdl_sha256": pin,
        "repairs": description.repairs,
        "notes": [*description.notes, *description.undefined],
        "operations": operations,
    }
    lines = [f"wsdl: {folder}", f"wsdl_sha256: {pin}", *(f"repaired: {r}" for r in description.repairs)]
    lines += [f"note: {note}" for note in (*description.notes, *description.undefined)]
    lines += [
        f"{o['service']}/{o['port']} (SOAP {o['soap']}): {o['signature']}{'' if o['answers'] else _ONE_WAY}"
        for o in operations
    ]
    emit(document, as_json=as_json, lines=lines)


@click.command("fetch-wsdl")
@click.argument("url")
@click.option("--into", "folder", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder.")
@click.option("--also", multiple=True, metavar="URL", help="Another host that may be asked, as https://host/.")
@click.option("--allow-http", is_flag=True, help="Allow addresses without TLS.")
@click.option("--allow-private", multiple=True, metavar="NETWORK", help="Network that may be asked, as 10.1.0.0/16.")
@click.option("--ca-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Trust these alone.")
@json_option
def fetch_wsdl(
    url: str,
    folder: Path,
    also: tuple[str, ...],
    allow_http: bool,
    allow_private: tuple[str, ...],
    ca_file: Path | None,
    as_json: bool,
) -> None:
    """Fetch a WSDL with all that it imports into a folder, and pin it."""
    from hub.net.http import HttpPolicy
    from hub.protocols.soap.fetching import fetch, lay_down
    from hub.protocols.soap.files import MAX_FILE_BYTES

    try:
        networks = tuple(ipaddress.ip_network(each) for each in allow_private)
    except ValueError:
        raise ConfigurationError("--allow-private must be a network, as 10.1.0.0/16.") from None
    policy = HttpPolicy(
        allow_http=allow_http,
        allow_private=networks,
        ca_file=ca_file,
        max_response_bytes=MAX_FILE_BYTES,
    )
    _told(folder.absolute(), lay_down(folder, *fetch(url, policy, also)), as_json)


@click.command("pin-wsdl")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--root", required=True, help="The WSDL among the files, as service.wsdl.")
@json_option
def pin_wsdl(folder: Path, root: str, as_json: bool) -> None:
    """Pin WSDL, schema and mapping files that lie in a folder already (.wsdl, .xsd, .yaml; sub-folders too)."""
    from hub.protocols.soap.fetching import known_addresses, pin
    from hub.protocols.soap.files import MAX_FILES

    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".wsdl", ".xsd", ".yaml") and path.is_file())
    if not 0 < len(paths) <= MAX_FILES:
        raise ConfigurationError(f"The folder must hold 1 to {MAX_FILES} files of a WSDL.", code="wsdl.file")
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    _told(folder.absolute(), pin(folder, root, files, known_addresses(folder)), as_json)


@click.command("wsdl")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@json_option
def show_wsdl(folder: Path, as_json: bool) -> None:
    """Show what a pinned WSDL can say: operations, their parts and types."""
    from hub.protocols.soap.files import MANIFEST

    try:
        raw = (folder / MANIFEST).read_bytes()
    except OSError:
        raise ConfigurationError(f"{folder} has no {MANIFEST}.", code="wsdl.file", action="Pin it first.") from None
    _told(folder.absolute(), hashlib.sha256(raw).hexdigest(), as_json)

"""Fetch a WSDL with all that it imports, once, by an operator's command; lay it down and pin it. Never at run time.

Only the WSDL's own host is asked, and hosts that the operator names; the guarded client follows no redirect and goes to
no private address that the operator did not allow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urldefrag, urljoin

from pydantic import ValidationError

from hub.errors import DeliveryError, InvalidInput
from hub.net.addresses import Target, parse_url
from hub.net.http import HttpPolicy, HttpSession
from hub.protocols.soap.files import (
    MANIFEST,
    MAX_FILES,
    WSDL,
    Manifest,
    PinnedFile,
    is_shipped,
    parse_document,
    references,
    wrong,
)
from hub.schemas import jcs, strict_json

DEADLINE_SECS: Final = 30.0


def fetch(url: str, policy: HttpPolicy, also: Iterable[str] = ()) -> tuple[str, dict[str, bytes], dict[str, str]]:
    """Root, files by name, and names by address. ``ConfigurationError`` (``wsdl.fetch``), or the client's errors."""
    hosts = {(parse_url(url).host, parse_url(url).port), *(_place(parse_url(more)) for more in also)}
    found: dict[str, bytes] = {}
    names: dict[str, str] = {}
    waiting = [urldefrag(url).url]
    with HttpSession(policy) as http:
        while waiting:
            address = waiting.pop(0)
            if address in names:
                continue
            if len(names) >= MAX_FILES:
                raise wrong("fetch", f"The WSDL consists of more than {MAX_FILES} files.")
            data = _get(http, address)
            tree = parse_document(address, data)
            names[address] = _name(len(names), str(tree.tag) == f"{{{WSDL}}}definitions")
            found[names[address]] = data
            for namespace, location in references(tree):
                target = urldefrag(urljoin(address, location)).url
                if not is_shipped(namespace):
                    if _place(parse_url(target)) not in hosts:
                        raise wrong(
                            "fetch",
                            f"It imports {target[:200]}, another host.",
                            "If that is right, name it with --also.",
                        )
                    waiting.append(target)
    return _name(0, True), found, names


def _place(target: Target) -> tuple[str, int]:
    return target.host, target.port


def _name(number: int, is_wsdl: bool) -> str:
    if number == 0:
        return "service.wsdl"
    return f"part-{number}.wsdl" if is_wsdl else f"schema-{number}.xsd"


def _get(http: HttpSession, address: str) -> bytes:
    try:
        answer = http.call("GET", address, deadline_secs=DEADLINE_SECS)
    except DeliveryError as error:
        raise wrong("fetch", f"{address[:200]} could not be fetched: {error.message}") from None
    if answer.status != 200:
        raise wrong("fetch", f"{address[:200]} answered with HTTP {answer.status}, not with a document.")
    return answer.body


def lay_down(folder: Path, root: str, files: Mapping[str, bytes], names: Mapping[str, str]) -> str:
    """Write the files and their manifest; the pin for the channel's ``wsdl_sha256``."""
    addresses = {name: address for address, name in names.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return pin(folder, root, files, addresses)


def known_addresses(folder: Path) -> dict[str, str]:
    """Addresses by name from a manifest that is there already: a new pin keeps them."""
    try:
        manifest = Manifest.model_validate(strict_json.parse((folder / MANIFEST).read_bytes()))
    except (OSError, InvalidInput, ValidationError):
        return {}
    return {entry.path: entry.address for entry in manifest.files if entry.address}


def pin(folder: Path, root: str, files: Mapping[str, bytes], addresses: Mapping[str, str] | None = None) -> str:
    """Write ``description.json`` for files that are there; its SHA-256."""
    known = addresses or {}
    try:
        manifest = Manifest(
            root=root,
            files=[
                PinnedFile(path=name, sha256=hashlib.sha256(data).hexdigest(), address=known.get(name))
                for name, data in sorted(files.items())
            ],
        )
    except ValidationError as error:
        places = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors(include_url=False))
        raise wrong("manifest", f"A name or address cannot stand in a manifest: {places}.") from None
    raw = jcs.canonical_bytes(manifest.model_dump(mode="json", exclude_none=True)) + b"\n"
    (folder / MANIFEST).write_bytes(raw)
    return hashlib.sha256(raw).hexdigest()

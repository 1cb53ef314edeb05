"""Answers over SOAP, requests that a mapping makes, and WSDLs.

``case.json`` says of which kind the case is: ``answer`` (``*.http``: raw answers to one attempt), ``wsdl`` (the same
for a whole appeal over the case's WSDL and mapping), ``wsdl-fault`` (the same for one attempt), ``say`` (the request
that the mapping makes), ``load`` (what ``hub channel pin-wsdl`` says of the folder ``wsdl``).
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from click.testing import CliRunner

from hub.adapters import AdapterContext
from hub.adapters.soap.adapter import SoapAdapter
from hub.cli import cli
from hub.errors import ConfigurationError, HubError
from hub.schemas.directory import Channel
from hub.storage.attachments import MemoryAttachments
from hub.testing.samples import appeal, parcel
from tests.adapters.servers import serving
from tests.reported.players.house import house
from tests.reported.players.soap_peers import ROOT_FILE, Peer, channel, described
from tests.reported.players.text import error, outcome, settled

_SEALED = re.compile(r"(<(?:\w+:)?original[^>]*>.{20}).*?(</(?:\w+:)?original>)", re.DOTALL)
NOWHERE = "http://127.0.0.1:1/"


def _attempt(to: Channel) -> list[str]:
    adapter = SoapAdapter(AdapterContext(attachments=MemoryAttachments()))
    prepared = adapter.prepare(parcel(appeal(), adapter.rendering(to)), to)
    with adapter.session(to) as session:
        try:
            return outcome(session.send(prepared, 5.0))
        except Exception as failure:  # noqa: BLE001 - what is raised is what the case shows
            return [error(failure)]


def _named(file: Path, lines: list[str]) -> Iterator[str]:
    first, *more = lines
    yield f"{file.name}: {first}"
    yield from (f"  {line}" for line in more)


def _answers(case: Path, spec: dict[str, Any]) -> Iterator[str]:
    for file in sorted(case.glob("*.http")):
        pack = spec.get("pack", {}).get(file.name) or ("utf16" if spec.get("utf16") else None)
        with serving(Peer(file.read_bytes(), pack).script) as server:
            to = channel(server.url(), spec.get("dialect", "envelope"), **spec.get("settings", {}))
            yield from _named(file, _attempt(to))


def _faults(case: Path, _spec: dict[str, Any]) -> Iterator[str]:
    for file in sorted(case.glob("*.http")):
        with described(case) as section, serving(Peer(file.read_bytes()).script) as server:
            yield from _named(file, _attempt(channel(server.url(), "wsdl", wsdl=section)))


def _whole(case: Path, _spec: dict[str, Any]) -> Iterator[str]:
    for file in sorted(case.glob("*.http")):
        peer, attachments = Peer(file.read_bytes()), MemoryAttachments()
        with described(case) as section, serving(peer.script) as server:
            to = channel(server.url(), "wsdl", wsdl=section)
            adapter = SoapAdapter(AdapterContext(attachments=attachments))
            try:
                adapter.rendering(to)  # what `hub registry check` asks for
            except ConfigurationError as refusal:
                yield f"{file.name}: {error(refusal)}"
                continue
            with house(("soap", adapter), to, attachments=attachments) as at:
                accepted = at.submit(appeal().body)
                at.run(to)
                sent = at.delivery(accepted)
                delivered = f"delivery {sent.state}, code {sent.last_code}, their id {sent.external_id}"
                yield from _named(file, [*at.told(accepted), f"{delivered}, {peer.calls} calls", *at.items()])


def _says(case: Path, _spec: dict[str, Any]) -> Iterator[str]:
    with described(case) as section:
        adapter, to = (
            SoapAdapter(AdapterContext(attachments=MemoryAttachments())),
            channel(NOWHERE, "wsdl", wsdl=section),
        )
        try:
            body = adapter.prepare(parcel(appeal(), adapter.rendering(to)), to).body.decode()
        except Exception as failure:  # noqa: BLE001 - what is raised is what the case shows
            yield error(failure)
        else:
            yield "says: " + _SEALED.sub(r"\1…\2", body)


def _loads(case: Path, _spec: dict[str, Any]) -> Iterator[str]:
    with TemporaryDirectory() as name:
        folder = Path(name) / "wsdl"
        shutil.copytree(case / "wsdl", folder)
        done = CliRunner().invoke(cli, ["channel", "pin-wsdl", str(folder), "--root", ROOT_FILE])
        yield f"exit {done.exit_code}"
        if isinstance(done.exception, HubError):
            yield error(done.exception).replace(str(folder), "FOLDER")
        yield from done.output.replace(str(folder), "FOLDER").splitlines()


_KINDS = {"answer": _answers, "wsdl": _whole, "wsdl-fault": _faults, "say": _says, "load": _loads}


def play(case: Path) -> str:
    """What the hub makes of each file, or of the folder."""
    spec = json.loads((case / "case.json").read_bytes())
    return settled(_KINDS[spec["kind"]](case, spec))

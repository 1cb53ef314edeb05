"""``hub channel``: what would be sent, whether the other side can be reached, what an answer means."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from hub import adapters
from hub.adapters.base import BaseSession
from hub.bootstrap import Hub, build
from hub.cli import preparing
from hub.cli.mistaken import attempted
from hub.cli.output import emit, home_option, json_option
from hub.cli.preparing import Ready
from hub.cli.registry_folder import load_folder, registry_option
from hub.cli.skeletons import skeleton_command
from hub.cli.trying import replay, send_test, try_channel
from hub.cli.wsdl import fetch_wsdl, pin_wsdl, show_wsdl
from hub.errors import InvalidInput, NotFound, UnsupportedFeature
from hub.ports import Looking, Mapped, Tested, TriedTest
from hub.schemas.directory import Channel
from hub.settings import load
from hub.workbench.samples import samples
from registry import read
from registry.faults import pointer
from registry.source import Place

_SHOWN_CHARS = 2_000


@click.group("channel")
def channel_group() -> None:
    """Channels: preview what goes out, probe, try, record and replay; fetch, pin and show WSDLs."""


for command in (try_channel, send_test, replay, skeleton_command, fetch_wsdl, pin_wsdl, show_wsdl):
    channel_group.add_command(command)


@channel_group.command()
@click.argument("channel_id")
@click.option("--sample", "name", metavar="NAME", help="A sample; `--all` shows their names.")
@click.option("--all", "each", is_flag=True, help="What each sample becomes, and which stop.")
@home_option
@json_option
def preview(channel_id: str, name: str | None, each: bool, home: str | None, as_json: bool) -> None:
    """Show the exact bytes that a made-up appeal, or a sample, would become; nothing is sent."""
    hub = build(load(home=home))
    try:
        if each:
            _preview_all(hub, channel_id, as_json=as_json)
            return
        made_up = preparing.made_up(hub, channel_id) if name is None else preparing.named_sample(hub, channel_id, name)
        ready = preparing.ready(hub, channel_id, made_up)
    finally:
        hub.close()
    document = _previewed(ready)
    around = [*ready.outline(), ""] if ready.outline() else []
    emit(document, as_json=as_json, lines=[f"{_way(ready)}:", *around, document["body"]])


def _previewed(ready: Ready) -> dict[str, Any]:
    channel = ready.target.channel
    return {
        "channel": channel.id,
        "adapter": channel.adapter,
        "dialect": channel.dialect,
        "content_type": ready.prepared.content_type,
        "size": len(ready.prepared.body),
        "outline": ready.outline(),
        "body": ready.body(),
        **({"calls": [asdict(each) for each in ready.calls()]} if ready.calls() else {}),
    }


def _way(ready: Ready) -> str:
    channel, prepared = ready.target.channel, ready.prepared
    if calls := ready.calls():
        return f"{channel.adapter}/{channel.dialect}, {len(calls)} calls"
    return f"{channel.adapter}/{channel.dialect}, {prepared.content_type}, {len(prepared.body)} bytes"


def _preview_all(hub: Hub, channel_id: str, *, as_json: bool) -> None:
    """Show what each sample becomes; of those that stop, the code and what has no place."""
    documents: list[dict[str, Any]] = []
    lines: list[str] = []
    for shown in samples(preparing.topics_of(preparing.target(hub, channel_id).authority)):
        head = f"── {shown.name} ({shown.about})"
        try:
            ready = preparing.ready(hub, channel_id, preparing.of_sample(shown))
        except UnsupportedFeature as stop:
            documents.append({"sample": shown.name, "stops": stop.stable_code, "message": stop.message})
            lines += [f"{head}: stops", f"{stop.stable_code}: {stop.message}", ""]
        else:
            document = {"sample": shown.name, **_previewed(ready)}
            documents.append(document)
            lines += [f"{head}: {_way(ready)}", _cut(document["body"]), ""]
    stops = [document["sample"] for document in documents if "stops" in document]
    lines.append(f"{len(documents)} samples, {len(stops)} stop{': ' if stops else ''}{', '.join(stops)}.")
    emit(documents, as_json=as_json, lines=lines)


def _cut(body: str) -> str:
    more = len(body) - _SHOWN_CHARS
    return body if more <= 0 else f"{body[:_SHOWN_CHARS]}… ({more} characters more: --sample shows them)"


@channel_group.command()
@click.argument("channel_id")
@home_option
@json_option
def probe(channel_id: str, home: str | None, as_json: bool) -> None:
    """Connect to the other side without sending an appeal, over HTTP with each address that the channel calls, and ask
    with HEAD, which takes nothing in. With auth: oauth2 a token is got too.
    """
    hub = build(load(home=home))
    started = time.monotonic()
    try:
        to = preparing.target(hub, channel_id)
        deadline = float(to.channel.lane.deadline_secs)
        with attempted(hub.settings.registry_folder, channel_id):
            if to.adapter.pulled(to.channel):
                emit({"ok": True, "pulled": True}, as_json=as_json, lines=["This authority fetches by itself."])
                return
            with to.adapter.session(to.channel) as session:
                session.probe(deadline)
                millis = round((time.monotonic() - started) * 1000)
                got = session.credential() if isinstance(session, BaseSession) else None
                notes = session.look(deadline) if isinstance(session, Looking) else ()
    finally:
        hub.close()
    reached = f"{channel_id} can be reached: connected in {millis} ms."
    emit(
        {"ok": True, "millis": millis, "notes": notes, **({"credential": got} if got else {})},
        as_json=as_json,
        lines=[*([got] if got else []), reached, *(f"note: {note}" for note in notes)],
    )


@channel_group.command("read")
@click.argument("channel_id")
@click.argument("answer", type=click.Path(dir_okay=False, exists=True, path_type=Path))
@click.option("--poll", is_flag=True, help="It answers the question what became of a message.")
@home_option
@json_option
def read_answer(channel_id: str, answer: Path, poll: bool, home: str | None, as_json: bool) -> None:
    """Show what an answer of theirs, kept in the file ANSWER, means by the channel's mapping; no network.

    Exit code 1 if its status means nothing to the hub.
    """
    hub = build(load(home=home))
    try:
        to = preparing.target(hub, channel_id)
        adapter, data = to.adapter, answer.read_bytes()
        said = adapter.understood(to.channel, data, poll=poll) if isinstance(adapter, Mapped) else None
    finally:
        hub.close()
    if said is None:
        raise InvalidInput(
            f"The channel {channel_id} has no mapping for such an answer.",
            code="channel.unmapped",
            action="Only dialects template and wsdl read answers by a mapping; --poll needs its section poll.",
        )
    emit({"channel": channel_id, "understood": said}, as_json=as_json, lines=[f"{k}: {v}" for k, v in said.items()])
    if said["status"] == "unknown":
        sys.exit(1)


@channel_group.command("test")
@click.argument("channel_id")
@registry_option
@json_option
def run_tests(channel_id: str, folder: Path | None, as_json: bool) -> None:
    """Run the tests beside a channel's mapping and tell how each ends; no network, and the registry may be refused.

    Exit code 1 if one fails, or if there are none.
    """
    channel, place = _drafted(folder, channel_id)
    adapter = adapters.adapter(channel.adapter)
    tried = adapter.tests(channel) if isinstance(adapter, Tested) else ()
    if not tried:
        raise InvalidInput(
            f"The channel {channel_id} has no tests beside a mapping.",
            code="channel.untested",
            action="Write tests: where the mapping is, as docs/adapters/template.md shows.",
        )
    failed = [test for test in tried if test.faults]
    documents = [_ended(test, place) for test in tried]
    lines = [line for document in documents for line in _ended_lines(document)]
    lines.append(f"{len(tried)} tests, {len(failed)} failed.")
    emit(documents, as_json=as_json, lines=lines)
    if failed:
        sys.exit(1)


def _drafted(folder: Path | None, channel_id: str) -> tuple[Channel, Place]:
    """The channel as its file has it: a registry that is refused for its tests is just the one that has to be tried."""
    draft = read(folder or load().registry_folder)
    found = next(((each, place) for _, each, place in draft.channels if each.id == channel_id), None)
    if found is None:
        load_folder(folder)  # tells why, if its entry cannot be read
        raise NotFound("The registry has no channel with this id.", code="channel.unknown")
    return found[0], found[1].inner("settings")


def _ended(test: TriedTest, at: Place) -> dict[str, Any]:
    faults = [
        {"pointer": each.where or _pointer(at.inner(*each.place)), "message": each.message} for each in test.faults
    ]
    return {"test": test.name, "passed": not faults, "faults": faults}


def _pointer(place: Place) -> str:
    return pointer(place.source.name, place.source.where(place.path), place.path)


def _ended_lines(document: dict[str, Any]) -> list[str]:
    head = f"{'passed' if document['passed'] else 'FAILED'}  {document['test']}"
    return [head, *(f"        {fault['pointer']}: {fault['message']}" for fault in document["faults"])]

"""``hub channel``: what would be sent, whether the other side can be reached, and one real test."""

from __future__ import annotations

import email
import email.policy
import io
import json
import time
import zipfile

import click

from hub import adapters
from hub.bootstrap import Hub, build
from hub.cli.output import emit, home_option, json_option
from hub.cli.wsdl import fetch_wsdl, pin_wsdl, show_wsdl
from hub.errors import HubError, InvalidInput, NotFound
from hub.ports import Adapter, Outlined, Prepared
from hub.schemas import json_rendering
from hub.schemas.directory import Authority, Channel
from hub.schemas.envelope import AppealEnvelope, Header, Party
from hub.schemas.ids import MessageId, new_id
from hub.sealed import seal_parcel
from hub.settings import load


@click.group("channel")
def channel_group() -> None:
    """Channels: preview what goes out, probe, send a test; fetch, pin and show WSDLs."""


for command in (fetch_wsdl, pin_wsdl, show_wsdl):
    channel_group.add_command(command)


def _find(hub: Hub, channel_id: str) -> tuple[Authority, Channel, Adapter]:
    entry = hub.registry.current().channel(channel_id)
    if entry is None:
        raise NotFound("The registry has no channel with this id.", code="channel.unknown")
    return entry[0], entry[1], adapters.adapter(entry[1].adapter)


def _sample(hub: Hub, authority: Authority) -> AppealEnvelope:
    """A made-up appeal, plainly marked as a test."""
    from hub.simulator.appeals import generate

    topics = [t for c in authority.competences for t in c.topics if t != "*"] or ["other"]
    form = next(iter(generate(1, seed=1, topics=topics, places=[])))
    marked = form.model_copy(update={"text": "ТЕСТ: перевірка каналу, не звернення.\n\n" + form.text})
    now = hub.clock.now()
    party = Party(code=hub.settings.party_code, name=hub.settings.party_name)
    header = Header(
        message_id=new_id(),
        case_id=new_id(),
        created_at=now,
        sender=party,
        recipient=Party(code=authority.code, name=authority.name),
    )
    return AppealEnvelope(header=header, body=marked)


def _prepare(hub: Hub, authority: Authority, channel: Channel, adapter: Adapter) -> Prepared:
    envelope = _sample(hub, authority)
    canonical = json_rendering.to_json(envelope)
    parcel = seal_parcel(
        envelope,
        canonical,
        adapter.rendering(channel),
        hub.seal,
        message_id=MessageId(envelope.header.message_id),
        reply_url=hub.settings.base_url,
    )
    return adapter.prepare(parcel, channel)


def _shown(prepared: Prepared) -> str:
    """The body as text; an archive or a mail as its parts, one under the other."""
    if prepared.content_type == "message/rfc822":
        return _shown_mail(prepared.body)
    if prepared.content_type != "application/zip":
        return prepared.body.decode("utf-8", "backslashreplace")
    with zipfile.ZipFile(io.BytesIO(prepared.body)) as archive:
        parts = [(name, archive.read(name).decode("utf-8", "backslashreplace")) for name in archive.namelist()]
    return "\n".join(f"── {name}\n{text}" for name, text in parts)


def _shown_mail(body: bytes) -> str:
    """A mail's headers, and its text parts decoded."""
    mail = email.message_from_bytes(body, policy=email.policy.default)
    shown = [f"{name}: {value}" for name, value in mail.items()]
    for part in mail.walk():
        if not part.is_multipart():
            content = part.get_payload(decode=True)
            text = content.decode("utf-8", "backslashreplace") if isinstance(content, bytes) else ""
            shown += [f"── {part.get_content_type()} {part.get_filename('')}".rstrip(), text]
    return "\n".join(shown)


@channel_group.command()
@click.argument("channel_id")
@home_option
@json_option
def preview(channel_id: str, home: str | None, as_json: bool) -> None:
    """Show the exact bytes that a made-up appeal would become; nothing is sent."""
    hub = build(load(home=home))
    try:
        authority, channel, adapter = _find(hub, channel_id)
        prepared = _prepare(hub, authority, channel, adapter)
    finally:
        hub.close()
    body = _shown(prepared)
    around = adapter.outline(prepared, channel) if isinstance(adapter, Outlined) else ()
    document = {
        "channel": channel.id,
        "adapter": channel.adapter,
        "dialect": channel.dialect,
        "content_type": prepared.content_type,
        "size": len(prepared.body),
        "outline": around,
        "body": body,
    }
    emit(
        document,
        as_json=as_json,
        lines=[
            f"{channel.adapter}/{channel.dialect}, {prepared.content_type}, {len(prepared.body)} bytes:",
            *([*around, ""] if around else []),
            body,
        ],
    )


@channel_group.command()
@click.argument("channel_id")
@home_option
@json_option
def probe(channel_id: str, home: str | None, as_json: bool) -> None:
    """Connect to the other side without sending an appeal."""
    hub = build(load(home=home))
    started = time.monotonic()
    try:
        _, channel, adapter = _find(hub, channel_id)
        if adapter.pulled(channel):
            emit({"ok": True, "pulled": True}, as_json=as_json, lines=["This authority fetches by itself."])
            return
        with adapter.session(channel) as session:
            session.probe(float(channel.lane.deadline_secs))
            millis = round((time.monotonic() - started) * 1000)
    finally:
        hub.close()
    emit(
        {"ok": True, "millis": millis},
        as_json=as_json,
        lines=[f"{channel_id} can be reached: connected in {millis} ms."],
    )


@channel_group.command("send-test")
@click.argument("channel_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@home_option
@json_option
def send_test(channel_id: str, yes: bool, home: str | None, as_json: bool) -> None:
    """Send one made-up appeal, marked as a test, and show what the other side said. It opens no case."""
    hub = build(load(home=home))
    try:
        authority, channel, adapter = _find(hub, channel_id)
        if adapter.pulled(channel):
            raise InvalidInput("Nothing is sent over this channel: the authority fetches.", code="channel.pulled")
        if not yes:
            click.confirm(f"Send a test appeal to {authority.name} over {channel.id}?", abort=True, err=True)
        prepared = _prepare(hub, authority, channel, adapter)
        try:
            with adapter.session(channel) as session:
                outcome = session.send(prepared, float(channel.lane.deadline_secs))
        except HubError as failure:
            raise InvalidInput(
                f"The test was not sent: {failure.message}", code=failure.stable_code, action=failure.next_step
            ) from failure
    finally:
        hub.close()
    document = {
        "message_id": prepared.message_id,
        "outcome": outcome.kind,
        "code": outcome.code,
        "http_status": outcome.http_status,
        "external_id": outcome.external_id,
        "detail": outcome.detail,
        "receipts": len(outcome.receipts) + len(outcome.reported),
    }
    lines = [f"{key}: {value}" for key, value in json.loads(json.dumps(document, default=str)).items() if value]
    emit(document, as_json=as_json, lines=lines)

"""``hub channel``: what would be sent, whether the other side can be reached, and one real test."""

from __future__ import annotations

import email
import email.policy
import io
import json
import sys
import time
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from hub import adapters
from hub.adapters.base import BaseSession
from hub.bootstrap import Hub, build
from hub.cli.output import emit, home_option, json_option
from hub.cli.wsdl import fetch_wsdl, pin_wsdl, show_wsdl
from hub.delivery.redaction import Redactor, without_secrets
from hub.errors import HubError, InvalidInput, NotFound
from hub.net import secret_marks
from hub.net.secrets import known
from hub.ports import Adapter, Mapped, Outcome, Outlined, Prepared
from hub.schemas import charsets, json_rendering, strict_json
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Authority, Channel
from hub.schemas.envelope import AppealEnvelope, AppealForm, Header, Party
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


def _sample(hub: Hub, authority: Authority, form: AppealForm | None) -> AppealEnvelope:
    """An appeal, plainly marked as a test; without a form a made-up one."""
    from hub.simulator.appeals import generate

    topics = [t for c in authority.competences for t in c.topics if t != "*"] or ["other"]
    form = form or next(iter(generate(1, seed=1, topics=topics, places=[])))
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


def _prepare(
    hub: Hub, authority: Authority, channel: Channel, adapter: Adapter, form: AppealForm | None = None
) -> Prepared:
    envelope = _sample(hub, authority, form)
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
        return secret_marks.shown(prepared.body.decode("utf-8", "backslashreplace"))
    with zipfile.ZipFile(io.BytesIO(prepared.body)) as archive:
        parts = [(name, _text(archive.read(name))) for name in archive.namelist()]
    return "\n".join(f"── {name}\n{text}" for name, text in parts)


def _text(data: bytes) -> str:
    """A part as text: as it is in UTF-8, or in the charset that its declaration or its letters show."""
    text = charsets.read(data, charsets.declared(data))
    return data.decode("utf-8", "backslashreplace") if text is None else text


def _shown_mail(body: bytes) -> str:
    """A mail's headers, and its text parts decoded."""
    mail = email.message_from_bytes(body, policy=email.policy.default)
    shown = [f"{name}: {value}" for name, value in mail.items()]
    for part in mail.walk():
        if not part.is_multipart():
            content = part.get_payload(decode=True)
            text = _text(content) if isinstance(content, bytes) else ""
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
    """Connect to the other side without sending an appeal; with auth: oauth2 a token is got too."""
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
            got = session.credential() if isinstance(session, BaseSession) else None
    finally:
        hub.close()
    emit(
        {"ok": True, "millis": millis, **({"credential": got} if got else {})},
        as_json=as_json,
        lines=[*([got] if got else []), f"{channel_id} can be reached: connected in {millis} ms."],
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
        _, channel, adapter = _find(hub, channel_id)
        said = adapter.understood(channel, answer.read_bytes(), poll=poll) if isinstance(adapter, Mapped) else None
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


def _form(file: Path) -> AppealForm:
    """A form as ``POST /v1/appeals`` takes it. ``InvalidInput`` names what is wrong."""
    try:
        strict_json.parse(file.read_bytes())  # what pydantic would pass over, such as a member that stands twice
        return AppealForm.model_validate_json(file.read_bytes())
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
        raise InvalidInput(f"The file is no appeal: {wrong}.", code="appeal.invalid") from None


@channel_group.command("try")
@click.argument("channel_id")
@click.option(
    "--appeal",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="A form as POST /v1/appeals takes it; without it a made-up one, marked as a test.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@home_option
@json_option
def try_channel(channel_id: str, appeal: Path | None, yes: bool, home: str | None, as_json: bool) -> None:
    """Send one appeal and show the request, the raw answer, and what was understood of it. It opens no case.

    Exit code 1 unless it was delivered.
    """
    hub = build(load(home=home))
    try:
        authority, channel, adapter = _find(hub, channel_id)
        prepared = _prepare(hub, authority, channel, adapter, _form(appeal) if appeal else None)
        outcome, heard = _send(authority, channel, adapter, prepared, yes=yes)
        said = _understood(adapter, channel, heard.partition(b"\r\n\r\n")[2])
    finally:
        hub.close()
    around = adapter.outline(prepared, channel) if isinstance(adapter, Outlined) else ()
    raw = heard.decode("utf-8", "backslashreplace")
    document = {
        **_told(prepared, outcome),
        "request": {"outline": around, "body": _shown(prepared)},
        "answer": raw,
        "understood": said,
    }
    lines = ["── request", *around, "", _shown(prepared), "", "── answer", raw or "(nothing was heard)", ""]
    lines += ["── understood", *(f"{name}: {value}" for name, value in said.items())] if said else []
    lines += ["── outcome", *_lines(_told(prepared, outcome))]
    emit(document, as_json=as_json, lines=lines)
    _leave_unless_delivered(outcome)


def _understood(adapter: Adapter, channel: Channel, body: bytes) -> Mapping[str, str]:
    if not body or not isinstance(adapter, Mapped):
        return {}
    try:
        return adapter.understood(channel, body, poll=False) or {}
    except InvalidInput as error:
        return {"status": f"unknown ({error.message})"}


def _send(
    authority: Authority, channel: Channel, adapter: Adapter, prepared: Prepared, *, yes: bool
) -> tuple[Outcome, bytes]:
    """One call, and what was heard, without secrets of the hub. ``InvalidInput`` if it could not even begin."""
    if adapter.pulled(channel):
        raise InvalidInput("Nothing is sent over this channel: the authority fetches.", code="channel.pulled")
    if not yes:
        click.confirm(f"Send a test appeal to {authority.name} over {channel.id}?", abort=True, err=True)
    try:
        with adapter.session(channel) as session:
            outcome = session.send(prepared, float(channel.lane.deadline_secs))
            heard = (session.heard() if isinstance(session, BaseSession) else None) or b""
    except HubError as failure:
        raise InvalidInput(
            f"The test was not sent: {failure.message}", code=failure.stable_code, action=failure.next_step
        ) from failure
    detail = Redactor((), known()).text(outcome.detail) if outcome.detail else None
    return replace(outcome, detail=detail), without_secrets(heard, known())[0]


def _told(prepared: Prepared, outcome: Outcome) -> dict[str, Any]:
    return {
        "message_id": prepared.message_id,
        "outcome": outcome.kind,
        "code": outcome.code,
        "http_status": outcome.http_status,
        "external_id": outcome.external_id,
        "detail": outcome.detail,
        "receipts": len(outcome.receipts) + len(outcome.reported),
    }


def _lines(document: Mapping[str, Any]) -> list[str]:
    return [f"{key}: {value}" for key, value in json.loads(json.dumps(document, default=str)).items() if value]


def _leave_unless_delivered(outcome: Outcome) -> None:
    if outcome.kind not in (OutcomeKind.DELIVERED, OutcomeKind.DUPLICATE):
        sys.exit(1)


@channel_group.command("send-test")
@click.argument("channel_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@home_option
@json_option
def send_test(channel_id: str, yes: bool, home: str | None, as_json: bool) -> None:
    """Send one made-up appeal, marked as a test, and show what the other side said. It opens no case.

    Exit code 1 unless it was delivered.
    """
    hub = build(load(home=home))
    try:
        authority, channel, adapter = _find(hub, channel_id)
        prepared = _prepare(hub, authority, channel, adapter)
        outcome, _ = _send(authority, channel, adapter, prepared, yes=yes)
    finally:
        hub.close()
    document = _told(prepared, outcome)
    emit(document, as_json=as_json, lines=_lines(document))
    _leave_unless_delivered(outcome)

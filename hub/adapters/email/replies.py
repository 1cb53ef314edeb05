"""From a mail in our box to a statement for the sink: who speaks, about what, and what it says.

Correlation is by the signed token only; names, subjects and numbers correlate nothing. What has a token and was written
by a person becomes a receipt (form), an envelope (attached and sealed) or an answer; what a machine wrote never does.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from hub.adapters.email import classify, enclosed, forms, parse, signed, tokens, trim
from hub.adapters.email.classify import Voice
from hub.errors import InvalidInput, NotFound, SealRefused
from hub.ports import MailSink, Outcome, RawInbound, ReportedStatus, Returned
from hub.schemas.delivery import Delivery
from hub.schemas.directory import LegalClass
from hub.schemas.envelope import (
    MAX_ATTACHMENTS,
    AnswerBody,
    AnswerEnvelope,
    Attachment,
    AuthorityBody,
    ClarificationEnvelope,
    ExtensionEnvelope,
    PublicationEnvelope,
    ReceiptBody,
    ReceiptEnvelope,
    RedirectEnvelope,
)
from hub.schemas.ids import MessageId
from hub.schemas.kyiv import kyiv_day
from hub.schemas.terms import AnswerResult, AnswerStage, ReceiptStatus
from hub.schemas.visible import visible

MAIL: Final = "message/rfc822"
MAX_RAW_BYTES: Final = 1_048_576
"""Longer mails are kept whole as a file, and by their head beside the statement."""
_ADDRESSED: Final = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "to", "cc", "resent-to")
_REFERRED: Final = ("in-reply-to", "references", "original-message-id", "message-id", "reply-to", "return-path")
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_LINE_BREAKS: Final = re.compile("[\r\n\u2028\u2029\t]+")
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")
_UNCLEAR: Final = "Words by mail without the form: a person reads them and says whether they answer the appeal."
_CUT: Final = "\n[…] Повний текст – у доданому листі."


@dataclass(frozen=True, slots=True, kw_only=True)
class Letterbox:
    """How a mailbox reads. ``keys``: those that made tokens, the present one first."""

    keys: tuple[bytes, ...]
    limit: int
    plain_stage: AnswerStage


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One mail about one delivery."""

    raw: bytes
    mail: parse.Mail
    message_id: MessageId
    delivery: Delivery
    at: datetime
    party: str | None = None


def receive(raw: bytes, received: datetime, sink: MailSink, box: Letterbox) -> None:
    """Hand one mail to the sink. ``received``: when it came to the box (for mails whose own date cannot be).

    Returns when it is durable. Raises ``Unavailable`` (leave it there) or another ``HubError`` (it is journalled; move
    it aside with the reason).
    """
    try:
        mail = parse.read(raw, limit=box.limit)
    except InvalidInput as refusal:
        sink.held(_kept(raw), verdict=refusal.stable_code, detail=refusal.message)
        raise
    verdict = classify.judge(mail)
    sealed = enclosed.sealed_in(mail) if verdict.voice in (Voice.PERSON, Voice.AUTOMATIC) else ()
    for envelope, sender in sealed:
        for file in enclosed.files_of(envelope, sender, mail, sink, received):
            _keep(file, sink, sender)
        sink.envelope(envelope)
    if sealed:
        return
    case = _correlate(raw, mail, received, sink, box)
    match verdict.voice:
        case Voice.PERSON:
            _person(case, received, sink, box)
        case Voice.DELIVERED | Voice.DISPLAYED:
            body = ReceiptBody(status=ReceiptStatus.DELIVERED, at=case.at, note=_note(verdict))
            sink.reported(_spoken(case, body))
        case Voice.FAILED:
            returned = Returned(
                raw=_kept(raw),
                about=case.message_id,
                at=case.at,
                permanent=verdict.permanent,
                code=verdict.code,
                detail=visible(verdict.detail)[: Outcome.DETAIL_MAX_CHARS],
            )
            sink.undelivered(returned)
        case Voice.RELAYED | Voice.DELAYED | Voice.COMPLAINT | Voice.AUTOMATIC:
            sink.noted(_kept(raw), verdict=verdict.code or f"mail.{verdict.voice}", about=case.message_id)


def _note(verdict: classify.MailVerdict) -> str | None:
    return _text(verdict.detail)[: Outcome.DETAIL_MAX_CHARS] or None


def _kept(raw: bytes) -> RawInbound:
    if len(raw) <= MAX_RAW_BYTES:
        return RawInbound(content_type=MAIL, body=raw)
    return RawInbound(
        content_type=MAIL,
        body=raw[: parse.MAX_HEADER_BYTES],
        whole_sha256=hashlib.sha256(raw).hexdigest(),
        whole_size=len(raw),
    )


# Which delivery


def _correlate(raw: bytes, mail: parse.Mail, received: datetime, sink: MailSink, box: Letterbox) -> _Case:
    """The delivery that a token names. Raises ``NotFound`` (``mail.no_token``, ``mail.forged_token``), journalled."""
    found = tokens.candidates(_places(mail))
    message_id = next((known for token in found if (known := tokens.read(box.keys, token)) is not None), None)
    if message_id is None:
        code = "mail.forged_token" if found else "mail.no_token"
        sink.held(_kept(raw), verdict=code, detail=_headline(mail))
        raise NotFound("The mail names no message of ours.", code=code, action="An operator reads it and decides.")
    delivery = sink.find(message_id=message_id)
    if delivery is None:
        sink.held(_kept(raw), verdict="mail.unknown_message", detail=_headline(mail))
        raise NotFound("The mail names a message that this hub does not have.", code="mail.unknown_message")
    at = _moment(mail.first("date"), received, delivery.created_at)
    return _Case(raw=raw, mail=mail, message_id=message_id, delivery=delivery, at=at)


def _headline(mail: parse.Mail) -> str:
    """Sender and subject, for the person who decides."""
    return visible(f"{_line(mail.first('from'), 200)}: {_line(mail.first('subject'), 300)}")


def _places(mail: parse.Mail) -> Iterator[str]:
    """Where our address or Message-ID may stand, the surest places first."""
    for name in (*_ADDRESSED, *_REFERRED):
        yield from mail.headers.get(name, ())
    for group in (*mail.disposition, *mail.status):
        yield from group.values()
    for name in ("message-id", "reply-to", "return-path", "disposition-notification-to"):
        yield from mail.returned.get(name, ())
    yield mail.text[:100_000]
    yield mail.html[:100_000]


def _moment(date: str, received: datetime, sent: datetime) -> datetime:
    """When it was said: the mail's own date if it lies between our sending and its coming to the box."""
    try:
        own = parsedate_to_datetime(date)
    except (ValueError, TypeError, IndexError, OverflowError):
        return received
    if own.tzinfo is None:
        own = own.replace(tzinfo=UTC)
    try:
        fits = sent - timedelta(minutes=5) <= own <= received + timedelta(minutes=5)
        return own.astimezone(UTC) if fits else received
    except OverflowError:
        return received


# What a person says


def _person(case: _Case, received: datetime, sink: MailSink, box: Letterbox) -> None:
    authority = case.delivery.authority
    checked = _verified(case, received, sink, box)
    party = authority if checked.kid is not None else None
    case = _Case(
        raw=case.raw, mail=checked.mail, message_id=case.message_id, delivery=case.delivery, at=case.at, party=party
    )
    files = tuple(_files(case, sink))
    stated = _stated(case)
    if stated is None:
        unclear = _UNCLEAR if box.plain_stage is AnswerStage.INTERIM else None
        sink.reported(_spoken(case, _plain(case, box), files, unclear))
    else:
        sink.reported(_spoken(case, stated, files))


def _verified(case: _Case, received: datetime, sink: MailSink, box: Letterbox) -> signed.Checked:
    try:
        keys = sink.keys(case.delivery.authority)
        return signed.check(case.raw, case.mail, keys, received, limit=box.limit)
    except (InvalidInput, SealRefused) as refusal:
        sink.held(_kept(case.raw), verdict=refusal.stable_code, about=case.message_id, detail=refusal.message)
        raise


def _stated(case: _Case) -> AuthorityBody | None:
    """Statement of an envelope or the form; None if there are only words."""
    envelope = enclosed.unsealed_in(case.mail, case.message_id)
    if isinstance(
        envelope,
        ReceiptEnvelope
        | AnswerEnvelope
        | RedirectEnvelope
        | ExtensionEnvelope
        | ClarificationEnvelope
        | PublicationEnvelope,
    ):
        return envelope.body
    whole, parts = _words(case)
    own, day = parts.reading or whole, kyiv_day(case.at)
    said = forms.read(own)
    for fields in (said.fields, forms.read(f"{parts.above}\n{parts.quoted}").fields):
        try:
            body = forms.statement(forms.FilledForm(fields=fields, text=said.text), at=case.at, today=day)
        except ValueError:
            continue  # a value that no envelope can hold: people read the mail as it is
        if body is not None:
            return body
    return None


def _words(case: _Case) -> tuple[str, trim.Parts]:
    whole = _text(case.mail.text.strip() or trim.text_of_html(case.mail.html))
    return whole, trim.split(whole)


def _plain(case: _Case, box: Letterbox) -> AnswerBody:
    """A person's words without a form: an answer, its number and date taken from the words if they stand there."""
    whole, parts = _words(case)
    own = forms.read(parts.reading or whole).text
    number, day = forms.reference(own) or (forms.NO_NUMBER, kyiv_day(case.at))
    text = own or "(Без тексту: дивіться додатки.)"
    if len(text) > 100_000:
        text = text[: 100_000 - len(_CUT)] + _CUT
    return AnswerBody(
        stage=box.plain_stage,
        result=AnswerResult.EXPLAINED,
        number=_line(number, 100) or forms.NO_NUMBER,
        date=day,
        at=case.at,
        text=text,
        executor=_line(case.mail.first("from"), 300) or None,
    )


def _files(case: _Case, sink: MailSink) -> Iterator[Attachment]:
    """The mail itself, whole, and what was attached to it."""
    whole = parse.File(name="лист.eml", media_type=MAIL, data=case.raw)
    seen: set[str] = set()
    for file in (whole, *case.mail.files)[:MAX_ATTACHMENTS]:
        entry = _keep(file, sink, case.delivery.authority)
        if entry.sha256 not in seen:
            seen.add(entry.sha256)
            yield entry


def _keep(file: parse.File, sink: MailSink, party: str) -> Attachment:
    kind = file.media_type if _MEDIA_TYPE.fullmatch(file.media_type) else "application/octet-stream"
    name = _line(re.split(r"[/\\]", file.name)[-1], 255) or "без назви"
    return sink.keep(iter((file.data,)), media_type=kind, name=name, party=party)


def _spoken(
    case: _Case, body: AuthorityBody, files: Sequence[Attachment] = (), unclear: str | None = None
) -> ReportedStatus:
    return ReportedStatus(
        raw=_kept(case.raw),
        said_id=said_id(case.raw, case.mail),
        body=body,
        at=case.at,
        party=case.party,
        in_reply_to=case.message_id,
        attachments=tuple(files),
        reaches=LegalClass.DELIVERED,
        unclear=unclear,
    )


def said_id(raw: bytes, mail: parse.Mail) -> str:
    """Message-ID and SHA-256 of the body: the same mail over another way has other Received lines and is the same."""
    blank = re.search(rb"\r?\n\r?\n", raw)
    body = raw[blank.end() :] if blank else b""
    digest = hashlib.sha256(body.replace(b"\r\n", b"\n").rstrip(b"\n")).hexdigest()
    return f"{mail.first('message-id')[:500]} {digest}"


def _text(text: str) -> str:
    """Text as an envelope can hold it."""
    return _CONTROLS.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def _line(text: str, limit: int) -> str:
    return _CONTROLS.sub("", _LINE_BREAKS.sub(" ", text)).strip()[:limit].strip()

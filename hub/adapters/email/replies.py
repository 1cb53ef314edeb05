"""From a mail in our box to a statement for the sink: who speaks, about what, and what it says.

Correlation is by the signed token only; names, subjects and numbers correlate nothing. What has tokens and was written
by a person becomes a receipt (form), an envelope (attached and sealed) or an answer of each message that it is for;
what a machine wrote never becomes an answer. What may be a person's word and is none of these is held.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

from hub.adapters.documents.bound import AnswerDocuments
from hub.adapters.documents.statements import Source, take_in
from hub.adapters.email import (
    bounces,
    classify,
    enclosed,
    filenames,
    forms,
    forwarded,
    letterhead,
    parse,
    passages,
    places,
    signed,
    trim,
)
from hub.adapters.email.classify import Voice
from hub.adapters.email.ours import Ours, ours
from hub.errors import DeliveryError, HubError, InvalidInput, NotFound, SealRefused, Unavailable
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
from hub.schemas.ids import CaseId, MessageId
from hub.schemas.kyiv import kyiv_day
from hub.schemas.terms import AnswerResult, AnswerStage, ReceiptStatus
from hub.schemas.visible import visible

_T = TypeVar("_T")
MAIL: Final = "message/rfc822"
MAX_RAW_BYTES: Final = 1_048_576
"""Longer mails are kept whole as a file, and by their head beside the statement."""
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_LINE_BREAKS: Final = re.compile("[\r\n\u2028\u2029\t]+")
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")
_UNCLEAR: Final = "Words by mail without the form: a person reads them and says whether they answer the appeal."
_DOUBTFUL: Final = "Something in this mail speaks for a machine: a person reads it and says whether it is an answer."
_INSIDE: Final = "Our message is named inside the mail only: a person reads it and says whether it answers the appeal."
_LEFT: Final = (
    "The mail has more files than one statement holds: {left} of them are only inside лист.eml, the whole mail."
)
_UNOPENED: Final = "A winmail.dat in the mail could not be opened here: a person opens it in Outlook."
_PASSED_ON: Final = "The words stand in a mail that was passed on: a person reads whose answer it is."
_CUT: Final = "\n[…] Повний текст – у доданому листі."


@dataclass(frozen=True, slots=True, kw_only=True)
class Letterbox:
    """How a mailbox reads. ``keys``: those that made tokens, the present one first."""

    keys: tuple[bytes, ...]
    limit: int
    plain_stage: AnswerStage


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One mail about one delivery. ``raw``: as it came; ``read``: from its head on; ``inside``: our message is named
    in no header of the mail's own; ``claims``: the mail's own date, where it cannot be; ``received``: when it came to
    the box; ``ours``: what is known of that message; ``passed_on``: mails of others that are attached.
    """

    raw: bytes
    read: bytes
    mail: parse.Mail
    inside: bool
    message_id: MessageId
    delivery: Delivery
    at: datetime
    claims: datetime | None
    received: datetime
    ours: Ours
    party: str | None = None
    passed_on: tuple[parse.Mail, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """Files of a mail that the hub keeps beside its statement. ``left``: how many more are only inside the mail."""

    files: tuple[Attachment, ...]
    left: int

    @property
    def said(self) -> str | None:
        """Words for a person about the files; None if they are all there."""
        return _LEFT.format(left=self.left) if self.left else None


def receive(raw: bytes, received: datetime, sink: MailSink, box: Letterbox) -> None:
    """Hand one mail to the sink. ``received``: when it came to the box (for mails whose own date cannot be).

    Returns when it is durable. Raises ``Unavailable`` (leave it there) or another ``HubError`` (it is journalled; move
    it aside with the reason).
    """
    head = parse.without_preamble(raw)
    try:
        mail = parse.read(head, limit=box.limit)
    except InvalidInput as refusal:
        sink.held(_whole(raw), verdict=refusal.stable_code, detail=refusal.message)
        raise
    verdict = classify.judge(mail)
    if verdict.voice in (Voice.PERSON, Voice.AUTOMATIC) and _sealed(mail, received, sink):
        return
    cases = _correlate(raw, head, mail, received, sink, box)
    match verdict.voice:
        case Voice.PERSON:
            _each(cases, lambda case: _person(case, verdict, received, sink, box))
        case Voice.AUTOMATIC:
            _each(cases, lambda case: _automatic(case, verdict, received, sink, box))
        case _:
            _by_machine(cases[0], verdict, sink)


def _by_machine(case: _Case, verdict: classify.MailVerdict, sink: MailSink) -> None:
    """A report or a notice. One that is about somebody else than those whom we wrote to is noted."""
    about_us = bounces.about(case.mail, case.ours.to)
    if about_us is None:
        sink.noted(_whole(case.raw), verdict="mail.others", about=case.message_id)
        return
    verdict = verdict if about_us is case.mail else classify.judge(about_us)
    match verdict.voice:
        case Voice.DELIVERED | Voice.DISPLAYED:
            sink.reported(_spoken(case, ReceiptBody(status=ReceiptStatus.DELIVERED, at=case.at, note=_note(verdict))))
        case Voice.FAILED:
            returned = Returned(
                raw=_whole(case.raw),
                about=case.message_id,
                at=case.at,
                permanent=verdict.permanent,
                code=verdict.code,
                detail=visible(verdict.detail)[: Outcome.DETAIL_MAX_CHARS],
            )
            sink.undelivered(returned)
        case _:
            sink.noted(_whole(case.raw), verdict=verdict.code or f"mail.{verdict.voice}", about=case.message_id)


def too_large(pieces: Iterator[bytes], size: int, sink: MailSink, box: Letterbox) -> None:
    """Hold a mail over the limit of the box: its first part, with length and digest of the whole.

    ``pieces``: the mail as it is fetched; a fetch that ends early leaves the digest of what came. ``size``: as the
    other side says. ``Unavailable``.
    """
    first, digest, got = b"", hashlib.sha256(), 0
    for piece in pieces:
        digest.update(piece)
        got += len(piece)
        first += piece[: MAX_RAW_BYTES - len(first)]
    raw = RawInbound(content_type=MAIL, body=first, whole_sha256=digest.hexdigest(), whole_size=max(size, got))
    detail = f"{raw.whole_size} bytes, {len(first)} of them kept"
    try:
        mail = parse.read(parse.without_preamble(first), limit=box.limit + MAX_RAW_BYTES)
    except InvalidInput:
        sink.held(raw, verdict="mail.too_large", detail=detail)
        return
    detail = f"{_headline(mail)} ({detail}{'' if got >= size else ', the digest is that of what came'})"
    about = _deliveries(places.named(mail, box.keys).sure, sink)
    for each in about:
        sink.held(raw, verdict="mail.too_large", about=each.message_id, detail=detail)
    if not about:
        sink.held(raw, verdict="mail.too_large", detail=detail)


def _sealed(mail: parse.Mail, received: datetime, sink: MailSink) -> bool:
    """Hand over every sealed envelope of a mail; False if there is none. One that is refused stops no other."""
    sealed = enclosed.sealed_in(mail)

    def hand_over(each: tuple[RawInbound, str]) -> None:
        envelope, sender = each
        for file in enclosed.files_of(envelope, sender, mail, sink, received):
            _keep(file, sink, sender)
        sink.envelope(envelope)

    _each(sealed, hand_over)
    return bool(sealed)


def _each(pieces: Sequence[_T], do: Callable[[_T], None]) -> None:
    """Do it for each. What is refused for one stops no other; the first refusal is raised at the end."""
    refused: list[HubError] = []
    for piece in pieces:
        try:
            do(piece)
        except (Unavailable, DeliveryError):
            raise
        except HubError as refusal:
            refused.append(refusal)
    if refused:
        raise refused[0]


def _note(verdict: classify.MailVerdict) -> str | None:
    return _text(verdict.detail)[: Outcome.DETAIL_MAX_CHARS] or None


def _kept(raw: bytes) -> RawInbound:
    """The mail; of a long one the head, with length and digest of the whole."""
    if len(raw) <= MAX_RAW_BYTES:
        return RawInbound(content_type=MAIL, body=raw)
    return RawInbound(
        content_type=MAIL,
        body=raw[: parse.MAX_HEADER_BYTES],
        whole_sha256=hashlib.sha256(raw).hexdigest(),
        whole_size=len(raw),
    )


def _whole(raw: bytes) -> RawInbound:
    """All of it, for a person: the journal has its own cap."""
    return RawInbound(content_type=MAIL, body=raw)


# Which deliveries


def _correlate(
    raw: bytes, head: bytes, mail: parse.Mail, received: datetime, sink: MailSink, box: Letterbox
) -> tuple[_Case, ...]:
    """The deliveries that tokens name, one of each case and authority.

    Raises ``NotFound`` (``mail.no_token``, ``mail.forged_token``, ``mail.unknown_message``); the mail is held then.
    """
    named = places.named(mail, box.keys)
    if not named.sure:
        code = "mail.forged_token" if named.forged else "mail.no_token"
        sink.held(_whole(raw), verdict=code, detail=_headline(mail))
        raise NotFound("The mail names no message of ours.", code=code, action="An operator reads it and decides.")
    found = _deliveries(named.sure, sink)
    if not found:
        sink.held(_whole(raw), verdict="mail.unknown_message", detail=_headline(mail))
        raise NotFound("The mail names a message that this hub does not have.", code="mail.unknown_message")
    for other in _deliveries(named.aside, sink):
        if other.case_id not in {each.case_id for each in found}:
            sink.held(_whole(raw), verdict="mail.also_named", about=other.message_id, detail=_headline(mail))
    own = _own_date(mail.first("date"))
    return tuple(
        _Case(
            raw=raw,
            read=head,
            mail=mail,
            inside=named.inside,
            message_id=each.message_id,
            delivery=each,
            at=own if own is not None and _can_be(own, received, each.created_at) else received,
            claims=own if own is not None and not _can_be(own, received, each.created_at) else None,
            received=received,
            ours=ours(sink.original(each.message_id)),
        )
        for each in found
    )


def _deliveries(messages: Sequence[MessageId], sink: MailSink) -> tuple[Delivery, ...]:
    found: dict[tuple[CaseId, str], Delivery] = {}
    for message_id in messages:
        delivery = sink.find(message_id=message_id)
        if delivery is not None:
            found.setdefault((delivery.case_id, delivery.authority), delivery)
    return tuple(found.values())


def _headline(mail: parse.Mail) -> str:
    """Sender and subject, for the person who decides."""
    return visible(f"{_line(mail.first('from'), 200)}: {_line(mail.first('subject'), 300)}")


def _own_date(date: str) -> datetime | None:
    """The moment that a mail names, if it can be read."""
    try:
        own = parsedate_to_datetime(date)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if own.tzinfo is None:
        own = own.replace(tzinfo=UTC)
    try:
        return own.astimezone(UTC)
    except OverflowError:
        return own


def _can_be(own: datetime, received: datetime, sent: datetime) -> bool:
    """True for a date between our sending and its coming to the box; clocks differ by minutes."""
    return sent - timedelta(minutes=5) <= own <= received + timedelta(minutes=5)


# What a person says


def _person(case: _Case, verdict: classify.MailVerdict, received: datetime, sink: MailSink, box: Letterbox) -> None:
    case = _verified(case, received, sink, box)
    if _by_document(case, sink) or _by_form(case, sink):
        return
    kept = _files(case, sink)
    doubts = tuple(_doubts(case, verdict, kept))
    stage = AnswerStage.INTERIM if doubts else box.plain_stage
    unclear = " ".join(doubts) or (_UNCLEAR if stage is AnswerStage.INTERIM else None)
    sink.reported(_spoken(case, _plain(case, stage), kept.files, unclear))


def _doubts(case: _Case, verdict: classify.MailVerdict, kept: _Kept) -> Iterator[str]:
    """Everything because of which the words end nothing by themselves, for the person who reads them."""
    if verdict.doubtful:
        yield _DOUBTFUL
    elif case.inside:
        yield _INSIDE
    elif case.passed_on:
        yield _PASSED_ON
    elif kept.said or case.mail.unopened:
        yield _UNCLEAR
    if kept.said:
        yield kept.said
    if case.mail.unopened:
        yield _UNOPENED


def _automatic(case: _Case, verdict: classify.MailVerdict, received: datetime, sink: MailSink, box: Letterbox) -> None:
    """A filled form or a document counts, whoever sent it; noise is noted; what holds words or files of a person, a
    person reads.
    """
    case = _verified(case, received, sink, box)
    if _by_document(case, sink) or _by_form(case, sink):
        return
    if verdict.noise:
        sink.noted(_whole(case.raw), verdict=verdict.code, about=case.message_id)
    else:
        sink.held(_whole(case.raw), verdict=verdict.code, about=case.message_id, detail=_headline(case.mail))


def _by_document(case: _Case, sink: MailSink) -> bool:
    """Report what attached documents state, where our message went out by a mapping that reads them; False if there is
    none. One that cannot be read is held, and stops no other.
    """
    answers = case.ours.answers
    if answers is None or (case.inside and not answers.echoes):
        return False  # our message is named inside the mail only, and the document itself would not name it
    found = [file for file in case.mail.files if answers.reads(file.name)]
    if not found:
        return False
    kept = _files(case, sink)
    _each(found, lambda file: _read_document(file, case, answers, kept, sink))
    return True


def _read_document(file: parse.File, case: _Case, answers: AnswerDocuments, kept: _Kept, sink: MailSink) -> None:
    rules = answers.section.answer
    assert rules is not None
    source = Source(
        content_type=answers.answers.content_type.partition(";")[0],
        reaches=LegalClass.DELIVERED,
        about=case.delivery,
        names=case.ours.names,
        sure=not case.inside,
        party=case.party,
        heard=case.received,
        files=lambda _: kept.files,
    )
    try:
        take_in(answers.pieces(file.data), rules, sink, source)
    except InvalidInput as refusal:
        if not refusal.journalled:
            raw = RawInbound(content_type=source.content_type, body=file.data[:MAX_RAW_BYTES])
            sink.held(raw, verdict=refusal.stable_code, about=case.message_id, party=case.party, detail=refusal.message)
        raise


def _by_form(case: _Case, sink: MailSink) -> bool:
    """Report what an envelope in the mail or the filled form states; False if there is neither."""
    stated = _stated(case)
    if stated is not None:
        kept = _files(case, sink)
        sink.reported(_spoken(case, stated, kept.files, kept.said))
    return stated is not None


def _verified(case: _Case, received: datetime, sink: MailSink, box: Letterbox) -> _Case:
    """The mail as far as its signature covers it, and whose word it is by that."""
    authority = case.delivery.authority
    try:
        checked = signed.check(case.read, case.mail, sink.keys(authority), received, limit=box.limit)
    except (InvalidInput, SealRefused) as refusal:
        sink.held(_whole(case.raw), verdict=refusal.stable_code, about=case.message_id, detail=refusal.message)
        raise
    return replace(
        case,
        mail=checked.mail,
        party=authority if checked.kid is not None else None,
        passed_on=forwarded.passed_on(checked.mail, limit=box.limit),
    )


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
    elsewhere = (f"{parts.above}\n{parts.quoted}", "\n".join(_words_passed_on(case)))
    for fields in (said.fields, *(forms.read(text).fields for text in elsewhere)):
        try:
            body = forms.statement(forms.FilledForm(fields=fields, text=said.text), at=case.at, today=day)
        except ValueError:
            continue  # a value that no envelope can hold: people read the mail as it is
        if body is not None:
            return body
    return None


def _words(case: _Case) -> tuple[str, trim.Parts]:
    whole = _text(passages.text_of(case.mail))
    return whole, trim.split(whole, case.ours.letter)


def _words_passed_on(case: _Case) -> Iterator[str]:
    for mail in case.passed_on:
        whole = _text(passages.text_of(mail))
        yield trim.split(whole, case.ours.letter).reading or whole


def _plain(case: _Case, stage: AnswerStage) -> AnswerBody:
    """A person's words without a form, and those of mails that are passed on: an answer. Its number and date are taken
    from the words if they stand there.
    """
    whole, parts = _words(case)
    said = (parts.reading or whole, *_words_passed_on(case))
    own = "\n\n".join(filter(None, map(forms.words_of, said)))
    number, day = letterhead.reference(own, case.ours.number) or (forms.NO_NUMBER, kyiv_day(case.at))
    text = own or "(Без тексту: дивіться додатки.)"
    if len(text) > 100_000:
        text = text[: 100_000 - len(_CUT)] + _CUT
    return AnswerBody(
        stage=stage,
        result=AnswerResult.EXPLAINED,
        number=_line(number, 100) or forms.NO_NUMBER,
        date=day,
        at=case.at,
        text=text,
        executor=_line(case.mail.first("from"), 300) or None,
    )


def _files(case: _Case, sink: MailSink) -> _Kept:
    """The mail itself, whole, and what was attached to it; of more files than an envelope holds the first ones."""
    whole = parse.File(name="лист.eml", media_type=MAIL, data=case.raw)
    kept: dict[str, Attachment] = {}
    left = 0
    for file in (whole, *case.mail.files, *(file for mail in case.passed_on for file in mail.files)):
        if len(kept) < MAX_ATTACHMENTS:
            entry = _keep(file, sink, case.delivery.authority)
            kept.setdefault(entry.sha256, entry)
        else:
            left += hashlib.sha256(file.data).hexdigest() not in kept
    return _Kept(files=tuple(kept.values()), left=left)


def _keep(file: parse.File, sink: MailSink, party: str) -> Attachment:
    kind = file.media_type if _MEDIA_TYPE.fullmatch(file.media_type) else "application/octet-stream"
    return sink.keep(iter((file.data,)), media_type=kind, name=filenames.safe(file.name), party=party)


def _spoken(
    case: _Case, body: AuthorityBody, files: Sequence[Attachment] = (), unclear: str | None = None
) -> ReportedStatus:
    return ReportedStatus(
        raw=_kept(case.raw),
        whole=_whole(case.raw),
        said_id=said_id(case.read, case.mail, case.message_id),
        body=body,
        at=case.at,
        party=case.party,
        in_reply_to=case.message_id,
        attachments=tuple(files),
        reaches=LegalClass.DELIVERED,
        unclear=unclear,
        claims=case.claims,
        heard=case.received,
    )


def said_id(raw: bytes, mail: parse.Mail, answered: MessageId) -> str:
    """Message-ID, SHA-256 of the body, and the message that is answered: the same mail over another way has other
    Received lines and is the same; one mail for two messages says two things.
    """
    blank = re.search(rb"\r?\n\r?\n", raw)
    body = raw[blank.end() :] if blank else b""
    digest = hashlib.sha256(body.replace(b"\r\n", b"\n").rstrip(b"\n")).hexdigest()
    return f"{mail.first('message-id')[:500]} {digest} {answered}"


def _text(text: str) -> str:
    """Text as an envelope can hold it."""
    return _CONTROLS.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def _line(text: str, limit: int) -> str:
    return _CONTROLS.sub("", _LINE_BREAKS.sub(" ", text)).strip()[:limit].strip()

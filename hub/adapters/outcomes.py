"""Meaning for a delivery of an answer that a mapping has read: outcome, receipt, answer. Pure.

A receipt in the other system's words is ``registered`` only with number and date; what lacks them is said one rank
lower. A value that does not fit costs itself, never the statement: the strongest thing that was understood is believed,
and a person hears the rest. What is asked about again and again must give the same statement each time, so it is dated
by what it says and by the delivery, never by the clock.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Final

from hub.adapters.mapping import AnswerMapping, Codes, Meaning, not_understood
from hub.errors import InvalidInput
from hub.ports import Dating, Outcome, Prepared, RawInbound, ReportedStatus
from hub.protocols.faults import hide, shown
from hub.schemas.delivery import Delivery, OutcomeKind
from hub.schemas.directory import LegalClass
from hub.schemas.envelope import AnswerBody, AuthorityBody, ReceiptBody
from hub.schemas.ids import MessageId, is_same
from hub.schemas.kyiv import KYIV, kyiv_day
from hub.schemas.terms import AnswerResult, AnswerStage, ReceiptStatus, RefusalGround

_RECEIPTS: Final = {
    "accepted": ReceiptStatus.ACCEPTED,
    "registered": ReceiptStatus.REGISTERED,
    "refused": ReceiptStatus.REFUSED,
}
KINDS: Final = {
    **dict.fromkeys(("delivered", "received", "accepted", "registered", "answered"), OutcomeKind.DELIVERED),
    "duplicate": OutcomeKind.DUPLICATE,
    "refused": OutcomeKind.REFUSED,
    "retry": OutcomeKind.TEMPORARY,
    "permanent": OutcomeKind.PERMANENT,
}
"""Ends of an attempt, by a mapping's verdict; all others are ``unknown``."""
_TAKEN: Final = frozenset({OutcomeKind.DELIVERED, OutcomeKind.DUPLICATE})
MAX_ID_CHARS: Final = 200
MAX_TEXT_CHARS: Final = 100_000
FILES_ONLY: Final = "Відповідь надано у доданому файлі."
"""Text of an answer that is a file."""
NO_NUMBER: Final = "б/н"
"""Without a number (без номера), as offices write it."""
_NUMBER: Final = re.compile("[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]{1,100}")
_LOOK_AT_ANSWER: Final = (
    "Hold the answer against the mapping's section answer: the places of status, echo, id and number; `hub channel "
    "read` tries it on a saved answer."
)
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An answer as it came, and the dialect's codes."""

    raw: RawInbound
    http_status: int | None
    codes: Codes


def read_outcome(said: Meaning, rules: AnswerMapping, heard: Heard, prepared: Prepared) -> Outcome:
    """The outcome of the answer to a message that was sent."""
    note = hide(shown(said.note or ""), prepared.body)
    if said.echo is not None and not is_same(said.echo, prepared.message_id):
        return _unknown(heard.codes.foreign, "Another message's id.", heard)
    kind = KINDS.get(said.status)
    unproved = isinstance(rules.status, str) and not any((said.echo, said.external_id, said.number))
    no_echo = rules.echo is not None and said.echo is None and kind is OutcomeKind.DELIVERED
    if kind is None or unproved or no_echo:
        return _unknown(
            heard.codes.no_receipt, f"The answer does not say what the mapping expects. {note}".strip(), heard
        )
    now = datetime.now(UTC)
    said = _until(_usable(said), now)
    status = "registered" if kind is OutcomeKind.DUPLICATE and said.number and said.day else said.status
    statement = _statement(said, status, now) if kind in _TAKEN else None
    return Outcome(
        kind=kind,
        code=None if kind in _TAKEN else f"{heard.codes.verdict}{said.status}",
        external_id=said.external_id,
        http_status=heard.http_status,
        detail=note or None,
        ground=_ground(said) if kind is OutcomeKind.REFUSED else None,
        proves=_proven(said, rules) if kind in _TAKEN else None,
        reported=() if statement is None else (_answered(statement, rules, heard, prepared.message_id),),
    )


def read_poll_outcome(said: Meaning, rules: AnswerMapping, heard: Heard, delivery: Delivery) -> Outcome:
    """Result of asking: a statement, or nothing yet; what cannot be read is asked again later, and kept."""
    if said.echo is not None and not is_same(said.echo, delivery.message_id):
        return unreadable(heard.codes.foreign, heard)
    if said.status in ("received", "permanent"):
        return _between(said, heard)
    if said.status not in ("delivered", "duplicate", "retry", "answered", *_RECEIPTS):
        return unreadable(heard.codes.unreadable, heard)
    said, day, at = _dated(said, delivery.created_at)
    statement = _statement(said, said.status, at)
    reported: tuple[ReportedStatus, ...] = ()
    if statement is not None:
        about = f"{said.status}:{said.number}:{said.day}"
        if statement.unclear:  # what is read better later is another statement
            about += ":" + hashlib.sha256("\n".join(statement.unclear).encode()).hexdigest()[:16]
        told = _reported(statement, rules, heard, delivery.message_id, about)
        reported = (replace(told, dated=Dating.NONE if day is None else Dating.DAY, claims=day),)
    return Outcome(kind=OutcomeKind.DELIVERED, http_status=heard.http_status, reported=reported)


def read_document(said: Meaning, rules: AnswerMapping, heard: Heard, sent: datetime) -> ReportedStatus:
    """The statement of a document that they laid down or sent, about a message that its caller names. ``sent``: when
    that message was made. ``InvalidInput`` for what states nothing.
    """
    if said.status not in ("delivered", "received", "duplicate", "answered", *_RECEIPTS):
        note = hide(shown(said.note or ""), b"")
        raise InvalidInput(
            f"It does not state what became of the message. {note}".strip(), code=heard.codes.no_receipt, action=_MAP
        )
    said, day, at = _dated(said, sent)
    known = "registered" if said.status == "duplicate" and said.number and said.day else said.status
    statement = _statement(said, known, at) or _Stated(_received(said, at), said.unclear)
    about = hashlib.sha256(heard.raw.body).hexdigest()
    return ReportedStatus(
        raw=heard.raw,
        said_id=about,
        body=statement.body,
        at=at,
        reaches=rules.reaches,
        unclear=_unclear(statement),
        dated=Dating.NONE if day is None else Dating.DAY,
        claims=day,
    )


_MAP: Final = "Name its word under values of the answer's status, then have it read again."


def _received(said: Meaning, at: datetime) -> ReceiptBody:
    """A receipt of ``delivered``: they have it, and say no more."""
    return ReceiptBody(status=ReceiptStatus.DELIVERED, at=at, number=_fitting(said.number, []), date=said.day)


def _dated(said: Meaning, sent: datetime) -> tuple[Meaning, datetime | None, datetime]:
    """Statements made by now, the beginning of their day, and the moment that dates them, the same at each repeat."""
    said = _until(_usable(said), datetime.now(UTC))
    day = datetime.combine(said.day, time(), KYIV).astimezone(UTC) if said.day is not None else None
    return said, day, max(sent, day) if day is not None else sent


def _proven(said: Meaning, rules: AnswerMapping) -> LegalClass | None:
    """Proof of the answer to a sending, where that is another than the channel's: a system in between that took it."""
    if said.status == "received":
        return LegalClass.DELIVERED
    return LegalClass.SENT if rules.reaches is LegalClass.SENT else None


def _between(said: Meaning, heard: Heard) -> Outcome:
    """Word of a system in between: the addressee's side has it, or it gave up; there is nothing more to ask."""
    if said.status == "received":
        return Outcome(kind=OutcomeKind.DELIVERED, http_status=heard.http_status, proves=LegalClass.DELIVERED)
    return Outcome(
        kind=OutcomeKind.PERMANENT,
        code=f"{heard.codes.verdict}permanent",
        http_status=heard.http_status,
        detail=shown(said.note or "") or None,
        proves=LegalClass.SENT,
    )


def unreadable(code: str, heard: Heard) -> Outcome:
    """An answer that says nothing the hub understands: it is asked again, and a person gets the bytes."""
    return Outcome(kind=OutcomeKind.TEMPORARY, code=code, http_status=heard.http_status, unread=(heard.raw,))


def _until(said: Meaning, now: datetime) -> Meaning:
    """Without a day that has not come: by the clock of no system was anything registered then."""
    if said.day is None or said.day <= kyiv_day(now + timedelta(days=1)):
        return said
    return replace(said, day=None, unclear=(*said.unclear, not_understood("date", said.day.isoformat())))


def _unknown(code: str, detail: str, heard: Heard) -> Outcome:
    return Outcome(
        kind=OutcomeKind.UNKNOWN, code=code, http_status=heard.http_status, detail=detail, next_step=_LOOK_AT_ANSWER
    )


def _ground(said: Meaning) -> str:
    return said.ground if said.ground in frozenset(RefusalGround) else RefusalGround.OTHER


def _usable(said: Meaning) -> Meaning:
    """Without an id that cannot be kept: the message is delivered all the same."""
    found = said.external_id
    if found is None or (len(found) <= MAX_ID_CHARS and found.isprintable()):
        return said
    return replace(said, external_id=None, unclear=(*said.unclear, not_understood("id", found)))


@dataclass(frozen=True, slots=True)
class _Stated:
    """A statement, and what of it was not understood."""

    body: AuthorityBody
    unclear: tuple[str, ...]


def _statement(said: Meaning, status: str, at: datetime) -> _Stated | None:
    """The strongest receipt or answer that was understood; None if nothing of the kind was said."""
    unclear = list(said.unclear)
    if status == "answered":
        body = _answer(said, at, unclear)
    else:
        receipt = _RECEIPTS.get(status)
        if receipt is None:
            return None
        body = _receipt(said, receipt, at, unclear)
    return _Stated(body, tuple(dict.fromkeys(unclear)))


def _receipt(said: Meaning, status: ReceiptStatus, at: datetime, unclear: list[str]) -> ReceiptBody:
    number = _fitting(said.number, unclear)
    if status is ReceiptStatus.REGISTERED and (number is None or said.day is None):
        status = ReceiptStatus.ACCEPTED
    ground = RefusalGround(_ground(said)) if status is ReceiptStatus.REFUSED else None
    return ReceiptBody(status=status, at=at, number=number, date=said.day, ground=ground)


def _answer(said: Meaning, at: datetime, unclear: list[str]) -> AuthorityBody:
    """An answer without number or day is not final until a person says so; without a text it is none."""
    text = _CONTROLS.sub("\ufffd", (said.text or "").replace("\r\n", "\n").replace("\r", "\n")).strip()
    if not text and said.files:
        text = FILES_ONLY
    if not text:
        unclear.append("text: the answer has none")
        return _receipt(said, ReceiptStatus.ACCEPTED, at, unclear)
    if len(text) > MAX_TEXT_CHARS:
        unclear.append(f"text: it has {len(text)} characters and was cut")
        text = text[: MAX_TEXT_CHARS - 1] + "…"
    result = said.result if said.result in frozenset(AnswerResult) else None
    if said.result is not None and result is None:
        unclear.append(not_understood("result", said.result))
    number = _fitting(said.number, unclear)
    if number is None:
        unclear.append("number: the answer has none")
    if said.day is None:
        unclear.append("date: the answer has none")
    whole = number is not None and said.day is not None
    return AnswerBody(
        stage=AnswerStage.FINAL if whole else AnswerStage.INTERIM,
        result=AnswerResult(result or AnswerResult.EXPLAINED),
        number=number or NO_NUMBER,
        date=said.day or kyiv_day(at),
        at=at,
        text=text,
    )


def _fitting(number: str | None, unclear: list[str]) -> str | None:
    """A number as an envelope can hold it."""
    if number is None or _NUMBER.fullmatch(number):
        return number
    unclear.append(not_understood("number", number))
    return None


def _answered(stated: _Stated, rules: AnswerMapping, heard: Heard, message_id: MessageId) -> ReportedStatus:
    """Moment of what the answer to a sending says: it happened by then; the answer itself does not say when."""
    return replace(_reported(stated, rules, heard, message_id, "answer"), dated=Dating.NONE)


def _reported(stated: _Stated, rules: AnswerMapping, heard: Heard, message_id: MessageId, about: str) -> ReportedStatus:
    return ReportedStatus(
        raw=heard.raw,
        said_id=f"{message_id}:{about}",
        body=stated.body,
        at=stated.body.at,
        in_reply_to=message_id,
        reaches=rules.reaches,
        unclear=_unclear(stated),
    )


def _unclear(stated: _Stated) -> str | None:
    if not stated.unclear:
        return None
    return f"Not understood: {'; '.join(stated.unclear)}. The answer is kept as it came."

"""Meaning for a delivery of an answer that a mapping has read: outcome, receipt, answer. Pure.

A receipt in the other system's words is ``registered`` only with number and date; what lacks them is said one rank
lower. What is asked about again and again must give the same statement each time, so it is dated by what it says and by
the delivery, never by the clock.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Final

from hub.adapters.mapping import AnswerMapping, Codes, Meaning
from hub.ports import Outcome, Prepared, RawInbound, ReportedStatus
from hub.protocols.faults import hide, shown
from hub.schemas.delivery import Delivery, OutcomeKind
from hub.schemas.envelope import AnswerBody, AuthorityBody, ReceiptBody
from hub.schemas.ids import MessageId
from hub.schemas.kyiv import KYIV
from hub.schemas.terms import AnswerResult, AnswerStage, ReceiptStatus, RefusalGround

_RECEIPTS: Final = {
    "accepted": ReceiptStatus.ACCEPTED,
    "registered": ReceiptStatus.REGISTERED,
    "refused": ReceiptStatus.REFUSED,
}
_KINDS: Final = {
    **dict.fromkeys(("delivered", "accepted", "registered", "answered"), OutcomeKind.DELIVERED),
    "duplicate": OutcomeKind.DUPLICATE,
    "refused": OutcomeKind.REFUSED,
    "retry": OutcomeKind.TEMPORARY,
    "permanent": OutcomeKind.PERMANENT,
}
_TAKEN: Final = frozenset({OutcomeKind.DELIVERED, OutcomeKind.DUPLICATE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An answer as it came, and the dialect's codes."""

    raw: RawInbound
    http_status: int | None
    codes: Codes


def read_outcome(said: Meaning, rules: AnswerMapping, heard: Heard, prepared: Prepared) -> Outcome:
    """The outcome of the answer to a message that was sent."""
    note = hide(shown(said.note or ""), prepared.body)
    if said.echo is not None and said.echo != str(prepared.message_id):
        return _unknown(heard.codes.foreign, "Another message's id.", heard)
    kind = _KINDS.get(said.status)
    unproved = isinstance(rules.status, str) and not any((said.echo, said.external_id, said.number))
    no_echo = rules.echo is not None and said.echo is None and kind is OutcomeKind.DELIVERED
    if kind is None or unproved or no_echo:
        return _unknown(
            heard.codes.no_receipt, f"The answer does not say what the mapping expects. {note}".strip(), heard
        )
    status = "registered" if kind is OutcomeKind.DUPLICATE and said.number and said.day else said.status
    statement = _statement(said, status, datetime.now(UTC)) if kind in _TAKEN else None
    return Outcome(
        kind=kind,
        code=None if kind in _TAKEN else f"{heard.codes.verdict}{said.status}",
        external_id=_usable(said.external_id),
        http_status=heard.http_status,
        detail=note or None,
        ground=_ground(said) if kind is OutcomeKind.REFUSED else None,
        reported=() if statement is None else (_reported(statement, rules, heard, prepared.message_id, "answer"),),
    )


def read_poll_outcome(said: Meaning, rules: AnswerMapping, heard: Heard, delivery: Delivery) -> Outcome:
    """Result of asking: a statement, or nothing yet; what cannot be read is asked again later."""
    if said.echo is not None and said.echo != str(delivery.message_id):
        return Outcome(kind=OutcomeKind.TEMPORARY, code=heard.codes.foreign, http_status=heard.http_status)
    if said.status not in ("delivered", "duplicate", "retry", "answered", *_RECEIPTS):
        return Outcome(kind=OutcomeKind.TEMPORARY, code=heard.codes.unreadable, http_status=heard.http_status)
    at = delivery.created_at
    if said.day is not None:
        at = max(at, datetime.combine(said.day, time(), KYIV).astimezone(UTC))
    statement = _statement(said, said.status, at)
    if said.status == "answered" and statement is None:
        return Outcome(kind=OutcomeKind.TEMPORARY, code=heard.codes.unreadable, http_status=heard.http_status)
    about = f"{said.status}:{said.number}:{said.day}"
    reported = () if statement is None else (_reported(statement, rules, heard, delivery.message_id, about),)
    return Outcome(kind=OutcomeKind.DELIVERED, http_status=heard.http_status, reported=reported)


def _unknown(code: str, detail: str, heard: Heard) -> Outcome:
    return Outcome(kind=OutcomeKind.UNKNOWN, code=code, http_status=heard.http_status, detail=detail)


def _ground(said: Meaning) -> str:
    return said.ground if said.ground in frozenset(RefusalGround) else RefusalGround.OTHER


def _usable(external_id: str | None) -> str | None:
    return external_id if external_id and len(external_id) <= 200 and external_id.isprintable() else None


def _statement(said: Meaning, status: str, at: datetime) -> AuthorityBody | None:
    """The receipt or answer; None if there is none, or if its words are no text that an envelope can hold."""
    with contextlib.suppress(ValueError):
        if status == "answered":
            return AnswerBody(
                stage=AnswerStage.FINAL,
                result=AnswerResult(said.result or AnswerResult.EXPLAINED),
                number=said.number or "",
                date=said.day,  # type: ignore[arg-type]  # absent: refused by the model
                at=at,
                text=said.text or "",
            )
        receipt = _RECEIPTS.get(status)
        if receipt is None:
            return None
        if receipt is ReceiptStatus.REGISTERED and (said.number is None or said.day is None):
            receipt = ReceiptStatus.ACCEPTED
        ground = RefusalGround(_ground(said)) if receipt is ReceiptStatus.REFUSED else None
        return ReceiptBody(status=receipt, at=at, number=said.number, date=said.day, ground=ground)
    return None


def _reported(
    body: AuthorityBody, rules: AnswerMapping, heard: Heard, message_id: MessageId, about: str
) -> ReportedStatus:
    return ReportedStatus(
        raw=heard.raw,
        said_id=f"{message_id}:{about}",
        body=body,
        at=body.at,
        in_reply_to=message_id,
        reaches=rules.reaches,
    )

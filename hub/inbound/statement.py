"""Statements of an authority: the fact that its envelope carries, and what that makes of the delivery. Pure.

What a statement asks for the case is a duty (``hub.tracking.duties``), done in ``hub.cases.deeds``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hub.errors import Fault, InvalidInput
from hub.schemas.delivery import Change, Delivery, DeliveryUpdate, Fact, FactKind, TransportState
from hub.schemas.envelope import (
    AnswerEnvelope,
    AnyEnvelope,
    ClarificationEnvelope,
    ExtensionEnvelope,
    PublicationEnvelope,
    ReceiptEnvelope,
    RedirectEnvelope,
)
from hub.schemas.ids import CaseId, MessageId
from hub.schemas.terms import AnswerStage, ClarificationStep, ReceiptStatus, RefusalGround

_RECEIPT_FACTS = {
    ReceiptStatus.DELIVERED: FactKind.DELIVERED,
    ReceiptStatus.ACCEPTED: FactKind.ACCEPTED,
    ReceiptStatus.REGISTERED: FactKind.REGISTERED,
    ReceiptStatus.REFUSED: FactKind.REFUSED,
}
UNSETTLED = frozenset(
    {
        TransportState.WAITING,
        TransportState.SENDING,
        TransportState.UNKNOWN,
        TransportState.OFFERED,
        TransportState.DEAD,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """Result of an inbound message. ``repeat``: it was taken in before, nothing changed."""

    message_id: MessageId
    case_id: CaseId
    repeat: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Statement of an authority, checked and not yet written. ``change``: all it writes but the delivery's own update.

    ``fact``: what it states about the case; None if it states nothing new (a repeat, a shadow's word).
    """

    received: Received
    change: Change
    delivery: Delivery | None = None
    fact: Fact | None = None

    @property
    def asks(self) -> bool:
        """True if the hub must act: the authority refused, or sends the case on."""
        return self.fact is not None and self.fact.kind in (FactKind.REDIRECTED, FactKind.REFUSED)

    def settles(self, delivery: Delivery, now: datetime) -> tuple[DeliveryUpdate, ...]:
        """Updates of the delivery that it is about. Whoever answers has got it: one that was still open is
        settled. A final answer ends the asking.
        """
        fact = self.fact
        if fact is None:
            return ()
        final = fact.kind is FactKind.ANSWERED and fact.data.get("stage") == AnswerStage.FINAL
        refused = fact.kind is FactKind.REFUSED and fact.data.get("ground") != RefusalGround.RECEIVED_TWICE
        poll_at = None if final or refused else delivery.poll_at
        if delivery.state in UNSETTLED:
            state = TransportState.REFUSED if refused else TransportState.DELIVERED
            return (
                DeliveryUpdate(id=delivery.id, state=state, poll_at=poll_at, delivered_at=None if refused else now),
            )
        if poll_at != delivery.poll_at:
            return (DeliveryUpdate(id=delivery.id, state=delivery.state, poll_at=poll_at),)
        return ()


def stated(envelope: AnyEnvelope) -> tuple[FactKind, datetime, dict[str, str]]:
    """The fact that an envelope states: kind, when, data."""
    match envelope:
        case ReceiptEnvelope(body=body):
            data = {
                "number": body.number,
                "date": body.date.isoformat() if body.date else None,
                "ground": body.ground,
            }
            return _RECEIPT_FACTS[body.status], body.at, {k: str(v) for k, v in data.items() if v is not None}
        case AnswerEnvelope(body=body):
            data = {
                "stage": body.stage,
                "result": body.result,
                "number": body.number,
                "date": body.date.isoformat(),
            }
            return FactKind.ANSWERED, body.at, {k: str(v) for k, v in data.items() if v is not None}
        case RedirectEnvelope(body=body):
            return FactKind.REDIRECTED, body.at, {"to": body.to} if body.to else {}
        case ExtensionEnvelope(body=body):
            return FactKind.EXTENDED, body.at, {"until": body.until.isoformat()}
        case ClarificationEnvelope(body=body) if body.step is ClarificationStep.QUESTION:
            return FactKind.CLARIFICATION_ASKED, body.at, {"until": body.until.isoformat()} if body.until else {}
        case PublicationEnvelope(body=body):
            return FactKind.PUBLISHED, body.at, {}
        case _:
            raise InvalidInput(
                "An authority does not send this kind of envelope to the hub.",
                code="inbound.kind",
                faults=[Fault(pointer="/kind", code="inbound.kind", message="not a kind that answers an appeal")],
                action="Send receipt, answer, redirect, extension, clarification (question) or publication.",
            )

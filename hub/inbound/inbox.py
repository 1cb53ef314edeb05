"""The pull inbox: authorities that cannot be called fetch what waits for them and send their receipts.

Fetching shows nothing but that the bytes were handed over (``sent``); only a receipt shows that the document is in the
authority's system (CMU 55/2018 item 18).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hub.delivery.records import escalate, fact_of
from hub.delivery.redaction import Redaction
from hub.errors import NotFound
from hub.ports import Clock, Rendering, Seal, Store
from hub.schemas import json_rendering
from hub.schemas.delivery import Change, Delivery, DeliveryUpdate, Fact, FactKind, OutcomeKind, Source, TransportState
from hub.schemas.ids import MessageId
from hub.sealed import CONTENT_TYPES, seal_envelope

MAIL = "message/rfc822"
"""What went out as a mail is not what its link gives: that is the sealed envelope."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedMessage:
    """The exact sealed bytes that an authority fetches."""

    message_id: MessageId
    content_type: str
    body: bytes


class Inbox:
    """Messages that wait for authorities that pull."""

    def __init__(self, *, store: Store, clock: Clock, seal: Seal, redaction: Redaction) -> None:
        self._store = store
        self._clock = clock
        self._seal = seal
        self._redaction = redaction

    def waiting(self, authority: str, *, after: str | None, limit: int) -> tuple[Delivery, ...]:
        """Deliveries that wait for this authority, oldest first; ``after``: the last delivery id seen."""
        return self._store.offered(authority, after=after, limit=limit)

    def fetch(self, authority: str, message_id: MessageId) -> FetchedMessage:
        """One message, as often as wanted. ``NotFound`` if it is unknown, somebody else's, or not yet offered."""
        delivery = self._store.delivery_of(message_id)
        if (
            delivery is None
            or delivery.authority != authority
            or delivery.payload is None
            or delivery.payload_type is None
            or delivery.state not in (TransportState.OFFERED, TransportState.DELIVERED)
        ):
            raise NotFound("No message with this id waits for you.", code="inbox.unknown")
        handed_over = self._handed_over(delivery, self._clock.now())
        if handed_over:
            self._store.apply(Change(facts=handed_over))
        if delivery.payload_type == MAIL:
            return self._document(message_id)
        return FetchedMessage(message_id=message_id, content_type=delivery.payload_type, body=delivery.payload)

    def taken(self, authority: str, message_id: MessageId) -> None:
        """The authority's system says that it has fetched and processed the message: the document is there."""
        delivery = self._of(authority, message_id)
        if delivery.state is TransportState.DELIVERED:
            return
        now = self._clock.now()
        has = fact_of(delivery, FactKind.DELIVERED, now, Source.AUTHORITY, channel=delivery.channel_id)
        update = DeliveryUpdate(id=delivery.id, state=TransportState.DELIVERED, delivered_at=now)
        self._store.apply(Change(updates=(update,), facts=(*self._handed_over(delivery, now), has)))

    def failed(self, authority: str, message_id: MessageId, detail: str) -> None:
        """The authority's system cannot process the message: it would fail again, so a person decides."""
        delivery = self._of(authority, message_id)
        if delivery.state is not TransportState.OFFERED:
            return
        shown = self._redaction.of(delivery.case_id).text(detail)
        facts, items = escalate(delivery, reason="inbox.failed", detail=shown, now=self._clock.now())
        update = DeliveryUpdate(id=delivery.id, state=TransportState.DEAD, last_code="inbox.failed")
        self._store.apply(Change(updates=(update,), facts=facts, items=items))

    def _handed_over(self, delivery: Delivery, now: datetime) -> tuple[Fact, ...]:
        """The fact that the bytes went out; empty if it stands already.

        Dated when they were offered, so that the six hours for a notice (CMU 55/2018 item 24) do not begin anew when a
        body is late to fetch; where that is not known, when they are fetched first.
        """
        facts = self._store.facts(delivery.case_id)
        if any(fact.kind is FactKind.SENT and fact.delivery_id == delivery.id for fact in facts):
            return ()
        offers = (a for a in self._store.attempts(delivery.id) if a.outcome is OutcomeKind.OFFERED)
        at = next((attempt.finished_at for attempt in offers if attempt.finished_at is not None), now)
        return (fact_of(delivery, FactKind.SENT, at, Source.HUB, channel=delivery.channel_id),)

    def _of(self, authority: str, message_id: MessageId) -> Delivery:
        delivery = self._store.delivery_of(message_id)
        if delivery is None or delivery.authority != authority:
            raise NotFound("No message with this id waits for you.", code="inbox.unknown")
        return delivery

    def _document(self, message_id: MessageId) -> FetchedMessage:
        """The sealed envelope of a message that went out as a notice of itself (e-mail without personal data)."""
        message = self._store.message(message_id)
        if message is None:
            raise NotFound("No message with this id waits for you.", code="inbox.unknown")
        envelope = json_rendering.from_trusted(message.body)
        body = seal_envelope(envelope, message.body, Rendering.JSON, self._seal)
        return FetchedMessage(message_id=message_id, content_type=CONTENT_TYPES[Rendering.JSON], body=body)

"""Taking back: receipts, answers and the rest of what authorities send, by whatever way it came.

Checked (seal, party, case), de-duplicated, correlated, turned into facts, journalled. What names an unknown or a
foreign case is refused with one and the same error, and journalled too. Nothing is believed because it is newer by its
own clock: facts have ranks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import ValidationError

from hub.delivery.handover import WITHDRAWABLE, escalate, fact_of
from hub.delivery.sealed import claimed_sender, open_envelope
from hub.errors import Conflict, Fault, HubError, InvalidInput, NotFound, SealRefused
from hub.failpoints import hit
from hub.ports import CaseFilter, Clock, RawInbound, Registry, Seal, Spoken, Store
from hub.schemas import json_rendering
from hub.schemas.delivery import (
    Change,
    Delivery,
    DeliveryUpdate,
    Direction,
    Fact,
    FactKind,
    Grant,
    InboundRecord,
    Message,
    OperatorItem,
    Source,
    TransportState,
)
from hub.schemas.directory import LegalClass
from hub.schemas.envelope import (
    AnswerBody,
    AnswerEnvelope,
    AnyEnvelope,
    Attachment,
    AuthorityBody,
    ClarificationBody,
    ClarificationEnvelope,
    ExtensionBody,
    ExtensionEnvelope,
    Header,
    Party,
    PublicationBody,
    PublicationEnvelope,
    ReceiptBody,
    ReceiptEnvelope,
    RedirectBody,
    RedirectEnvelope,
)
from hub.schemas.ids import CaseId, MessageId, named_id, new_id
from hub.schemas.terms import AnswerStage, ClarificationStep, Kind, ReceiptStatus, RefusalGround

CLOCK_SKEW = timedelta(hours=24)
"""How far in the future a statement may date itself; beyond it the sender's clock is broken."""

_RECEIPT_FACTS = {
    ReceiptStatus.DELIVERED: FactKind.DELIVERED,
    ReceiptStatus.ACCEPTED: FactKind.ACCEPTED,
    ReceiptStatus.REGISTERED: FactKind.REGISTERED,
    ReceiptStatus.REFUSED: FactKind.REFUSED,
}
SPOKEN_KINDS: dict[type[AuthorityBody], type[AnyEnvelope]] = {
    ReceiptBody: ReceiptEnvelope,
    AnswerBody: AnswerEnvelope,
    RedirectBody: RedirectEnvelope,
    ExtensionBody: ExtensionEnvelope,
    ClarificationBody: ClarificationEnvelope,
    PublicationBody: PublicationEnvelope,
}
UNKNOWN_PARTY = "-"
"""Stands in the journal where nobody could be told."""
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
class Taken:
    """What became of an inbound message. ``repeat``: it was taken in before, nothing changed."""

    message_id: MessageId
    case_id: CaseId
    repeat: bool


def _statement(envelope: AnyEnvelope) -> tuple[FactKind, datetime, dict[str, str]]:
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


def _unknown_case() -> NotFound:
    return NotFound(
        "No appeal with this case_id and in_reply_to was sent to you.",
        code="inbound.unknown_case",
        action="Copy case_id and message_id (as in_reply_to) from the appeal that you answer.",
    )


def provable(body: AuthorityBody, reaches: LegalClass) -> AuthorityBody:
    """What may be believed of a receipt that came by a way that reaches only so far (CMU 55/2018 items 28, 32)."""
    if not isinstance(body, ReceiptBody) or body.status is not ReceiptStatus.REGISTERED:
        return body
    return body if reaches is LegalClass.REGISTERED else body.model_copy(update={"status": ReceiptStatus.ACCEPTED})


class TakeBack:
    """Takes in what authorities send. Safe to call from many threads."""

    def __init__(
        self,
        *,
        store: Store,
        registry: Registry,
        seal: Seal,
        clock: Clock,
        asked: Callable[[CaseId], None] = lambda _case: None,
    ) -> None:
        """``asked``: called with a case whose authority asks for an act of the hub: it refused, or sends it on."""
        self._asked = asked
        self._store = store
        self._registry = registry
        self._seal = seal
        self._clock = clock

    @property
    def registry(self) -> Registry:
        """The registry that it believes."""
        return self._registry

    def take(self, raw: RawInbound, *, channel_id: str, party: str | None) -> Taken:
        """Take in one message. ``party``: the authority, as authenticated by the door; ``None``: whoever the seal
        proves, which then must be there.

        Raises ``InvalidInput``, ``SealRefused``, ``NotFound`` (unknown or foreign case), ``Conflict`` (id used for
        other content), ``Unavailable``. Each refusal is journalled before it is raised.
        """
        now = self._clock.now()
        hit("S14")
        try:
            envelope, sealed = self._open(raw, party, now)
            sender = envelope.header.sender.code
            return self._accept(envelope, raw, channel_id=channel_id, party=sender, sealed=sealed, now=now)
        except HubError as refusal:
            self._journal_refusal(raw, channel_id, party or UNKNOWN_PARTY, refusal, now)
            raise

    def hear(self, spoken: Spoken, *, channel_id: str, speaks_for: str | None) -> Taken:
        """Take in what another system said in its own words. ``speaks_for``: the authority of the channel that it came
        over; ``None``: a channel that collects for all.

        It becomes an envelope of the hub's own making under an id derived from theirs, so that a repeat is known; the
        bytes that came are kept beside it. Raises like ``take``.
        """
        now = self._clock.now()
        hit("S14")
        party = speaks_for or spoken.party
        try:
            if speaks_for is not None and spoken.party not in (None, speaks_for):
                raise SealRefused("Another authority speaks over this channel than its own.", code="seal.party")
            delivery = self._spoken_of(spoken, party)
            envelope = self._put_in_words(spoken, delivery, channel_id)
            sender = delivery.authority
            return self._accept(
                envelope,
                spoken.raw,
                channel_id=channel_id,
                party=sender,
                sealed=False,
                now=now,
                unclear=spoken.unclear,
            )
        except HubError as refusal:
            self._journal_refusal(spoken.raw, channel_id, party or UNKNOWN_PARTY, refusal, now)
            raise

    def _spoken_of(self, spoken: Spoken, party: str | None) -> Delivery:
        delivery = None
        if spoken.in_reply_to is not None:
            delivery = self._store.delivery_of(spoken.in_reply_to)
        elif spoken.external_id is not None:
            delivery = self._store.delivery_known_as(spoken.external_id, authority=party)
        elif spoken.reference is not None and party is not None:
            where = CaseFilter(reference=spoken.reference, authority=party)
            cases = self._store.cases(where, after=None, limit=2)
            mine = self._store.deliveries(cases[0].case.id) if len(cases) == 1 else ()
            delivery = next((each for each in mine if each.authority == party), None)
        if delivery is None or party not in (None, delivery.authority):
            raise _unknown_case()
        return delivery

    def _put_in_words(self, spoken: Spoken, delivery: Delivery, channel_id: str) -> AnyEnvelope:
        """Our envelope for their words; what the way it came by cannot prove is said one rank lower."""
        original = self._store.message(delivery.message_id)
        if original is None:
            raise _unknown_case()
        asked = json_rendering.from_trusted(original.body).header
        header = Header(
            message_id=named_id(spoken.at, f"{channel_id}\n{spoken.said_id}".encode()),
            case_id=delivery.case_id,
            in_reply_to=delivery.message_id,
            created_at=spoken.at,
            sender=Party(code=delivery.authority, name=asked.recipient.name),
            recipient=asked.sender,
            role=asked.role,
        )
        body = provable(spoken.body, spoken.reaches)
        try:
            return SPOKEN_KINDS[type(body)].model_validate(
                {"header": header, "body": body, "attachments": spoken.attachments}
            )
        except ValidationError:
            raise InvalidInput("The statement cannot be put into an envelope.", code="inbound.words") from None

    def _open(self, raw: RawInbound, party: str | None, now: datetime) -> tuple[AnyEnvelope, bool]:
        sender = party or claimed_sender(raw)
        keys = self._registry.current().keys(sender)
        required = bool(keys) or party is None
        envelope, sealed = open_envelope(raw, seal=self._seal, keys=keys, at=now, seal_required=required)
        if envelope.header.sender.code != sender:
            raise SealRefused(
                "The envelope names another sender than the one whose credential and key were used.",
                code="seal.party",
            )
        return envelope, sealed

    def _accept(
        self,
        envelope: AnyEnvelope,
        raw: RawInbound,
        *,
        channel_id: str,
        party: str,
        sealed: bool,
        now: datetime,
        unclear: str | None = None,
    ) -> Taken:
        kind, at, data = _statement(envelope)
        if at > now + CLOCK_SKEW:
            raise InvalidInput(
                "The statement dates itself more than 24 hours into the future.",
                code="inbound.future",
                faults=[Fault(pointer="/body/at", code="inbound.future", message="must not lie in the future")],
            )
        delivery = self._copy(self._correlate(envelope, party), channel_id)
        message = self._message(envelope, raw, party)
        known = self._store.message(message.id)
        if known is not None:
            return self._repeat(known, message)
        self._check_attachments(envelope.attachments, party)
        if delivery.shadow:
            return self._compare(
                delivery, message, kind, at, self._record(raw, channel_id, party, now, message, "shadow")
            )
        fact = Fact(
            kind=kind,
            case_id=delivery.case_id,
            at=at,
            source=Source.AUTHORITY,
            authority=party,
            delivery_id=delivery.id,
            message_id=message.id,
            data=data if sealed else {**data, "sealed": "no"},
        )
        facts: tuple[Fact, ...] = ()
        items: tuple[OperatorItem, ...] = ()
        if unclear is not None:
            facts, items = escalate(delivery, reason="inbound.unclear", detail=unclear, now=at)
        if delivery.state in UNSETTLED and fact.kind not in (FactKind.DELIVERED, FactKind.REFUSED):
            # Whoever speaks about it has it, although no answer to our sending said so.
            facts = (*facts, fact_of(delivery, FactKind.DELIVERED, at, Source.AUTHORITY, channel=delivery.channel_id))
        self._store.apply(
            Change(
                messages=(message,),
                facts=(fact, *facts),
                updates=(*self._transport(delivery, fact, now), *self._others(delivery)),
                inbound=(self._record(raw, channel_id, party, now, message, "accepted"),),
                items=items,
                grants=self._grants(envelope.attachments, delivery.case_id),
            )
        )
        hit("S15")
        if fact.kind in (FactKind.REDIRECTED, FactKind.REFUSED):
            self._asked(delivery.case_id)
        return Taken(message_id=message.id, case_id=delivery.case_id, repeat=False)

    def _compare(
        self, delivery: Delivery, message: Message, kind: FactKind, at: datetime, record: InboundRecord
    ) -> Taken:
        """What a shadow channel says is kept and noted for the comparison; it states nothing about the case."""
        noted = fact_of(
            delivery, FactKind.SHADOWED, at, Source.AUTHORITY, channel=delivery.channel_id, outcome=kind.value
        )
        self._store.apply(Change(messages=(message,), facts=(noted,), inbound=(record,)))
        return Taken(message_id=message.id, case_id=delivery.case_id, repeat=False)

    def _copy(self, delivery: Delivery, channel_id: str) -> Delivery:
        """The copy that went over the channel that speaks, where a message was handed from channel to channel."""
        if delivery.channel_id == channel_id:
            return delivery
        same = (d for d in self._store.deliveries(delivery.case_id) if d.message_id == delivery.message_id)
        return next((d for d in same if d.channel_id == channel_id), delivery)

    def _others(self, delivery: Delivery) -> tuple[DeliveryUpdate, ...]:
        """Word came over a channel that had been given up: copies that have not gone out yet are stopped."""
        if delivery.state not in (TransportState.CANCELLED, TransportState.DEAD):
            return ()
        return tuple(
            DeliveryUpdate(id=d.id, state=TransportState.CANCELLED, last_code="received_elsewhere")
            for d in self._store.deliveries(delivery.case_id)
            if d.message_id == delivery.message_id and d.id != delivery.id and d.state in WITHDRAWABLE and not d.shadow
        )

    def _correlate(self, envelope: AnyEnvelope, party: str) -> Delivery:
        """The delivery that is answered. An unknown case and a foreign one give the same error after the same work."""
        header = envelope.header
        delivery = None
        if header.in_reply_to is not None:
            delivery = self._store.delivery_of(MessageId(header.in_reply_to))
        else:
            mine = [d for d in self._store.deliveries(CaseId(header.case_id)) if d.authority == party]
            delivery = mine[-1] if mine else None
        if delivery is None or delivery.authority != party or delivery.case_id != header.case_id:
            raise _unknown_case()
        return delivery

    @staticmethod
    def _message(envelope: AnyEnvelope, raw: RawInbound, party: str) -> Message:
        canonical = json_rendering.to_json(envelope)
        header = envelope.header
        return Message(
            id=MessageId(header.message_id),
            case_id=CaseId(header.case_id),
            kind=Kind(envelope.kind),
            direction=Direction.IN,
            sender=party,
            recipient=header.recipient.code,
            in_reply_to=MessageId(header.in_reply_to) if header.in_reply_to else None,
            created_at=header.created_at,
            body=canonical,
            sha256=hashlib.sha256(canonical).hexdigest(),
            raw=raw.body,
            raw_type=raw.content_type[:200],
        )

    @staticmethod
    def _repeat(known: Message, message: Message) -> Taken:
        same = (known.sender, known.sha256, known.direction) == (message.sender, message.sha256, message.direction)
        if not same:
            raise Conflict("This message_id was used before for another message.", code="inbound.id_reused")
        return Taken(message_id=known.id, case_id=known.case_id, repeat=True)

    def _check_attachments(self, attachments: tuple[Attachment, ...], party: str) -> None:
        faults = []
        for index, entry in enumerate(attachments):
            stored = self._store.attachment(entry.sha256)
            if stored is None or stored.size != entry.size or not self._store.may_read(entry.sha256, party):
                faults.append(
                    Fault(
                        pointer=f"/attachments/{index}",
                        code="attachment.unknown",
                        message="no attachment with this SHA-256 and size was uploaded by you",
                    )
                )
        if faults:
            raise InvalidInput(
                "The manifest names attachments that the hub does not have.",
                faults=faults,
                action="Upload them with POST /v1/attachments first, or send them in the same multipart body.",
            )

    @staticmethod
    def _transport(delivery: Delivery, fact: Fact, now: datetime) -> tuple[DeliveryUpdate, ...]:
        """Whoever answers has got it: a delivery that was still open is settled. A final answer ends the asking."""
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

    def _grants(self, attachments: tuple[Attachment, ...], case_id: CaseId) -> tuple[Grant, ...]:
        row = self._store.case(case_id) if attachments else None
        if row is None:
            return ()
        return tuple(Grant(sha256=entry.sha256, party=row.case.owner) for entry in attachments)

    @staticmethod
    def _record(
        raw: RawInbound, channel_id: str, party: str, now: datetime, message: Message | None, verdict: str
    ) -> InboundRecord:
        return InboundRecord(
            id=str(new_id()),
            received_at=now,
            channel_id=channel_id,
            authority=party,
            sha256=hashlib.sha256(raw.body).hexdigest(),
            size=len(raw.body),
            verdict=verdict,
            message_id=message.id if message else None,
            case_id=message.case_id if message else None,
        )

    def _journal_refusal(self, raw: RawInbound, channel_id: str, party: str, refusal: HubError, now: datetime) -> None:
        record = self._record(raw, channel_id, party, now, None, refusal.stable_code)
        self._store.apply(Change(inbound=(record,)))

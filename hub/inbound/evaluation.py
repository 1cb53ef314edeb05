"""Evaluation: what came is checked (seal, party, case), correlated, and becomes a statement that can be written.

What names an unknown or a foreign case is refused with one and the same error. Nothing is believed because it is newer
by its own clock: facts have ranks. Reads only.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from hub.delivery.fallback import WITHDRAWABLE
from hub.delivery.files import unknown_files
from hub.delivery.journal import Journal, Origin
from hub.delivery.records import escalate, fact_of
from hub.delivery.redaction import Redaction
from hub.errors import Conflict, Fault, InvalidInput, SealRefused
from hub.inbound.clocks import Counted, Hearing, SaidMoment, counted
from hub.inbound.correlate import Correlator, unknown_case
from hub.inbound.statement import UNSETTLED, Received, Statement, stated
from hub.inbound.wording import envelope_of
from hub.ports import Clock, Dating, RawInbound, Registry, ReportedStatus, Seal, Store
from hub.schemas import json_rendering
from hub.schemas.delivery import (
    Change,
    ClockMark,
    Delivery,
    DeliveryUpdate,
    Direction,
    Fact,
    FactKind,
    Grant,
    Message,
    OperatorItem,
    Source,
    TransportState,
)
from hub.schemas.envelope import AnyEnvelope, Attachment
from hub.schemas.ids import CaseId, MessageId
from hub.schemas.journal import Door, InboundRecord
from hub.schemas.terms import Kind
from hub.sealed import SealedDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Statement that a person says an authority made. ``by``: who says so; ``why``: the reason; ``rests_on``: the
    document it rests on: an entry of the journal, a letter's number and day, a call. ``heard``: when it came, absent =
    now.
    """

    reported: ReportedStatus
    door: Door
    by: str
    why: str
    rests_on: str
    heard: datetime | None = None

    @property
    def data(self) -> dict[str, str]:
        """Marks of a person's word in the data of a fact."""
        return {"by": self.by, "why": self.why[:500], "rests_on": self.rests_on[:500]}


_MAIL = "message/rfc822"


class Evaluator:
    """Evaluates what authorities send. Safe to call from many threads."""

    def __init__(
        self,
        *,
        store: Store,
        registry: Registry,
        seal: Seal,
        clock: Clock,
        journal: Journal,
        redaction: Redaction,
        party: str,
    ) -> None:
        """``party``: code by which the hub sends."""
        self._store = store
        self._registry = registry
        self._seal = seal
        self._clock = clock
        self._journal = journal
        self._redaction = redaction
        self._party = party
        self._correlate = Correlator(store)

    def envelope(
        self,
        raw: RawInbound,
        origin: Origin,
        at_hand: Delivery | None = None,
        answers: MessageId | None = None,
    ) -> Statement:
        """A statement of an envelope. ``at_hand``: a delivery that is known already; ``answers``: the message that it
        must reply to. Raises as ``Receiver.receive``.
        """
        envelope, sealed = self._open(raw, origin.party, self._clock.now())
        if answers is not None and envelope.header.in_reply_to != answers:
            fault = Fault(pointer="/header/in_reply_to", code="inbox.reply", message="must be the id of the address")
            raise InvalidInput("The envelope replies to another message.", code=fault.code, faults=[fault])
        sender = envelope.header.sender.code
        return self._statement(envelope, raw, replace(origin, party=sender), sealed=sealed, at_hand=at_hand)

    def reported(self, reported: ReportedStatus, origin: Origin, at_hand: Delivery | None = None) -> Statement:
        """A statement of another system's words; the parameters are those of ``Receiver.receive_reported``."""
        speaks_for = origin.party
        if speaks_for is not None and reported.party not in (None, speaks_for):
            raise SealRefused("Another authority speaks over this channel than its own.", code="seal.party")
        if at_hand is not None and reported.in_reply_to == at_hand.message_id:
            delivery = at_hand
        else:
            party = speaks_for or reported.party
            for_all = speaks_for is None
            delivery = self._correlate.of_reported(reported, party, over=origin.channel_id, for_all=for_all)
        original = self._store.message(delivery.message_id)
        if original is None:
            raise unknown_case()
        return self._statement(
            envelope_of(reported, delivery, original, origin.channel_id),
            reported.raw,
            replace(origin, party=delivery.authority),
            sealed=False,
            words=reported,
            at_hand=at_hand,
        )

    def told(self, said: Told, delivery: Delivery) -> Statement:
        """A statement that a person says the addressee of a delivery made. ``NotFound``, ``InvalidInput``."""
        original = self._store.message(delivery.message_id)
        if original is None:
            raise unknown_case()
        origin = Origin(door=said.door, channel_id=delivery.channel_id, party=delivery.authority)
        reported = said.reported
        envelope = envelope_of(reported, delivery, original, origin.channel_id)
        return self._statement(
            envelope, reported.raw, origin, sealed=False, words=reported, at_hand=delivery, said=said
        )

    def _open(self, raw: RawInbound, party: str | None, now: datetime) -> tuple[AnyEnvelope, bool]:
        document = SealedDocument(raw)
        sender = party or document.claimed_sender()
        keys = self._registry.current().keys(sender)
        required = bool(keys) or party is None
        envelope, sealed = document.open(seal=self._seal, keys=keys, at=now, seal_required=required)
        if envelope.header.sender.code != sender:
            raise SealRefused(
                "The envelope names another sender than the one whose credential and key were used.",
                code="seal.party",
            )
        return envelope, sealed

    def _statement(
        self,
        envelope: AnyEnvelope,
        raw: RawInbound,
        origin: Origin,
        *,
        sealed: bool,
        words: ReportedStatus | None = None,
        at_hand: Delivery | None = None,
        said: Told | None = None,
    ) -> Statement:
        now, party = self._clock.now(), origin.party
        assert party is not None  # both callers know whose word it is
        kind, at, data = stated(envelope)
        delivery = self._correlate.copy_over(self._correlate.of_envelope(envelope, party, at_hand), origin.channel_id)
        message = _message(envelope, raw, party)
        known = self._store.message(message.id)
        if known is not None:
            return Statement(received=_repeat(known, message, envelope), change=Change())
        self._check_recipient(envelope, delivery)
        moment = self._moment(_claim(at, words), delivery, message, origin, _heard(words, said, delivery, now), said)
        at = moment.at
        self._check_attachments(envelope.attachments, party)
        record = partial(self._journal.attached, raw, origin, case_id=message.case_id, message_id=message.id)
        source = Source.AUTHORITY if said is None else Source.OPERATOR
        data |= {"sealed": "no"} if not sealed else {}
        data |= said.data if said is not None else {}
        data |= moment.data
        if delivery.shadow:
            return _compared(delivery, message, kind, at, record(verdict="shadow"))
        fact = Fact(
            kind=kind,
            case_id=delivery.case_id,
            at=at,
            source=source,
            authority=party,
            delivery_id=delivery.id,
            message_id=message.id,
            data=data,
        )
        facts: tuple[Fact, ...] = ()
        items: tuple[OperatorItem, ...] = ()
        unclear = " ".join(filter(None, (words.unclear if words is not None else None, moment.doubt)))
        if unclear:
            shown = self._redaction.of(delivery.case_id).text(unclear)
            facts, items = escalate(delivery, reason="inbound.unclear", detail=shown, now=now)
        if delivery.state in UNSETTLED and fact.kind not in (FactKind.DELIVERED, FactKind.REFUSED):
            # Whoever speaks about it has it, although no answer to our sending said so.
            more = {**(said.data if said is not None else {}), **moment.data}
            has = fact_of(delivery, FactKind.DELIVERED, at, source, channel=delivery.channel_id, **more)
            facts = (*facts, replace(has, message_id=message.id))
        return Statement(
            received=Received(message_id=message.id, case_id=delivery.case_id, repeat=False),
            change=Change(
                messages=(message,),
                facts=(fact, *facts),
                updates=self._other_copies(delivery),
                inbound=(record(),) if said is None else (),
                items=items,
                grants=self._grants(envelope.attachments, delivery.case_id),
            ),
            delivery=delivery,
            fact=fact,
        )

    def _moment(
        self,
        claim: SaidMoment,
        delivery: Delivery,
        message: Message,
        origin: Origin,
        heard: datetime,
        said: Told | None,
    ) -> Counted:
        """The moment from which a statement counts. A person who writes down what a body said is not in doubt."""
        unseen = (delivery.looked_at or delivery.created_at) if origin.door is Door.POLL else None
        hearing = Hearing(routed=delivery.created_at, heard=heard, unseen=unseen)
        moment = counted(claim, hearing)
        if moment.data.get("clock") == ClockMark.BEFORE_ROUTING:
            named = message.in_reply_to is not None and said is None
            moment = counted(claim, replace(hearing, routed=self._routed(delivery, named=named)))
        return moment if said is None else replace(moment, doubt=None)

    def _routed(self, delivery: Delivery, *, named: bool) -> datetime:
        """When its addressee was first given the message that a statement answers; the case, if it names none."""
        return min(
            each.created_at
            for each in (delivery, *self._store.deliveries(delivery.case_id))
            if each.authority == delivery.authority and (each.message_id == delivery.message_id or not named)
        )

    def _other_copies(self, delivery: Delivery) -> tuple[DeliveryUpdate, ...]:
        """Word came over a channel that had been given up: copies that have not gone out yet are stopped."""
        if delivery.state not in (TransportState.CANCELLED, TransportState.DEAD):
            return ()
        return tuple(
            DeliveryUpdate(id=d.id, state=TransportState.CANCELLED, last_code="received_elsewhere")
            for d in self._store.deliveries(delivery.case_id)
            if d.message_id == delivery.message_id and d.id != delivery.id and d.state in WITHDRAWABLE and not d.shadow
        )

    def _check_recipient(self, envelope: AnyEnvelope, delivery: Delivery) -> None:
        """Refuse what is meant for somebody else: it may be addressed to the hub, to the sender of the message that it
        answers, or to the centre whose case it is. ``InvalidInput`` (``envelope.recipient``).
        """
        code = envelope.header.recipient.code
        if code == self._party:
            return
        answered, row = self._store.message(delivery.message_id), self._store.case(delivery.case_id)
        if (answered is None or code != answered.sender) and (row is None or code != row.case.owner):
            rule = "must be the sender of the message that is answered, or the centre whose case it is"
            fault = Fault(pointer="/header/recipient/code", code="envelope.recipient", message=rule)
            raise InvalidInput(
                "The envelope is addressed to somebody else.",
                code=fault.code,
                faults=[fault],
                action="Copy the appeal's sender as recipient; send to another addressee by a way of its own.",
            )

    def _check_attachments(self, attachments: tuple[Attachment, ...], party: str) -> None:
        faults = unknown_files(self._store, attachments, party)
        if faults:
            raise InvalidInput(
                "The manifest names attachments that the hub does not have.",
                faults=faults,
                action="Upload them with POST /v1/attachments first, or send them in the same multipart body.",
            )

    def _grants(self, attachments: tuple[Attachment, ...], case_id: CaseId) -> tuple[Grant, ...]:
        row = self._store.case(case_id) if attachments else None
        if row is None:
            return ()
        return tuple(Grant(sha256=entry.sha256, party=row.case.owner) for entry in attachments)


def _claim(at: datetime, words: ReportedStatus | None) -> SaidMoment:
    """The moment that a statement gives itself, be it one that no envelope can hold."""
    if words is None:
        return SaidMoment(at=at)
    named = None if words.dated is Dating.NONE else at
    return SaidMoment(at=words.claims or named, by_day=words.dated is Dating.DAY)


def _heard(words: ReportedStatus | None, said: Told | None, delivery: Delivery, now: datetime) -> datetime:
    """When the hub heard it: when it came to a place of the hub's own, if that can be; for a person's word, when the
    input came that it rests on.
    """
    if said is not None:
        return said.heard or now
    came = words.heard if words is not None else None
    return came if came is not None and delivery.created_at <= came <= now else now


def _compared(delivery: Delivery, message: Message, kind: FactKind, at: datetime, record: InboundRecord) -> Statement:
    """Word of a shadow channel, kept and noted for the comparison; it states nothing about the case."""
    noted = fact_of(delivery, FactKind.SHADOWED, at, Source.AUTHORITY, channel=delivery.channel_id, outcome=kind.value)
    return Statement(
        received=Received(message_id=message.id, case_id=delivery.case_id, repeat=False),
        change=Change(messages=(message,), facts=(noted,), inbound=(record,)),
    )


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


def _repeat(known: Message, message: Message, envelope: AnyEnvelope) -> Received:
    same = (known.sender, known.direction) == (message.sender, message.direction) and (
        known.sha256 == message.sha256 or _says_the_same(known, envelope)
    )
    if not same:
        raise Conflict("This message_id was used before for another message.", code="inbound.id_reused")
    return Received(message_id=known.id, case_id=known.case_id, repeat=True)


def _says_the_same(known: Message, envelope: AnyEnvelope) -> bool:
    """True for a mail that came by several ways (to two of our addresses): only the lines of its way differ."""
    if not any(file.media_type == _MAIL for file in envelope.attachments):
        return False
    before = json_rendering.from_trusted(known.body)
    return (before.kind, before.body, _enclosed(before)) == (envelope.kind, envelope.body, _enclosed(envelope))


def _enclosed(envelope: AnyEnvelope) -> list[str]:
    return sorted(file.sha256 for file in envelope.attachments if file.media_type != _MAIL)

"""Receiving: receipts, answers and the rest of what authorities send, by whatever way it came.

Checked (seal, party, case), de-duplicated, correlated, turned into facts, journalled. What names an unknown or a
foreign case is refused with one and the same error, and journalled too. Nothing is believed because it is newer by its
own clock: facts have ranks.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from hub.delivery.fallback import WITHDRAWABLE
from hub.delivery.files import unknown_files
from hub.delivery.records import escalate, fact_of, inbound_record
from hub.errors import Conflict, Fault, HubError, InvalidInput, SealRefused
from hub.failpoints import hit
from hub.inbound.correlate import Correlator, unknown_case
from hub.inbound.statement import UNSETTLED, Received, Statement, stated
from hub.inbound.wording import envelope_of
from hub.ports import Clock, Outcome, RawInbound, Registry, ReportedStatus, Seal, Store
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
from hub.schemas.envelope import AnyEnvelope, Attachment
from hub.schemas.ids import CaseId, MessageId
from hub.schemas.terms import Kind
from hub.sealed import SealedDocument

log = logging.getLogger(__name__)

CLOCK_SKEW = timedelta(hours=24)
"""How far in the future a statement may date itself; beyond it the sender's clock is broken."""


class Receiver:
    """Receives what authorities send. Safe to call from many threads."""

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
        self._correlate = Correlator(store)

    @property
    def registry(self) -> Registry:
        """The registry that it believes."""
        return self._registry

    def receive(
        self, raw: RawInbound, *, channel_id: str, party: str | None, answers: MessageId | None = None
    ) -> Received:
        """Receive one envelope. ``party``: the authority, as authenticated by the door; ``None``: whoever the seal
        proves, which then must be there. ``answers``: the message that it must reply to.

        Raises ``InvalidInput``, ``SealRefused``, ``NotFound`` (unknown or foreign case), ``Conflict`` (id used for
        other content), ``Unavailable``. Each refusal is journalled before it is raised.
        """
        with self._journalled(raw, channel_id, party):
            return self._keep(self._read(raw, channel_id, party, answers=answers))

    def receive_reported(self, reported: ReportedStatus, *, channel_id: str, speaks_for: str | None) -> Received:
        """Receive what another system said in its own words. ``speaks_for``: the authority of the channel that it came
        over; ``None``: a channel that collects for all.

        It becomes an envelope of the hub's own making under an id derived from theirs, so that a repeat is known; the
        bytes that came are kept beside it. Raises like ``receive``.
        """
        with self._journalled(reported.raw, channel_id, speaks_for or reported.party):
            return self._keep(self._read_reported(reported, channel_id, speaks_for))

    def evaluate(self, came: RawInbound | ReportedStatus, delivery: Delivery) -> Statement:
        """Check what came with the answer to a sending; it is written with the sending's outcome. Raises as above."""
        channel_id, party = delivery.channel_id, delivery.authority
        raw = came.raw if isinstance(came, ReportedStatus) else came
        with self._journalled(raw, channel_id, party):
            if isinstance(came, ReportedStatus):
                return self._read_reported(came, channel_id, party, delivery)
            return self._read(came, channel_id, party, delivery)

    def evaluate_outcome(self, delivery: Delivery, outcome: Outcome) -> tuple[tuple[Statement, ...], list[HubError]]:
        """Statements of an outcome that hold, to be written with it; refusals of the others, which are journalled."""
        held: list[Statement] = []
        refusals: list[HubError] = []
        pieces: tuple[RawInbound | ReportedStatus, ...] = (*outcome.receipts, *outcome.reported)
        for came in pieces:
            try:
                statement = self.evaluate(came, delivery)
            except HubError as failure:
                refusals.append(failure)
                _log_refusal(delivery, failure)
            else:
                held.append(statement)
                if statement.fact is not None and delivery.state in UNSETTLED:
                    delivery = replace(delivery, state=TransportState.DELIVERED)  # the next one finds it settled
        return tuple(held), refusals

    def receive_outcome(self, delivery: Delivery, outcome: Outcome) -> list[HubError]:
        """Receive what came with the answer to a question as if it had called us. What is refused is journalled."""
        channel, party = delivery.channel_id, delivery.authority
        pieces = [partial(self.receive, raw, channel_id=channel, party=party) for raw in outcome.receipts]
        pieces += [partial(self.receive_reported, r, channel_id=channel, speaks_for=party) for r in outcome.reported]
        refusals = []
        for receive in pieces:
            try:
                receive()
            except HubError as failure:
                refusals.append(failure)
                _log_refusal(delivery, failure)
        return refusals

    def written(self, statements: Iterable[Statement]) -> None:
        """Note that what ``evaluate`` gave is written: duties that it asks for are done."""
        asking = [statement.received.case_id for statement in statements if statement.asks]
        hit("S15")
        for case_id in asking:
            try:
                self._asked(case_id)
            except HubError as failure:  # the sweep over the duties of cases looks at it, for it is due now
                log.warning("a duty waits", extra={"case": str(case_id), "code": failure.stable_code})

    def give_up(self, statement: Statement, refusal: HubError) -> None:
        """Journal that a statement that held could not be kept."""
        for record in statement.change.inbound:
            kept = replace(record, verdict=refusal.stable_code, message_id=None, case_id=None)
            self._store.apply(Change(inbound=(kept,)))

    @contextmanager
    def _journalled(self, raw: RawInbound, channel_id: str, party: str | None) -> Iterator[None]:
        """Each refusal is journalled before it is raised."""
        now = self._clock.now()
        hit("S14")
        try:
            yield
        except HubError as refusal:
            record = inbound_record(raw, channel_id=channel_id, party=party, verdict=refusal.stable_code, now=now)
            self._store.apply(Change(inbound=(record,)))
            raise

    def _keep(self, statement: Statement) -> Received:
        """Write it."""
        if statement.received.repeat:
            return statement.received
        delivery = statement.delivery
        updates = statement.settles(delivery, self._clock.now()) if delivery is not None else ()
        self._store.apply(replace(statement.change, updates=(*updates, *statement.change.updates)))
        hit("S15")
        if statement.asks:
            self._asked(statement.received.case_id)
        return statement.received

    def _read(
        self,
        raw: RawInbound,
        channel_id: str,
        party: str | None,
        at_hand: Delivery | None = None,
        answers: MessageId | None = None,
    ) -> Statement:
        envelope, sealed = self._open(raw, party, self._clock.now())
        if answers is not None and envelope.header.in_reply_to != answers:
            fault = Fault(pointer="/header/in_reply_to", code="inbox.reply", message="must be the id of the address")
            raise InvalidInput("The envelope replies to another message.", code=fault.code, faults=[fault])
        sender = envelope.header.sender.code
        return self._statement(envelope, raw, channel_id=channel_id, party=sender, sealed=sealed, at_hand=at_hand)

    def _read_reported(
        self, reported: ReportedStatus, channel_id: str, speaks_for: str | None, at_hand: Delivery | None = None
    ) -> Statement:
        if speaks_for is not None and reported.party not in (None, speaks_for):
            raise SealRefused("Another authority speaks over this channel than its own.", code="seal.party")
        if at_hand is not None and reported.in_reply_to == at_hand.message_id:
            delivery = at_hand
        else:
            delivery = self._correlate.of_reported(reported, speaks_for or reported.party)
        original = self._store.message(delivery.message_id)
        if original is None:
            raise unknown_case()
        return self._statement(
            envelope_of(reported, delivery, original, channel_id),
            reported.raw,
            channel_id=channel_id,
            party=delivery.authority,
            sealed=False,
            unclear=reported.unclear,
            at_hand=at_hand,
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
        *,
        channel_id: str,
        party: str,
        sealed: bool,
        unclear: str | None = None,
        at_hand: Delivery | None = None,
    ) -> Statement:
        now = self._clock.now()
        kind, at, data = stated(envelope)
        if at > now + CLOCK_SKEW:
            raise InvalidInput(
                "The statement dates itself more than 24 hours into the future.",
                code="inbound.future",
                faults=[Fault(pointer="/body/at", code="inbound.future", message="must not lie in the future")],
            )
        delivery = self._correlate.copy_over(self._correlate.of_envelope(envelope, party, at_hand), channel_id)
        message = _message(envelope, raw, party)
        known = self._store.message(message.id)
        if known is not None:
            return Statement(received=_repeat(known, message), change=Change())
        self._check_attachments(envelope.attachments, party)
        record = partial(
            inbound_record,
            raw,
            channel_id=channel_id,
            party=party,
            now=now,
            case_id=message.case_id,
            message_id=message.id,
        )
        if delivery.shadow:
            return _compared(delivery, message, kind, at, record(verdict="shadow"))
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
        return Statement(
            received=Received(message_id=message.id, case_id=delivery.case_id, repeat=False),
            change=Change(
                messages=(message,),
                facts=(fact, *facts),
                updates=self._other_copies(delivery),
                inbound=(record(verdict="accepted"),),
                items=items,
                grants=self._grants(envelope.attachments, delivery.case_id),
            ),
            delivery=delivery,
            fact=fact,
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


def _log_refusal(delivery: Delivery, failure: HubError) -> None:
    log.warning(
        "receipt refused",
        extra={"channel": delivery.channel_id, "case": str(delivery.case_id), "code": failure.stable_code},
    )


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


def _repeat(known: Message, message: Message) -> Received:
    same = (known.sender, known.sha256, known.direction) == (message.sender, message.sha256, message.direction)
    if not same:
        raise Conflict("This message_id was used before for another message.", code="inbound.id_reused")
    return Received(message_id=known.id, case_id=known.case_id, repeat=True)

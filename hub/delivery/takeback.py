"""Taking back: receipts, answers and the rest of what authorities send, by whatever way it came.

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

from pydantic import ValidationError

from hub.delivery.handover import WITHDRAWABLE, escalate, fact_of
from hub.delivery.statement import UNSETTLED, Statement, Taken, stated
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
from hub.schemas.terms import Kind, ReceiptStatus
from hub.sealed import claimed_sender, open_envelope

log = logging.getLogger(__name__)

CLOCK_SKEW = timedelta(hours=24)
"""How far in the future a statement may date itself; beyond it the sender's clock is broken."""

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
        with self._journalled(raw, channel_id, party):
            return self._keep(self._read(raw, channel_id, party))

    def hear(self, spoken: Spoken, *, channel_id: str, speaks_for: str | None) -> Taken:
        """Take in what another system said in its own words. ``speaks_for``: the authority of the channel that it came
        over; ``None``: a channel that collects for all.

        It becomes an envelope of the hub's own making under an id derived from theirs, so that a repeat is known; the
        bytes that came are kept beside it. Raises like ``take``.
        """
        with self._journalled(spoken.raw, channel_id, speaks_for or spoken.party):
            return self._keep(self._listen(spoken, channel_id, speaks_for))

    def weigh(self, came: RawInbound | Spoken, delivery: Delivery) -> Statement:
        """What came with the answer to a sending, checked and not written: it is written with the sending's outcome.

        Raises like ``take`` and ``hear``, which it is otherwise the same as.
        """
        channel_id, party = delivery.channel_id, delivery.authority
        raw = came.raw if isinstance(came, Spoken) else came
        with self._journalled(raw, channel_id, party):
            if isinstance(came, Spoken):
                return self._listen(came, channel_id, party, delivery)
            return self._read(came, channel_id, party, delivery)

    def written(self, statements: Iterable[Statement]) -> None:
        """To be called when what ``weigh`` gave is written."""
        asking = [statement.taken.case_id for statement in statements if statement.asks]
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
            self._journal_refusal(raw, channel_id, party or UNKNOWN_PARTY, refusal, now)
            raise

    def _keep(self, statement: Statement) -> Taken:
        """Write it."""
        if statement.taken.repeat:
            return statement.taken
        delivery = statement.delivery
        updates = statement.settles(delivery, self._clock.now()) if delivery is not None else ()
        self._store.apply(replace(statement.change, updates=(*updates, *statement.change.updates)))
        hit("S15")
        if statement.asks:
            self._asked(statement.taken.case_id)
        return statement.taken

    def _read(self, raw: RawInbound, channel_id: str, party: str | None, at_hand: Delivery | None = None) -> Statement:
        now = self._clock.now()
        envelope, sealed = self._open(raw, party, now)
        sender = envelope.header.sender.code
        return self._weigh(envelope, raw, channel_id=channel_id, party=sender, sealed=sealed, at_hand=at_hand)

    def _listen(
        self, spoken: Spoken, channel_id: str, speaks_for: str | None, at_hand: Delivery | None = None
    ) -> Statement:
        if speaks_for is not None and spoken.party not in (None, speaks_for):
            raise SealRefused("Another authority speaks over this channel than its own.", code="seal.party")
        if at_hand is not None and spoken.in_reply_to == at_hand.message_id:
            delivery = at_hand
        else:
            delivery = self._spoken_of(spoken, speaks_for or spoken.party)
        return self._weigh(
            self._put_in_words(spoken, delivery, channel_id),
            spoken.raw,
            channel_id=channel_id,
            party=delivery.authority,
            sealed=False,
            unclear=spoken.unclear,
            at_hand=at_hand,
        )

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

    def _weigh(
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
        delivery = self._copy(self._correlate(envelope, party, at_hand), channel_id)
        message = self._message(envelope, raw, party)
        known = self._store.message(message.id)
        if known is not None:
            return Statement(taken=self._repeat(known, message), change=Change())
        self._check_attachments(envelope.attachments, party)
        if delivery.shadow:
            record = self._record(raw, channel_id, party, now, message, "shadow")
            return self._compare(delivery, message, kind, at, record)
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
            taken=Taken(message_id=message.id, case_id=delivery.case_id, repeat=False),
            change=Change(
                messages=(message,),
                facts=(fact, *facts),
                updates=self._others(delivery),
                inbound=(self._record(raw, channel_id, party, now, message, "accepted"),),
                items=items,
                grants=self._grants(envelope.attachments, delivery.case_id),
            ),
            delivery=delivery,
            fact=fact,
        )

    def _compare(
        self, delivery: Delivery, message: Message, kind: FactKind, at: datetime, record: InboundRecord
    ) -> Statement:
        """What a shadow channel says is kept and noted for the comparison; it states nothing about the case."""
        noted = fact_of(
            delivery, FactKind.SHADOWED, at, Source.AUTHORITY, channel=delivery.channel_id, outcome=kind.value
        )
        return Statement(
            taken=Taken(message_id=message.id, case_id=delivery.case_id, repeat=False),
            change=Change(messages=(message,), facts=(noted,), inbound=(record,)),
        )

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

    def _correlate(self, envelope: AnyEnvelope, party: str, at_hand: Delivery | None) -> Delivery:
        """The delivery that is answered. An unknown case and a foreign one give the same error after the same work."""
        header = envelope.header
        delivery = None
        if at_hand is not None and header.in_reply_to == at_hand.message_id:
            delivery = at_hand
        elif header.in_reply_to is not None:
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

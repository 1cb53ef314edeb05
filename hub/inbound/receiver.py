"""Receiving: receipts, answers and the rest of what authorities send, by whatever way it came (the Idempotent Receiver
of the trade).

It is evaluated (``hub.inbound.evaluation``), written with what it makes of its delivery, and journalled, refusals too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from hub.contained import contained
from hub.delivery.journal import REPEATING, Journal, Origin
from hub.delivery.records import escalate
from hub.delivery.redaction import Redaction
from hub.errors import HubError, Unavailable
from hub.failpoints import hit
from hub.inbound.evaluation import Evaluator
from hub.inbound.statement import UNSETTLED, Received, Statement
from hub.ports import Clock, Outcome, RawInbound, Registry, ReportedStatus, Store
from hub.schemas.delivery import (
    Change,
    Delivery,
    Fact,
    Grant,
    OperatorItem,
    StoredAttachment,
    TransportState,
)
from hub.schemas.ids import CaseId, MessageId
from hub.schemas.journal import Custody, Door

log = logging.getLogger(__name__)


class Receiver:
    """Receives what authorities send. Safe to call from many threads."""

    def __init__(
        self,
        *,
        store: Store,
        registry: Registry,
        clock: Clock,
        journal: Journal,
        redaction: Redaction,
        evaluator: Evaluator,
        asked: Callable[[CaseId], None] = lambda _case: None,
    ) -> None:
        """``asked``: called with a case whose authority asks for an act of the hub: it refused, or sends it on."""
        self._asked = asked
        self._store = store
        self._registry = registry
        self._clock = clock
        self.journal = journal
        self.redaction = redaction
        self.evaluator = evaluator

    @property
    def registry(self) -> Registry:
        """The registry that it believes."""
        return self._registry

    def receive(self, raw: RawInbound, origin: Origin, *, answers: MessageId | None = None) -> Received:
        """Receive one envelope. ``origin.party``: the authority, as authenticated by the door; ``None``: whoever the
        seal proves, which then must be there. ``answers``: the message that it must reply to.

        Raises ``InvalidInput``, ``SealRefused``, ``NotFound`` (unknown or foreign case), ``Conflict`` (id used for
        other content), ``Unavailable``. Each refusal is journalled before it is raised, and held for a person.
        """
        with self._journalled(raw, origin):
            return self._keep(self.evaluator.envelope(raw, origin, answers=answers), raw, origin)

    def receive_reported(self, reported: ReportedStatus, origin: Origin) -> Received:
        """Receive what another system said in its own words. ``origin.party``: the authority of the channel that it
        came over; ``None``: a channel that collects for all.

        It becomes an envelope of the hub's own making under an id derived from theirs, so that a repeat is known; the
        bytes that came are kept beside it. Raises like ``receive``.
        """
        party = origin.party or reported.party
        with self._journalled(reported.came, replace(origin, party=party)):
            self._enter(reported, party)
            return self._keep(self.evaluator.reported(reported, origin), reported.raw, origin)

    def evaluate(self, came: RawInbound | ReportedStatus, delivery: Delivery) -> Statement:
        """Check what came with the answer to a sending; it is written with the sending's outcome. Raises as above."""
        origin = Origin(door=Door.RESPONSE, channel_id=delivery.channel_id, party=delivery.authority)
        raw = came.came if isinstance(came, ReportedStatus) else came
        with self._journalled(raw, origin):
            if isinstance(came, ReportedStatus):
                self._enter(came, delivery.authority)
                return self.evaluator.reported(came, origin, delivery)
            return self.evaluator.envelope(came, origin, delivery)

    def evaluate_outcome(self, delivery: Delivery, outcome: Outcome) -> tuple[tuple[Statement, ...], list[HubError]]:
        """Statements of an outcome that hold, to be written with it; refusals of the others, which are journalled.
        What could not be read of it is held for a person.
        """
        origin = Origin(door=Door.RESPONSE, channel_id=delivery.channel_id, party=delivery.authority)
        self._hold_unread(delivery, outcome, origin)
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
        """Receive what came with the answer to a question as if it had called us. What is refused is journalled; what
        could not be read is held for a person.
        """
        origin = Origin(door=Door.POLL, channel_id=delivery.channel_id, party=delivery.authority)
        self._hold_unread(delivery, outcome, origin)
        self._note_noise(outcome, origin)
        pieces = [partial(self.receive, raw, origin) for raw in outcome.receipts]
        pieces += [partial(self.receive_reported, reported, origin) for reported in outcome.reported]
        refusals = []
        for receive in pieces:
            try:
                receive()
            except HubError as failure:
                refusals.append(failure)
                _log_refusal(delivery, failure)
        return refusals

    def _hold_unread(self, delivery: Delivery, outcome: Outcome, origin: Origin) -> None:
        """Hold each once; as long as a person has one open about this delivery, what differs is only noted."""
        verdict = outcome.code or "poll.unreadable"
        for raw in outcome.unread:
            open_items = self._store.open_items([delivery.case_id]).get(delivery.case_id, ())
            if any(item.delivery_id == delivery.id and item.reason == "inbound.held" for item in open_items):
                noted = self.journal.noted(raw, origin, verdict=verdict, case_id=delivery.case_id)
                self._store.apply(Change(inbound=(noted,)))
            else:
                self.hold(raw, origin, verdict=verdict, about=delivery, detail="an answer that cannot be read")

    def _note_noise(self, outcome: Outcome, origin: Origin) -> None:
        """Note each answer that says nothing, once for the channel: the same page answers for all cases."""
        noted = [self.journal.noted(raw, origin, verdict=outcome.code or "poll.noise") for raw in outcome.noise]
        if noted:
            self._store.apply(Change(inbound=tuple(noted)))

    def hold(
        self, raw: RawInbound, origin: Origin, *, verdict: str, about: Delivery | None = None, detail: str = ""
    ) -> None:
        """Keep what could not be taken in, for a person to decide; one that is about a delivery shows at its case.

        The same again is counted and makes no second item. Raises ``Unavailable``.
        """
        case_id = about.case_id if about is not None else None
        detail = self.redaction.of(case_id).text(detail) if detail else detail
        record = self.journal.held(raw, origin, verdict=verdict, case_id=case_id, detail=detail or None)
        facts: tuple[Fact, ...] = ()
        items: tuple[OperatorItem, ...] = ()
        if about is not None and self._store.inbound_record(record.id) is None:
            facts, items = escalate(
                about,
                reason="inbound.held",
                detail=f"{verdict}: {detail or 'it could not be taken in'} (journal {record.id})",
                now=record.received_at,
            )
        self._store.apply(Change(inbound=(record,), facts=facts, items=items))

    def written(self, statements: Iterable[Statement]) -> None:
        """Note that what ``evaluate`` gave is written: duties that it asks for are done."""
        asking = [statement.received.case_id for statement in statements if statement.asks]
        hit("S15")
        for case_id in asking:
            try:
                self._asked(case_id)
            except HubError as failure:  # the sweep over the duties of cases looks at it, for it is due now
                log.warning("a duty waits", extra={"case": str(case_id), "code": failure.stable_code})

    def _enter(self, reported: ReportedStatus, party: str | None) -> None:
        """Enter the files that an adapter has put into the hub's store, readable for whose word they came with."""
        if not reported.fetched or party is None:
            return
        now = self._clock.now()
        stored = tuple(
            StoredAttachment(sha256=each.sha256, size=each.size, media_type=each.media_type, created_at=now)
            for each in reported.fetched
        )
        grants = tuple(Grant(sha256=each.sha256, party=party) for each in reported.fetched)
        self._store.apply(Change(attachments=stored, grants=grants))

    def give_up(self, statement: Statement, refusal: HubError) -> None:
        """Journal that a statement that held could not be kept."""
        for record in statement.change.inbound:
            kept = replace(record, verdict=refusal.stable_code, custody=Custody.HELD)
            self._store.apply(Change(inbound=(kept,)))

    @contextmanager
    def _journalled(self, raw: RawInbound, origin: Origin) -> Iterator[None]:
        """Each refusal is journalled before it is raised."""
        hit("S14")
        try:
            with contained("statement"):
                yield
        except Unavailable:
            raise  # nothing was decided: it stays where it is and comes again
        except HubError as refusal:
            self._store.apply(Change(inbound=(self.journal.held(raw, origin, verdict=refusal.stable_code),)))
            refusal.journalled = True
            raise

    def _keep(self, statement: Statement, raw: RawInbound, origin: Origin) -> Received:
        """Write it; a repeat is noted, unless it came by a way that shows the same again and again."""
        if statement.received.repeat:
            if origin.door not in REPEATING:
                again = self.journal.noted(raw, origin, verdict="repeat", case_id=statement.received.case_id)
                self._store.apply(Change(inbound=(again,)))
            return statement.received
        delivery = statement.delivery
        updates = statement.settles(delivery, self._clock.now()) if delivery is not None else ()
        self._store.apply(replace(statement.change, updates=(*updates, *statement.change.updates)))
        hit("S15")
        if statement.asks:
            self._asked(statement.received.case_id)
        return statement.received


def _log_refusal(delivery: Delivery, failure: HubError) -> None:
    log.warning(
        "a statement was not taken in",
        extra={"channel": delivery.channel_id, "case": str(delivery.case_id), "code": failure.stable_code},
    )

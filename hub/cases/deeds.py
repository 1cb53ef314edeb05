"""Deeds: the acts by which the hub does a duty of the law. Each leaves a fact that names its duty."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from hub.cases.assignment import Assignment, assign
from hub.cases.building import accused_by
from hub.cases.forwarding import Forwarding, name_in, original_of, reachable
from hub.cases.passing import Saying, behind_appeal, pass_on_or_ask
from hub.delivery.fallback import fall_back, next_channel
from hub.delivery.records import escalate, fact_of
from hub.errors import HubError
from hub.ports import Directory, Store
from hub.schemas import json_rendering
from hub.schemas.base import format_datetime
from hub.schemas.delivery import (
    CaseRow,
    Change,
    Delivery,
    Fact,
    FactKind,
    OperatorItem,
    Source,
    TransportState,
    joined,
)
from hub.schemas.directory import Authority
from hub.schemas.envelope import Party, SupplementEnvelope
from hub.schemas.ids import DeliveryId, MessageId, new_id
from hub.schemas.kyiv import kyiv_day
from hub.schemas.terms import RefusalGround, Role
from hub.tracking.duties import Act, Duty
from hub.tracking.law import Law
from hub.tracking.story import Executor, Story
from hub.tracking.terms import CaseFacts, terms

_STILL_TRYING = frozenset({TransportState.WAITING, TransportState.SENDING, TransportState.UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """Everything that a deed works with. ``directory``: the registry in force; ``party``: who the hub is."""

    store: Store
    directory: Directory
    forwarding: Forwarding
    party: Party


class Deed:
    """Does the duties of one case."""

    def __init__(self, hands: Hands, row: CaseRow, case: CaseFacts, rules: Law, now: datetime) -> None:
        self._hands = hands
        self._row = row
        self._case = case
        self._law = rules
        self._now = now

    @property
    def _story(self) -> Story:
        return self._case.story

    def do(self, duty: Duty) -> Assignment:
        """Result of one duty."""
        match duty.act:
            case Act.REDIRECT:
                return self._redirect(duty)
            case Act.REFUSAL:
                return self._refusal(duty)
            case Act.NEXT_CHANNEL:
                return self._next_channel(duty)
            case Act.WARN:
                return Assignment(change=Change(facts=(self._of_term(duty, FactKind.TERM_WARNED),)))
            case Act.OVERDUE:
                return self._overdue(duty)
            case Act.CORRECT:
                return Assignment(change=Change(facts=(self._of_term(duty, FactKind.TERM_CORRECTED),)))
            case Act.BREACH:
                return self._breach(duty)
            case Act.SUPPLEMENT:
                return self._supplement(duty)

    # Statements of authorities

    def _redirect(self, duty: Duty) -> Assignment:
        assert duty.executor is not None
        assert duty.fact is not None
        return self._hands.forwarding.follow(self._row, self._story, duty.executor, duty.fact, duty.name)

    def _refusal(self, duty: Duty) -> Assignment:
        """Item 21: for a technical ground to the operator with what to mend, for competence to the router."""
        assert duty.executor is not None
        assert duty.fact is not None
        name = duty.fact.data.get("ground", RefusalGround.OTHER)
        ground = self._law.grounds.get(RefusalGround(name)) if name in set(RefusalGround) else None
        if ground is not None and ground.act == "router" and not duty.aside:
            return self._redirect(duty)
        if ground is None:
            mend = "No ground of CMU 55/2018 item 21 was named: rejecting without one is a violation (item 24)."
        else:
            mend = f"Ground {ground.item} of CMU 55/2018 item 21. {ground.mend}"
        delivery = self._delivery(duty.fact.delivery_id)
        facts, items = escalate(delivery, reason=f"refused.{name}", detail=mend, now=self._now, because=duty.name)
        return Assignment(change=Change(facts=facts, items=items))

    def _supplement(self, duty: Duty) -> Assignment:
        """Article 18: the applicant's additional materials go to whoever has the appeal now, behind it."""
        assert duty.executor is not None
        assert duty.fact is not None
        kept = self._hands.store.message(MessageId(UUID(duty.fact.data["message"])))
        envelope = json_rendering.from_trusted(kept.body) if kept is not None else None
        if not isinstance(envelope, SupplementEnvelope):
            raise HubError("The supplement that a duty is about is not there.", code="message.unknown")
        saying = Saying(
            body=envelope.body,
            attachments=envelope.attachments,
            party=self._hands.party,
            duty=(behind_appeal(self._story, duty.fact, duty.at), duty.name),
        )
        copies = [self._hands.store.delivery(DeliveryId(UUID(copy))) for copy in reversed(duty.executor.copies)]
        before = next((copy for copy in copies if copy is not None), None)
        if before is None:
            raise HubError("The delivery that a duty is about is not there.", code="delivery.unknown")
        change = pass_on_or_ask(saying, duty.executor, before, self._row, self._hands.directory, self._now)
        return Assignment(change=change, lanes=tuple(delivery.channel_id for delivery in change.deliveries))

    def _breach(self, duty: Duty) -> Assignment:
        breach = duty.breach
        assert breach is not None
        data = {"rule": breach.code, "law": breach.law, "because": duty.name}
        if breach.due_at is not None:
            data["due"] = kyiv_day(breach.due_at).isoformat()
        fact = Fact(
            kind=FactKind.BREACH,
            case_id=self._row.case.id,
            at=duty.at,
            source=Source.HUB,
            authority=breach.executor.authority,
            delivery_id=breach.fact.delivery_id,
            data=data,
        )
        return Assignment(change=Change(facts=(fact,)))

    # Terms

    def _of_term(self, duty: Duty, kind: FactKind) -> Fact:
        term = duty.term
        assert term is not None
        data = {
            "term": term.rule.code,
            "law": term.rule.law,
            "due": kyiv_day(term.due_at).isoformat(),
            "subject": term.subject,
            "because": duty.name,
        }
        if term.provisional:
            data["provisional"] = "yes"
        if term.rule.again is not None and duty.act is Act.OVERDUE:
            data["alarmed_at"] = format_datetime(self._now)  # the next alarm is counted from here
        if duty.times:
            data["times"] = str(duty.times)
        root = self._executor(term.executor)
        return Fact(
            kind=kind,
            case_id=self._row.case.id,
            at=duty.at,
            source=Source.HUB,
            authority=term.authority,
            delivery_id=DeliveryId(UUID(root.root)) if root is not None and root.root else None,
            data=data,
        )

    def _executor(self, key: str | None) -> Executor | None:
        return self._story.executor(key) if key is not None else None

    def _overdue(self, duty: Duty) -> Assignment:
        """A binding term that is over is a fact for the contact centre, and for the superior body or an operator; one
        that does not bind is a warning. The superior body is told once, repeated alarms are an operator's.
        """
        term = duty.term
        assert term is not None
        fact = self._of_term(duty, FactKind.TERM_OVERDUE if term.rule.binding else FactKind.TERM_WARNED)
        noted = Assignment(change=Change(facts=(fact,)))
        if term.rule.overdue == "nothing" or not term.rule.binding:
            return noted
        if any(other.running and other.rule.code in term.rule.unless for other in terms(self._case, self._law)):
            return noted
        told = self._tell_superior(duty) if term.rule.overdue == "superior" and not duty.times else None
        if told is None:
            told = self._item(duty, f"overdue.{term.rule.code}")
        return Assignment(change=joined((noted.change, told.change)), lanes=told.lanes)

    def _tell_superior(self, duty: Duty) -> Assignment | None:
        """The nearest superior body that can be reached and is not complained of gets the appeal for information."""
        term = duty.term
        assert term is not None
        directory = self._hands.directory
        original = original_of(self._hands.store, self._row.case.id)
        above = next(
            (
                body
                for body in _superiors(directory, term.authority)
                if accused_by(original.body, body, directory, self._now) is None
                and reachable(body, original, directory, self._now)
            ),
            None,
        )
        if above is None:
            return None
        return assign(
            original,
            self._row.case.id,
            above,
            directory,
            party=self._hands.party,
            law=self._law,
            role=Role.INFORMATION,
            source=Source.HUB,
            now=self._now,
            duty=(duty.at, f"{duty.name}:{above.code}"),
            data={
                "reason": f"overdue.{term.rule.code}",
                "about": term.authority or "",
                "registry_version": directory.version,
            },
        )

    def _item(self, duty: Duty, reason: str) -> Assignment:
        term = duty.term
        assert term is not None
        name = name_in(self._hands.directory, term.authority) if term.authority else "the hub"
        words = f"{term.rule.title}: {name}, {term.rule.law}; the term ended on {kyiv_day(term.due_at):%d.%m.%Y}."
        root = self._executor(term.executor)
        item = OperatorItem(
            id=str(new_id()),
            case_id=self._row.case.id,
            delivery_id=DeliveryId(UUID(root.root)) if root is not None and root.root else None,
            authority=term.authority,
            reason=reason,
            detail=words,
            opened_at=self._now,
        )
        fact = Fact(
            kind=FactKind.ESCALATED,
            case_id=self._row.case.id,
            at=self._now,
            source=Source.HUB,
            authority=term.authority,
            delivery_id=item.delivery_id,
            data={"reason": reason},
        )
        return Assignment(change=Change(facts=(fact,), items=(item,)))

    def _next_channel(self, duty: Duty) -> Assignment:
        """Item 24: not received. The next channel takes the same message; without one, an operator."""
        term = duty.term
        assert term is not None
        delivery = self._delivery(DeliveryId(UUID(term.copy or "")))
        silent = fact_of(
            delivery,
            FactKind.NOT_RECEIVED,
            duty.at,
            Source.HUB,
            term=term.rule.code,
            law=term.rule.law,
            channel=delivery.channel_id,
            because=duty.name,
        )
        noted = Change(facts=(silent,))
        if delivery.state in (TransportState.DEAD, TransportState.REFUSED, TransportState.CANCELLED):
            return Assignment(change=noted)  # an operator has it already
        authority = self._hands.directory.authority(delivery.authority)
        onto = next_channel(authority, delivery.channel_id, kyiv_day(self._now))
        if onto is not None:
            following = fall_back(delivery, onto, why=f"delivery.{term.rule.code}", now=self._now)
            return Assignment(change=joined((noted, following.change())), lanes=(onto.id,))
        if delivery.state in _STILL_TRYING:
            return Assignment(change=noted)  # its own schedule goes on, and ends with an operator
        words = f"{term.rule.law}: no notice of delivery within 6 hours, and there is no other channel."
        facts, items = escalate(delivery, reason="delivery.not_received", detail=words, now=self._now)
        return Assignment(change=joined((noted, Change(facts=facts, items=items))))

    def _delivery(self, delivery_id: DeliveryId | None) -> Delivery:
        found = self._hands.store.delivery(delivery_id) if delivery_id is not None else None
        if found is None:
            raise HubError("The delivery that a duty is about is not there.", code="delivery.unknown")
        return found


def _superiors(directory: Directory, code: str | None) -> Iterator[Authority]:
    """The bodies above, nearest first."""
    seen: set[str] = set()
    at = directory.authority(code) if code is not None else None
    while at is not None and at.superior is not None and at.superior not in seen:
        seen.add(at.superior)
        at = directory.authority(at.superior)
        if at is not None:
            yield at

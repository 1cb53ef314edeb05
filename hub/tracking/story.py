"""The facts of one case, read: which bodies it was given to, by which copies, and what each of them said.

One *executor* is one assignment of one body: a ``routed`` fact with its delivery. What is handed over to another
channel (``handed_over``) and what the contact centre sends after (``passed_on``) names that delivery in ``data.of``, so
that facts about any of these deliveries are facts about the executor. A body that gets the case back has two
assignments. The reading looks at the set of facts only: order and repetition do not matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache

from hub.schemas.delivery import Fact, FactKind, Source
from hub.schemas.ids import DeliveryId
from hub.schemas.terms import AnswerResult, AnswerStage, Kind, RefusalGround, Role
from hub.tracking.clocks import heard_at

ID_CHARS = 16
"""How much of a fact's key names it in the data of another."""

DECIDED = "decided"
"""Deed of a ``resolved`` fact by which nothing was sent: a person said what an input means."""

_LINKS = frozenset({FactKind.HANDED_OVER, FactKind.PASSED_ON})
_OF_HUB = frozenset(
    {
        FactKind.ESCALATED,
        FactKind.RESOLVED,
        FactKind.NOT_RECEIVED,
        FactKind.TERM_WARNED,
        FactKind.TERM_OVERDUE,
        FactKind.TERM_CORRECTED,
        FactKind.BREACH,
        FactKind.SHADOWED,
        FactKind.HANDED_OVER,
        FactKind.PASSED_ON,
        FactKind.LINKED,
        FactKind.FORMAL_FLAGGED,
        FactKind.CONCLUDED,
        FactKind.CORRECTED,
        FactKind.SUPPLEMENTED,
        FactKind.NOTED,
    }
)
"""What the hub notes for itself; it says nothing about what a body did."""
STATEMENTS = frozenset(
    {
        FactKind.DELIVERED,
        FactKind.ACCEPTED,
        FactKind.REGISTERED,
        FactKind.REFUSED,
        FactKind.ANSWERED,
        FactKind.REDIRECTED,
        FactKind.EXTENDED,
        FactKind.CLARIFICATION_ASKED,
        FactKind.PUBLISHED,
    }
)
"""What a body said, or a person said that it said; a person may correct it (``corrected``), nobody erases it."""
RECEIPTS = frozenset({FactKind.DELIVERED, FactKind.ACCEPTED, FactKind.REGISTERED})
HAD = RECEIPTS | {FactKind.SENT, FactKind.ANSWERED, FactKind.EXTENDED, FactKind.CLARIFICATION_ASKED}
"""Facts after which a body may be sent what belongs to the appeal: it comes behind the appeal."""
_STRENGTH = {FactKind.DELIVERED: 1, FactKind.ACCEPTED: 2, FactKind.REGISTERED: 3}


def strongest(facts: Iterable[Fact]) -> Fact | None:
    """The strongest receipt: registered before accepted before delivered, then the earliest, then by key."""
    receipts = [fact for fact in facts if fact.kind in RECEIPTS]
    return min(receipts, key=lambda f: (-_STRENGTH[f.kind], f.at, f.key), default=None)


@lru_cache(maxsize=8_192)
def text(delivery_id: DeliveryId) -> str:
    """A delivery's id as facts name it in their data; spelling one costs more than remembering it."""
    return str(delivery_id)


def short(fact: Fact) -> str:
    """Name of a fact in the data of another."""
    return fact.key[:ID_CHARS]


def is_final(fact: Fact) -> bool:
    """True if this is an answer that closes the question (old facts without a stage count as final)."""
    return fact.kind is FactKind.ANSWERED and fact.data.get("stage") != AnswerStage.INTERIM


def is_refusal(fact: Fact) -> bool:
    """A refusal that means what it says: the second copy's refusal means that the first is there (item 21 ground 3)."""
    return fact.kind is FactKind.REFUSED and fact.data.get("ground") != RefusalGround.RECEIVED_TWICE


@dataclass(slots=True)
class PassedMessage:
    """Message that the contact centre sent to an executor after the appeal: a return, a withdrawal, a clarification.

    Its receipts and refusals are about this message, not about the appeal.
    """

    given: Fact
    copies: list[str]
    facts: list[Fact] = field(default_factory=list)


@dataclass(slots=True)
class Executor:
    """One body that was given the case, once. ``root``: the delivery it was given with; absent if no fact names it.
    ``sent_again``: when a copy was sent after another: by a person, or over the next channel.
    """

    authority: str
    root: str | None
    role: Role
    routed: Fact | None
    facts: list[Fact] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
    parcels: dict[str, PassedMessage] = field(default_factory=dict)
    sent_again: list[datetime] = field(default_factory=list)
    superseded_by: Fact | None = None
    _firsts: dict[FactKind, datetime] | None = field(default=None, compare=False, repr=False)

    @property
    def firsts(self) -> dict[FactKind, datetime]:
        """When each kind of its facts happened first; looked at once all facts are there."""
        if self._firsts is None:
            self._firsts = {fact.kind: fact.at for fact in reversed(self.facts)}
        return self._firsts

    @property
    def key(self) -> str:
        """Names this executor within its case."""
        return self.root or self.authority

    def of(self, *kinds: FactKind) -> list[Fact]:
        """Its facts of these kinds, earliest first."""
        return [fact for fact in self.facts if fact.kind in kinds]

    def first(self, *kinds: FactKind) -> datetime | None:
        """When the first of these happened."""
        firsts = self.firsts
        return min((firsts[kind] for kind in kinds if kind in firsts), default=None)

    @property
    def number(self) -> str | None:
        """Their number of the appeal: of its registration, else what they gave with a weaker receipt (a registration
        that could not be read to its end, or came a way that cannot prove it).
        """
        receipts = (*self.of(FactKind.REGISTERED), *self.of(FactKind.ACCEPTED))
        return next((number for fact in receipts if (number := fact.data.get("number"))), None)

    @property
    def recalled(self) -> bool:
        """True if its answer was sent back for more work after the case went on: the centre wants an answer of it."""
        return self.superseded_by is not None and any(fact.at >= self.superseded_by.at for fact in self.returns())

    @property
    def relieved(self) -> bool:
        """True if an operator gave the case to another body, and its answer was not sent back since: then it does not
        end the case.
        """
        return self.superseded_by is not None and self.superseded_by.source is Source.OPERATOR and not self.recalled

    @property
    def decides(self) -> bool:
        """True if it must answer: a body that got the case for information need not."""
        return self.role is not Role.INFORMATION

    def finals(self) -> list[Fact]:
        """Its final answers, returned ones included."""
        return [fact for fact in self.facts if is_final(fact)]

    def returns(self) -> list[Fact]:
        """When its answers were sent back for more work."""
        return self.of(FactKind.RETURNED_FOR_WORK)

    def standing(self) -> Fact | None:
        """Its first final answer that was not returned."""
        returns = self.returns()
        gone = {fact.data.get("answer") for fact in returns}
        blind = max((fact.at for fact in returns if "answer" not in fact.data), default=None)
        return next(
            (f for f in self.finals() if short(f) not in gone and (blind is None or f.at > blind)),
            None,
        )

    @property
    def supplements(self) -> list[str]:
        """Copies of supplements that were passed on to it."""
        passed = (parcel for parcel in self.parcels.values() if parcel.given.data.get("kind") == Kind.SUPPLEMENT)
        return [copy for parcel in passed for copy in parcel.copies]

    @property
    def has_appeal(self) -> bool:
        """True if it must answer and the appeal came or was sent to it, and did not go on to another body."""
        had = not HAD.isdisjoint(self.firsts)
        return self.decides and had and self.superseded_by is None and not self.gave_back

    @property
    def gave_back(self) -> bool:
        """True if it sent the appeal on or refused it, and did not answer (or, after a refusal, register) it since."""
        kept = {FactKind.ANSWERED, FactKind.RETURNED_FOR_WORK}
        if FactKind.REDIRECTED not in self.firsts:
            if not any(is_refusal(fact) for fact in self.facts):
                return False
            kept.add(FactKind.REGISTERED)
        return kept.isdisjoint(self.firsts)

    def counting_copy(self) -> Fact | None:
        """The receipt that proves which copy counts: the strongest class first, then the earliest, then by key."""
        return strongest(self.facts)


@dataclass(frozen=True)
class Story:
    """A case as its facts tell it. ``facts``: unique, by time, then key."""

    facts: tuple[Fact, ...]
    executors: tuple[Executor, ...]

    @cached_property
    def withdrawn_at(self) -> datetime | None:
        """When the applicant took the appeal back."""
        return next((fact.at for fact in self.facts if fact.kind is FactKind.WITHDRAWN), None)

    @cached_property
    def concluded(self) -> Fact | None:
        """The decision of a person that ended the case without a body's answer; void once a main executor was given
        the case after it, or says that it has it after all.
        """
        ended = self.of(FactKind.CONCLUDED)
        if not ended:
            return None
        having = [executor for executor in self.mains() if executor.superseded_by is None and not executor.gave_back]
        heard = [fact.at for executor in having for fact in executor.of(*RECEIPTS)]
        given = [executor.routed.at for executor in self.mains() if executor.routed is not None]
        later = max((*heard, *given), default=None)
        return next((fact for fact in ended if later is None or fact.at >= later), None)

    @cached_property
    def escalations(self) -> tuple[tuple[datetime, datetime | None], ...]:
        """When the case came to the operators, and when nothing of it was left to do, if that is over; in order.

        A deed about one delivery (``resolved`` that names it) does not settle what is open about the others.
        """
        spans: list[tuple[datetime, datetime | None]] = []
        open_since: dict[DeliveryId | None, datetime] = {}
        since: datetime | None = None
        told = self.of(FactKind.ESCALATED, FactKind.RESOLVED)
        for fact in sorted(told, key=lambda f: (f.at, f.kind is FactKind.RESOLVED)):
            if fact.kind is FactKind.ESCALATED:
                since = since or fact.at
                open_since.setdefault(fact.delivery_id, fact.at)
            elif since is not None:
                if fact.delivery_id is None:
                    open_since.clear()
                else:
                    open_since.pop(fact.delivery_id, None)
                if not open_since:
                    spans.append((since, fact.at))
                    since = None
        return (*spans, *(((since, None),) if since is not None else ()))

    @property
    def escalated_at(self) -> datetime | None:
        """Since when something of the case waits for an operator."""
        return next((since for since, until in self.escalations if until is None), None)

    @cached_property
    def because(self) -> frozenset[str]:
        """Names of facts and alarms that the hub has acted upon."""
        return frozenset(fact.data["because"] for fact in self.facts if "because" in fact.data)

    def of(self, *kinds: FactKind) -> list[Fact]:
        """Facts of these kinds, earliest first."""
        return [fact for fact in self.facts if fact.kind in kinds]

    def executor(self, key: str) -> Executor | None:
        """The executor of this key, or the one that this delivery belongs to."""
        return next((e for e in self.executors if e.key == key or key in e.copies or key in e.parcels), None)

    def mains(self) -> list[Executor]:
        """Main executors in the order in which they were given the case; the last that is not superseded decides."""
        return [executor for executor in self.executors if executor.role is Role.MAIN]


def read(facts: Iterable[Fact]) -> Story:
    """Read all facts of one case, in any order, repeated or not. Statements that a person corrected say no more."""
    unique = _standing(sorted(_once(facts), key=lambda fact: (fact.at, fact.key)))
    executors: dict[str, Executor] = {}
    links: dict[str, Fact] = {}
    for fact in unique:
        if fact.kind is FactKind.ROUTED and fact.authority is not None and fact.delivery_id is not None:
            root = text(fact.delivery_id)
            if root not in executors:
                role = Role(fact.data["role"]) if fact.data.get("role") in _ROLES else Role.MAIN
                executors[root] = Executor(fact.authority, root, role, fact, copies=[root])
        elif fact.kind in _LINKS and fact.delivery_id is not None and "of" in fact.data:
            links[text(fact.delivery_id)] = fact
    latest = {executor.authority: executor for executor in executors.values()}
    if links:
        _tie(links, executors)
    for fact in unique:
        if fact.kind is FactKind.RESOLVED and fact.delivery_id is not None and fact.data.get("deed") != DECIDED:
            _note_sent_again(fact, executors, links)
        elif fact.authority is not None and fact.kind not in _OF_HUB:
            _give(fact, executors, links, latest)
    _supersede(unique, executors)
    for executor in executors.values():
        _overcome(executor)
    return Story(tuple(unique), tuple(executors.values()))


def _once(facts: Iterable[Fact]) -> Iterable[Fact]:
    """Each fact once. Of one that was heard at different moments the first counts, in whatever order they are given."""
    found: dict[str, Fact] = {}
    for fact in facts:
        known = found.setdefault(fact.key, fact)
        if known is not fact and known != fact:
            found[fact.key] = min(known, fact, key=_heard_first)
    return found.values()


def _heard_first(fact: Fact) -> tuple[datetime, list[tuple[str, str]], str]:
    return (heard_at(fact), sorted(fact.data.items()), f"{fact.at.isoformat()} {fact.message_id}")


def _standing(facts: list[Fact]) -> list[Fact]:
    """Facts without the statements that were corrected; the corrections themselves stay."""
    wrong = {fact.data.get("of") for fact in facts if fact.kind is FactKind.CORRECTED}
    if not wrong:
        return facts
    return [fact for fact in facts if fact.kind not in STATEMENTS or short(fact) not in wrong]


_ROLES = frozenset(Role)


def _resolve(copy: str, links: dict[str, Fact]) -> tuple[str, str | None]:
    """The delivery of the routing that a copy belongs to, and the first copy of the later message, if it is one's."""
    seen: set[str] = set()
    parcel = None
    while copy in links and copy not in seen:
        seen.add(copy)
        if links[copy].kind is FactKind.PASSED_ON:
            parcel = copy
        copy = links[copy].data["of"]
    return copy, parcel


def _tie(links: dict[str, Fact], executors: dict[str, Executor]) -> None:
    """Copies to their executors, in the order of the facts that tie them."""
    for copy in links:
        root, parcel = _resolve(copy, links)
        owner = executors.get(root)
        if owner is None:
            continue
        if parcel is None:
            owner.copies.append(copy)
        else:
            kept = owner.parcels.setdefault(parcel, PassedMessage(links[parcel], []))
            kept.copies.append(copy)


def _note_sent_again(fact: Fact, executors: dict[str, Executor], links: dict[str, Fact]) -> None:
    """A person sent a copy again (``resolved`` names its delivery); not one of a message that followed the appeal."""
    root, parcel = _resolve(text(fact.delivery_id), links) if fact.delivery_id is not None else ("", None)
    if root in executors and parcel is None:
        executors[root].sent_again.append(fact.at)


_ABOUT_A_MESSAGE = frozenset(
    {FactKind.SENT, FactKind.DELIVERED, FactKind.ACCEPTED, FactKind.REGISTERED, FactKind.REFUSED}
)


def _give(fact: Fact, executors: dict[str, Executor], links: dict[str, Fact], latest: dict[str, Executor]) -> None:
    """A fact to whom it concerns: by its delivery, else the body's latest assignment, else one of no known routing."""
    assert fact.authority is not None
    root, parcel = _resolve(text(fact.delivery_id), links) if fact.delivery_id is not None else (None, None)
    found = executors.get(root) if root is not None else None
    if found is None or found.authority != fact.authority:
        found, parcel = latest.get(fact.authority), None
    if found is None:
        found = Executor(fact.authority, None, Role.MAIN, None)
        executors[fact.authority] = latest[fact.authority] = found
    if parcel is not None and fact.kind in _ABOUT_A_MESSAGE:
        found.parcels[parcel].facts.append(fact)
    else:
        found.facts.append(fact)


def _supersede(facts: list[Fact], executors: dict[str, Executor]) -> None:
    for fact in facts:
        if fact.kind is not FactKind.ROUTED:
            continue
        before = executors.get(fact.data.get("instead_of", ""))
        if before is not None and before.superseded_by is None and before.root != str(fact.delivery_id):
            before.superseded_by = fact


def _overcome(executor: Executor) -> None:
    """A refusal that a person mended, and the appeal was sent again after it, says no more where the case stands."""
    again = max(executor.sent_again, default=None)
    if again is not None:
        executor.facts = [fact for fact in executor.facts if not (is_refusal(fact) and fact.at < again)]


def returned_as_defective(fact: Fact) -> bool:
    """An answer that gives the appeal back to the applicant (articles 5 and 7)."""
    return fact.kind is FactKind.ANSWERED and fact.data.get("result") == AnswerResult.RETURNED

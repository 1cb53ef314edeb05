"""The follower that looks at what came: is an appeal like another, does an answer look formal, what do reports count.

It reads the feed behind its own place, some hundred events at a time, and writes all it learned with its new place in
one transaction. What concerns the contact centre it states as facts, before that: facts are idempotent, so a step that
is done again after a crash changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.errors import Unavailable
from hub.following import formal
from hub.following.digest import digest, share_digest
from hub.following.linking import Linker
from hub.following.ports import Insights
from hub.following.text import bands, shingles, signature, words
from hub.following.values import AnswerScore, Band, CaseFigures, Insight
from hub.ports import Clock, Store
from hub.schemas import json_rendering
from hub.schemas.delivery import CaseRow, Change, Direction, Event, Fact, FactKind, Message, Source
from hub.schemas.envelope import AnswerEnvelope, AppealEnvelope
from hub.schemas.ids import CaseId, MessageId
from hub.schemas.terms import AnswerStage
from hub.tracking.law import Law
from hub.tracking.share import bodies

log = logging.getLogger(__name__)

NAME = "insight"
SHARES, SHARES_UNTIL = "shares", "shares.until"
"""Places of the one walk through what was seen before shares were kept: how far it came, where it ends."""
BATCH = 500
LEASE = timedelta(seconds=60)
_ACCEPTED = f"case.{FactKind.ACCEPTED_BY_HUB}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """Data that one step looks at."""

    events: tuple[Event, ...]
    facts: Mapping[CaseId, tuple[Fact, ...]]
    appeals: Mapping[CaseId, Message]
    messages: Mapping[MessageId, Message]


class InsightFollower:
    """Follows the feed. ``key``: of the applicants' hashes. ``mass_least``: members from which a group is a campaign.

    ``scorer`` may be replaced by another of the same shape. Any number of processes may step: one works at a time.
    """

    def __init__(
        self,
        *,
        store: Store,
        insights: Insights,
        clock: Clock,
        key: bytes,
        owner: str,
        law: Law,
        mass_least: int = 10,
        scorer: formal.Scorer = formal.score,
    ) -> None:
        self._store = store
        self._insights = insights
        self._clock = clock
        self._owner = owner
        self._law = law
        self._scorer = scorer
        self._caught_up = False
        self._linker: Callable[[], Linker] = lambda: Linker(insights, key=key, mass_least=mass_least)

    def step(self, limit: int = BATCH) -> int:
        """Look at the next events; how many there were. Raises ``Unavailable``."""
        now = self._clock.now()
        if not self._insights.acquire(NAME, owner=self._owner, now=now, lease_until=now + LEASE):
            return 0
        events = self._store.events(after=self._insights.place(NAME), limit=limit)
        if events:
            self._look(events)
        return len(events) if len(events) == limit else len(events) + self._catch_up(now)

    def _catch_up(self, now: datetime) -> int:
        """Learn the bodies' own parts of cases whose facts were all seen before there were any; how many facts were
        looked at. It walks once through the feed, up to where the follower stood then, whenever nothing else is new.
        """
        if self._caught_up:
            return 0
        for name in (SHARES, SHARES_UNTIL):
            if not self._insights.acquire(name, owner=self._owner, now=now, lease_until=now + LEASE):
                return 0
        until = self._insights.place(SHARES_UNTIL)
        if until is None:
            until = self._insights.place(NAME) or ""
            self._insights.write(SHARES_UNTIL, owner=self._owner, cursor=until, insight=Insight())
        here = self._insights.place(SHARES)
        events = self._store.events(after=here, limit=BATCH) if (here or "") < until else ()
        if not events:
            self._caught_up = True
            return 0
        facts = self._insights.facts_of(list(dict.fromkeys(event.case_id for event in events)))
        rows = self._insights.cases_of(list(facts))
        learned = Insight(shares=tuple(_shares(rows, facts, self._law)))
        self._insights.write(SHARES, owner=self._owner, cursor=events[-1].cursor, insight=learned)
        return len(events)

    def _look(self, events: tuple[Event, ...]) -> None:
        """Learn from events and move on. One that cannot be understood is passed over: what follows must not wait."""
        try:
            insight, facts = self._learn(self._read(events))
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, it must not stop the follower for ever
            if len(events) > 1:
                for event in events:
                    self._look((event,))
                return
            log.error(  # noqa: TRY400  # the message may name values
                "an event was passed over",
                extra={"case": str(events[0].case_id), "type": events[0].type, "error": type(error).__name__},
            )
            insight, facts = Insight(), ()
        if facts:
            self._store.apply(Change(facts=facts))
        self._insights.write(NAME, owner=self._owner, cursor=events[-1].cursor, insight=insight)

    def release(self) -> int:
        """Let another process go on at once."""
        self._insights.release(NAME, owner=self._owner)
        return 0

    def _read(self, events: tuple[Event, ...]) -> _Batch:
        ids = list(dict.fromkeys(event.case_id for event in events))
        facts = self._insights.facts_of(ids)
        fresh = {(event.case_id, event.type, event.at) for event in events}
        spoken = {
            fact.message_id: None
            for of_case in facts.values()
            for fact in of_case
            if fact.message_id is not None and (fact.case_id, f"case.{fact.kind}", fact.at) in fresh
        }
        answered = [event.case_id for event in events if event.type in (_ACCEPTED, f"case.{FactKind.ANSWERED}")]
        return _Batch(
            events=events,
            facts=facts,
            appeals=self._insights.appeals_of(list(dict.fromkeys(answered))),
            messages=self._insights.messages_of(list(spoken)),
        )

    def _learn(self, batch: _Batch) -> tuple[Insight, tuple[Fact, ...]]:
        rows = self._insights.cases_of(list(batch.facts))
        linker = self._linker()
        new = [event.case_id for event in batch.events if event.type == _ACCEPTED]
        linker.link([(rows[case], _appeal(batch.appeals[case])) for case in new if case in batch.appeals])
        scores, answer_bands, flags = self._score(batch, linker)
        insight = Insight(
            digests=tuple(digest(rows[case], batch.facts[case], self._law) for case in batch.facts if case in rows),
            shares=tuple(_shares(rows, batch.facts, self._law)),
            likenesses=linker.likenesses,
            bands=(*linker.bands, *answer_bands),
            applicants=linker.applicants,
            campaigns=linker.campaigns,
            scores=scores,
            uses=tuple(_uses((*batch.appeals.values(), *batch.messages.values()))),
        )
        return insight, (*linker.facts, *flags)

    def _score(
        self, batch: _Batch, linker: Linker
    ) -> tuple[tuple[AnswerScore, ...], tuple[Band, ...], tuple[Fact, ...]]:
        """Scores of the final answers among the messages, and the facts that flag some of them."""
        answers = [m for m in batch.messages.values() if m.direction is Direction.IN and m.case_id in batch.appeals]
        known = self._insights.scores([message.id for message in answers])
        templates = _Templates(self._insights, linker)
        scores, flags = [], []
        for message in answers:
            envelope = json_rendering.from_json(message.body) if message.id not in known else None
            if not isinstance(envelope, AnswerEnvelope) or envelope.body.stage is not AnswerStage.FINAL:
                continue
            appeal = _appeal(batch.appeals[message.case_id])
            made = self._scorer(
                formal.GivenAnswer(
                    text=envelope.body.text,
                    result=envelope.body.result,
                    appeal=appeal.body.text,
                    earlier=templates.earlier(message, envelope.body.text),
                )
            )
            score = _scored(message, envelope, made)
            templates.add(score)
            scores.append(score)
            if made.flagged:
                flags.append(_flag(score))
        return tuple(scores), templates.bands, tuple(flags)


def _shares(
    rows: Mapping[CaseId, CaseRow], facts: Mapping[CaseId, tuple[Fact, ...]], law: Law
) -> Iterator[CaseFigures]:
    """Figures of each body's own part of these cases."""
    for case_id, row in rows.items():
        for body in bodies(facts[case_id]):
            figures = share_digest(row, facts[case_id], body, law)
            if figures is not None:
                yield figures


def _appeal(message: Message) -> AppealEnvelope:
    envelope = json_rendering.from_json(message.body)
    assert isinstance(envelope, AppealEnvelope)
    return envelope


def _scored(message: Message, envelope: AnswerEnvelope, made: formal.Score) -> AnswerScore:
    return AnswerScore(
        message_id=message.id,
        case_id=message.case_id,
        authority=message.sender,
        at=envelope.body.at,
        score=made.points,
        flagged=made.flagged,
        reasons=tuple(made.reasons),
        signature=made.signature,
    )


def _flag(score: AnswerScore) -> Fact:
    return Fact(
        kind=FactKind.FORMAL_FLAGGED,
        case_id=score.case_id,
        at=score.at,
        source=Source.HUB,
        authority=score.authority,
        message_id=score.message_id,
        data={"reasons": ", ".join(score.reasons), "score": str(score.score)},
    )


def _uses(messages: Iterable[Message]) -> Iterable[tuple[str, CaseId]]:
    """Attachments that a case's messages name."""
    for message in messages:
        for entry in json_rendering.from_json(message.body).attachments:
            yield entry.sha256, message.case_id


class _Templates:
    """Earlier answers of an authority that are like a new one, those to the same question left out."""

    def __init__(self, insights: Insights, linker: Linker) -> None:
        self._insights = insights
        self._linker = linker
        self._new: list[AnswerScore] = []
        self._bands: list[Band] = []
        self._found: dict[MessageId, int] = {}

    @property
    def bands(self) -> tuple[Band, ...]:
        """Bands of the new answers."""
        return tuple(self._bands)

    def earlier(self, message: Message, text: str) -> Sequence[bytes]:
        """Signatures of answers that may be alike."""
        made = signature(shingles(words(text)))
        if made is None:
            return ()
        wanted = set(bands(made))
        near = self._insights.near(_space(message.sender), sorted(wanted))
        refs = {MessageId(ref) for found in near.values() for ref in found}
        scored = list(self._insights.scores(sorted(refs)).values())
        scored += [s for s in self._new if s.authority == message.sender and s.signature]
        others = [
            s.signature
            for s in scored
            if s.signature and s.message_id != message.id and not self._linker.same(s.case_id, message.case_id)
        ]
        self._found[message.id] = len(others)
        return others

    def add(self, score: AnswerScore) -> None:
        """Remember an answer for those that come; of a known template there are enough to compare with."""
        self._new.append(score)
        if score.signature and self._found.get(score.message_id, 0) <= formal.TEMPLATE_TIMES:
            space = _space(score.authority)
            self._bands += [
                Band(space=space, band=band, ref=score.message_id, at=score.at) for band in bands(score.signature)
            ]


def _space(authority: str) -> str:
    return f"answers:{authority}"

"""The timeline: each fact, attempt and message in words, in the order in which it happened, and a body's own part."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hub.cases.submission import Accepted
from hub.cases.timeline import TimelineEntry, timeline
from hub.errors import NotFound
from hub.ports import Outcome
from hub.schemas.delivery import Change, Fact, FactKind, OutcomeKind, Source
from hub.schemas.ids import CaseId, MessageId, new_id
from tests.delivery.making import receipt
from tests.delivery.world import BODY, CHANNEL, HUB, START, World
from tests.lanes import run_lane

BANK = "Національний банк"
SAID: list[tuple[FactKind, dict[str, str], str]] = [
    (FactKind.ACCEPTED_BY_HUB, {}, "The hub took the appeal in."),
    (
        FactKind.ACCEPTED_BY_HUB,
        {"case_number": "2026-000-0001-1"},
        "The hub took the appeal in as no. 2026-000-0001-1.",
    ),
    (FactKind.ROUTED, {"reason": "competence"}, f"Routed to {BANK} (competence)."),
    (FactKind.ESCALATED, {"reason": "delivery.exhausted"}, "Brought to the operators: delivery.exhausted."),
    (FactKind.RESOLVED, {"how": "replayed"}, "An operator acted: replayed."),
    (FactKind.RESOLVED, {"reason": "an old word"}, "An operator acted: an old word."),
    (FactKind.RESOLVED, {"how": "new", "reason": "old"}, "An operator acted: new."),
    (FactKind.SENT, {"channel": CHANNEL}, f"Sent to {BANK} over {CHANNEL}."),
    (FactKind.DELIVERED, {}, f"{BANK} has it."),
    (FactKind.ACCEPTED, {}, f"{BANK} passed it through the preliminary review."),
    (FactKind.REGISTERED, {"number": "17", "date": "2026-11-24"}, f"{BANK} registered it under no. 17 of 2026-11-24."),
    (FactKind.REGISTERED, {"number": "17"}, f"{BANK} registered it under no. 17 of —."),
    (FactKind.REFUSED, {"ground": "form"}, f"{BANK} refused to register it: form."),
    (
        FactKind.ANSWERED,
        {"stage": "final", "result": "satisfied", "number": "18", "date": "2026-11-25"},
        f"{BANK} answered (final, satisfied) with no. 18 of 2026-11-25.",
    ),
    (FactKind.REDIRECTED, {"to": "00032684"}, f"{BANK} says another body is competent: 00032684."),
    (FactKind.EXTENDED, {"until": "2027-01-08"}, f"{BANK} extended the term until 2027-01-08."),
    (FactKind.CLARIFICATION_ASKED, {}, f"{BANK} asks the applicant to clarify."),
    (FactKind.CLARIFIED, {}, "The applicant clarified."),
    (FactKind.WITHDRAWN, {}, "The applicant withdrew the appeal."),
    (FactKind.CONCLUDED, {"decision": "not_an_appeal", "why": "spam"}, "A person ended the case (not_an_appeal): spam"),
    (
        FactKind.CORRECTED,
        {"what": "answered", "why": "wrong case"},
        "A person corrected what had been stated (answered): wrong case",
    ),
    (FactKind.RETURNED_FOR_WORK, {}, "The answer was returned for more work."),
    (FactKind.PUBLISHED, {}, "The answer was made public."),
    (FactKind.SUPPLEMENTED, {}, "The applicant supplemented the appeal."),
    (FactKind.NOTED, {"note": "n-1"}, "The contact centre made a note."),
    (FactKind.LINKED, {"sign": "same_text"}, "Looks like an earlier appeal (same_text)."),
    (
        FactKind.FORMAL_FLAGGED,
        {"reasons": "short"},
        f"The answer of {BANK} looks formal (short); a person should look.",
    ),
    (
        FactKind.HANDED_OVER,
        {"channel": "next", "why": "delivery.exhausted"},
        f"Handed over to the channel next of {BANK}: delivery.exhausted.",
    ),
    (FactKind.PASSED_ON, {"kind": "withdrawal"}, f"The contact centre's «withdrawal» goes to {BANK}."),
    (
        FactKind.NOT_RECEIVED,
        {"channel": CHANNEL, "law": "CMU 55/2018 item 24"},
        f"No notice from {BANK} over {CHANNEL} in time: not received (CMU 55/2018 item 24).",
    ),
    (
        FactKind.TERM_WARNED,
        {"term": "answer", "due": "2026-12-24", "law": "article 20"},
        f"The term «answer» of {BANK} ends or ended on 2026-12-24 (article 20).",
    ),
    (
        FactKind.TERM_OVERDUE,
        {"term": "answer", "due": "2026-12-24", "law": "article 20"},
        f"The term «answer» of {BANK} was missed: it ended on 2026-12-24 (article 20).",
    ),
    (
        FactKind.TERM_CORRECTED,
        {"term": "answer"},
        f"The term «answer» of {BANK} was not missed after all: a fact came late.",
    ),
    (FactKind.BREACH, {"rule": "no_ground", "law": "item 24"}, f"{BANK} broke a rule: no_ground (item 24)."),
    (FactKind.SHADOWED, {"channel": "x.shadow", "outcome": "delivered"}, "Tried beside over x.shadow: delivered."),
]


def sent(*outcomes: Outcome) -> tuple[World, Accepted]:
    """One appeal that was sent."""
    world = World()
    world.adapter.script = list(outcomes) or [Outcome(kind=OutcomeKind.DELIVERED)]
    (accepted,) = world.submit()
    run_lane(world.cases, CHANNEL)
    return world, accepted


def told(world: World, accepted: Accepted, body: str | None = None) -> tuple[TimelineEntry, ...]:
    """The timeline of a case."""
    return timeline(world.store, world.registry.current(), accepted.case_id, body)


def test_every_kind_of_fact_has_its_words() -> None:
    """None is left out: whatever happens to a case can be told."""
    assert {kind for kind, _, _ in SAID} == set(FactKind)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "data", "words"), SAID)
def test_each_fact_is_told_in_words(kind: FactKind, data: dict[str, str], words: str) -> None:
    """One sentence with what is known of it; its message or note is named, so that it can be opened."""
    world, accepted = sent()
    message_id = MessageId(new_id())
    at = START + timedelta(days=1)
    fact = Fact(kind=kind, case_id=accepted.case_id, at=at, source=Source.HUB, authority=BODY, data=data)
    brought = replace(fact, at=at + timedelta(days=1), message_id=message_id)
    world.store.apply(Change(facts=(fact, brought)))
    first, second = told(world, accepted)[-2:]
    assert first == TimelineEntry(
        at=at, what="fact", code=kind.value, text=words, authority=BODY, ref="n-1" if kind is FactKind.NOTED else None
    )
    assert (second.text, second.ref) == (words, str(message_id))


@pytest.mark.parametrize(("authority", "who"), [("00032684", "00032684"), (None, "somebody")])
def test_a_body_that_is_not_known_is_told_by_its_code(authority: str | None, who: str) -> None:
    """Gone from the registry, or never named: the sentence still stands."""
    world, accepted = sent()
    at = START + timedelta(days=1)
    fact = Fact(kind=FactKind.DELIVERED, case_id=accepted.case_id, at=at, source=Source.HUB, authority=authority)
    world.store.apply(Change(facts=(fact,)))
    assert told(world, accepted)[-1].text == f"{who} has it."


def test_a_story_is_told_in_order() -> None:
    """Of one moment: what was made, what was tried, what came of it; then the answer, with who said it."""
    world, accepted = sent()
    world.clock.go(60)
    world.calls(receipt(accepted, "answer", at=world.clock.now()))
    lines = [(entry.what, entry.code, entry.text) for entry in told(world, accepted)]
    number = next(text for what, code, text in lines if code == "accepted_by_hub")
    assert lines == [
        ("message", "appeal", f"Envelope «appeal» made for {BODY}."),
        ("attempt", "delivered", f"Attempt 1 over {CHANNEL}: delivered."),
        ("fact", "accepted_by_hub", number),
        ("fact", "routed", lines[3][2]),
        ("fact", "sent", f"Sent to {BANK} over {CHANNEL}."),
        ("fact", "delivered", f"{BANK} has it."),
        ("message", "answer", f"Envelope «answer» came in from {BODY}."),
        ("fact", "answered", f"{BANK} answered (final, explained) with no. 17 of 2026-11-24."),
    ]
    entries = told(world, accepted)
    assert [entry.authority for entry in entries[:2]] == [BODY, BODY]
    assert entries[0].ref == str(accepted.message_id)
    assert entries[6].authority == BODY
    assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome(kind=OutcomeKind.TEMPORARY, code="http.busy", http_status=503), "temporary, http.busy, HTTP 503."),
        (Outcome(kind=OutcomeKind.UNKNOWN, code="http.broken"), "unknown, http.broken."),
        (Outcome(kind=OutcomeKind.DUPLICATE), "duplicate."),
    ],
)
def test_an_attempt_is_told_with_its_end(outcome: Outcome, words: str) -> None:
    """Number, channel, outcome, code and status, as far as there are; by its id it can be opened."""
    world, accepted = sent(outcome)
    (entry,) = [each for each in told(world, accepted) if each.what == "attempt"]
    (attempt,) = world.store.attempts(world.delivery(accepted).id)
    assert (entry.text, entry.code) == (f"Attempt 1 over {CHANNEL}: {words}", outcome.kind.value)
    assert (entry.at, entry.authority, entry.ref) == (START, BODY, str(attempt.id))


def test_an_attempt_without_an_end_is_under_way() -> None:
    """What is being sent now stands there as such."""
    world = World()
    (accepted,) = world.submit()
    world.dispatcher.claim([CHANNEL], "worker")
    (entry,) = [each for each in told(world, accepted) if each.what == "attempt"]
    assert (entry.code, entry.text) == ("under way", f"Attempt 1 over {CHANNEL}: under way.")


def test_a_body_is_told_its_own_part() -> None:
    """What was made for it, tried to it and said by it; nothing of another body, and nothing of the hub's own."""
    world, accepted = sent()
    own = told(world, accepted, BODY)
    assert [(entry.what, entry.code) for entry in own] == [
        ("message", "appeal"),
        ("attempt", "delivered"),
        ("fact", "sent"),
        ("fact", "delivered"),
    ]
    assert told(world, accepted, "00032684") == ()
    assert {entry.authority for entry in told(world, accepted)} == {BODY, None}
    assert HUB.code not in {entry.authority for entry in own}


def test_a_case_that_does_not_exist_has_no_story() -> None:
    """Refused as unknown."""
    world, accepted = sent()
    with pytest.raises(NotFound) as unknown:
        told(world, replace(accepted, case_id=CaseId(new_id())))
    assert unknown.value.stable_code == "case.unknown"

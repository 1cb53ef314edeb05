"""Terms of small cases, to the millisecond: where they begin and end, what moves them, what breaks the law."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.schemas.delivery import Fact, FactKind, Source
from hub.schemas.ids import DeliveryId
from hub.tracking.duties import Act, Duty, duties, outlook
from hub.tracking.law import Law, shipped
from hub.tracking.state import State, derive_story
from hub.tracking.story import read, short
from hub.tracking.terms import Breach, Term, breaches, case_facts, terms
from tests.tracking.laws import counting, law_with, rule
from tests.tracking.test_state import T0
from tests.tracking.test_state import fact as made

FIRST, SECOND, THIRD = (DeliveryId(uuid.UUID(int=number)) for number in (1, 2, 3))
BODY, OTHER = "00032106", "00032684"
DAY = 24 * 60
CENTRE = made(FactKind.ACCEPTED_BY_HUB, 0, None, received_at="2026-11-23T08:00:00Z")


def fact(
    kind: FactKind, minutes: int = 0, *, to: DeliveryId | None = FIRST, body: str | None = BODY, **data: str
) -> Fact:
    """A fact about the assignment of a body; by default the first one's."""
    return replace(made(kind, minutes, body, **data), delivery_id=to)


ROUTED = fact(FactKind.ROUTED)
GIVEN_ON = fact(FactKind.ROUTED, 3 * DAY, to=SECOND, body=OTHER, instead_of=str(FIRST))


def found(*facts: Fact, law: Law | None = None) -> dict[str, Term]:
    """The terms of a case by their code; the last, where there are several."""
    law = law or shipped()
    return {term.rule.code: term for term in terms(case_facts("phone", read(facts), law), law)}


def due(*facts: Fact, law: Law | None = None) -> tuple[Duty, ...]:
    """The duties of a case."""
    law = law or shipped()
    return duties(case_facts("phone", read(facts), law), law)


def broken(*facts: Fact) -> list[Breach]:
    """The breaches of a case."""
    return list(breaches(case_facts("phone", read(facts), shipped()), shipped()))


def kyiv_end(day: str) -> datetime:
    """The last millisecond of a Kyiv day in winter."""
    return datetime.fromisoformat(f"{day}T21:59:59.999+00:00")


def test_a_month_ends_with_the_last_millisecond_of_its_kyiv_day() -> None:
    """The alarm comes with the next millisecond, the warning three days before the end, each for its term."""
    known = (ROUTED, fact(FactKind.DELIVERED, 10))
    answer = found(*known)["answer"]
    assert (answer.started_at, answer.due_at) == (T0 + timedelta(minutes=10), kyiv_end("2026-12-24"))
    assert (answer.running, answer.met, answer.extended, answer.provisional) == (True, None, False, False)
    assert (answer.authority, answer.executor, answer.copy) == (BODY, str(FIRST), None)
    alarms = {duty.act: duty for duty in due(*known) if duty.term is not None and duty.term.rule.code == "answer"}
    assert alarms[Act.OVERDUE].at == datetime(2026, 12, 24, 22, 0, tzinfo=UTC)
    assert alarms[Act.OVERDUE].name == f"over:answer:{FIRST}:2026-12-24"
    assert (alarms[Act.WARN].at, alarms[Act.WARN].days) == (kyiv_end("2026-12-21"), 3)
    assert alarms[Act.WARN].name == f"warn3:answer:{FIRST}:2026-12-24"


@pytest.mark.parametrize(("minutes", "met"), [(0, True), (1, False)])
def test_what_comes_with_the_last_millisecond_is_in_time(minutes: int, met: bool) -> None:
    """An answer at the very end of the term is in time, a minute later it is not; either ends the term."""
    answered = replace(fact(FactKind.ANSWERED, stage="final"), at=kyiv_end("2026-12-24") + timedelta(minutes=minutes))
    answer = found(ROUTED, fact(FactKind.DELIVERED), answered)["answer"]
    assert (answer.ended_at, answer.met, answer.running) == (answered.at, met, False)


def test_an_interim_answer_ends_no_term() -> None:
    """Only the final answer does."""
    interim = fact(FactKind.ANSWERED, DAY, stage="interim")
    assert found(ROUTED, fact(FactKind.DELIVERED), interim)["answer"].running
    final = fact(FactKind.ANSWERED, 2 * DAY, stage="final")
    assert found(ROUTED, fact(FactKind.DELIVERED), interim, final)["answer"].ended_at == final.at


def test_the_second_copys_refusal_ends_no_term() -> None:
    """Received twice means that the first is there (CMU 55/2018 item 21 ground 3)."""
    twice = fact(FactKind.REFUSED, 20, ground="received_twice")
    assert found(ROUTED, fact(FactKind.DELIVERED), twice)["answer"].running
    wrong = fact(FactKind.REFUSED, 20, ground="wrong_addressee")
    assert found(ROUTED, fact(FactKind.DELIVERED), wrong)["answer"].ended_at == wrong.at


@pytest.mark.parametrize(
    ("said_after_days", "until", "end", "extended"),
    [
        (1, "2026-12-31", "2026-12-31", True),
        (1, "2027-03-01", "2027-01-08", True),  # article 20: 45 days in all
        (1, "2026-12-01", "2026-12-24", False),
        (1, "tomorrow", "2026-12-24", False),
        (31, "2026-12-31", "2026-12-24", False),  # it had ended
    ],
)
def test_an_extension_moves_the_end_within_the_law(said_after_days: int, until: str, end: str, extended: bool) -> None:
    """To its day, never beyond 45 days, never back, and not once the end is over; no day is no extension."""
    said = fact(FactKind.EXTENDED, said_after_days * DAY, until=until)
    known = found(CENTRE, ROUTED, fact(FactKind.DELIVERED), said)
    assert (known["answer"].due_at, known["answer"].extended) == (kyiv_end(end), extended)


def test_the_centres_term_runs_from_the_day_it_received_the_appeal() -> None:
    """Its clock runs before the hub's own, and ends with the first final answer of the body that has the case."""
    known = found(CENTRE, ROUTED, fact(FactKind.DELIVERED, DAY))
    centre = known["centre_answer"]
    assert centre.started_at == datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    assert (centre.due_at, centre.authority, centre.executor) == (kyiv_end("2026-12-23"), None, None)
    answered = fact(FactKind.ANSWERED, 3 * DAY, stage="final")
    assert found(CENTRE, ROUTED, fact(FactKind.DELIVERED, DAY), answered)["centre_answer"].ended_at == answered.at


def test_a_question_stops_the_clock_where_the_law_says_so(tmp_path: Path) -> None:
    """From each question to the next reply, in whole days; a question before the term began stops nothing."""
    law = law_with(tmp_path, terms=lambda said: rule(said, "answer").update(stopped_by=["clarification_asked"]))
    delivered = fact(FactKind.DELIVERED, DAY)
    plain = found(ROUTED, delivered, law=law)["answer"].due_at
    asked, again = fact(FactKind.CLARIFICATION_ASKED, 2 * DAY), fact(FactKind.CLARIFICATION_ASKED, 3 * DAY)
    replied = fact(FactKind.CLARIFIED, 4 * DAY + 60)
    assert found(ROUTED, delivered, asked, again, replied, law=law)["answer"].due_at == plain + timedelta(days=3)
    assert found(ROUTED, delivered, asked, law=law)["answer"].due_at == plain
    early = fact(FactKind.CLARIFICATION_ASKED, 10)
    assert found(ROUTED, delivered, early, replied, law=law)["answer"].due_at == plain
    assert found(ROUTED, delivered, asked, replied)["answer"].due_at == plain


def test_a_question_may_name_the_day_of_its_reply() -> None:
    """The term of the applicant's reply ends on the day that the body named."""
    named = fact(FactKind.CLARIFICATION_ASKED, DAY, until="2026-12-11")
    terms_of = found(ROUTED, fact(FactKind.DELIVERED), named)
    assert [t.due_at for t in terms_of.values() if FactKind.CLARIFICATION_ASKED in t.rule.starts] == [
        kyiv_end("2026-12-11")
    ]


def test_a_returned_answer_starts_a_term_of_its_own() -> None:
    """Until the day that the return names; the next final answer ends it, or the body that has the case instead."""
    answered = fact(FactKind.ANSWERED, DAY, stage="final")
    returned = fact(FactKind.RETURNED_FOR_WORK, 2 * DAY, to=None, until="2026-12-04", answer=short(answered))
    known = (ROUTED, fact(FactKind.DELIVERED), answered, returned)
    rework = found(*known)["rework"]
    assert (rework.started_at, rework.due_at, rework.ended_at) == (returned.at, kyiv_end("2026-12-04"), None)
    assert (rework.authority, rework.copy) == (BODY, None)
    to_copy = replace(returned, delivery_id=FIRST)
    assert found(ROUTED, fact(FactKind.DELIVERED), answered, to_copy)["rework"].copy == str(FIRST)
    anew = fact(FactKind.ANSWERED, 5 * DAY, stage="final")
    assert found(*known, anew)["rework"].ended_at == anew.at
    assert found(*known, GIVEN_ON)["rework"].ended_at == GIVEN_ON.at
    before = replace(GIVEN_ON, at=returned.at - timedelta(minutes=1))
    assert found(*known, before)["rework"].ended_at is None


def test_six_hours_of_a_copy() -> None:
    """They run from when it was sent, if the channel can bring a notice; until then what is not sent is waited for."""
    sent = fact(FactKind.SENT, 30)
    assert found(ROUTED)["unsent"].due_at == T0 + timedelta(hours=6)
    assert "notice" not in found(ROUTED)
    known = found(ROUTED, sent)
    assert (known["notice"].started_at, known["notice"].due_at) == (sent.at, sent.at + timedelta(hours=6))
    assert (known["notice"].copy, known["unsent"].ended_at) == (str(FIRST), sent.at)
    assert "notice" not in found(ROUTED, fact(FactKind.SENT, 30, notice="none"))
    heard = fact(FactKind.DELIVERED, 45)
    assert found(ROUTED, sent, heard)["notice"].ended_at == heard.at
    handed = fact(FactKind.HANDED_OVER, 400, to=THIRD, of=str(FIRST), **{"from": str(FIRST)})
    ends = {
        (term.rule.code, term.copy): (term.started_at, term.ended_at)
        for term in terms(case_facts("phone", read([ROUTED, sent, handed]), shipped()), shipped())
        if term.rule.per == "copy"
    }
    assert ends[("notice", str(FIRST))] == (sent.at, handed.at)
    assert ends[("unsent", str(THIRD))] == (handed.at, None)


def test_what_waits_for_an_operator_has_a_term_for_each_span() -> None:
    """From when the case came to the operators to when nothing of it was left to do; then from the next time on."""
    up, done = fact(FactKind.ESCALATED, 10, to=None), fact(FactKind.RESOLVED, 50, to=None, body=None)
    later = fact(FactKind.ESCALATED, 90, to=None)
    spans = [
        (term.started_at, term.ended_at, term.subject)
        for term in terms(case_facts("phone", read([ROUTED, up, done, later]), shipped()), shipped())
        if term.rule.code == "operator"
    ]
    assert spans == [
        (up.at, done.at, "operator:2026-11-24T08:10:00.000Z"),
        (later.at, None, "operator:2026-11-24T09:30:00.000Z"),
    ]


def test_a_term_that_was_called_overdue_and_was_not_is_corrected() -> None:
    """By an answer in time that came late, or by an end that moved beyond the one that was alarmed; else not."""
    alarm = fact(FactKind.TERM_OVERDUE, 40 * DAY, subject=f"answer:{FIRST}", due="2026-12-24", because="x")
    base = (ROUTED, fact(FactKind.DELIVERED), alarm)

    def corrected(*more: Fact) -> list[Duty]:
        return [duty for duty in due(*base, *more) if duty.act is Act.CORRECT]

    assert corrected() == []
    repeated = replace(alarm, data={**alarm.data, "times": "1"})
    assert not [
        d
        for d in due(ROUTED, fact(FactKind.DELIVERED), repeated, fact(FactKind.ANSWERED, 5 * DAY, stage="final"))
        if d.act is Act.CORRECT
    ]
    in_time = corrected(fact(FactKind.ANSWERED, 5 * DAY, stage="final"))
    assert [(duty.fact, duty.name) for duty in in_time] == [(alarm, f"correct:{short(alarm)}")]
    assert corrected(fact(FactKind.ANSWERED, 38 * DAY, stage="final")) == []
    assert [duty.at for duty in corrected(fact(FactKind.EXTENDED, 5 * DAY, until="2026-12-31"))] == [alarm.at]


def test_a_refused_message_that_followed_the_appeal_asks_for_a_person() -> None:
    """It is about that message, not about the appeal, whose state it does not touch."""
    passed = fact(FactKind.PASSED_ON, 60, to=THIRD, of=str(FIRST))
    refused = fact(FactKind.REFUSED, 90, to=THIRD, ground="form")
    known = (ROUTED, fact(FactKind.REGISTERED, 10, number="1", date="2026-11-24"), passed, refused)
    asked = [duty for duty in due(*known) if duty.act is Act.REFUSAL]
    (duty,) = asked
    assert (duty.fact, duty.at, duty.aside, duty.name) == (refused, refused.at, True, short(refused))
    assert duty.executor is not None
    assert duty.executor.authority == BODY
    assert derive_story(read(known)).state is State.REGISTERED


def test_late_forwarding_and_unlawful_extensions_are_seen() -> None:
    """Article 7: five days; article 20: 45 days and before the end; CMU 55/2018 item 21: a ground. Each by its act."""
    delivered = fact(FactKind.DELIVERED)
    late = fact(FactKind.REDIRECTED, 8 * DAY)
    (breach,) = broken(ROUTED, delivered, late)
    assert (breach.code, breach.fact, breach.due_at) == ("late_forward", late, kyiv_end("2026-11-30"))
    assert (breach.law, breach.executor.authority) == (shipped().rules["forward"].law, BODY)
    assert broken(ROUTED, delivered, fact(FactKind.REDIRECTED, 5 * DAY)) == []
    long, last = (fact(FactKind.EXTENDED, DAY, until=day) for day in ("2027-01-09", "2027-01-08"))
    (breach,) = broken(ROUTED, delivered, long)
    assert (breach.code, breach.due_at) == ("extension_too_long", kyiv_end("2027-01-08"))
    assert (breach.law, breach.fact) == (shipped().rules["answer"].law, long)
    assert broken(ROUTED, delivered, last) == []
    after = fact(FactKind.EXTENDED, 31 * DAY, until="2026-12-31")
    (breach,) = broken(ROUTED, delivered, after)
    assert (breach.code, breach.due_at) == ("extension_too_late", kyiv_end("2026-12-24"))
    assert (breach.law, breach.fact) == (shipped().rules["answer"].law, after)
    assert [b.code for b in broken(ROUTED, fact(FactKind.REFUSED, 5))] == ["no_ground"]
    assert broken(ROUTED, fact(FactKind.REFUSED, 5, ground="form")) == []


@pytest.mark.parametrize(
    ("value", "running"), [("both", {"answer", "case_answer"}), ("yes", {"answer"}), ("no", {"case_answer"})]
)
def test_after_a_redirect_the_answer_is_counted_as_the_law_says(tmp_path: Path, value: str, running: set[str]) -> None:
    """Anew for the next body, from the first one's receipt, or both: then the earlier one is the case's due date."""
    law = law_with(tmp_path, terms=counting("redirect_restarts_answer", value))
    known = (ROUTED, fact(FactKind.DELIVERED), GIVEN_ON, fact(FactKind.DELIVERED, 4 * DAY, to=SECOND, body=OTHER))
    case = case_facts("phone", read(known), law)
    left = {term.rule.code for term in terms(case, law) if term.running} & {"answer", "case_answer"}
    assert left == running
    ends = {"both": "2026-12-24", "yes": "2026-12-28", "no": "2026-12-24"}
    assert outlook(case, law).due_at == kyiv_end(ends[value])


def test_all_must_answer_where_the_law_says_so(tmp_path: Path) -> None:
    """By the shipped law the main executor's answer ends the case; by the other one the last of all does."""
    law = law_with(tmp_path, terms=counting("completion", "all"))
    helper = fact(FactKind.ROUTED, 1, to=SECOND, body=OTHER, role="co_executor")
    got = (ROUTED, helper, fact(FactKind.DELIVERED, 5), fact(FactKind.DELIVERED, 6, to=SECOND, body=OTHER))
    mine = fact(FactKind.ANSWERED, DAY, stage="final")
    theirs = fact(FactKind.ANSWERED, 2 * DAY, to=SECOND, body=OTHER, stage="final")
    assert case_facts("phone", read([*got, mine]), shipped()).state is State.ANSWERED
    waiting = case_facts("phone", read([*got, mine]), law)
    assert (waiting.state, waiting.finished) == (State.DELIVERED, False)
    assert derive_story(waiting.story, all_must_answer=True).authority == OTHER
    done = case_facts("phone", read([*got, mine, theirs]), law)
    assert done.finished
    centre = {t.rule.code: t for t in terms(case_facts("phone", read([CENTRE, *got, mine, theirs]), law), law)}
    assert centre["centre_answer"].ended_at == theirs.at


def test_an_answer_of_nobodys_ends_the_case_when_it_was_given() -> None:
    """The contact centre's own answer, which names no body."""
    own = fact(FactKind.ANSWERED, DAY, to=None, body=None, stage="final")
    assert found(CENTRE, own)["centre_answer"].ended_at == own.at


def test_things_that_cannot_both_be_true_come_to_a_person_until_settled() -> None:
    """Answered finally and forwarded; refused after it registered; the decision of a person after it settles it."""
    answered, sent_on = fact(FactKind.ANSWERED, 10, stage="final"), fact(FactKind.REDIRECTED, 20)
    settled = fact(FactKind.RESOLVED, 30, to=None, body=None)
    assert derive_story(read([ROUTED, answered, sent_on])).needs_operator
    assert not derive_story(read([ROUTED, answered, sent_on, settled])).needs_operator
    assert not derive_story(read([ROUTED, answered])).needs_operator
    registered = fact(FactKind.REGISTERED, 10, number="1", date="2026-11-24")
    refused = fact(FactKind.REFUSED, 20, ground="form")
    assert derive_story(read([ROUTED, registered, refused])).needs_operator
    assert not derive_story(read([ROUTED, replace(refused, at=T0), registered])).needs_operator
    early = fact(FactKind.RESOLVED, 15, to=None, body=None)
    assert derive_story(read([ROUTED, registered, refused, early])).needs_operator


def test_the_body_that_has_the_case_now_decides_its_state() -> None:
    """What was given on counts no more, unless it was answered; by an operator's hand not even then."""
    received, theirs = fact(FactKind.REGISTERED, 10, number="1", date="2026-11-24"), GIVEN_ON
    state = derive_story(read([ROUTED, received, theirs]))
    assert (state.authority, state.state, state.number) == (OTHER, State.ROUTED, None)
    gone, now = sorted(state.executors, key=lambda executor: executor.authority)
    assert (gone.superseded, gone.relieved, now.superseded, now.delivery_id) == (True, False, False, str(SECOND))
    answered = fact(FactKind.ANSWERED, 4 * DAY, stage="final")
    assert derive_story(read([ROUTED, received, theirs, answered])).state is State.ANSWERED
    by_hand = replace(theirs, source=Source.OPERATOR)
    relieved = derive_story(read([ROUTED, received, by_hand, answered]))
    assert (relieved.state, relieved.authority) == (State.ROUTED, OTHER)
    assert [executor.relieved for executor in relieved.executors] == [True, False]


def test_a_refusal_shows_its_ground_until_the_body_registers() -> None:
    """The ground of a refusal belongs to a body that has not taken the appeal."""
    refused = fact(FactKind.REFUSED, 10, ground="form")
    assert [e.ground for e in derive_story(read([ROUTED, refused])).executors] == ["form"]
    registered = fact(FactKind.REGISTERED, 20, number="1", date="2026-11-24")
    (state,) = derive_story(read([ROUTED, refused, registered])).executors
    assert (state.ground, state.number, state.registered_on) == (None, "1", "2026-11-24")


def test_a_withdrawal_ends_every_term() -> None:
    """What still ran ends when the applicant took the appeal back, and nothing asks for an act any more."""
    gone = fact(FactKind.WITHDRAWN, DAY, to=None, body=None)
    known = (CENTRE, ROUTED, fact(FactKind.DELIVERED), fact(FactKind.REFUSED, 30, ground="wrong_addressee"), gone)
    assert {term.running for term in found(*known).values()} == {False}
    assert found(*known)["centre_answer"].ended_at == gone.at
    assert [duty.act for duty in due(*known)] == []


def test_the_words_of_states_and_acts_are_an_interface() -> None:
    """Events, reports and front ends read them; the order of the states is their rank."""
    assert [state.value for state in State] == [
        *("accepted", "routed", "sent", "delivered", "received", "refused", "registered", "redirected"),
        *("answered_interim", "returned", "concluded", "answered", "withdrawn"),
    ]
    assert [act.value for act in Act] == [
        *("redirect", "refusal", "next_channel", "warn", "overdue", "correct", "breach", "supplement"),
    ]


def test_a_term_through_a_year_that_nobody_reviewed_is_provisional(tmp_path: Path) -> None:
    """Its end may move when the days off of that year are known; the others stand."""
    law = law_with(tmp_path, calendar=lambda said: said["years"].pop(2027))
    known = (CENTRE, ROUTED, fact(FactKind.DELIVERED))
    assert not any(term.provisional for term in found(*known, law=law).values())
    late = [replace(each, at=each.at + timedelta(days=30), data={}) for each in known]
    provisional = {code for code, term in found(*late, law=law).items() if term.provisional}
    assert {"answer", "centre_answer"} <= provisional
    assert "notice" not in provisional


def test_statements_that_ask_for_an_act_are_followed_one_after_another() -> None:
    """The first that was not acted upon; an answer of the body itself, or another's that ended the case, ends them."""
    first = fact(FactKind.REFUSED, 20, ground="wrong_addressee")
    second = fact(FactKind.REDIRECTED, 30)
    known = (ROUTED, fact(FactKind.DELIVERED), first, second)

    def asked(*more: Fact) -> list[tuple[Act, Fact | None]]:
        return [(d.act, d.fact) for d in due(*known, *more) if d.act in {Act.REFUSAL, Act.REDIRECT}]

    assert asked() == [(Act.REFUSAL, first)]
    done = fact(FactKind.ESCALATED, 25, because=short(first))
    assert asked(done) == [(Act.REDIRECT, second)]
    assert asked(done, fact(FactKind.ESCALATED, 35, because=short(second))) == []
    assert asked(GIVEN_ON) == []
    nobodys = fact(FactKind.ANSWERED, DAY, to=None, body=None, stage="final")
    assert asked(nobodys) == []
    assert asked(fact(FactKind.ANSWERED, DAY, stage="final")) == [(Act.REFUSAL, first)]


def test_an_answer_that_was_returned_stands_no_more() -> None:
    """A return names its answer; one of before that names none takes back every answer until then."""
    one, two = fact(FactKind.ANSWERED, 10, stage="final"), fact(FactKind.ANSWERED, 20, stage="final")

    def standing(*more: Fact) -> Fact | None:
        return read([ROUTED, one, two, *more]).executors[0].standing()

    assert standing() == one
    assert standing(fact(FactKind.RETURNED_FOR_WORK, 30, answer=short(one))) == two
    assert standing(fact(FactKind.RETURNED_FOR_WORK, 15)) == two
    assert standing(fact(FactKind.RETURNED_FOR_WORK, 30)) is None


def test_the_answer_of_a_body_that_was_relieved_ends_no_case() -> None:
    """An operator gave the case to another body, whose own answer ends it."""
    by_hand = replace(GIVEN_ON, source=Source.OPERATOR)
    mine = fact(FactKind.ANSWERED, 4 * DAY, stage="final")
    theirs = fact(FactKind.ANSWERED, 6 * DAY, to=SECOND, body=OTHER, stage="final")
    known = (CENTRE, ROUTED, fact(FactKind.DELIVERED), by_hand, mine, theirs)
    operator = fact(FactKind.ESCALATED, DAY, to=None)
    assert found(*known, operator)["operator"].ended_at == theirs.at
    assert found(*known)["centre_answer"].ended_at == theirs.at

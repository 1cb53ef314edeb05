"""Laws for every set of facts: order and repetition do not matter, done duties stay done, terms are sane."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.schemas.base import format_datetime
from hub.schemas.delivery import ClockMark, Fact, FactKind, Source
from hub.schemas.ids import DeliveryId
from hub.tracking import law
from hub.tracking.chain import hops
from hub.tracking.duties import Act, Duty, duties, outlook
from hub.tracking.state import FINISHED
from hub.tracking.story import read
from hub.tracking.terms import CaseFacts, breaches, case_facts, terms
from tests.forms import examples
from tests.states import derive
from tests.tracking.test_state import CASE, T0

RULES = law.shipped()
IDS = [DeliveryId(uuid.UUID(int=number)) for number in range(1, 6)]
BODIES = ["00032106", "00032684", "37641918"]
_SPELLED = st.integers(0, 24 * 60).map(lambda hours: format_datetime(T0 + timedelta(hours=hours)))
_DATA = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["main", "co_executor", "information"]),
        "instead_of": st.sampled_from([str(each) for each in IDS]),
        "of": st.sampled_from([str(each) for each in IDS]),
        "from": st.sampled_from([str(each) for each in IDS]),
        "stage": st.sampled_from(["interim", "final"]),
        "ground": st.sampled_from(["form", "received_twice", "wrong_addressee", "other"]),
        "number": st.sampled_from(["1", "2"]),
        "until": st.sampled_from(["2026-12-01", "2027-02-30", "2027-03-01"]),
        "to": st.sampled_from(BODIES),
        "result": st.sampled_from(["explained", "returned"]),
        "clock": st.sampled_from(list(ClockMark)),
        "heard_at": _SPELLED,
        "unseen_at": _SPELLED,
    },
)


@st.composite
def facts(draw: st.DrawFn) -> Fact:
    """Any fact that might be stored, sensible or not."""
    return Fact(
        kind=draw(st.sampled_from(list(FactKind))),
        case_id=CASE,
        at=T0 + timedelta(hours=draw(st.integers(0, 24 * 60))),
        source=draw(st.sampled_from(list(Source))),
        authority=draw(st.sampled_from([None, *BODIES])),
        delivery_id=draw(st.sampled_from([None, *IDS])),
        data=draw(_DATA),
    )


def _case(known: list[Fact], channel: str = "phone") -> CaseFacts:
    return case_facts(channel, read(known), RULES)


def _seen(known: list[Fact]) -> object:
    case = _case(known)
    todo = [(duty.act, duty.at, duty.name) for duty in duties(case, RULES)]
    broken = [(b.code, b.fact.key) for b in breaches(case, RULES)]
    return derive(known), terms(case, RULES), todo, broken, hops(case.story), outlook(case, RULES)


@pytest.mark.slow
@settings(max_examples=examples(200))
@given(known=st.lists(facts(), max_size=10), data=st.data())
def test_order_and_repetition_do_not_matter(known: list[Fact], data: st.DataObject) -> None:
    """Any permutation with any repeats gives the same state, terms, duties, breaches and chain; none fails."""
    repeated = known + data.draw(st.lists(st.sampled_from(known), max_size=4)) if known else known
    assert _seen(data.draw(st.permutations(repeated))) == _seen(known)


@pytest.mark.slow
@settings(max_examples=examples(100))
@given(known=st.lists(facts(), max_size=10))
def test_terms_are_sane(known: list[Fact]) -> None:
    """No term ends before it starts; a finished case has no running term and is never due; due dates bind."""
    case = _case(known)
    found = terms(case, RULES)
    assert all(term.due_at >= term.started_at or term.rule.code in ("rework", "clarification") for term in found)
    assert all(term.ended_at is None or term.ended_at >= term.started_at for term in found)
    ahead = outlook(case, RULES)
    if case.state in FINISHED:
        assert not [term for term in found if term.running and term.rule.per != "copy"]
        assert ahead.due_at is None
    if ahead.due_at is not None:
        assert any(term.running and term.rule.binding and term.due_at == ahead.due_at for term in found)


def _done(duty: Duty) -> Fact:
    """The least that doing a duty leaves behind."""
    kind = {Act.OVERDUE: FactKind.TERM_OVERDUE, Act.BREACH: FactKind.BREACH}.get(duty.act, FactKind.TERM_WARNED)
    return Fact(kind=kind, case_id=CASE, at=duty.at, source=Source.HUB, data={"because": duty.name})


def _comes_next(duty: Duty, done: Duty) -> bool:
    """True if it is the next statement of the body whose statement was done, or the next supplement to it."""
    if duty.act is done.act is Act.SUPPLEMENT:
        return duty.executor == done.executor and duty.name != done.name
    asks = (Act.REDIRECT, Act.REFUSAL)
    if duty.act not in asks or done.act not in asks or duty.executor is None or done.executor is None:
        return False
    return duty.executor.key == done.executor.key and duty.name != done.name and not (duty.aside or done.aside)


@pytest.mark.slow
@settings(max_examples=examples(100))
@given(known=st.lists(facts(), max_size=8))
def test_what_was_done_stays_done(known: list[Fact]) -> None:
    """Each duty that leaves its fact is gone, no other one goes with it, and in the end nothing is left but the alarms
    that are repeated while their term runs.
    """
    todo = duties(_case(known), RULES)
    for duty in todo[:3]:
        left = [d.name for d in duties(_case([*known, _done(duty)]), RULES) if not (d.times or _comes_next(d, duty))]
        void = {d.name for d in todo if d.act is Act.WARN and d.term == duty.term and duty.act is Act.OVERDUE}
        assert left == [d.name for d in todo if d.name != duty.name and d.name not in void]
    everything = list(known)
    for _ in range(len(known) + 1):  # statements that ask for an act come one after another
        everything += [_done(duty) for duty in duties(_case(everything), RULES) if not duty.times]
    assert [d.name for d in duties(_case(everything), RULES) if d.act is not Act.CORRECT and not d.times] == []


@pytest.mark.slow
@settings(max_examples=examples(200))
@given(known=st.lists(facts(), max_size=8))
def test_whatever_was_done_an_unfinished_case_comes_due_again(known: list[Fact]) -> None:
    """From its first day a case has a due date, and a moment at which the hub looks at it, until it is finished."""
    received = Fact(kind=FactKind.ACCEPTED_BY_HUB, case_id=CASE, at=T0, source=Source.HUB)
    facts = [received, *known]
    for _ in range(3):
        case = _case(facts)
        ahead = outlook(case, RULES)
        if case.state in FINISHED:
            assert ahead.due_at is None
            return
        assert ahead.due_at is not None
        assert ahead.watch_at is not None
        facts += [_done(duty) for duty in duties(case, RULES)]


def test_an_alarm_is_repeated_while_its_term_runs() -> None:
    """Five working days after the end of the term, again five later, each once; an answer ends it."""
    received = Fact(kind=FactKind.ACCEPTED_BY_HUB, case_id=CASE, at=T0, source=Source.HUB)
    facts = [received]
    names = list[str]()
    for _ in range(3):
        (alarm,) = [d for d in duties(_case(facts, "web"), RULES) if d.act is Act.OVERDUE]
        assert alarm.term is not None
        assert alarm.term.rule.code == "centre_answer"
        names.append(alarm.name)
        facts.append(_done(alarm))
    assert [name.removeprefix(names[0]) for name in names] == ["", ":1", ":2"]
    answered = Fact(kind=FactKind.WITHDRAWN, case_id=CASE, at=facts[-1].at, source=Source.NCC)
    assert duties(_case([*facts, answered], "web"), RULES) == ()


@pytest.mark.slow
@settings(max_examples=examples(100))
@given(known=st.lists(facts(), max_size=8), extra=facts())
def test_late_facts_give_what_early_ones_would(known: list[Fact], extra: Fact) -> None:
    """A fact that comes last gives the same terms as if it had come first: they are derived, not moved."""
    assert terms(_case([*known, extra]), RULES) == terms(_case([extra, *known]), RULES)

"""A body's own part of a case: nothing in it comes from what other bodies did, or from what only the centre knows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.following.digest import share_digest
from hub.schemas.delivery import CaseRow, Fact, FactKind
from hub.storage import rules
from hub.tracking.share import ELSEWHERE, OWN, bodies, came, own_event, own_part
from hub.tracking.terms import terms
from tests.forms import examples
from tests.storage.making import case
from tests.tracking.test_properties import BODIES, RULES, facts
from tests.tracking.test_state import CASE, T0

ANY = st.lists(facts(), max_size=14)
ONE_BODY = st.sampled_from(BODIES)


def _row(known: list[Fact]) -> CaseRow:
    return rules.case_row(case(id=CASE, created_at=T0), known, RULES)


@pytest.mark.slow
@settings(max_examples=examples(300))
@given(known=ANY, body=ONE_BODY)
def test_what_others_did_changes_nothing(known: list[Fact], body: str) -> None:
    """Whatever other bodies, the centre and the hub did beside: the part and its figures are those of the body's own
    facts. Only that the case was taken from it comes from an assignment of another.
    """
    own = [fact for fact in known if fact.authority == body]
    part, alone = own_part("phone", known, body, RULES), own_part("phone", own, body, RULES)
    assert part.case == alone.case
    assert part.updated_at == alone.updated_at
    if part.state == ELSEWHERE and alone.state != ELSEWHERE:
        assert any(f.kind is FactKind.ROUTED and f.authority != body and "instead_of" in f.data for f in known)
        return
    assert part == alone
    assert share_digest(_row(known), known, body, RULES) == share_digest(_row(own), own, body, RULES)


@pytest.mark.slow
@settings(max_examples=examples(300))
@given(known=ANY, body=ONE_BODY)
def test_no_fact_of_another_is_told(known: list[Fact], body: str) -> None:
    """Each event that a body hears is of its own part, and says neither the case's state nor anything of the hub's."""
    for number, fact in enumerate(known):
        event = rules.event(fact, state="answered", recorded_at=T0, cursor=rules.cursor_text(0, number))
        heard = own_event(event, body)
        if heard is None:
            continue
        assert (fact.authority, fact.kind in OWN) == (body, True)
        assert {"state", "because", "why", "reason", "by", "note", "of", "instead_of"}.isdisjoint(heard.data)


@pytest.mark.slow
@settings(max_examples=examples(100))
@given(known=ANY)
def test_a_case_that_was_never_sent_is_nobodys_share(known: list[Fact]) -> None:
    """Who was only routed to, passed over or thought of has no part; who has one was sent the appeal or spoke of it."""
    for body in BODIES:
        assert came(known, body) == (body in bodies(known))
        if FactKind.CORRECTED not in {fact.kind for fact in known}:
            assert (share_digest(_row(known), known, body, RULES) is not None) == came(known, body)
    kept = [fact for fact in known if fact.kind in (FactKind.ROUTED, FactKind.ESCALATED, FactKind.HANDED_OVER)]
    assert bodies(kept) == ()


@pytest.mark.slow
@settings(max_examples=examples(100))
@given(known=ANY, body=ONE_BODY)
def test_its_terms_are_its_own(known: list[Fact], body: str) -> None:
    """The due date that a body is shown is the end of a binding term of its own that runs."""
    part = own_part("web", known, body, RULES)
    mine = [term for term in terms(part.case, RULES) if term.authority == body]
    if part.due_at is not None:
        assert any(term.running and term.rule.binding and term.due_at == part.due_at for term in mine)
    assert part.updated_at is None or part.updated_at >= T0 - timedelta(days=1)

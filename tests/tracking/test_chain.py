"""The chain of redirects: its hops, its faults, and how it is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub.schemas.delivery import Fact, FactKind, Source
from hub.tracking.chain import ChainFault, fault, hops, path, told
from hub.tracking.copies import copies
from hub.tracking.story import read
from tests.tracking.test_terms import BODY, DAY, FIRST, GIVEN_ON, OTHER, ROUTED, SECOND, THIRD, fact

GOT = fact(FactKind.DELIVERED, 10)
LAST = "37641918"


@pytest.mark.parametrize(
    ("said", "given", "why", "by", "days"),
    [
        (fact(FactKind.REDIRECTED, 2 * DAY), GIVEN_ON, "not_competent", "router", 2),
        (fact(FactKind.REFUSED, 2 * DAY, ground="wrong_addressee"), GIVEN_ON, "wrong_addressee", "router", 2),
        (None, replace(GIVEN_ON, source=Source.OPERATOR), "by_hand", "operator", 3),
        (fact(FactKind.REDIRECTED, 2 * DAY), None, "not_competent", None, 2),
    ],
)
def test_a_hop_tells_who_gave_it_on_why_and_after_how_many_days(
    said: Fact | None, given: Fact | None, why: str, by: str | None, days: int
) -> None:
    """By its word or a person's deed; a refusal on another ground gives nothing on."""
    known = [each for each in (ROUTED, GOT, said, given) if each is not None]
    (hop,) = hops(read(known))
    assert (hop.number, hop.came_from, hop.why, hop.decided_by, hop.days) == (1, BODY, why, by, days)
    assert (hop.to, hop.fact) == (OTHER if given else None, said)
    assert hops(read([ROUTED, GOT, fact(FactKind.REFUSED, 20, ground="form")])) == ()


def _redirect(minutes: int, to: str) -> Fact:
    return replace(fact(FactKind.REDIRECTED, minutes), data={"to": to})


def test_the_chain_in_words() -> None:
    """One sentence a hop: the day, how long it was there, why it left, where it went and who decided that."""
    names = {BODY: "Перший", OTHER: "Другий", LAST: "Третій"}
    third = fact(FactKind.ROUTED, 5 * DAY, to=THIRD, body=LAST, instead_of=str(SECOND))
    story = read(
        [
            ROUTED,
            GOT,
            _redirect(2 * DAY, OTHER),
            GIVEN_ON,
            replace(third, source=Source.OPERATOR),
            fact(FactKind.REDIRECTED, 6 * DAY, to=THIRD, body=LAST),
        ]
    )
    assert told(hops(story), names.__getitem__) == (
        "1. 26.11.2026 after 2 days Перший is not competent; it went to Другий as it named. "
        "2. 29.11.2026 Другий was relieved of it; it went to Третій by an operator. "
        "3. 30.11.2026 Третій is not competent; nobody has it since."
    )
    other = read([ROUTED, GOT, _redirect(2 * DAY, LAST), GIVEN_ON])
    assert told(hops(other), names.__getitem__) == (
        "1. 26.11.2026 after 2 days Перший is not competent, it names Третій; it went to Другий by the router."
    )
    assert [path(story, executor) for executor in story.executors] == [(BODY,), (BODY, OTHER), (BODY, OTHER, LAST)]


@pytest.mark.parametrize(
    ("bodies", "to", "hops_allowed", "expected"),
    [
        (["a"], "a", 4, ChainFault.SELF),
        (["a", "b"], "a", 4, ChainFault.PING_PONG),
        (["a", "b", "c"], "a", 4, ChainFault.LOOP),
        (["a", "b", "c"], "b", 4, ChainFault.PING_PONG),
        (["a", "b", "c"], "d", 3, None),
        (["a", "b", "c"], "d", 2, ChainFault.TOO_LONG),
        (["a", "b", "c"], None, 2, ChainFault.TOO_LONG),
        (["a"], None, 4, None),
    ],
)
def test_what_is_wrong_with_a_redirect(
    bodies: list[str], to: str | None, hops_allowed: int, expected: ChainFault | None
) -> None:
    """To itself, back where it came from, round in a circle, or too long; its code is what operators see."""
    assert fault(bodies, to, max_hops=hops_allowed) is expected
    codes = {"redirect.self", "redirect.ping_pong", "redirect.loop", "redirect.too_long"}
    assert {each.value for each in ChainFault} == codes


def test_a_copy_that_nothing_came_for_says_when_it_was_given_up() -> None:
    """Each channel that was tried shows when it was sent, received and given up."""
    sent, silent = fact(FactKind.SENT, 5), fact(FactKind.NOT_RECEIVED, 370)
    handed = fact(FactKind.HANDED_OVER, 371, to=THIRD, of=str(FIRST), **{"from": str(FIRST)})
    heard = fact(FactKind.DELIVERED, 380, to=THIRD)
    story = read([ROUTED, sent, silent, handed, heard])
    first, second = copies(story, story.executors[0])
    assert (first.sent_at, first.received_at, first.given_up_at) == (sent.at, None, silent.at)
    assert (second.sent_at, second.received_at, second.given_up_at) == (None, heard.at, None)
    assert (first.counts, second.counts, second.receipt) == (False, True, heard)

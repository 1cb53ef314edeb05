"""Deeds: what the hub does when a term comes due, a notice fails to come, or a body refuses or sends on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from hub.cases.duties import DutyRunner
from hub.ports import Outcome
from hub.schemas.delivery import FactKind, OutcomeKind, Source, TransportState
from hub.schemas.directory import AuthorityKind, Channel
from hub.schemas.terms import Role
from hub.tracking.law import shipped as shipped_law
from registry import LoadedDirectory
from registry.territories import shipped
from tests.delivery.making import receipt
from tests.delivery.test_claim import council, own
from tests.delivery.test_operators import Desk
from tests.delivery.test_statements import as_kind
from tests.delivery.world import BODY, CHANNEL, HUB, START

ABOVE, TOP, NEXT = "00032684", "00034186", f"{BODY}.next"
SENT = Outcome(kind=OutcomeKind.DELIVERED)
DUE = "2026-12-24"
END = datetime.fromisoformat("2026-12-24T22:00:00+00:00")
"""The end of the last day, in Kyiv."""


class Country(Desk):
    """A body below another below a third, each over one channel of its own."""

    def __init__(self, outcome: Outcome = SENT, *, channels: int = 1) -> None:
        super().__init__(outcome)
        self.channels = channels
        self.know()

    def know(self, *, above: bool = True, top: bool = True, connected: bool = True) -> None:
        """The registry: which of the bodies above there are, and whether the nearer one has a channel."""
        found = self.world.registry.current().authority(BODY)
        assert found is not None
        ways = (own(self.world), Channel(id=NEXT, adapter="scripted"))[: self.channels]
        bodies = [found.model_copy(update={"channels": ways, "superior": ABOVE})]
        if above:
            nearer = council(ABOVE).model_copy(update={"superior": TOP, "kind": AuthorityKind.CABINET})
            bodies.append(nearer if connected else nearer.model_copy(update={"channels": ()}))
        if top:
            bodies.append(council(TOP).model_copy(update={"superior": BODY}))
        self.world.registry._directory = LoadedDirectory(authorities=bodies, territories=shipped())

    def days(self, days: float) -> None:
        """So long after the appeal came, what is due is done."""
        self.world.clock.time = START + timedelta(days=days)
        self.world.duty_runner.sweep()

    def of_term(self, kind: FactKind, term: str) -> list[dict[str, str]]:
        """Data of the facts about a term."""
        found = [fact for fact in self.facts(kind) if fact.data["term"] == term]
        return [dict(fact.data) for fact in sorted(found, key=lambda fact: fact.at)]

    @property
    def root(self) -> str:
        """The delivery that the first body was given the case with."""
        return str(self.delivery.id)


def term(code: str, law: str, due: str, subject: str, because: str, **more: str) -> dict[str, str]:
    """Data of a fact about a term."""
    return {"term": code, "law": law, "due": due, "subject": subject, "because": because, **more}


ARTICLE = "Law 393/96, article 20"


def test_a_warning_names_the_term_its_law_and_its_day() -> None:
    """Three days before the end of the month the body's term is warned of, dated when it was due to be."""
    desk = Country()
    desk.days(28)
    subject = f"answer:{desk.root}"
    expected = term("answer", ARTICLE, DUE, subject, f"warn3:{subject}:{DUE}")
    assert desk.of_term(FactKind.TERM_WARNED, "answer") == [expected]
    (fact,) = [fact for fact in desk.facts(FactKind.TERM_WARNED) if fact.data["term"] == "answer"]
    assert (fact.source, fact.authority, str(fact.delivery_id)) == (Source.HUB, BODY, desk.root)
    assert fact.at == datetime.fromisoformat("2026-12-21T21:59:59.999000+00:00")


def test_a_term_that_does_not_bind_is_only_warned_of() -> None:
    """Fifteen days for what needs no study: nobody but the body can say so, so nobody is called."""
    desk = Country()
    desk.days(17)
    subject = f"answer_simple:{desk.root}"
    expected = term("answer_simple", ARTICLE, "2026-12-09", subject, f"over:{subject}:2026-12-09")
    assert desk.of_term(FactKind.TERM_WARNED, "answer_simple") == [expected]
    assert desk.facts(FactKind.TERM_OVERDUE) == []
    assert desk.items() == []


def test_a_missed_term_is_told_to_the_body_above() -> None:
    """For information, with why and about whom; the fact is dated by the term's end and says when it was told."""
    desk = Country()
    desk.days(33)
    alarmed = "2026-12-27T08:00:00.000Z"
    subject = f"answer:{desk.root}"
    assert desk.of_term(FactKind.TERM_OVERDUE, "answer") == [
        term("answer", ARTICLE, DUE, subject, f"over:{subject}:{DUE}", alarmed_at=alarmed)
    ]
    (missed,) = [fact for fact in desk.facts(FactKind.TERM_OVERDUE) if fact.data["term"] == "answer"]
    assert (missed.at, missed.authority, str(missed.delivery_id)) == (END, BODY, desk.root)
    (copy,) = [copy for copy in desk.copies() if copy.authority == ABOVE]
    assert (copy.role, copy.state, copy.next_at) == (Role.INFORMATION, TransportState.WAITING, desk.world.clock.now())
    (routed,) = [fact for fact in desk.facts(FactKind.ROUTED) if fact.authority == ABOVE]
    assert dict(routed.data) == {
        "reason": "overdue.answer",
        "about": BODY,
        "registry_version": desk.world.registry.current().version,
        "role": "information",
    }
    assert (routed.source, routed.delivery_id) == (Source.HUB, copy.id)
    assert desk.items() == []


@pytest.mark.parametrize(
    ("above", "connected", "top", "told"),
    [(True, True, True, ABOVE), (True, False, True, TOP), (True, False, False, None), (False, True, True, None)],
)
def test_the_nearest_body_above_that_can_be_reached_is_told(
    above: bool, connected: bool, top: bool, told: str | None
) -> None:
    """Over one that has no channel the next above it; without any, or with a gap between, an operator."""
    desk = Country()
    desk.know(above=above, connected=connected, top=top)
    desk.days(33)
    assert [copy.authority for copy in desk.copies()[1:]] == ([told] if told else [])
    assert [item[0] for item in desk.items()] == ([] if told else ["overdue.answer"])


def test_an_operator_is_told_in_words_with_the_law() -> None:
    """Which term of whom, by which act, ended when; the item stands at the body's delivery."""
    desk = Country()
    desk.know(above=False)
    desk.days(33)
    (item,) = desk.world.store.items(open_only=True, after=None, limit=9)
    assert item.detail == f"Відповідь: Національний банк, {ARTICLE}; the term ended on 24.12.2026."
    assert (item.authority, item.case_id, str(item.delivery_id)) == (BODY, desk.case, desk.root)
    assert item.opened_at == desk.world.clock.now()
    (told,) = desk.facts(FactKind.ESCALATED)
    assert (dict(told.data), told.authority, told.delivery_id, told.at) == (
        {"reason": "overdue.answer"},
        BODY,
        item.delivery_id,
        item.opened_at,
    )


def test_an_alarm_is_repeated_to_an_operator() -> None:
    """Five working days after it was raised, counted; the body above is told once."""
    desk = Country()
    desk.days(33)
    desk.days(40)
    again = desk.of_term(FactKind.TERM_OVERDUE, "answer")[1]
    assert (again["times"], again["alarmed_at"]) == ("1", "2027-01-03T08:00:00.000Z")
    assert again["because"] == f"over:answer:{desk.root}:{DUE}:1"
    assert [copy.authority for copy in desk.copies()] == [BODY, ABOVE]
    assert [item[0] for item in desk.items()] == ["overdue.answer"]


def test_the_centres_own_term_is_nobodys_delivery() -> None:
    """The citizen's month is the case's: missed, it names no body; while the body's own alarm runs it calls nobody."""
    desk = Country()
    desk.know(above=False)
    desk.days(33)
    law = "Concept 1269-r, aim of the contact centre"
    assert desk.of_term(FactKind.TERM_OVERDUE, "centre_answer") == [
        term(
            "centre_answer",
            law,
            DUE,
            "centre_answer:",
            f"over:centre_answer::{DUE}",
            alarmed_at="2026-12-27T08:00:00.000Z",
        )
    ]
    (fact,) = [fact for fact in desk.facts(FactKind.TERM_OVERDUE) if fact.data["term"] == "centre_answer"]
    assert (fact.authority, fact.delivery_id) == (None, None)
    assert [item[0] for item in desk.items()] == ["overdue.answer"]


def test_the_centres_own_term_calls_an_operator_where_no_bodys_runs() -> None:
    """Nobody ever had the appeal, so no term of a body runs: the citizen's month calls, and names the hub."""
    desk = Country(Outcome(kind=OutcomeKind.PERMANENT, code="http.gone"))
    desk.days(33)
    items = {item.reason: item for item in desk.world.store.items(open_only=True, after=None, limit=9)}
    assert set(items) == {"http.gone", "overdue.centre_answer"}
    item = items["overdue.centre_answer"]
    assert item.detail == (
        "Відповідь заявникові, рахуючи від надходження до контактного центру: the hub, "
        "Concept 1269-r, aim of the contact centre; the term ended on 24.12.2026."
    )
    assert (item.authority, item.delivery_id) == (None, None)


@pytest.mark.parametrize("outcome", [OutcomeKind.TEMPORARY, OutcomeKind.OFFERED])
def test_what_was_not_sent_in_six_hours_goes_by_the_next_channel(outcome: OutcomeKind) -> None:
    """Not received, dated by the term's end, with the channel; the copy on the next one says why, and is woken."""
    desk = Country(Outcome(kind=outcome), channels=2)
    desk.days(0.25 + 0.001)
    (silent,) = desk.facts(FactKind.NOT_RECEIVED)
    end = START + timedelta(hours=6, milliseconds=1)
    assert (silent.at, silent.source, silent.authority, str(silent.delivery_id)) == (end, Source.HUB, BODY, desk.root)
    assert dict(silent.data) == {
        "term": "unsent",
        "law": "the hub, -",
        "channel": CHANNEL,
        "because": f"over:unsent:{desk.root}:2026-11-24T14:00:00+00:00",
    }
    (handed,) = desk.facts(FactKind.HANDED_OVER)
    assert (handed.data["why"], handed.data["channel"]) == ("delivery.unsent", NEXT)
    assert [(copy.channel_id, copy.state) for copy in desk.copies()] == [
        (CHANNEL, TransportState.CANCELLED),
        (NEXT, TransportState.WAITING),
    ]
    assert desk.items() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("outcome", "reasons"),
    [(OutcomeKind.TEMPORARY, []), (OutcomeKind.OFFERED, ["delivery.not_received"]), (OutcomeKind.PERMANENT, ["c"])],
)
def test_without_another_channel_a_person_is_called_once(outcome: OutcomeKind, reasons: list[str]) -> None:
    """Unless its own schedule still goes on, or a person has it already; that it was not received is noted."""
    desk = Country(Outcome(kind=outcome, code="c"))
    desk.days(0.25 + 0.001)
    assert len(desk.facts(FactKind.NOT_RECEIVED)) == 1
    assert [item[0] for item in desk.items()] == reasons
    if outcome is OutcomeKind.OFFERED:
        (item,) = desk.world.store.items(open_only=True, after=None, limit=9)
        assert item.detail == "the hub, -: no notice of delivery within 6 hours, and there is no other channel."
        assert item.opened_at == desk.world.clock.now()


@pytest.mark.parametrize(
    ("ground", "reason", "mend"),
    [
        ("form", "refused.form", "Ground 1 of CMU 55/2018 item 21. Rules of form are broken"),
        ("other", "refused.other", "No ground of CMU 55/2018 item 21 was named: rejecting without one is a violation"),
    ],
)
def test_a_refusal_comes_to_a_person_with_what_to_mend(ground: str, reason: str, mend: str) -> None:
    """By the ground that was named; a refusal without one is itself a violation."""
    desk = Country(Outcome(kind=OutcomeKind.REFUSED, ground=ground))
    desk.days(1 / 24)
    (item,) = desk.world.store.items(open_only=True, after=None, limit=9)
    assert item.reason == reason
    assert item.detail.startswith(mend)
    assert (str(item.delivery_id), item.opened_at) == (desk.root, desk.world.clock.now())
    (told,) = desk.facts(FactKind.ESCALATED)
    (refused,) = desk.facts(FactKind.REFUSED)
    assert dict(told.data) == {"reason": reason, "because": refused.key[:16]}


def test_a_ground_that_nobody_knows_is_none() -> None:
    """A word that is no ground of the law comes to a person as such."""
    desk = Country(Outcome(kind=OutcomeKind.REFUSED, ground="зайнято"))
    desk.days(1 / 24)
    (item,) = desk.world.store.items(open_only=True, after=None, limit=9)
    assert item.reason == "refused.зайнято"
    assert item.detail.startswith("No ground of CMU 55/2018")


@pytest.mark.parametrize("how", ["redirect", "wrong_addressee"])
def test_a_case_that_is_sent_on_goes_to_the_next_body(how: str) -> None:
    """To the one that is named, or whom the router finds; it names whom it replaces and because of what."""
    desk = Country(SENT if how == "redirect" else Outcome(kind=OutcomeKind.REFUSED, ground=how))
    if how == "redirect":
        desk.world.calls(receipt(desk.accepted, "redirect"))
    desk.days(1 / 24)
    (copy,) = [copy for copy in desk.copies() if copy.authority != BODY]
    (routed,) = [fact for fact in desk.facts(FactKind.ROUTED) if fact.delivery_id == copy.id]
    said = desk.facts(FactKind.REDIRECTED if how == "redirect" else FactKind.REFUSED)[0]
    assert (copy.authority, copy.role, routed.source) == (ABOVE, Role.MAIN, Source.HUB)
    assert (routed.data["instead_of"], routed.data["because"]) == (desk.root, said.key[:16])
    assert routed.data["registry_version"] == desk.world.registry.current().version


def redirected(desk: Country, to: str, at: str = "2026-11-24T08:00:00Z") -> None:
    """The body sends the case on."""
    body: dict[str, Any] = {"at": at, "reason": "Не наше", "to": to}
    desk.world.calls(as_kind(desk.accepted, "redirect", body))


@pytest.mark.parametrize(
    ("to", "known", "reason", "words"),
    [
        (BODY, True, "redirect.self", "Національний банк"),
        ("00099999", False, "redirect.", ""),
    ],
)
def test_a_redirect_that_leads_nowhere_comes_to_a_person(to: str, known: bool, reason: str, words: str) -> None:
    """Back to itself, or to nobody while nobody else is competent: the chain is told in words."""
    desk = Country()
    if not known:
        desk.know(above=False, top=False)
    redirected(desk, to)
    (item,) = desk.world.store.items(open_only=True, after=None, limit=9)
    assert item.reason.startswith(reason)
    assert words in item.detail
    assert str(item.delivery_id) == desk.root
    (told,) = desk.facts(FactKind.ESCALATED)
    (said,) = desk.facts(FactKind.REDIRECTED)
    assert told.data["because"] == said.key[:16]
    assert len(desk.copies()) == 1


@pytest.mark.parametrize(
    ("named", "change", "gets", "reason", "passed_over"),
    [
        (ABOVE, {}, ABOVE, "requested", None),
        (ABOVE, {"competences": ()}, ABOVE, "requested", None),
        (ABOVE, {"channels": ()}, TOP, "competence", f"{ABOVE} not_connected, {BODY} declined"),
        ("00099999", {}, ABOVE, "competence", f"00099999 requested_unknown, {BODY} declined"),
    ],
)
def test_a_body_that_is_named_gets_it_if_it_can_be_reached(
    named: str, change: dict[str, Any], gets: str, reason: str, passed_over: str | None
) -> None:
    """Whoever sends on knows better who is competent (article 7); else the router finds one and says who was passed."""
    desk = Country()
    found = desk.world.registry.current().authority(BODY)
    assert found is not None
    others = (council(ABOVE).model_copy(update=change), council(TOP))
    known = (found, others[0]) if named != ABOVE else (found, *others)
    desk.world.registry._directory = LoadedDirectory(authorities=known, territories=shipped())
    redirected(desk, named)
    (routed,) = [fact for fact in desk.facts(FactKind.ROUTED) if fact.authority != BODY]
    assert (routed.authority, routed.data["reason"], routed.data.get("passed_over")) == (gets, reason, passed_over)
    assert [copy.channel_id for copy in desk.copies()[1:]] == [f"{gets}.test"]


def test_what_was_answered_is_not_sent_on() -> None:
    """A redirect after the final answer comes to a person, with the chain told in words."""
    desk = Country()
    desk.world.calls(receipt(desk.accepted, "answer"))
    redirected(desk, ABOVE)
    (item,) = desk.world.store.items(open_only=True, after=None, limit=9)
    assert (item.reason, str(item.delivery_id)) == ("redirect.too_late", desk.root)
    assert item.detail == (
        "The case was answered before. 1. 24.11.2026 after 0 days Національний банк is not competent, "
        f"it names Орган {ABOVE}; nobody has it since."
    )
    assert len(desk.copies()) == 1


def test_who_sends_on_too_late_broke_a_rule() -> None:
    """Article 7 gives five days: noted with rule, law and the day that was over, at the body's delivery."""
    desk = Country()
    desk.world.clock.time = START + timedelta(days=20)
    redirected(desk, ABOVE, "2026-12-14T08:00:00Z")
    (said,), (breach,) = desk.facts(FactKind.REDIRECTED), desk.facts(FactKind.BREACH)
    assert (breach.at, breach.source, breach.authority) == (desk.world.clock.now(), Source.HUB, BODY)
    assert breach.delivery_id == said.delivery_id
    assert dict(breach.data) == {
        "rule": "late_forward",
        "law": "Law 393/96, article 7 part 1",
        "because": f"late_forward:{said.key[:16]}",
        "due": "2026-11-30",
    }


def test_lanes_of_what_was_done_are_woken() -> None:
    """The next body's lane is rung for, once for all that goes over it, so that nothing waits for the sweep."""
    desk = Country()
    runner = DutyRunner(
        store=desk.world.store,
        registry=desk.world.registry,
        clock=desk.world.clock,
        doorbell=desk.bell,
        forwarding=desk.forwarding,
        party=HUB,
        law=shipped_law(),
    )
    desk.world.clock.time = START + timedelta(days=33)
    assert runner.sweep() == 1
    assert desk.bell.rung == [(f"{ABOVE}.test", False)]

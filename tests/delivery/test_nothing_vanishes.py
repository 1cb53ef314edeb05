"""Nothing is closed into nothing: histories of random acts, and what a person may and may not end."""

from __future__ import annotations

import random

import pytest

from hub.cases.contact_centre import CaseMessage
from hub.cases.patrol import NOBODY
from hub.cases.submission import Accepted, Submission
from hub.errors import Conflict, HubError, InvalidInput, NotFound
from hub.ports import CaseFilter, Outcome
from hub.schemas.delivery import Change, Delivery, DeliveryUpdate, FactKind, OutcomeKind, TransportState
from hub.schemas.directory import Authority, AuthorityKind, Channel, Competence, LaneSettings
from hub.schemas.envelope import ReceiptEnvelope, ReturnBody, WithdrawalBody
from hub.schemas.ids import CaseId, new_id
from hub.schemas.terms import Conclusion, RefusalGround, Role
from hub.storage.memory import MemoryStore
from hub.tracking.state import FINISHED
from hub.tracking.story import read
from hub.tracking.terms import case_facts, nearest_due, terms
from registry import LoadedDirectory
from registry.territories import shipped
from tests.delivery.making import receipt
from tests.delivery.world import BODY, CHANNEL, HUB, World
from tests.forms import NIGHTLY
from tests.lanes import run_lane
from tests.schemas.form_reading import form_from_json
from tests.schemas.test_renderings import MINIMAL

OTHER, ABOVE = "00032684", "37641918"
LANES = (CHANNEL, f"{BODY}.second", f"{OTHER}.test", f"{ABOVE}.test")
DAY = 86_400


def _body(code: str, *topics: str, channels: int = 1, superior: str | None = None) -> Authority:
    lane = LaneSettings.model_validate({"retry_secs": (10, 20), "give_up_secs": 100})
    ids = [channel for channel in LANES if channel.startswith(code)][:channels]
    return Authority(
        code=code,
        name=f"Орган {code}",
        kind=AuthorityKind.CENTRAL,
        territory="UA",
        superior=superior,
        competences=(Competence(topics=topics),) if topics else (),
        channels=tuple(Channel(id=channel, adapter="scripted", lane=lane) for channel in ids),
    )


class Country(World):
    """Three bodies: one that takes everything over two channels, the one above it, and one that nobody is sent to."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        super().__init__(store=store or MemoryStore())
        bodies = (_body(BODY, "*", channels=2, superior=ABOVE), _body(OTHER), _body(ABOVE))
        self.registry._directory = LoadedDirectory(authorities=bodies, territories=shipped())

    def appeal(self, *, unrouted: bool = False) -> Accepted:
        """An appeal to the first body, or a complaint that neither it nor the one above may get."""
        form = form_from_json(MINIMAL).model_copy(update={"received_at": self.clock.now()})
        if unrouted:
            form = form.model_copy(update={"about": (BODY, ABOVE)})
        return self.intake.submit(Submission(form=form, owner=HUB.code))

    def work(self) -> None:
        """All lanes, then what the sweep does."""
        for channel in LANES:
            run_lane(self.cases, channel)
        self.cases.sweeper.sweep()

    def deliveries(self, case_id: CaseId) -> tuple[Delivery, ...]:
        """Deliveries of a case."""
        return self.store.deliveries(case_id)


# -- what a person may end


def test_a_case_that_nobody_has_is_not_closed_but_assigned_or_concluded() -> None:
    """The audit's case: an appeal that went nowhere was closed with a word, and never heard of again."""
    world = Country()
    lost = world.appeal(unrouted=True)
    with pytest.raises(Conflict) as refused:
        world.operators.close(lost.case_id, by="op", resolution="done")
    assert refused.value.stable_code == "case.nobody_has_it"
    assert "conclude" in refused.value.next_step
    assert world.store.open_items([lost.case_id])
    assert world.operators.conclude(lost.case_id, Conclusion.NO_APPEAL, by="op", why="A question about a lottery.") == 1
    assert world.state(lost) == "concluded"
    assert not world.store.open_items([lost.case_id])
    (fact,) = [fact for fact in world.store.facts(lost.case_id) if fact.kind is FactKind.CONCLUDED]
    assert dict(fact.data) == {"decision": "no_appeal", "why": "A question about a lottery.", "by": "op"}
    row = world.store.case(lost.case_id)
    assert row is not None
    assert (row.due_at, row.watch_at, row.needs_operator) == (None, None, False)
    assert world.operators.close(lost.case_id, by="op", resolution="again") == 0
    with pytest.raises(Conflict) as twice:
        world.operators.conclude(lost.case_id, Conclusion.NO_APPEAL, by="op", why="A question about a lottery.")
    assert twice.value.stable_code == "case.finished"
    with pytest.raises(NotFound):
        world.operators.conclude(CaseId(new_id()), Conclusion.NO_APPEAL, by="op", why="A question about a lottery.")


def test_a_case_that_a_body_has_is_not_concluded() -> None:
    """Who has the appeal answers it: neither on its way nor registered can a person end it; dead it can be."""
    world = Country()
    accepted = world.appeal()
    for _ in range(2):
        with pytest.raises(Conflict) as refused:
            world.operators.conclude(accepted.case_id, Conclusion.ANSWERED_BY_CENTRE, by="op", why="Told at once.")
        assert refused.value.stable_code == "case.held"
        assert BODY in refused.value.message
        world.work()
    other = world.appeal()
    world.adapter.script = [Outcome(kind=OutcomeKind.PERMANENT, code="gone")]
    world.work()
    assert {delivery.state for delivery in world.deliveries(other.case_id)} == {TransportState.DEAD}
    with pytest.raises(Conflict):
        world.operators.close(other.case_id, by="op", resolution="done")
    world.operators.conclude(other.case_id, Conclusion.ANSWERED_BY_CENTRE, by="op", why="Told at once.")
    assert world.state(other) == "concluded"
    with pytest.raises(Conflict) as replayed:
        world.operators.replay(world.deliveries(other.case_id)[0].id, by="op")
    assert replayed.value.stable_code == "case.finished"


def test_a_conclusion_is_void_once_a_body_has_the_case() -> None:
    """Given to a body after it, the case runs on with its terms; so it does if a dead copy had arrived after all."""
    world = Country()
    accepted = world.appeal(unrouted=True)
    world.operators.conclude(accepted.case_id, Conclusion.NO_APPEAL, by="op", why="A question about a lottery.")
    world.clock.go(60)
    world.forwarding.assign(accepted.case_id, OTHER, by="op")
    assert world.state(accepted) == "routed"
    row = world.store.case(accepted.case_id)
    assert row is not None
    assert row.due_at is not None
    world = Country()
    dead = world.appeal()
    world.adapter.script = [Outcome(kind=OutcomeKind.PERMANENT, code="gone")]
    world.work()
    world.operators.conclude(dead.case_id, Conclusion.ANSWERED_BY_CENTRE, by="op", why="Told at once.")
    world.clock.go(60)
    world.calls(receipt(dead, "registered", world.clock.now()))
    assert world.state(dead) == "registered"


def test_a_deed_about_one_delivery_leaves_the_others_open() -> None:
    """Replayed, the one waits for no operator any more; the other of the same case does, and is due."""
    world = Country()
    accepted = world.appeal()
    world.forwarding.assign(accepted.case_id, OTHER, by="op", role=Role.CO_EXECUTOR)
    world.clock.go(60)
    world.adapter.script = [Outcome(kind=OutcomeKind.PERMANENT, code="gone")]
    world.work()
    dead = [d for d in world.deliveries(accepted.case_id) if d.state is TransportState.DEAD and d.authority == OTHER]
    world.clock.go(60)
    world.operators.replay(dead[0].id, by="op")
    row = world.store.case(accepted.case_id)
    assert row is not None
    assert row.needs_operator
    assert {item.authority for item in world.store.open_items([accepted.case_id])[accepted.case_id]} == {BODY}


def test_a_person_cannot_give_a_complaint_to_whom_it_is_about() -> None:
    """Article 7 holds for hands too: neither the body complained of nor one below it gets the case, in no role."""
    world = Country()
    accepted = world.appeal(unrouted=True)
    for code, role in ((BODY, Role.MAIN), (ABOVE, Role.INFORMATION)):
        with pytest.raises(InvalidInput) as refused:
            world.forwarding.assign(accepted.case_id, code, by="op", role=role)
        assert refused.value.stable_code == "assign.accused"
    (fact,) = [fact for fact in world.store.facts(accepted.case_id) if fact.kind is FactKind.ESCALATED]
    assert fact.data["passed_over"] == f"{BODY} accused, {ABOVE} accused"


@pytest.mark.parametrize("what", ["refused", "redirect"])
def test_two_statements_that_ask_for_one_act_give_the_case_away_once(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body says twice that it is not competent before the hub looks: one next body gets the case, not two copies."""
    world = Country()
    topic = form_from_json(MINIMAL).topics[0]
    bodies = (_body(BODY, topic), _body(OTHER, "*"))
    world.registry._directory = LoadedDirectory(authorities=bodies, territories=shipped())
    accepted = world.appeal()
    run_lane(world.cases, CHANNEL)
    monkeypatch.setattr(world.receiver, "_asked", lambda _: None)  # as if it were killed before it looks
    for _ in range(2):
        world.clock.go(60)
        said = receipt(accepted, what, world.clock.now())
        if isinstance(said, ReceiptEnvelope):
            body = said.body.model_copy(update={"ground": RefusalGround.WRONG_ADDRESSEE})
            said = said.model_copy(update={"body": body})
        world.calls(said)
    for _ in range(3):
        world.clock.go(600)
        world.duty_runner.sweep()
    assert [delivery.authority for delivery in world.deliveries(accepted.case_id)] == [BODY, OTHER]


# -- the patrol


def test_the_patrol_finds_what_a_hand_broke() -> None:
    """A delivery cancelled in the database, its item closed: found on the second look, brought to a person, once."""
    world = Country()
    accepted, kept = world.appeal(), world.appeal()
    delivery = world.deliveries(accepted.case_id)[0]
    found = list[int]()
    world.store.apply(Change(updates=(DeliveryUpdate(id=delivery.id, state=TransportState.CANCELLED),)))
    patrol = world.cases.patrol
    patrol._found = found.append
    for _ in range(3):
        patrol.step()
        world.clock.go(30)
    assert found == []
    for _ in range(8):
        patrol.step()
        world.clock.go(30)
    assert found == [1]
    items = world.store.open_items([accepted.case_id, kept.case_id])
    assert [(item.case_id, item.reason) for found_items in items.values() for item in found_items] == [
        (accepted.case_id, NOBODY)
    ]
    row = world.store.case(accepted.case_id)
    assert row is not None
    assert row.needs_operator


# -- histories


class History:
    """One history of random acts upon a few cases."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.world = Country()
        self.cases: list[Accepted] = []
        self.log: list[str] = []

    def step(self) -> None:
        """One act; what the hub refuses is refused."""
        self.world.clock.go(1)
        acts = [self.submit, self.time, self.centre, *[self.work, self.said, self.operator] * 2]
        act = self.dice.choice(acts) if self.cases else self.submit
        try:
            act()
        except HubError as refusal:
            self.log.append(f"  refused: {refusal.stable_code}")

    def submit(self) -> None:
        """An appeal, now and then one that nobody may get."""
        self.log.append("submit")
        self.cases.append(self.world.appeal(unrouted=self.dice.random() < 0.3))

    def work(self) -> None:
        """The lanes run, and however the other side answers, it answers so to all."""
        kind = self.dice.choice(list(OutcomeKind))
        ground = self.dice.choice(["form", "wrong_addressee", "received_twice", "other"])
        self.log.append(f"work {kind} {ground}")
        outcome = Outcome(kind=kind, ground=ground) if kind is OutcomeKind.REFUSED else Outcome(kind=kind)
        self.world.adapter.script = [outcome]
        self.world.work()

    def time(self) -> None:
        """Time goes on, by minutes or by weeks."""
        secs = self.dice.choice([60, 3_600, 7 * 3_600, 2 * DAY, 16 * DAY, 40 * DAY])
        self.log.append(f"time {secs}")
        self.world.clock.go(secs)

    def said(self) -> None:
        """The body says something about a case, in order or not."""
        case = self.dice.choice(self.cases)
        whats = ["delivered", "accepted", "registered", "refused", "interim", "answer", "redirect", "extension"]
        what = self.dice.choice(whats)
        self.log.append(f"said {what} {case.case_id}")
        self.world.calls(receipt(case, what, self.world.clock.now()))

    def operator(self) -> None:
        """A person acts."""
        case, operators = self.dice.choice(self.cases), self.world.operators
        deliveries = self.world.deliveries(case.case_id)
        deed = self.dice.choice(["close", "conclude", "assign", "assign", "replay", "channel"])
        self.log.append(f"operator {deed} {case.case_id}")
        if deed == "close":
            operators.close(case.case_id, by="op", resolution="done")
        elif deed == "conclude":
            operators.conclude(case.case_id, Conclusion.NO_APPEAL, by="op", why="Nothing is asked for.")
        elif deed == "assign":
            role = self.dice.choice([Role.MAIN, Role.MAIN, Role.CO_EXECUTOR, Role.INFORMATION])
            self.world.forwarding.assign(case.case_id, self.dice.choice([BODY, OTHER, ABOVE]), by="op", role=role)
        elif deed == "replay" and deliveries:
            operators.replay(self.dice.choice(deliveries).id, by="op")
        elif deliveries:
            operators.choose_channel(self.dice.choice(deliveries).id, self.dice.choice(LANES), by="op")

    def centre(self) -> None:
        """The contact centre passes on what the applicant says."""
        case = self.dice.choice(self.cases)
        now = self.world.clock.now()
        self.log.append(f"centre {case.case_id}")
        body = WithdrawalBody(at=now) if self.dice.random() < 0.4 else ReturnBody(at=now, reason="Не по суті")
        self.world.cases.contact_centre.say(CaseMessage(case_id=case.case_id, owner=HUB.code, body=body))

    def check(self) -> None:
        """Each case is finished, or a body holds it and a term runs, or an open item of it has a due date."""
        world = self.world
        law = world.duty_runner._law
        for row in world.store.cases(CaseFilter(), after=None, limit=1_000):
            facts = world.store.facts(row.case.id)
            case = case_facts(row.case.channel, read(facts), law)
            if case.finished:
                assert row.state in FINISHED
                continue
            assert row.due_at is not None
            assert row.due_at == nearest_due(terms(case, law))
            assert row.watch_at is not None
            items = world.store.open_items([row.case.id]).get(row.case.id, ())
            assert all(law.item_due(item.opened_at) is not None for item in items)
        assert world.cases.patrol.round() == 0


@pytest.mark.slow
@pytest.mark.timeout(3_600 if NIGHTLY else 300)
@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.one_store) for part in (1, 2, 3))])
def test_no_history_of_acts_leaves_a_case_to_nobody(part: int) -> None:
    """Whatever is submitted, answered, refused, assigned, replayed, closed and however time passes: after each act and
    the sweep that follows it, no case is nobody's.
    """
    for number in range(2_500 if NIGHTLY else 25):
        history = History(part * 100_000 + number)
        for _ in range(25):
            history.step()
            history.world.cases.sweeper.sweep()
            try:
                history.check()
            except AssertionError as broken:
                raise AssertionError("\n".join(history.log)) from broken

"""Acts of operators: what each writes, whom it wakes, what it closes, and where it is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from hub.cases.forwarding import Forwarding
from hub.cases.operators import LaneSeen, Operators, standing
from hub.cases.submission import Submission
from hub.errors import Conflict, HubError, InvalidInput, NotFound
from hub.ports import Outcome, RawInbound
from hub.schemas.delivery import (
    Change,
    Delivery,
    DeliveryUpdate,
    Fact,
    FactKind,
    LaneState,
    OutcomeKind,
    Source,
    TransportState,
)
from hub.schemas.directory import Channel
from hub.schemas.ids import CaseId, DeliveryId, new_id
from hub.schemas.terms import Conclusion, Priority, Role
from hub.tracking.law import shipped as shipped_law
from hub.tracking.state import State
from registry import LoadedDirectory
from registry.territories import shipped
from tests.delivery.making import receipt
from tests.delivery.origins import origin
from tests.delivery.test_claim import council, own
from tests.delivery.test_sending import Bell
from tests.delivery.world import BODY, CHANNEL, HUB, START, World
from tests.lanes import run_lane
from tests.schemas.form_reading import form_from_json
from tests.schemas.test_renderings import MINIMAL

OTHER, NEXT = "00032684", f"{BODY}.next"
WRONG = Outcome(kind=OutcomeKind.PERMANENT, code="http.gone", detail="410")
LONG = "причина " + "х" * 600


class Desk:
    """Operators of a world with a second channel and a second body, and a bell that is heard."""

    def __init__(self, outcome: Outcome = WRONG, *, count: int = 1) -> None:
        self.world = World()
        self.bell = Bell()
        self.operators = Operators(
            store=self.world.store, registry=self.world.registry, clock=self.world.clock, doorbell=self.bell
        )
        self.forwarding = Forwarding(
            store=self.world.store,
            registry=self.world.registry,
            clock=self.world.clock,
            doorbell=self.bell,
            party=HUB,
            law=shipped_law(),
        )
        self.world.adapter.script = [outcome]
        self.all = self.world.submit(count)
        self.accepted = self.all[0]
        run_lane(self.world.cases, CHANNEL)
        self.case = self.accepted.case_id
        self.delivery = self.world.delivery(self.accepted)
        self.world.clock.go(60)
        self.now = self.world.clock.now()
        self.registry()

    def registry(self, *channels: Channel, **body: object) -> None:
        """The registry has these channels besides the first, and another body."""
        found = self.world.registry.current().authority(BODY)
        assert found is not None
        kept = (own(self.world), *(channels or (Channel(id=NEXT, adapter="scripted"),)))
        known = found.model_copy(update={"channels": kept, **body})
        self.world.registry._directory = LoadedDirectory(authorities=(known, council(OTHER)), territories=shipped())

    def facts(self, kind: FactKind) -> list[Fact]:
        """Facts of the case."""
        return [fact for fact in self.world.store.facts(self.case) if fact.kind is kind]

    def items(self) -> list[tuple[str, object, str | None]]:
        """Items of the case: reason, when they were closed, how."""
        found = self.world.store.items(open_only=False, after=None, limit=99)
        return [(item.reason, item.closed_at, item.resolution) for item in found]

    def copies(self) -> list[Delivery]:
        """Deliveries of the case."""
        return list(self.world.store.deliveries(self.case))


# Dead letters


def test_a_replay_sends_the_same_again_with_a_fresh_schedule() -> None:
    """Waiting and due now, with its schedule begun anew; its item says who did it, and the lane is woken."""
    desk = Desk()
    returned = desk.operators.replay(desk.delivery.id, by="olena")
    after = desk.world.delivery(desk.accepted)
    assert (after.state, after.next_at, after.first_attempt_at) == (TransportState.WAITING, desk.now, desk.now)
    assert (after.last_code, after.payload) == ("replayed", desk.delivery.payload)
    assert (returned.id, returned.state, returned.next_at) == (after.id, TransportState.WAITING, desk.now)
    (done,) = desk.facts(FactKind.RESOLVED)
    assert (done.source, done.at, done.delivery_id) == (Source.OPERATOR, desk.now, desk.delivery.id)
    assert dict(done.data) == {"by": "olena", "how": "replayed"}
    assert desk.items() == [("http.gone", desk.now, "replayed by olena")]
    assert desk.bell.rung == [(CHANNEL, False)]


def test_a_rebuild_is_a_copy_with_new_bytes() -> None:
    """Over the same channel, under the same message id, due now; the copy that failed is cancelled with its bytes."""
    desk = Desk()
    made = desk.operators.rebuild(desk.delivery.id, by="olena")
    first, copy = desk.copies()
    assert (first.state, first.last_code, first.payload) == (
        TransportState.CANCELLED,
        "rebuilt",
        desk.delivery.payload,
    )
    assert (copy.channel_id, copy.message_id, copy.state) == (CHANNEL, first.message_id, TransportState.WAITING)
    assert (copy.next_at, copy.payload, made.id) == (desk.now, None, copy.id)
    (handed,), (done,) = desk.facts(FactKind.HANDED_OVER), desk.facts(FactKind.RESOLVED)
    assert (handed.source, handed.data["why"], handed.data["by"]) == (Source.OPERATOR, "rebuilt", "olena")
    assert dict(done.data) == {"by": "olena", "how": "rebuilt"}
    assert done.delivery_id == desk.delivery.id
    assert desk.items() == [("http.gone", desk.now, "rebuilt by olena")]
    assert desk.bell.rung == [(CHANNEL, False)]


@pytest.mark.parametrize("kind", [OutcomeKind.PERMANENT, OutcomeKind.UNKNOWN, OutcomeKind.OFFERED])
def test_a_person_chooses_another_channel(kind: OutcomeKind) -> None:
    """The copy on the chosen channel is due now; the other is stopped where it could still go out."""
    desk = Desk(Outcome(kind=kind, code="c"))
    made = desk.operators.choose_channel(desk.delivery.id, NEXT, by="olena")
    first, copy = desk.copies()
    stopped = kind is not OutcomeKind.PERMANENT
    assert (first.state, first.last_code) == (
        (TransportState.CANCELLED, "handed_over") if stopped else (TransportState.DEAD, "c")
    )
    assert (copy.id, copy.channel_id, copy.next_at) == (made.id, NEXT, desk.now)
    assert made.state is TransportState.WAITING
    (handed,), (done,) = desk.facts(FactKind.HANDED_OVER), desk.facts(FactKind.RESOLVED)
    assert (handed.data["why"], handed.data["by"]) == ("chosen_by_operator", "olena")
    assert (done.data["how"], done.data["by"], done.delivery_id) == (
        f"handed over to {NEXT}",
        "olena",
        desk.delivery.id,
    )
    assert desk.items() == ([] if stopped else [("c", desk.now, f"handed over to {NEXT} by olena")])
    assert desk.bell.rung == [(NEXT, False)]


def shadowed(desk: Desk) -> DeliveryId:
    """A delivery over a shadow channel, dead."""
    shadow = replace(desk.delivery, id=DeliveryId(new_id()), shadow=True, channel_id=f"{BODY}.shadow")
    desk.world.store.apply(Change(deliveries=(shadow,)))
    return shadow.id


Act = Callable[[Desk, DeliveryId], object]
ACTS: dict[str, Act] = {
    "replay": lambda desk, which: desk.operators.replay(which, by="olena"),
    "rebuild": lambda desk, which: desk.operators.rebuild(which, by="olena"),
    "choose": lambda desk, which: desk.operators.choose_channel(which, NEXT, by="olena"),
}


def refused(desk: Desk, act: Callable[[], object], code: str, kind: type[HubError]) -> None:
    """It is refused with this code, and nothing is written or woken."""
    before = (desk.world.store.facts(desk.case), desk.copies(), desk.items())
    with pytest.raises(kind) as told:
        act()
    assert told.value.stable_code == code
    assert (desk.world.store.facts(desk.case), desk.copies(), desk.items()) == before
    assert desk.bell.rung == []


@pytest.mark.parametrize("name", list(ACTS))
def test_an_act_on_a_delivery_that_is_none_is_refused(name: str) -> None:
    """Unknown; and one that is only tried beside, but for a replay, which tries it again."""
    desk = Desk()
    refused(desk, lambda: ACTS[name](desk, DeliveryId(new_id())), "delivery.unknown", NotFound)
    if name != "replay":
        shadow = shadowed(desk)
        refused(desk, lambda: ACTS[name](desk, shadow), "delivery.unknown", NotFound)


@pytest.mark.parametrize(
    ("name", "outcome", "code"),
    [
        ("replay", OutcomeKind.DELIVERED, "replay.not_dead"),
        ("replay", OutcomeKind.TEMPORARY, "replay.not_dead"),
        ("rebuild", OutcomeKind.DELIVERED, "replay.not_dead"),
        ("rebuild", OutcomeKind.UNKNOWN, "replay.not_dead"),
        ("choose", OutcomeKind.DELIVERED, "channel.nothing_to_do"),
    ],
)
def test_what_arrived_or_is_still_at_it_is_left_alone(name: str, outcome: OutcomeKind, code: str) -> None:
    """Only what was given up is sent again by hand; what arrived is not handed over."""
    desk = Desk(Outcome(kind=outcome))
    refused(desk, lambda: ACTS[name](desk, desk.delivery.id), code, Conflict)


def test_what_is_being_sent_now_is_not_handed_over() -> None:
    """Nor is a delivery handed over to the channel that it goes over."""
    desk = Desk()
    refused(
        desk,
        lambda: desk.operators.choose_channel(desk.delivery.id, CHANNEL, by="olena"),
        "channel.nothing_to_do",
        Conflict,
    )
    update = DeliveryUpdate(id=desk.delivery.id, state=TransportState.SENDING)
    desk.world.store.apply(Change(updates=(update,)))
    refused(desk, lambda: ACTS["choose"](desk, desk.delivery.id), "channel.nothing_to_do", Conflict)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["replay", "rebuild"])
def test_a_refused_delivery_can_be_sent_again(name: str) -> None:
    """After the cause of the refusal was mended."""
    desk = Desk(Outcome(kind=OutcomeKind.REFUSED, ground="form"))
    ACTS[name](desk, desk.delivery.id)
    assert TransportState.WAITING in [copy.state for copy in desk.copies()]


@pytest.mark.parametrize("name", ["rebuild", "choose"])
@pytest.mark.parametrize("how", ["ended", "shadow", "no body", "another's"])
def test_only_a_channel_of_the_body_that_holds_today_is_taken(name: str, how: str) -> None:
    """Not one that ended, that is only tried, or whose body is gone: 422 with the place."""
    desk = Desk()
    change: dict[str, Any] = {"valid_to": date(2026, 11, 24)} if how == "ended" else {"shadow": True}
    if how in ("ended", "shadow"):
        channels = (own(desk.world, **change), Channel(id=NEXT, adapter="scripted", **change))
        found = desk.world.registry.current().authority(BODY)
        assert found is not None
        body = found.model_copy(update={"channels": channels})
        desk.world.registry._directory = LoadedDirectory(authorities=(body,), territories=shipped())
    elif how == "no body":
        desk.world.registry._directory = LoadedDirectory(authorities=(), territories=shipped())
    elif name == "rebuild":
        return
    act = ACTS[name]
    if how == "another's":
        refused(
            desk,
            lambda: desk.operators.choose_channel(desk.delivery.id, f"{OTHER}.test", by="o"),
            "channel.unknown",
            InvalidInput,
        )
        return
    with pytest.raises(InvalidInput) as told:
        act(desk, desk.delivery.id)
    assert [(fault.pointer, fault.code) for fault in told.value.faults] == [("/channel_id", "channel.unknown")]


@pytest.mark.parametrize("name", ["replay", "rebuild"])
def test_nothing_of_a_case_that_ended_is_sent_again(name: str) -> None:
    """Concluded by a person: a replay would send what is over."""
    desk = Desk()
    desk.operators.conclude(desk.case, Conclusion.NO_APPEAL, by="olena", why="Спам")
    refused(desk, lambda: ACTS[name](desk, desk.delivery.id), "case.finished", Conflict)


# Ends of cases


def test_a_conclusion_names_who_and_why() -> None:
    """The decision, at most 500 characters of its reason and its author stand in the facts; items close with them."""
    desk = Desk()
    assert desk.operators.conclude(desk.case, Conclusion.NO_APPEAL, by="olena", why=LONG) == 1
    (ended,), (done,) = desk.facts(FactKind.CONCLUDED), desk.facts(FactKind.RESOLVED)
    assert (ended.source, ended.at) == (Source.OPERATOR, desk.now)
    assert dict(ended.data) == {"decision": "no_appeal", "why": LONG[:500], "by": "olena"}
    assert dict(done.data) == {"by": "olena", "how": "concluded: no_appeal"}
    assert desk.items() == [("http.gone", desk.now, "concluded (no_appeal) by olena")]
    assert desk.world.state(desk.accepted) == State.CONCLUDED
    for case_id, code in ((desk.case, "case.finished"), (CaseId(new_id()), "case.unknown")):
        with pytest.raises(HubError) as told:
            desk.operators.conclude(case_id, Conclusion.NO_APPEAL, by="olena", why="x")
        assert told.value.stable_code == code


def test_a_case_with_several_bodies_tells_all_that_have_it() -> None:
    """It ends by their answers; the refusal names each."""
    desk = Desk(Outcome(kind=OutcomeKind.DELIVERED))
    desk.forwarding.assign(desk.case, OTHER, by="olena", role=Role.CO_EXECUTOR)
    with pytest.raises(Conflict) as told:
        desk.operators.conclude(desk.case, Conclusion.NO_APPEAL, by="olena", why="x")
    assert f"{BODY}, {OTHER}" in told.value.message


def test_items_are_closed_with_a_word_where_a_body_has_the_case() -> None:
    """How many, by whom and how; a long word is cut in the fact. With nothing open it is none."""
    desk = Desk(Outcome(kind=OutcomeKind.DELIVERED))
    desk.world.receiver.hold(
        RawInbound(content_type="text/plain", body=b"x"),
        origin(CHANNEL, BODY),
        verdict="mail.unclear",
        about=desk.delivery,
    )
    assert desk.operators.close(desk.case, by="olena", resolution=LONG) == 1
    (done,) = desk.facts(FactKind.RESOLVED)
    assert (done.source, done.delivery_id, dict(done.data)) == (
        Source.OPERATOR,
        None,
        {"by": "olena", "how": LONG[:500]},
    )
    ((_, closed_at, resolution),) = desk.items()
    assert closed_at == desk.now
    assert resolution is not None
    assert resolution.startswith("olena: причина")
    assert desk.operators.close(desk.case, by="olena", resolution="again") == 0
    with pytest.raises(NotFound):
        desk.operators.close(CaseId(new_id()), by="olena", resolution="x")


# Assigning


def test_an_assignment_gives_the_case_to_another_body() -> None:
    """By whom and why; the body that had it is told of by name, its waiting copy is stopped, its items are closed."""
    desk = Desk(Outcome(kind=OutcomeKind.UNKNOWN))
    answer = desk.forwarding.assign(desk.case, OTHER, by="olena", reason=LONG)
    first, copy = desk.copies()
    assert (first.state, first.last_code) == (TransportState.CANCELLED, "superseded")
    assert (copy.authority, copy.channel_id, copy.role, copy.next_at) == (OTHER, f"{OTHER}.test", Role.MAIN, desk.now)
    (routed,) = [fact for fact in desk.facts(FactKind.ROUTED) if fact.authority == OTHER]
    data = dict(routed.data)
    assert data.pop("instead_of")
    assert data == {
        "reason": "assigned_by_operator",
        "by": "olena",
        "registry_version": desk.world.registry.current().version,
        "why": LONG[:500],
    }
    assert (routed.source, routed.delivery_id) == (Source.OPERATOR, copy.id)
    (done,) = desk.facts(FactKind.RESOLVED)
    assert dict(done.data) == {"by": "olena", "how": f"given to {OTHER} as main"}
    assert desk.bell.rung == [(f"{OTHER}.test", False)]
    row = desk.world.store.case(desk.case)
    assert row is not None
    assert row.authority == OTHER
    assert (answer.case_id, answer.repeat) == (desk.case, False)
    assert (answer.authority, answer.reason, answer.message_id) == (OTHER, "assigned_by_operator", copy.message_id)
    assert json.loads(answer.answer) == {
        "case_id": str(desk.case),
        "case_number": row.case.case_number,
        "message_id": str(copy.message_id),
        "authority": OTHER,
        "state": "routed",
        "reason": "assigned_by_operator",
        "registry_version": desk.world.registry.current().version,
    }


@pytest.mark.parametrize("role", [Role.CO_EXECUTOR, Role.INFORMATION])
def test_a_further_copy_settles_nothing(role: Role) -> None:
    """As co-executor or for information: the one that has the case keeps it, and what is open stays open."""
    desk = Desk()
    desk.forwarding.assign(desk.case, OTHER, by="olena", role=role)
    assert desk.facts(FactKind.RESOLVED) == []
    assert [(reason, closed) for reason, closed, _ in desk.items()] == [("http.gone", None)]
    (routed,) = [fact for fact in desk.facts(FactKind.ROUTED) if fact.authority == OTHER]
    assert dict(routed.data) == {
        "reason": "assigned_by_operator",
        "by": "olena",
        "registry_version": desk.world.registry.current().version,
        "role": role.value,
    }
    assert desk.copies()[0].state is TransportState.DEAD
    message = desk.world.store.message(desk.copies()[1].message_id)
    assert message is not None
    assert (b'"due"' in message.body) is (role is Role.CO_EXECUTOR)


def test_open_items_close_when_the_case_is_given_to_a_body() -> None:
    """With whom it was given to and by whom."""
    desk = Desk()
    desk.forwarding.assign(desk.case, OTHER, by="olena")
    assert desk.items() == [("http.gone", desk.now, f"given to {OTHER} as main by olena")]


@pytest.mark.parametrize(
    ("code", "change", "faults"),
    [
        ("assign.not_connected", "unknown", ["/authority"]),
        ("assign.not_connected", "no channel", ["/authority"]),
        ("assign.not_connected", "over", ["/authority"]),
    ],
)
def test_a_case_is_given_only_to_a_body_that_can_be_reached(code: str, change: str, faults: list[str]) -> None:
    """Unknown, without a channel, or no body any more on this day: 422 with the place."""
    desk = Desk()
    body = council(OTHER)
    if change == "no channel":
        body = body.model_copy(update={"channels": ()})
    if change == "over":
        body = body.model_copy(update={"valid_to": date(2026, 11, 24)})
    known = () if change == "unknown" else (body,)
    desk.world.registry._directory = LoadedDirectory(authorities=known, territories=shipped())
    with pytest.raises(InvalidInput) as told:
        desk.forwarding.assign(desk.case, OTHER, by="olena")
    assert told.value.stable_code == code
    assert [(fault.pointer, fault.code) for fault in told.value.faults] == [(pointer, code) for pointer in faults]
    assert len(desk.copies()) == 1


def test_a_threat_to_life_stays_one() -> None:
    """Whoever gets the case later gets it with its priority, over the first of its channels that holds."""
    desk = Desk()
    (urgent,) = desk.world.intake.submit_all([_urgent()])
    ended = Channel(id=f"{OTHER}.old", adapter="scripted", valid_to=date(2026, 11, 24))
    body = council(OTHER)
    body = body.model_copy(update={"channels": (ended, *body.channels)})
    desk.world.registry._directory = LoadedDirectory(authorities=(body,), territories=shipped())
    desk.forwarding.assign(urgent.case_id, OTHER, by="olena")
    copy = desk.world.store.deliveries(urgent.case_id)[-1]
    assert (copy.authority, copy.priority, copy.channel_id) == (OTHER, 2, f"{OTHER}.test")
    message = desk.world.store.message(copy.message_id)
    assert message is not None
    assert b'"priority":"life_threatening"' in message.body


def _urgent() -> Submission:
    return Submission(form=form_from_json(MINIMAL), owner=HUB.code, priority=Priority.LIFE_THREATENING)


def test_who_helps_keeps_the_case_when_the_one_that_answers_changes() -> None:
    """Only copies of the body that is replaced are stopped, with what followed them."""
    desk = Desk(Outcome(kind=OutcomeKind.UNKNOWN))
    third = council("00034186")
    found = desk.world.registry.current().authority(BODY)
    assert found is not None
    known = (found, council(OTHER), third)
    desk.world.registry._directory = LoadedDirectory(authorities=known, territories=shipped())
    desk.forwarding.assign(desk.case, OTHER, by="olena", role=Role.CO_EXECUTOR)
    desk.forwarding.assign(desk.case, third.code, by="olena")
    assert {copy.authority: copy.state for copy in desk.copies()} == {
        BODY: TransportState.CANCELLED,
        OTHER: TransportState.WAITING,
        third.code: TransportState.WAITING,
    }


def test_an_unknown_case_is_given_to_nobody() -> None:
    """Refused as unknown."""
    desk = Desk()
    refused(desk, lambda: desk.forwarding.assign(CaseId(new_id()), OTHER, by="olena"), "case.unknown", NotFound)


# Lanes

NOW = START


@pytest.mark.parametrize(
    ("state", "stands"),
    [
        ({}, "well"),
        ({"paused": True, "open_until": NOW + timedelta(seconds=1)}, "paused"),
        ({"open_until": NOW + timedelta(seconds=1), "suspect": True}, "open"),
        ({"open_until": NOW, "suspect": True}, "suspect"),
        ({"open_until": NOW}, "well"),
        ({"suspect": True, "rest_until": NOW + timedelta(seconds=1)}, "suspect"),
        ({"rest_until": NOW + timedelta(seconds=1)}, "resting"),
        ({"rest_until": NOW}, "well"),
    ],
)
def test_a_lane_stands_by_the_worst_that_holds_it(state: dict[str, Any], stands: str) -> None:
    """Paused before open before suspect before resting; what ends now holds it no longer."""
    assert standing(LaneState(channel_id="c", **state), NOW) == stands


def test_lanes_are_seen_with_what_waits() -> None:
    """By name: what is to go out, what of it is due, and how each stands; one asked for by name, whatever it has."""
    desk = Desk(Outcome(kind=OutcomeKind.TEMPORARY))
    desk.world.store.save_lane(LaneState(channel_id="a.old", failures=9, suspect=True))
    seen = {lane.state.channel_id: lane for lane in desk.operators.lanes()}
    assert list(seen) == sorted(seen)
    assert set(seen) == {"a.old", CHANNEL}
    old = LaneState(channel_id="a.old", failures=9, suspect=True)
    assert seen["a.old"] == LaneSeen(state=old, standing="suspect", waiting=0, due=None)
    assert (seen[CHANNEL].waiting, seen[CHANNEL].standing) == (1, "well")
    assert seen[CHANNEL].due is not None
    assert desk.operators.lanes("no.such") == (
        LaneSeen(state=LaneState(channel_id="no.such"), standing="well", waiting=0),
    )


def test_a_lane_is_paused_and_resumed_by_name() -> None:
    """Paused it stands; resumed its breaker is closed and it is woken; a name that is no lane's is refused."""
    desk = Desk(Outcome(kind=OutcomeKind.DELIVERED))
    assert desk.operators.pause(CHANNEL).standing == "paused"
    assert desk.bell.rung == []
    resumed = desk.operators.resume(CHANNEL)
    assert (resumed.standing, resumed.state.channel_id) == ("well", CHANNEL)
    assert desk.bell.rung == [(CHANNEL, False)]
    for act in (desk.operators.pause, desk.operators.resume):
        with pytest.raises(NotFound) as told:
            act("no.such")
        assert told.value.stable_code == "lane.unknown"
    desk.world.store.save_lane(LaneState(channel_id="a.old", failures=1))
    assert desk.operators.pause("a.old").standing == "paused"


def test_what_a_body_had_answered_can_be_closed_though_nobody_has_it() -> None:
    """A finished case needs nobody: what is open about it is closed with a word."""
    desk = Desk(Outcome(kind=OutcomeKind.DELIVERED))
    desk.world.calls(receipt(desk.accepted, "answer"))
    assert desk.operators.close(desk.case, by="olena", resolution="x") == 0
    assert desk.world.state(desk.accepted) == State.ANSWERED

"""Taking in: all that an appeal writes, what its caller is told, repeats, numbers, further bodies."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hub.cases.idempotency import IdempotencyKey
from hub.cases.intake import Intake
from hub.cases.submission import Accepted, OnUnknown, Submission
from hub.errors import Conflict, HubError, InvalidInput, Unavailable
from hub.ports import NUMBER_TAKEN
from hub.schemas import json_rendering
from hub.schemas.centre import Call, CentreAnswer
from hub.schemas.delivery import (
    Applied,
    Change,
    Direction,
    Fact,
    FactKind,
    Grant,
    NewCase,
    Source,
    StoredAttachment,
    TransportState,
)
from hub.schemas.directory import Authority, AuthorityKind, Channel, Competence, Topic
from hub.schemas.envelope import AppealEnvelope, AppealForm, Attachment
from hub.schemas.ids import CaseId, MessageId, new_id
from hub.schemas.kyiv import kyiv_day
from hub.schemas.terms import AppealChannel, Kind, Priority, Role
from hub.tracking.law import shipped as shipped_law
from hub.tracking.state import State
from registry import LoadedDirectory
from registry.territories import shipped
from tests.delivery.test_sending import Bell
from tests.delivery.world import BODY, CHANNEL, HUB, START, World
from tests.schemas.form_reading import form_from_json
from tests.schemas.test_renderings import MINIMAL

KEY = IdempotencyKey(principal="ncc", key="k-1", request_sha256="a" * 64)
FILE = Attachment(sha256="a" * 64, size=9, media_type="text/plain", name="a.txt")


def form(**changes: Any) -> AppealForm:
    """The smallest form, with other members."""
    return form_from_json(MINIMAL).model_copy(update=changes)


def submission(**more: Any) -> Submission:
    """An appeal of the centre."""
    fields: dict[str, Any] = {"form": form(), "owner": HUB.code} | more
    return Submission(**fields)


def door(world: World) -> tuple[Intake, Bell]:
    """An intake whose bell is heard."""
    bell = Bell()
    intake = Intake(
        store=world.store,
        registry=world.registry,
        clock=world.clock,
        doorbell=bell,
        party=HUB,
        law=shipped_law(),
    )
    return intake, bell


def facts(world: World, accepted: Accepted, kind: FactKind) -> list[Fact]:
    """Facts of a case."""
    return [fact for fact in world.store.facts(accepted.case_id) if fact.kind is kind]


def new_case(world: World, accepted: Accepted) -> NewCase:
    """The case's row."""
    row = world.store.case(accepted.case_id)
    assert row is not None
    return row.case


def upload(world: World, party: str = HUB.code) -> None:
    """A file that a party uploaded."""
    stored = StoredAttachment(sha256=FILE.sha256, size=9, media_type="text/plain", created_at=START)
    world.store.apply(Change(attachments=(stored,), grants=(Grant(sha256=FILE.sha256, party=party),)))


def appeal_of(world: World, accepted: Accepted) -> AppealEnvelope:
    """The envelope as it goes out."""
    message = world.store.message(accepted.message_id)
    assert message is not None
    assert (message.direction, message.kind) == (Direction.OUT, Kind.APPEAL)
    envelope = json_rendering.from_json(message.body)
    assert isinstance(envelope, AppealEnvelope)
    return envelope


@pytest.mark.parametrize(
    ("priority", "number"), [(Priority.NORMAL, 0), (Priority.URGENT, 1), (Priority.LIFE_THREATENING, 2)]
)
def test_an_appeal_writes_its_case_envelope_and_delivery(priority: Priority, number: int) -> None:
    """Who, when, what about, how urgent, and until when an answer is due; the lane of its body is woken."""
    world = World()
    intake, bell = door(world)
    upload(world)
    (accepted,) = intake.submit_all(
        [submission(form=form(reference="НКЦ-1", topics=("housing",)), priority=priority, attachments=(FILE,))]
    )
    due = shipped_law().answer_day(kyiv_day(START))
    assert due is not None
    case = new_case(world, accepted)
    assert case == NewCase(
        id=accepted.case_id,
        created_at=START,
        owner=HUB.code,
        reference="НКЦ-1",
        channel="web",
        kind="complaint",
        topics=("housing",),
        place=None,
        priority=number,
        answer_due=due.isoformat(),
        case_number=case.case_number,
    )
    header = appeal_of(world, accepted).header
    assert (header.sender, header.recipient.code, header.recipient.name) == (HUB, BODY, "Національний банк")
    assert (header.role, header.priority, header.created_at) == (Role.MAIN, priority, START)
    assert header.due is not None
    assert header.due.answer == due
    delivery = world.delivery(accepted)
    assert (delivery.authority, delivery.channel_id, delivery.role) == (BODY, CHANNEL, Role.MAIN)
    assert (delivery.priority, delivery.state, delivery.next_at) == (number, TransportState.WAITING, START)
    assert world.store.may_read(FILE.sha256, BODY)
    assert bell.rung == [(CHANNEL, False)]


def test_the_first_facts_say_when_it_came_and_where_it_went() -> None:
    """With the case's number and the moment at which the citizen told it; the reason of the route and the registry."""
    world = World()
    (accepted,) = world.submit()
    (came,), (routed,) = (facts(world, accepted, kind) for kind in (FactKind.ACCEPTED_BY_HUB, FactKind.ROUTED))
    assert (came.at, came.source, came.authority) == (START, Source.HUB, None)
    assert dict(came.data) == {
        "received_at": "2026-11-24T08:00:00.000Z",
        "case_number": new_case(world, accepted).case_number,
    }
    assert (routed.at, routed.source, routed.authority) == (START, Source.HUB, BODY)
    assert routed.delivery_id == world.delivery(accepted).id
    assert dict(routed.data) == {
        "reason": accepted.reason,
        "registry_version": world.registry.current().version,
    }


@pytest.mark.parametrize(("reference", "known_as"), [("НКЦ-1", "НКЦ-1"), (None, None)])
def test_bodies_know_the_appeal_by_one_number(reference: str | None, known_as: str | None) -> None:
    """The centre's own, or where it gave none the case's."""
    world = World()
    (accepted,) = world.intake.submit_all([submission(form=form(reference=reference))])
    number = new_case(world, accepted).case_number
    assert appeal_of(world, accepted).body.reference == (known_as or number)
    assert new_case(world, accepted).reference == reference


def test_the_caller_is_told_what_became_of_it() -> None:
    """Case, number, message, body, why, and by which registry; the very document is kept for repeats."""
    world = World()
    (accepted,) = world.intake.submit_all([submission(repeatable=KEY)])
    assert json.loads(accepted.answer) == {
        "case_id": str(accepted.case_id),
        "case_number": new_case(world, accepted).case_number,
        "message_id": str(accepted.message_id),
        "authority": BODY,
        "state": "routed",
        "reason": accepted.reason,
        "registry_version": world.registry.current().version,
    }
    assert (accepted.authority, accepted.repeat) == (BODY, False)
    kept = world.store.answer("ncc", "k-1")
    assert kept is not None
    assert (kept.body, kept.status, kept.request_sha256, kept.created_at) == (accepted.answer, 202, "a" * 64, START)


def test_an_appeal_that_nobody_can_take_comes_to_a_person_with_the_reason() -> None:
    """An item with the steps of the route, and the caller is told that operators have it."""
    world = World()
    world.registry._directory = LoadedDirectory(authorities=(), territories=shipped())
    intake, bell = door(world)
    (accepted,) = intake.submit_all([submission()])
    document = json.loads(accepted.answer)
    assert (document["state"], "authority" in document, accepted.authority) == ("operators", False, None)
    (item,) = world.store.items(open_only=True, after=None, limit=9)
    assert (item.reason, item.case_id, item.opened_at) == (accepted.reason, accepted.case_id, START)
    assert item.detail
    assert (item.delivery_id, item.authority) == (None, None)
    (told,) = facts(world, accepted, FactKind.ESCALATED)
    assert (told.data["reason"], told.at, told.source) == (accepted.reason, START, Source.HUB)
    assert (bell.rung, world.store.deliveries(accepted.case_id)) == ([], ())
    assert appeal_of(world, accepted).header.recipient == HUB


# Repeats


@pytest.mark.parametrize("way", ["submit", "submit_all", "build"])
def test_the_same_request_gets_the_same_answer(way: str) -> None:
    """One case, however it comes; with other words under that key it is a conflict; another caller's is another."""
    world = World()
    intake, _ = door(world)
    intake.submit_all([submission()])  # numbers are at hand

    def take(given: Submission) -> Accepted | HubError:
        if way == "submit":
            return intake.submit(given)
        if way == "submit_all":
            return intake.submit_all([given])[0]
        built = intake.build(given)
        assert built is not None
        return intake.write_each([built])[0]

    first, again = take(submission(repeatable=KEY)), take(submission(repeatable=KEY))
    assert isinstance(first, Accepted)
    assert again == replace(first, repeat=True)
    wrong = submission(repeatable=replace(KEY, request_sha256="b" * 64))
    if way == "build":
        refusal = take(wrong)
    else:
        with pytest.raises(Conflict) as refused:
            take(wrong)
        refusal = refused.value
    assert isinstance(refusal, Conflict)
    assert refusal.stable_code == "idempotency.conflict"
    other = take(submission(repeatable=replace(KEY, principal="another")))
    assert isinstance(other, Accepted)
    assert other.case_id != first.case_id


def test_one_key_twice_at_once_is_one_case() -> None:
    """Two calls of one transaction with the same key go one by one: the second gets the answer of the first."""
    world = World()
    intake, _ = door(world)
    intake.submit_all([submission()])
    built = [intake.build(submission(repeatable=KEY)) for _ in range(2)]
    first, second = intake.write_each([each for each in built if each is not None])
    assert isinstance(first, Accepted)
    assert second == replace(first, repeat=True)
    with pytest.raises(Conflict) as refused:
        intake.submit_all([submission(repeatable=replace(KEY, key="k-2"))] * 2)
    assert refused.value.stable_code == "idempotency.repeat"


def test_one_that_is_refused_stops_no_other() -> None:
    """Of three that were built, the one whose case is there already is refused alone."""
    world = World()
    intake, _ = door(world)
    (first,) = intake.submit_all([submission()])
    built = [intake.build(submission(case_id=case_id)) for case_id in (None, first.case_id, None)]
    one, two, three = intake.write_each([each for each in built if each is not None])
    assert isinstance(one, Accepted)
    assert isinstance(two, Conflict)
    assert isinstance(three, Accepted)
    assert intake.write_each([]) == []


# What only the store can tell


@pytest.mark.parametrize(
    ("more", "faults"),
    [
        ({"attachments": (FILE,)}, [("/attachments/0", "attachment.unknown")]),
        ({"form": form(earlier=(new_id(),))}, [("/earlier/0", "case.unknown")]),
    ],
)
def test_what_the_hub_does_not_have_is_refused(more: dict[str, Any], faults: list[tuple[str, str]]) -> None:
    """Files that were not uploaded, earlier cases that are not there: with the place, and nothing is written."""
    world = World()
    with pytest.raises(InvalidInput) as refused:
        world.intake.submit_all([submission(**more)])
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == faults
    assert door(world)[0].build(submission(**more)) is None


def test_an_earlier_case_must_be_the_centres_own() -> None:
    """Its own is taken, another's is as unknown as none."""
    world = World()
    (first,) = world.submit()
    (foreign,) = world.intake.submit_all([submission(owner="another")])
    world.intake.submit_all([submission(form=form(earlier=(first.case_id,)))])
    with pytest.raises(InvalidInput) as refused:
        world.intake.submit_all([submission(form=form(earlier=(first.case_id, foreign.case_id)))])
    assert [fault.pointer for fault in refused.value.faults] == ["/earlier/1"]


def test_an_appeal_is_built_without_the_store_once_numbers_are_at_hand() -> None:
    """Before the first number was fetched nothing is built; a form that cannot be is refused at once."""
    world = World()
    intake, _ = door(world)
    assert intake.build(submission()) is None
    intake.submit_all([submission()])
    built = intake.build(submission())
    assert built is not None
    assert (built.channel_id, built.accepted.authority) == (CHANNEL, BODY)
    late = submission(form=form(received_at=START + timedelta(days=1)))
    for take in (intake.build, intake.submit, lambda given: intake.submit_all([given])):
        with pytest.raises(InvalidInput) as refused:
            take(late)
        assert refused.value.stable_code == "received_at.future"


@pytest.mark.parametrize(("code", "forgotten"), [(NUMBER_TAKEN, True), (None, False)])
def test_numbers_of_a_database_that_was_set_back_are_given_up(
    monkeypatch: pytest.MonkeyPatch, code: str | None, forgotten: bool
) -> None:
    """A number that is taken already: the caller comes again, and the next block is fetched; else the block is kept."""
    world = World()
    intake, _ = door(world)
    (first,) = intake.submit_all([submission()])

    def refuse(change: Change) -> Applied:
        raise Unavailable("Not now.", code=code)

    monkeypatch.setattr(world.store, "apply", refuse)
    with pytest.raises(Unavailable):
        intake.submit_all([submission()])
    monkeypatch.undo()
    (second,) = intake.submit_all([submission()])
    numbers = [int((new_case(world, each).case_number or "").split("-")[2]) for each in (first, second)]
    assert numbers == [1, 11 if forgotten else 3]


# Unknown values


def test_operators_mend_what_a_front_end_cannot() -> None:
    """An unknown topic is refused with the nearest, or taken in for the operators if the front end says so."""
    world = World()
    found = world.registry.current().authority(BODY)
    assert found is not None
    world.registry._directory = LoadedDirectory(
        authorities=(found,), topics=(Topic(code="roads", name="Дороги"),), territories=shipped()
    )
    with pytest.raises(InvalidInput) as refused:
        world.intake.submit_all([submission(form=form(topics=("road",)))])
    assert refused.value.stable_code == "topic.unknown"
    (taken,) = world.intake.submit_all([submission(form=form(topics=("road",)), on_unknown=OnUnknown.OPERATORS)])
    assert world.store.case(taken.case_id) is not None


# Further bodies


def body(code: str, *topics: str, kind: AuthorityKind = AuthorityKind.CENTRAL) -> Authority:
    """A body that is competent for topics."""
    return Authority(
        code=code,
        name=f"Орган {code}",
        kind=kind,
        territory="UA",
        competences=(Competence(topics=topics),),
        channels=(Channel(id=f"{code}.test", adapter="scripted"),),
    )


@pytest.mark.parametrize(
    ("topics", "also"),
    [
        (("roads",), []),
        (("roads", "water"), ["00000002"]),
        (("roads", "water", "gas", "gas"), ["00000002", "00000003"]),
        (("roads", "roads"), []),
        (("roads", "other"), []),
        (("other", "water", "gas"), ["00000003"]),
    ],
)
def test_further_questions_have_bodies_of_their_own(topics: tuple[str, ...], also: list[str]) -> None:
    """Who is named for a further topic helps as co-executor, each once; who takes everything is not asked twice."""
    world = World()
    world.registry._directory = LoadedDirectory(
        authorities=(
            body("00000001", "roads"),
            body("00000002", "water"),
            body("00000003", "gas"),
            body("00000009", "*"),
        ),
        territories=shipped(),
    )
    (accepted,) = world.intake.submit_all([submission(form=form(topics=topics))])
    copies = world.store.deliveries(accepted.case_id)
    helping = [copy for copy in copies if copy.role is Role.CO_EXECUTOR]
    assert sorted(copy.authority for copy in helping) == also
    assert len(copies) == 1 + len(also)
    for copy in helping:
        (routed,) = [fact for fact in facts(world, accepted, FactKind.ROUTED) if fact.delivery_id == copy.id]
        assert (routed.source, routed.authority, routed.data["role"]) == (Source.HUB, copy.authority, "co_executor")
        message = world.store.message(copy.message_id)
        assert message is not None
        assert (message.recipient, b'"due"' in message.body) == (copy.authority, True)


# The centre's own


ANSWERED = CentreAnswer(text="Зателефонуйте 15-80", by="op-1", at=START)


def test_an_appeal_that_was_answered_at_once_is_concluded_from_the_start() -> None:
    """Nobody is looked for, no term of a body runs; the fact says who answered, the words stay in the message."""
    world = World()
    intake, bell = door(world)
    by_phone = form(channel=AppealChannel.PHONE, call=Call(began_at=START, number="+380441234567"), answered=ANSWERED)
    (accepted,) = intake.submit_all([submission(form=by_phone)])
    assert world.state(accepted) == State.CONCLUDED
    (ended,) = facts(world, accepted, FactKind.CONCLUDED)
    assert (ended.source, ended.at) == (Source.NCC, START)
    assert dict(ended.data) == {
        "decision": "answered_by_centre",
        "why": "Answered at once: explained.",
        "result": "explained",
        "by": "op-1",
    }
    document = json.loads(accepted.answer)
    assert (document["state"], document["reason"], "authority" in document) == (
        "concluded",
        "answered_by_centre",
        False,
    )
    assert new_case(world, accepted).answer_due is None
    assert (bell.rung, world.store.deliveries(accepted.case_id)) == ([], ())
    assert world.store.items(open_only=True, after=None, limit=9) == ()


@pytest.mark.parametrize("own", [False, True])
def test_the_form_as_it_came_is_kept_where_it_says_more(own: bool) -> None:
    """With the call in it, it is kept beside what goes out, as a message that came in from the centre."""
    world = World()
    more: dict[str, Any] = {"channel": AppealChannel.PHONE}
    if own:
        more["call"] = Call(began_at=START, number="+380441234567")
    (accepted,) = world.intake.submit_all([submission(form=form(**more))])
    out = appeal_of(world, accepted)
    assert out.body.call is None
    came = [each for each in world.store.messages(accepted.case_id) if each.direction is Direction.IN]
    assert len(came) == int(own)
    if own:
        envelope = json_rendering.from_json(came[0].body)
        assert isinstance(envelope, AppealEnvelope)
        assert envelope.body.call == more["call"]
        assert (envelope.header.sender.code, envelope.header.recipient) == (HUB.code, HUB)
        assert (envelope.header.due, envelope.body.reference) == (None, None)
        assert envelope.header.message_id != accepted.message_id


def test_a_sealed_appeal_keeps_its_case_and_its_envelope() -> None:
    """What the centre handed over sealed is kept as it came, under the case that it names."""
    world = World()
    case_id = CaseId(new_id())
    (first,) = world.submit()
    inbound = world.store.message(first.message_id)
    assert inbound is not None
    inbound = replace(inbound, id=MessageId(new_id()), case_id=case_id, direction=Direction.IN)
    (accepted,) = world.intake.submit_all([submission(case_id=case_id, inbound=inbound)])
    assert accepted.case_id == case_id
    kept = [each for each in world.store.messages(case_id) if each.direction is Direction.IN]
    assert [each.id for each in kept] == [inbound.id]

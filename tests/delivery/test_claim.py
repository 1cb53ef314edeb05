"""Claiming: what is written before the first byte goes out, what a batch knows, and what never gets so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

import pytest

from hub.cases.submission import Accepted, Submission
from hub.errors import HubError, Unavailable, UnsupportedFeature
from hub.ports import Outcome, Parcel, Prepared
from hub.schemas.delivery import (
    Attempt,
    Change,
    FactKind,
    Grant,
    OutcomeKind,
    StoredAttachment,
    TransportState,
)
from hub.schemas.directory import Authority, AuthorityKind, Channel, Competence
from hub.schemas.envelope import Attachment
from hub.schemas.terms import Priority, Role
from registry import LoadedDirectory
from registry.territories import shipped
from tests.delivery.world import BODY, CHANNEL, HUB, START, World, sha256
from tests.lanes import run_lane
from tests.schemas.form_reading import form_from_json
from tests.schemas.test_renderings import MINIMAL

OTHER = "00032684"
NEXT = f"{BODY}.next"
TEMPORARY = Outcome(kind=OutcomeKind.TEMPORARY, code="http.busy")


def with_registry(world: World, *channels: Channel, others: tuple[Authority, ...] = ()) -> None:
    """The registry has these channels of the body now, and these other bodies."""
    body = world.registry.current().authority(BODY)
    assert body is not None
    body = body.model_copy(update={"channels": channels})
    world.registry._directory = LoadedDirectory(authorities=(body, *others), territories=shipped())


def own(world: World, **more: object) -> Channel:
    """The channel of this world's body."""
    found = world.registry.current().channel(CHANNEL)
    assert found is not None
    return found[1].model_copy(update=more)


def attempts(world: World, accepted: Accepted) -> tuple[Attempt, ...]:
    """Attempts of an appeal."""
    return world.store.attempts(world.delivery(accepted).id)


def test_a_batch_tells_all_that_sending_it_needs() -> None:
    """Its channel, adapter, owner and beginning, the lane's state, whether more waits, and where to go if it dies."""
    world = World(batch=2)
    with_registry(world, own(world), Channel(id=NEXT, adapter="scripted"))
    world.submit(3)
    (batch,) = world.dispatcher.claim([CHANNEL], "worker")
    assert (batch.channel, batch.adapter) == (own(world), world.adapter)
    assert (batch.owner, batch.started, batch.more, len(batch.messages)) == ("worker", START, True, 2)
    assert (batch.state.channel_id, batch.state.failures, batch.opened) == (CHANNEL, 0, False)
    assert batch.fallback is not None
    assert batch.fallback.id == NEXT
    (rest,) = world.dispatcher.claim([CHANNEL], "worker")
    assert (rest.more, len(rest.messages)) == (False, 1)
    assert world.dispatcher.claim([CHANNEL], "worker") == ()


def test_a_batch_is_no_larger_than_a_second_of_the_rate() -> None:
    """However large a batch may be, one claim takes no more than a second's worth; the lane is throttled for it."""
    world = World(batch=50, rate_per_sec=4)
    world.submit(6)
    (batch,) = world.dispatcher.claim([CHANNEL], "worker")
    assert (len(batch.messages), batch.more) == (4, True)
    assert world.store.lane(CHANNEL).rest_until == START + timedelta(seconds=1)


def test_what_could_not_be_made_ready_uses_up_no_rate() -> None:
    """A lane is throttled for what goes out, not for what was looked at."""
    world = World(rate_per_sec=4)
    world.submit(4)
    world.adapter.unready = Unavailable("The disk is full.")
    assert world.dispatcher.claim([CHANNEL], "worker") == ()
    assert world.store.lane(CHANNEL).rest_until is None


def test_a_lease_lasts_as_long_as_the_slowest_lane_of_the_claim_may_take() -> None:
    """Slice, deadline and half a minute: nobody else takes a message while its sender may still be at it."""
    world = World(slice_secs=7, deadline_secs=11)
    slow = own(world).lane.model_copy(update={"slice_secs": 20, "deadline_secs": 100})
    with_registry(world, own(world), Channel(id=NEXT, adapter="scripted", lane=slow))
    (accepted,) = world.submit()
    world.dispatcher.claim([CHANNEL, NEXT], "worker")
    delivery = world.delivery(accepted)
    assert (delivery.state, delivery.lease_owner) == (TransportState.SENDING, "worker")
    assert delivery.lease_until == START + timedelta(seconds=7 + 11 + 30)
    world.clock.go(47)
    assert world.dispatcher.claim([CHANNEL], "other") == ()
    world.clock.go(2)
    assert len(world.dispatcher.claim([CHANNEL], "other")) == 1


def test_an_attempt_names_all_that_it_is_about(monkeypatch: pytest.MonkeyPatch) -> None:
    """Number, channel, message, digest, size with the files beside the envelope, moment, and the registry in force."""
    world = World()
    file = Attachment(sha256="0" * 64, size=5_000, media_type="text/plain", name="a.txt")

    def prepare(parcel: Parcel, channel: Channel) -> Prepared:
        return Prepared(message_id=parcel.message_id, content_type="text/plain", body=b"body", files=(file, file))

    monkeypatch.setattr(world.adapter, "prepare", prepare)
    (accepted,) = world.submit()
    world.dispatcher.claim([CHANNEL], "worker")
    delivery = world.delivery(accepted)
    (attempt,) = attempts(world, accepted)
    assert replace(attempt, id=None) == Attempt(  # type: ignore[arg-type]
        id=None,  # type: ignore[arg-type]
        delivery_id=delivery.id,
        number=1,
        channel_id=CHANNEL,
        message_id=accepted.message_id,
        sha256=sha256(b"body"),
        size=10_004,
        started_at=START,
        registry_version=world.registry.current().version,
    )
    assert (delivery.payload, delivery.payload_type, delivery.attempts) == (b"body", "text/plain", 1)
    assert delivery.first_attempt_at == START


def test_an_attempt_that_a_kill_left_open_ends_as_lost() -> None:
    """The next claim says so, when it is made; an attempt that ended keeps its own end."""
    world = World(give_up_secs=10_000)
    (accepted,) = world.submit()
    world.dispatcher.claim([CHANNEL], "killed")
    world.clock.go(600)
    world.adapter.script = [TEMPORARY]
    world.run()
    world.clock.go(30)
    world.dispatcher.claim([CHANNEL], "third")
    ends = [(each.number, each.outcome, each.code, each.finished_at) for each in attempts(world, accepted)]
    assert ends == [
        (1, OutcomeKind.UNKNOWN, "attempt.lost", START + timedelta(seconds=600)),
        (2, OutcomeKind.TEMPORARY, "http.busy", START + timedelta(seconds=600)),
        (3, None, None, None),
    ]
    assert world.delivery(accepted).first_attempt_at == START


def test_the_same_bytes_go_though_the_adapter_would_make_others_now() -> None:
    """What was made for the first attempt is kept with its type, and is not made again."""
    world = World(give_up_secs=1_000)
    world.submit()
    world.adapter.script = [TEMPORARY]
    world.run()
    world.adapter.unready = UnsupportedFeature("Another form now.", code="channel.form")
    world.clock.go(60)
    world.run()
    first, second = (prepared for prepared, _ in world.adapter.got)
    assert first == second
    assert second.content_type == "application/json"
    assert len(world.adapter.parcels) == 1


def test_the_urgent_go_first_then_the_fresh() -> None:
    """In a batch, what failed before may fail again and open the breaker: it goes last among its equals."""
    world = World(retry_secs=(1,), give_up_secs=1_000)
    (failed,) = world.submit()
    world.adapter.script = [TEMPORARY]
    world.run()
    world.clock.go(5)
    (fresh,) = world.submit()
    (urgent,) = world.submit(1, Priority.LIFE_THREATENING)
    (batch,) = world.dispatcher.claim([CHANNEL], "worker")
    wanted = [each.message_id for each in (urgent, fresh, failed)]
    assert [message.delivery.message_id for message in batch.messages] == wanted


def test_a_lane_that_failed_is_looked_at_before_it_is_claimed_for() -> None:
    """Paused, open or throttled: nothing is taken, until the lane may run again."""
    world = World(breaker_failures=1, breaker_open_secs=60, retry_secs=(1,), give_up_secs=1_000)
    world.submit()
    world.adapter.script = [TEMPORARY]
    world.run()
    world.clock.go(59)
    assert world.dispatcher.claim([CHANNEL], "worker") == ()
    world.clock.go(1)
    world.operators.pause(CHANNEL)
    assert world.dispatcher.claim([CHANNEL], "worker") == ()
    world.operators.resume(CHANNEL)
    (batch,) = world.dispatcher.claim([CHANNEL], "worker")
    assert batch.state.failures == world.store.lane(CHANNEL).failures


def test_a_lane_that_may_not_run_holds_up_no_other() -> None:
    """Claimed for together, the paused one gives nothing and the other gives what it has."""
    world = World()
    (accepted,) = world.submit()
    with_registry(world, own(world), others=(council(OTHER),))
    world.forwarding.assign(accepted.case_id, OTHER, by="tester", role=Role.CO_EXECUTOR)
    world.operators.pause(f"{OTHER}.test")
    assert world.dispatcher.claim([f"{OTHER}.test"], "worker") == ()
    (batch,) = world.dispatcher.claim([f"{OTHER}.test", CHANNEL], "worker")
    assert batch.channel.id == CHANNEL


def test_a_probe_is_chosen_among_more_than_a_batch() -> None:
    """Where a lane takes one message at a time, one that always fails does not stay its only probe."""
    world = World(batch=1, breaker_failures=1, breaker_open_secs=1, retry_secs=(1,), give_up_secs=10_000)
    (poison,) = world.submit()
    world.adapter.script = [TEMPORARY]
    for _ in range(2):
        world.run()
        world.clock.go(60)
    (fresh,) = world.submit()
    (batch,) = world.dispatcher.claim([CHANNEL], "worker")
    assert [message.delivery.message_id for message in batch.messages] == [fresh.message_id]
    assert world.delivery(poison).state is TransportState.WAITING


def test_files_go_with_each_try() -> None:
    """A later attempt has the same files as the first, though only the bytes of the first are kept."""
    world = World()
    file = Attachment(sha256="a" * 64, size=5_000, media_type="text/plain", name="a.txt")
    stored = StoredAttachment(sha256=file.sha256, size=file.size, media_type=file.media_type, created_at=START)
    world.store.apply(Change(attachments=(stored,), grants=(Grant(sha256=file.sha256, party=HUB.code),)))
    form = form_from_json(MINIMAL)
    (accepted,) = world.intake.submit_all([Submission(form=form, owner=HUB.code, attachments=(file,))])
    world.adapter.script = [TEMPORARY]
    world.run()
    world.clock.go(20)
    world.run()
    second, _ = world.adapter.got[1]
    assert second.files == (file,)
    assert attempts(world, accepted)[1].size == len(second.body) + 5_000


def council(code: str) -> Authority:
    """Another body, over a channel of its own."""
    return Authority(
        code=code,
        name=f"Орган {code}",
        kind=AuthorityKind.CENTRAL,
        territory="UA",
        competences=(Competence(topics=("*",)),),
        channels=(Channel(id=f"{code}.test", adapter="scripted"),),
    )


def working(parcel: Parcel) -> Mapping[str, tuple[str | None, Role]]:
    """All who work on the case, as a parcel tells it: code, name and role."""
    return {each.party.code: (each.party.name, each.role) for each in parcel.executors}


def test_a_parcel_tells_who_works_on_the_case() -> None:
    """By name and role; who refused works no more; of main executors only the last; a body that is gone by its code."""
    world = World()
    (accepted,) = world.submit()
    run_lane(world.cases, CHANNEL)
    with_registry(world, own(world), others=tuple(map(council, (OTHER, "00034186", "00034187"))))
    assert working(world.adapter.parcels[-1]) == {BODY: ("Національний банк", Role.MAIN)}
    world.forwarding.assign(accepted.case_id, OTHER, by="tester", role=Role.CO_EXECUTOR)
    run_lane(world.cases, f"{OTHER}.test")
    both = {BODY: ("Національний банк", Role.MAIN), OTHER: (f"Орган {OTHER}", Role.CO_EXECUTOR)}
    assert working(world.adapter.parcels[-1]) == both
    world.forwarding.assign(accepted.case_id, "00034186", by="tester")
    world.adapter.script = [Outcome(kind=OutcomeKind.REFUSED, ground="form")]
    run_lane(world.cases, "00034186.test")
    world.forwarding.assign(accepted.case_id, "00034187", by="tester", role=Role.CO_EXECUTOR)
    run_lane(world.cases, "00034187.test")
    third = {OTHER: both[OTHER], "00034186": ("Орган 00034186", Role.MAIN)}
    assert working(world.adapter.parcels[-2]) == third
    assert working(world.adapter.parcels[0]) == {**both, BODY: (both[BODY][0], Role.MAIN)}
    with_registry(world, own(world))
    assert working(world.adapter.parcels[0])[OTHER] == (None, Role.CO_EXECUTOR)


GONE = [("taken out", None), ("ended", date(2026, 11, 24))]


@pytest.mark.parametrize(("how", "ended"), GONE)
@pytest.mark.parametrize("onward", [False, True])
def test_a_channel_that_is_gone_hands_on_what_waits(how: str, ended: date | None, onward: bool) -> None:
    """Taken out of the registry, or over since today: nothing is sent; the next channel takes it, or a person."""
    world = World()
    accepted = world.submit(2)
    left = () if ended is None else (own(world, valid_to=ended),)
    with_registry(world, *left, *((Channel(id=NEXT, adapter="scripted"),) if onward else ()))
    assert world.dispatcher.claim([CHANNEL], "worker") == ()
    assert world.adapter.got == []
    items = world.store.items(open_only=True, after=None, limit=9)
    assert [item.reason for item in items] == [] if onward else ["channel.gone"] * 2
    for each in accepted:
        copies = world.store.deliveries(each.case_id)
        states = [(copy.channel_id, copy.state, copy.last_code) for copy in copies]
        dead = (CHANNEL, TransportState.DEAD, "channel.gone")
        assert states == ([dead, (NEXT, TransportState.WAITING, None)] if onward else [dead])
        assert all(copy.lease_owner is None for copy in copies)
    assert world.dispatcher.claim([CHANNEL], "worker") == ()


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (UnsupportedFeature("It has files.", code="channel.attachments"), "channel.attachments"),
        (None, "delivery.exhausted"),
    ],
)
def test_what_this_channel_cannot_carry_goes_by_the_next(failure: HubError | None, reason: str) -> None:
    """Never made ready, or out of time behind a failing lane: the next channel takes the very same message."""
    world = World(breaker_failures=1, breaker_open_secs=1, retry_secs=(1,), give_up_secs=100)
    with_registry(world, own(world), Channel(id=NEXT, adapter="scripted"))
    (accepted,) = world.submit()
    world.adapter.unready = failure
    if failure is None:
        world.adapter.script = [TEMPORARY]
        world.run()
        world.clock.go(1_000)
    world.dispatcher.claim([CHANNEL], "worker")
    first, copy = world.store.deliveries(accepted.case_id)
    assert (first.state, first.last_code, first.lease_owner) == (TransportState.DEAD, reason, None)
    assert (copy.channel_id, copy.state, copy.message_id) == (NEXT, TransportState.WAITING, first.message_id)
    handed = [fact for fact in world.store.facts(accepted.case_id) if fact.kind is FactKind.HANDED_OVER]
    assert [(fact.data["why"], fact.data["channel"]) for fact in handed] == [(reason, NEXT)]
    assert world.store.items(open_only=True, after=None, limit=9) == ()


@pytest.mark.parametrize(
    ("broken", "code"), [(Unavailable("Not now."), Unavailable.code), (KeyError("Канаркенко"), "adapter.failed")]
)
def test_an_adapter_that_cannot_say_its_form_costs_no_try(
    monkeypatch: pytest.MonkeyPatch, broken: Exception, code: str
) -> None:
    """Asked in which form it wants the envelope it breaks: the message waits, with the lane shown as failing."""
    world = World()
    (accepted,) = world.submit()

    def rendering(channel: Channel) -> object:
        raise broken

    monkeypatch.setattr(world.adapter, "rendering", rendering)
    world.run()
    delivery = world.delivery(accepted)
    assert (delivery.state, delivery.attempts, delivery.first_attempt_at) == (TransportState.WAITING, 0, START)
    assert (delivery.last_code, world.store.lane(CHANNEL).failures) == (code, 1)
    assert attempts(world, accepted) == ()

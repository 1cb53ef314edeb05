"""Carrying: intent before effect, outcomes, schedules, operators."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

import pytest

from hub.cases.submission import Accepted
from hub.errors import ConfigurationError, HubError, PeerChanged, Unavailable, UnsupportedFeature
from hub.ports import Adapter, Outcome, RawInbound, Rendering
from hub.schemas.delivery import Attempt, Direction, FactKind, OutcomeKind, TransportState
from hub.schemas.directory import LaneSettings
from hub.schemas.ids import MessageId, new_id
from hub.schemas.terms import Priority
from hub.sealed import CONTENT_TYPES, open_envelope
from hub.seals import HubSeal
from hub.seals.keys import verification_key
from hub.tracking.state import State
from registry import LoadedDirectory
from registry.territories import shipped
from tests.delivery.making import receipt
from tests.delivery.test_collector import spoken
from tests.delivery.world import CHANNEL, DELIVERED, START, World, keys, sha256
from tests.lanes import run_lane

UNKNOWN = Outcome(kind=OutcomeKind.UNKNOWN, code="http.broken")
TEMPORARY = Outcome(kind=OutcomeKind.TEMPORARY, code="answer.try_later")
DUPLICATE = Outcome(kind=OutcomeKind.DUPLICATE)


def test_the_attempt_is_written_before_the_first_byte_goes_out() -> None:
    """At the moment of sending, the store has an open attempt with the SHA-256 of exactly these bytes."""
    world = World()
    world.submit()
    world.run()
    prepared, attempts = world.adapter.got[0]
    assert [(a.number, a.sha256, a.outcome) for a in attempts] == [(1, sha256(prepared.body), None)]


def test_a_lost_answer_is_asked_again_with_the_same_bytes_and_a_duplicate_is_success() -> None:
    """After an unknown outcome the same id and the same bytes go again; "duplicate" proves the first try."""
    world = World()
    (accepted,) = world.submit()
    world.adapter.script = [UNKNOWN, DUPLICATE]
    world.run()
    assert world.delivery(accepted).state is TransportState.UNKNOWN
    world.clock.go(15)
    world.run()
    first, second = (prepared for prepared, _ in world.adapter.got)
    assert first == second
    assert world.delivery(accepted).state is TransportState.DELIVERED
    assert [a.outcome for a in world.store.attempts(world.delivery(accepted).id)] == [
        OutcomeKind.UNKNOWN,
        OutcomeKind.DUPLICATE,
    ]


def test_an_adapter_may_ask_for_both_sealed_forms_of_one_message() -> None:
    """The JSON form and the XML form come side by side, each with a seal that holds, and say the same."""
    world = World()
    world.adapter.wanted = Rendering.BOTH
    world.submit()
    world.run()
    (parcel,) = world.adapter.parcels
    assert parcel.sealed_xml is not None
    opened = [
        open_envelope(
            RawInbound(content_type=CONTENT_TYPES[form], body=body),
            seal=HubSeal(None),
            keys=[verification_key(keys()[0])],
            at=datetime.now(UTC),
            seal_required=True,
        )
        for form, body in ((Rendering.JSON, parcel.sealed), (Rendering.XML, parcel.sealed_xml))
    ]
    assert opened == [(parcel.envelope, True)] * 2


@pytest.mark.parametrize("raised", [False, True])
def test_a_peer_that_is_another_stops_the_lane_with_one_alarm(raised: bool) -> None:
    """Host key changed: one attempt, one operators' item, the lane is paused; resumed, everything goes as before."""
    world = World()
    accepted = world.submit(3)
    if raised:
        world.adapter.locked = PeerChanged("Another host key.")
    else:
        world.adapter.script = [Outcome(kind=OutcomeKind.TEMPORARY, code="peer.changed", stops_lane=True)]
    for _ in range(5):
        world.run()
        world.clock.go(40)
    assert world.store.lane(CHANNEL).paused
    (item,) = world.store.items(open_only=True, after=None, limit=10)
    assert item.reason == "peer.changed"
    assert sum(a.code == "peer.changed" for each in accepted for a in attempts(world, each)) == 1
    world.adapter.locked, world.adapter.script = None, [DELIVERED]
    world.operators.resume(CHANNEL)
    world.run()
    assert {world.delivery(each).state for each in accepted} == {TransportState.DELIVERED}


def attempts(world: World, accepted: Accepted) -> tuple[Attempt, ...]:
    return world.store.attempts(world.delivery(accepted).id)


def test_nothing_is_tried_before_its_time() -> None:
    """A delivery that failed waits for its schedule."""
    world = World()
    world.submit()
    world.adapter.script = [TEMPORARY]
    world.run()
    world.clock.go(5)
    world.run()
    assert len(world.adapter.got) == 1


def test_retries_exhausted_end_in_the_operators_queue_and_a_replay_sends_the_same_bytes() -> None:
    """After the schedule nothing is dropped: dead letter, operators' item, event; replayed, the same bytes go."""
    world = World()
    (accepted,) = world.submit()
    world.adapter.script = [TEMPORARY]
    for _ in range(20):
        world.run()
        world.clock.go(30)
    delivery = world.delivery(accepted)
    assert delivery.state is TransportState.DEAD
    assert 4 <= delivery.attempts <= 7
    (item,) = world.store.items(open_only=True, after=None, limit=10)
    assert (item.reason, item.delivery_id) == ("delivery.exhausted", delivery.id)
    assert "case.escalated" in [event.type for event in world.store.events(after=None, limit=50)]
    world.operators.replay(delivery.id, by="tester")
    world.adapter.script = [DUPLICATE]
    world.run()
    assert world.delivery(accepted).state is TransportState.DELIVERED
    assert len({prepared.body for prepared, _ in world.adapter.got}) == 1
    assert world.store.items(open_only=True, after=None, limit=10) == ()


def test_retry_after_is_waited_for() -> None:
    """What the other side asks for is waited for, if it is longer than the schedule."""
    world = World(give_up_secs=10_000)
    (accepted,) = world.submit()
    world.adapter.script = [Outcome(kind=OutcomeKind.TEMPORARY, retry_after=500)]
    world.run()
    delivery = world.delivery(accepted)
    assert delivery.next_at is not None
    assert (delivery.next_at - world.clock.now()).total_seconds() == 500


def test_a_refusal_names_its_ground_and_waits_for_a_person() -> None:
    """One of the ten grounds becomes a fact; the case is refused and an operator sees why."""
    world = World()
    (accepted,) = world.submit()
    world.adapter.script = [Outcome(kind=OutcomeKind.REFUSED, ground="signature_missing")]
    world.run()
    assert (world.state(accepted), world.delivery(accepted).state) == (State.REFUSED, TransportState.REFUSED)
    (item,) = world.store.items(open_only=True, after=None, limit=10)
    assert item.reason == "refused.signature_missing"
    assert "Ground 6 of CMU 55/2018 item 21" in item.detail


def test_refused_as_received_twice_is_there() -> None:
    """Ground 3 of CMU 55/2018 item 21 says that the first copy is there: delivered, no operator."""
    world = World()
    (accepted,) = world.submit()
    world.adapter.script = [Outcome(kind=OutcomeKind.REFUSED, ground="received_twice")]
    world.run()
    assert world.state(accepted) == State.DELIVERED
    assert world.store.items(open_only=True, after=None, limit=10) == ()


def test_a_receipt_that_overtakes_the_answer_is_not_undone_by_it() -> None:
    """A callback that comes while the call still hangs settles the delivery; the call's unknown end changes nothing."""
    world = World()
    (accepted,) = world.submit()
    world.adapter.script = [UNKNOWN]
    world.adapter.during = [lambda: world.calls(receipt(accepted, "registered"))]
    world.run()
    assert (world.state(accepted), world.delivery(accepted).state) == (State.REGISTERED, TransportState.DELIVERED)
    world.clock.go(1000)
    world.run()
    assert len(world.adapter.got) == 1


def test_an_opened_breaker_puts_back_what_was_not_sent_and_probes_with_one() -> None:
    """After five failures in a row nothing more goes out; the rest waits unharmed; then one probe goes."""
    world = World(breaker_failures=5, breaker_open_secs=60, retry_secs=(1,), give_up_secs=100_000)
    accepted = world.submit(8)
    world.adapter.script = [TEMPORARY]
    world.run()
    assert len(world.adapter.got) == 5
    assert {world.delivery(a).state for a in accepted} == {TransportState.WAITING}
    world.clock.go(30)
    world.run()
    assert len(world.adapter.got) == 5
    world.clock.go(31)
    world.run()
    assert len(world.adapter.got) == 6
    world.adapter.script = [DUPLICATE]
    world.clock.go(3600)
    for _ in range(3):
        world.run()
    assert {world.delivery(a).state for a in accepted} == {TransportState.DELIVERED}


def test_messages_that_always_fail_do_not_starve_the_lane_behind_an_opened_breaker() -> None:
    """The probe is the delivery with the fewest attempts: one that can arrive closes the breaker for all."""
    world = World(breaker_failures=3, breaker_open_secs=60, retry_secs=(1,), give_up_secs=100_000)
    poison = world.submit(3)
    world.adapter.script = [UNKNOWN]
    world.run()
    healthy = world.submit(2)
    world.clock.go(61)
    world.adapter.script = [DUPLICATE]
    world.run()
    arrived = [a for a in (*poison, *healthy) if world.delivery(a).state is TransportState.DELIVERED]
    assert arrived == [healthy[0]]
    assert world.store.lane(CHANNEL).failures == 0


def test_what_waits_behind_a_dead_system_ends_with_its_schedule() -> None:
    """Behind an open breaker a delivery whose time is over goes to the operators without another try."""
    world = World(breaker_failures=3, breaker_open_secs=60, retry_secs=(1,), give_up_secs=100)
    accepted = world.submit(3)
    world.adapter.script = [UNKNOWN]
    world.run()
    tries = len(world.adapter.got)
    world.clock.go(1000)
    world.run()
    assert len(world.adapter.got) == tries
    assert {world.delivery(a).last_code for a in accepted} == {"delivery.exhausted"}
    assert len(world.store.items(open_only=True, after=None, limit=10)) == 3


def test_threats_to_life_go_first() -> None:
    """A lane takes the highest priority first, whatever came earlier."""
    world = World()
    ordinary = world.submit(2)
    urgent = world.submit(1, Priority.LIFE_THREATENING)
    world.run()
    assert [prepared.message_id for prepared, _ in world.adapter.got] == [a.message_id for a in (*urgent, *ordinary)]


def test_a_pulled_channel_offers_and_never_calls() -> None:
    """For an authority that fetches by itself the sealed bytes wait in its inbox."""
    world = World()
    (accepted,) = world.submit()
    world.adapter.is_pulled = True
    world.run()
    delivery = world.delivery(accepted)
    assert (delivery.state, bool(delivery.payload), world.adapter.got) == (TransportState.OFFERED, True, [])


def test_a_locked_channel_costs_no_message() -> None:
    """A missing credential is a fault of the channel: the appeal waits, and is no dead letter."""
    world = World()
    (accepted,) = world.submit()
    world.adapter.locked = ConfigurationError("The channel has no credential.")
    world.run()
    assert world.delivery(accepted).state is TransportState.WAITING
    assert world.store.lane(CHANNEL).failures == 1
    world.adapter.locked = None
    world.clock.go(15)
    world.run()
    assert world.delivery(accepted).state is TransportState.DELIVERED


def test_an_adapter_whose_sessions_break_comes_to_a_person() -> None:
    """An adapter's own fault that lasts: the lane shows as failing, and in the end a person has the message."""
    world = World()
    (accepted,) = world.submit()
    world.adapter.locked = KeyError("Канаркенко")
    world.run()
    assert (world.delivery(accepted).last_code, world.store.lane(CHANNEL).failures) == ("adapter.failed", 1)
    for _ in range(40):
        world.clock.go(14_400)
        world.run()
    (item,) = [i for i in world.store.items(open_only=True, after=None, limit=9) if i.reason == "delivery.exhausted"]
    assert "Канаркенко" not in item.detail
    assert world.delivery(accepted).state is TransportState.DEAD


@pytest.mark.parametrize("failure", [ConfigurationError("A key is missing."), Unavailable("The disk is full.")])
def test_bytes_that_cannot_be_made_now_cost_no_message(failure: HubError) -> None:
    """A wrong setting or a store that cannot be read, met while bytes are made, is as one met at the session: the
    appeal waits, the lane shows as failing, and it goes out when that is mended.
    """
    world = World()
    (accepted, other) = world.submit(2)
    world.adapter.unready = failure
    world.run()
    delivery = world.delivery(accepted)
    assert (delivery.state, delivery.last_code, delivery.attempts) == (TransportState.WAITING, failure.stable_code, 0)
    assert world.store.lane(CHANNEL).failures == 2
    assert world.store.items(open_only=True, after=None, limit=10) == ()
    world.adapter.unready = None
    world.clock.go(15)
    world.run()
    assert world.delivery(accepted).state is TransportState.DELIVERED
    assert world.delivery(other).state is TransportState.DELIVERED


def test_an_adapter_that_breaks_while_bytes_are_made_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """A fault of an adapter's own waits as its message's; the claim goes on, and its words are not told."""
    world = World()
    (accepted,) = world.submit()
    world.adapter.unready = KeyError("Канаркенко")
    world.run()
    delivery = world.delivery(accepted)
    assert (delivery.state, delivery.last_code, delivery.attempts) == (TransportState.WAITING, "adapter.failed", 0)
    assert world.store.lane(CHANNEL).failures == 1
    (record,) = [record for record in caplog.records if record.message == "an adapter broke off"]
    assert record.__dict__["code"] == "KeyError"
    assert "Канаркенко" not in str(record.__dict__)


@pytest.mark.parametrize("unready", [None, Unavailable("The disk is full.")])
def test_what_failed_together_is_not_tried_again_together(unready: HubError | None) -> None:
    """Of five that failed in one run, at sending or before it, each waits for a moment of its own."""
    world = World()
    accepted = world.submit(5)
    world.adapter.script, world.adapter.unready = [TEMPORARY], unready
    world.run()
    moments = [world.delivery(each).next_at for each in accepted]
    waits = [(moment - START).total_seconds() for moment in moments if moment is not None]
    assert len(set(waits)) == 5
    assert 8 <= min(waits) < max(waits) <= 12


def test_bytes_that_can_never_be_made_now_end_with_the_schedule() -> None:
    """What stays wrong for the channel's whole time comes to a person, as any other failure that lasts."""
    world = World()
    (accepted,) = world.submit()
    world.adapter.unready = ConfigurationError("A key is missing.")
    for _ in range(40):
        world.run()
        world.clock.go(14_400)
    delivery = world.delivery(accepted)
    assert (delivery.state, delivery.last_code) == (TransportState.DEAD, "configuration.wrong")
    (item,) = world.store.items(open_only=True, after=None, limit=10)
    assert item.reason == "delivery.exhausted"


@pytest.mark.parametrize("sent_before", [False, True])
def test_messages_of_an_adapter_that_cannot_be_loaded_wait(sent_before: bool) -> None:
    """A package that is broken for now costs no message and no attempt, before the first try and after it: the lane
    shows as failing, nothing goes to another channel or to a person, and it goes out when the package is back.
    """
    world = World()
    (accepted,) = world.submit()
    if sent_before:
        world.adapter.script = [Outcome(kind=OutcomeKind.UNKNOWN), DELIVERED]
        world.run()
        world.clock.go(15)
    before = world.delivery(accepted).attempts
    loaded = cast("dict[str, Adapter]", world.cases.dispatcher._claimer._adapters)
    package = loaded.pop("scripted")
    world.run()
    delivery = world.delivery(accepted)
    assert (delivery.state, delivery.last_code, delivery.attempts) == (TransportState.WAITING, "adapter.absent", before)
    assert world.store.lane(CHANNEL).failures == before + 1
    assert world.store.items(open_only=True, after=None, limit=10) == ()
    _, channel = world.registry.current().channel(CHANNEL) or pytest.fail("no such channel")
    assert not world.cases.retriever.retrieves(channel)
    loaded["scripted"] = package
    world.clock.go(25)
    world.run()
    assert world.delivery(accepted).state is TransportState.DELIVERED


def test_what_the_channel_cannot_carry_comes_to_a_person_at_once() -> None:
    """``UnsupportedFeature`` is about the message: no waiting, an operator's item."""
    world = World()
    (accepted,) = world.submit()
    world.adapter.unready = UnsupportedFeature("It has files.", code="channel.attachments")
    world.run()
    assert world.delivery(accepted).state is TransportState.DEAD
    (item,) = world.store.items(open_only=True, after=None, limit=10)
    assert item.reason == "channel.attachments"


def test_nothing_goes_to_a_channel_that_the_registry_no_longer_has() -> None:
    """A channel that was removed while something waited: the old body gets nothing, a person decides."""
    world = World()
    (accepted,) = world.submit()
    world.registry._directory = LoadedDirectory(authorities=(), territories=shipped())
    world.run()
    assert world.adapter.got == []
    assert world.delivery(accepted).last_code == "channel.gone"
    assert len(world.store.items(open_only=True, after=None, limit=10)) == 1


def test_a_receipt_in_the_response_must_hold() -> None:
    """A response whose receipt is not sealed by the authority's key is no success: the outcome is unknown."""
    world = World(sealed=True)
    (accepted,) = world.submit()
    forged = RawInbound(content_type="application/json", body=b'{"kind":"receipt"}')
    world.adapter.script = [Outcome(kind=OutcomeKind.DELIVERED, receipts=(forged,))]
    world.run()
    delivery = world.delivery(accepted)
    assert (delivery.state, delivery.last_code) == (TransportState.UNKNOWN, "seal.missing")


def test_a_response_in_their_own_words_registers() -> None:
    """What a foreign system says in its answer becomes a fact like a receipt that calls us; a bad one is no success."""
    world = World()
    (accepted,) = world.submit()
    words = spoken(accepted)
    strangers = replace(words, in_reply_to=MessageId(new_id()))
    world.adapter.script = [
        Outcome(kind=OutcomeKind.DELIVERED, reported=(strangers,)),
        Outcome(kind=OutcomeKind.DELIVERED, reported=(words,), external_id="Г-17"),
    ]
    world.run()
    assert world.delivery(accepted).last_code == "inbound.unknown_case"
    world.clock.go(600)
    world.run()
    assert (world.delivery(accepted).state, world.delivery(accepted).external_id) == (TransportState.DELIVERED, "Г-17")
    assert world.state(accepted) == "registered"


def test_receipts_are_asked_for_ever_more_rarely_and_no_more_after_the_answer() -> None:
    """A polled channel is asked after a second, then after a tenth of the age, until a final answer came."""
    world = World()
    (accepted,) = world.submit()
    world.adapter.is_polled = True
    for _ in range(200):
        world.run()
        world.clock.go(10)
    assert 20 < len(world.adapter.polled) < 60
    world.calls(receipt(accepted, "answer"))
    before = len(world.adapter.polled)
    for _ in range(50):
        world.clock.go(3600)
        world.run()
    assert len(world.adapter.polled) == before


def test_the_bytes_that_went_out_are_the_envelope_that_is_kept() -> None:
    """What was sent contains exactly the RFC 8785 bytes of the message in the store."""
    world = World()
    (accepted,) = world.submit()
    world.run()
    message = world.store.message(accepted.message_id)
    assert message is not None
    assert message.direction is Direction.OUT
    assert message.body in world.adapter.got[0][0].body


@pytest.mark.parametrize("kind", list(OutcomeKind))
def test_every_outcome_ends_its_attempt(kind: OutcomeKind) -> None:
    """Whatever happens, no attempt stays open and the case has a fact or a time for the next try."""
    world = World()
    (accepted,) = world.submit()
    world.adapter.script = [Outcome(kind=kind)]
    world.run()
    delivery = world.delivery(accepted)
    (attempt,) = world.store.attempts(delivery.id)
    assert attempt.outcome is kind
    kinds = {fact.kind for fact in world.store.facts(accepted.case_id)}
    assert (
        delivery.next_at
        or delivery.state is TransportState.OFFERED
        or kinds
        - {
            FactKind.ACCEPTED_BY_HUB,
            FactKind.ROUTED,
        }
    )


def test_ids_are_not_confused() -> None:
    """Default lane settings reach 72 hours; a new id is of version 7."""
    assert LaneSettings().give_up_secs == 72 * 3600
    assert MessageId(new_id()).version == 7


@pytest.mark.slow
def test_a_rate_holds_for_all_workers_together() -> None:
    """Two workers on one lane send no more a second than the lane's rate allows."""
    world = World(rate_per_sec=5, batch=5)
    world.submit(20)
    sent: list[int] = []
    for _ in range(4):
        for worker in ("one", "two"):
            run_lane(world.cases, CHANNEL, worker)
        sent.append(len(world.adapter.got))
        world.clock.go(1)
    assert sent == [5, 10, 15, 20]

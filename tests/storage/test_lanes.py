"""The contract of ``Store`` towards lanes: what is due, who takes it, and what an update may do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hub.ports import Store
from hub.schemas.delivery import (
    AttemptEnd,
    Change,
    Claim,
    Delivery,
    DeliveryUpdate,
    FactKind,
    LaneDue,
    LaneState,
    LaneThrottle,
    OutcomeKind,
    TransportState,
    Unheard,
)
from hub.schemas.ids import DeliveryId, new_id
from tests.storage.making import CHANNEL, NOW, attempt, claim_many, claim_one, fact, later, put


def claim(store: Store, seconds: float = 0, owner: str = "w1", limit: int = 50) -> tuple[Claim, ...]:
    """Claim what is due at a moment, for 30 seconds."""
    return claim_one(store, CHANNEL, owner=owner, now=later(seconds), lease_until=later(seconds + 30), limit=limit)


def now_of(store: Store, delivery: Delivery) -> Delivery:
    """The delivery as it stands."""
    found = store.delivery(delivery.id)
    assert found is not None
    return found


def test_a_claim_leases_what_is_due_with_its_body(store: Store) -> None:
    """A claim gives the delivery as leased, with the envelope's bytes and the payload of an earlier attempt."""
    waiting = put(store)
    payload = put(
        store, state=TransportState.UNKNOWN, payload=b"same bytes", payload_type="application/json", attempts=1
    )
    claims = claim(store)
    assert [c.delivery.id for c in claims] == sorted((waiting.id, payload.id))
    by_id = {c.delivery.id: c for c in claims}
    leased = replace(payload, state=TransportState.SENDING, lease_owner="w1", lease_until=later(30))
    assert by_id[payload.id].delivery == leased == now_of(store, payload)
    sent = store.message(waiting.message_id)
    assert sent is not None
    assert by_id[waiting.id].body == sent.body
    assert claim(store, owner="w2") == ()


def test_only_what_is_due_here_is_claimed(store: Store) -> None:
    """Other lanes, later moments and every other state stay untouched; a limit holds."""
    put(store, channel_id="other.rest")
    put(store, next_at=later(1))
    put(store, next_at=None)
    for state in set(TransportState) - {TransportState.WAITING, TransportState.UNKNOWN, TransportState.SENDING}:
        put(store, state=state)
    assert claim(store) == ()
    assert claim(store, limit=0) == ()
    assert len(claim(store, seconds=1)) == 1


def test_the_most_urgent_goes_first(store: Store) -> None:
    """Threats to life, then urgent, then what has waited longest, then the older id; also where the limit cuts."""
    normal_late = put(store, next_at=later(-1))
    normal_early = put(store, next_at=later(-2))
    normal_again = put(store, next_at=later(-2))
    urgent = put(store, priority=1, next_at=later(-1))
    life = put(store, priority=2, next_at=NOW)
    put(store, priority=2, next_at=later(99))
    order = [life.id, urgent.id, normal_early.id, normal_again.id, normal_late.id]
    first = [c.delivery.id for c in claim(store, limit=3)]
    assert first == order[:3]
    assert [c.delivery.id for c in claim(store, limit=9)] == order[3:]


def test_many_lanes_are_claimed_at_once(store: Store) -> None:
    """One claim serves many lanes, each up to its own limit, the most urgent of all first; no lane is no error."""
    first = [put(store, channel_id="a", next_at=later(-n)) for n in range(1, 4)]
    urgent = put(store, channel_id="b", priority=1)
    put(store, channel_id="c")
    limits = {"a": 2, "b": 5, "c": 0, "d": 3, "e": -1}
    claims = claim_many(store, limits, owner="w1", now=NOW, lease_until=later(30))
    assert [c.delivery.id for c in claims] == [urgent.id, first[2].id, first[1].id]
    assert {c.delivery.lease_owner for c in claims} == {"w1"}
    again = claim_many(store, {"a": 9, "b": 9}, owner="w2", now=NOW, lease_until=later(30))
    assert [c.delivery.id for c in again] == [first[0].id]
    assert claim_many(store, {}, owner="w1", now=NOW, lease_until=later(30)) == ()


def test_a_lease_that_ran_out_is_due_again(store: Store) -> None:
    """Whoever died while sending is replaced once the lease is over, not before."""
    carried = put(store)
    claim(store)
    assert claim(store, seconds=29, owner="w2") == ()
    (again,) = claim(store, seconds=30, owner="w2")
    assert (again.delivery.id, again.delivery.lease_owner) == (carried.id, "w2")
    assert now_of(store, carried).lease_until == later(60)


def test_an_update_of_a_lost_lease_is_not_applied(store: Store) -> None:
    """The old owner's update is named as lost; its attempt's end and its facts are written all the same."""
    carried = put(store)
    tried = attempt(carried)
    claim(store)
    store.apply(Change(attempts=(tried,)))
    claim(store, seconds=30, owner="w2")
    end = AttemptEnd(id=tried.id, finished_at=later(31), outcome=OutcomeKind.DELIVERED)
    stale = DeliveryUpdate(id=carried.id, state=TransportState.DEAD, owner="w1")
    unknown = DeliveryUpdate(id=DeliveryId(new_id()), state=TransportState.DEAD)
    sent = fact(carried.case_id, FactKind.SENT)
    applied = store.apply(Change(updates=(stale, unknown), attempt_ends=(end,), facts=(sent,)))
    assert applied.lost == (carried.id, unknown.id)
    assert applied.new_facts == (sent,)
    assert now_of(store, carried).lease_owner == "w2"
    assert store.attempts(carried.id)[0].outcome is OutcomeKind.DELIVERED


def test_an_update_sets_what_it_names(store: Store) -> None:
    """What is None stays, next_at and poll_at are always set, the lease ends unless it is taken again."""
    carried = put(store)
    claim(store)
    begun = DeliveryUpdate(
        id=carried.id,
        state=TransportState.SENDING,
        owner="w1",
        lease_until=later(30),
        attempts=1,
        first_attempt_at=NOW,
        payload=b"exact",
        payload_type="application/jose",
        external_id="E-1",
        last_code="x",
        next_at=NOW,
        poll_at=later(5),
    )
    assert store.apply(Change(updates=(begun,))).lost == ()
    sending = now_of(store, carried)
    assert (sending.state, sending.lease_owner, sending.lease_until) == (TransportState.SENDING, "w1", later(30))
    assert (sending.attempts, sending.payload, sending.payload_type) == (1, b"exact", "application/jose")
    store.apply(Change(updates=(DeliveryUpdate(id=carried.id, state=TransportState.WAITING, owner="w1"),)))
    expected = replace(
        sending, state=TransportState.WAITING, next_at=None, poll_at=None, lease_owner=None, lease_until=None
    )
    assert now_of(store, carried) == expected


def test_the_last_look_stays_until_the_next(store: Store) -> None:
    """When the hub looked is kept with the delivery, by updates that do not name it too."""
    carried = put(store)
    assert now_of(store, carried).looked_at is None
    looked = DeliveryUpdate(id=carried.id, state=TransportState.DELIVERED, looked_at=NOW, poll_at=later(1))
    store.apply(Change(updates=(looked,)))
    store.apply(Change(updates=(DeliveryUpdate(id=carried.id, state=TransportState.DELIVERED, poll_at=later(2)),)))
    assert now_of(store, carried).looked_at == NOW
    store.apply(Change(updates=(replace(looked, looked_at=later(9)),)))
    (due,) = store.claim_polls(carried.channel_id, now=later(9), next_at=later(20), limit=5)
    assert due.looked_at == later(9)


def test_delivered_is_never_lowered(store: Store) -> None:
    """A late failure or a replay cannot take back that the other side has it."""
    carried = put(store)
    store.apply(Change(updates=(DeliveryUpdate(id=carried.id, state=TransportState.DELIVERED, delivered_at=NOW),)))
    for state in TransportState:
        applied = store.apply(Change(updates=(DeliveryUpdate(id=carried.id, state=state, next_at=NOW),)))
        assert applied.lost == ()
    stands = now_of(store, carried)
    assert (stands.state, stands.next_at, stands.delivered_at) == (TransportState.DELIVERED, None, NOW)
    assert claim(store, seconds=99) == ()


def test_two_updates_of_one_delivery_apply_in_order(store: Store) -> None:
    """Within a change the second update sees what the first one did, its lease included."""
    carried = put(store)
    claim(store)
    first = DeliveryUpdate(id=carried.id, state=TransportState.WAITING, next_at=later(7), owner="w1")
    second = replace(first, next_at=later(8))
    assert store.apply(Change(updates=(first, second))).lost == (carried.id,)
    assert now_of(store, carried).next_at == later(7)


def test_polls_are_taken_once(store: Store) -> None:
    """Whoever takes a poll moves it on, so that no one else asks meanwhile; the limit takes the oldest first."""
    first = put(store, state=TransportState.DELIVERED, next_at=None, poll_at=later(-2))
    second = put(store, state=TransportState.DELIVERED, next_at=None, poll_at=later(-1), payload=b"p", payload_type="t")
    put(store, state=TransportState.DELIVERED, poll_at=later(5))
    put(store, state=TransportState.DELIVERED, poll_at=NOW, channel_id="other.rest")
    taken = store.claim_polls(CHANNEL, now=NOW, next_at=later(60), limit=1)
    assert taken == (replace(first, poll_at=later(60)),)
    assert store.claim_polls(CHANNEL, now=NOW, next_at=later(60), limit=9) == (replace(second, poll_at=later(60)),)
    assert store.claim_polls(CHANNEL, now=NOW, next_at=later(60), limit=9) == ()


def test_lanes_are_due_unless_paused_or_open(store: Store) -> None:
    """Paused lanes and lanes with an open breaker are left out; an open one is due again when its time is over. What
    waits is counted in all of them.
    """
    put(store, channel_id="a")
    put(store, channel_id="a", priority=2)
    put(store, channel_id="a", next_at=later(9))
    put(store, channel_id="b", state=TransportState.DELIVERED, poll_at=NOW)
    put(store, channel_id="c")
    put(store, channel_id="d")
    put(store, channel_id="e", next_at=later(60))
    put(store, channel_id="f", state=TransportState.SENDING, lease_owner="gone", lease_until=later(-1))
    store.pause_lane("c", paused=True)
    store.save_lane(LaneState(channel_id="d", failures=5, open_until=later(10), suspect=True))
    a, b = (
        LaneDue(channel_id="a", sends=2, polls=0, suspect=False),
        LaneDue(channel_id="b", sends=0, polls=1, suspect=False),
    )
    f = LaneDue(channel_id="f", sends=1, polls=0, suspect=False)
    assert store.due_lanes(NOW) == (a, b, f)
    assert store.due_lanes(NOW, limit=1) == (a,)
    assert LaneDue(channel_id="d", sends=1, polls=0, suspect=True) in store.due_lanes(later(10))
    assert dict(store.waiting()) == {"a": 3, "c": 1, "d": 1, "e": 1, "f": 1}


def test_a_lane_is_fresh_until_it_is_kept(store: Store) -> None:
    """A lane's state is kept as a whole and replaced as a whole."""
    assert store.lane("x") == LaneState(channel_id="x")
    assert store.lanes() == ()
    sick = LaneState(channel_id="x", failures=3, open_until=NOW, suspect=True)
    for state in (sick, LaneState(channel_id="b"), LaneState(channel_id="x", failures=1)):
        store.save_lane(state)
        assert store.lane(state.channel_id) == state
    assert [state.channel_id for state in store.lanes()] == ["b", "x"]
    assert store.lane_states(["x", "y"]) == {"x": LaneState(channel_id="x", failures=1)}
    assert store.lane_states([]) == {}


def test_a_pause_is_the_operators_own(store: Store) -> None:
    """A run that ends keeps the lane's health but cannot undo a pause; resuming closes the breaker too."""
    assert store.pause_lane("x", paused=True) == LaneState(channel_id="x", paused=True)
    store.save_lane(LaneState(channel_id="x", failures=7, open_until=NOW, suspect=True))
    assert store.lane("x") == LaneState(channel_id="x", failures=7, open_until=NOW, suspect=True, paused=True)
    assert store.pause_lane("x", paused=False) == LaneState(channel_id="x")
    assert store.lane("x") == LaneState(channel_id="x")


def test_release_frees_the_leases_of_the_dead(store: Store) -> None:
    """Deliveries of owners that are surely gone become unknown and due; those of others stay leased."""
    mine, theirs = put(store), put(store, channel_id="other.rest")
    claim(store, owner="embedded:1")
    claim_one(store, "other.rest", owner="embedde%", now=NOW, lease_until=later(30), limit=5)
    assert store.release("embedded") == 1
    freed = now_of(store, mine)
    assert (freed.state, freed.lease_owner, freed.lease_until) == (TransportState.UNKNOWN, None, None)
    assert freed.next_at is not None
    assert now_of(store, theirs).state is TransportState.SENDING
    assert store.release("embedded") == 0


def test_one_collects_at_a_time(store: Store) -> None:
    """A channel is collected by one worker until its time comes again, or until the time that was planned."""
    assert store.collects_later(NOW) == frozenset()
    assert store.claim_collect("box", now=NOW, until=later(60))
    assert not store.claim_collect("box", now=later(59), until=later(200))
    assert store.claim_collect("queue", now=NOW, until=later(5))
    assert store.collects_later(later(10)) == {"box"}
    assert store.claim_collect("box", now=later(60), until=later(120))
    store.plan_collect("box", later(70))
    assert not store.claim_collect("box", now=later(69), until=later(200))
    assert store.claim_collect("box", now=later(70), until=later(200))


def test_failures_in_a_row_are_counted_until_one_goes_well(store: Store) -> None:
    """The first moment and the last code stay with the row; what ends it tells what it was; the next begins anew."""
    assert (store.heard("box"), store.unheard()) == (None, ())
    store.not_heard("box", at=NOW, code="imap.connect")
    second = store.not_heard("box", at=later(60), code="imap.login")
    assert second == Unheard(channel_id="box", failures=2, since=NOW, code="imap.login")
    store.not_heard("a.box", at=later(5), code="imap.connect")
    assert [row.channel_id for row in store.unheard()] == ["a.box", "box"]
    assert store.heard("box") == second
    assert store.not_heard("box", at=later(90), code="imap.connect").since == later(90)


def test_deliveries_are_found_by_their_id(store: Store) -> None:
    """Newest first, of one authority or over one channel if one is named; a shadow's only over its own channel."""
    made = [put(store), put(store), put(store, channel_id="b"), put(store, channel_id="c", shadow=True)]
    old, new, other, shadow = made
    for each in made:
        store.apply(Change(updates=(DeliveryUpdate(id=each.id, state=TransportState.DELIVERED, external_id="X-1"),)))

    def ids(external_id: str = "X-1", limit: int = 9, **of: str) -> list[DeliveryId]:
        return [each.id for each in store.deliveries_known_as(external_id, limit=limit, **of)]

    assert ids() == [other.id, new.id, old.id]
    assert ids(limit=2) == [other.id, new.id]
    assert ids(channel_id=CHANNEL) == [new.id, old.id]
    assert ids(channel_id="c", authority=old.authority) == [shadow.id]
    assert ids(authority=old.authority) == ids()
    assert (ids(authority="99999999"), ids("X-2"), ids(channel_id="d")) == ([], [], [])


def test_a_rest_is_kept_beside_a_lanes_health(store: Store) -> None:
    """A rest that a claim set makes the lane not due until then; keeping the lane's health does not end it."""
    put(store)
    store.apply(Change(throttles=(LaneThrottle(channel_id=CHANNEL, rest_until=later(5)),)))
    assert store.due_lanes(NOW) == ()
    store.save_lane(LaneState(channel_id=CHANNEL, failures=1))
    assert store.lane(CHANNEL) == LaneState(channel_id=CHANNEL, failures=1, rest_until=later(5))
    assert [lane.channel_id for lane in store.due_lanes(later(5))] == [CHANNEL]
    store.apply(Change(throttles=(LaneThrottle(channel_id=CHANNEL, rest_until=later(9)),)))
    assert store.lane(CHANNEL).rest_until == later(9)
    assert store.pause_lane(CHANNEL, paused=False) == LaneState(channel_id=CHANNEL)


def test_what_begins_is_decided_by_the_lanes_as_they_are_now(store: Store) -> None:
    """The states given to ``begin`` are those of the moment, whatever the caller saw before; what it leaves stays."""
    waiting = put(store)
    store.save_lane(LaneState(channel_id=CHANNEL, failures=7))
    seen: list[tuple[int, int]] = []

    def begin(claims: Sequence[Claim], states: Mapping[str, LaneState]) -> Change:
        seen.append((len(claims), states[CHANNEL].failures))
        return Change()

    store.claim({CHANNEL: 5, "none": 5}, now=NOW, begin=begin)
    assert seen == [(1, 7)]
    assert now_of(store, waiting) == waiting


def test_a_list_is_read_on_where_it_was_left(store: Store) -> None:
    """A bookmark is kept for a channel that was claimed, and for no other."""
    assert store.claim_collect(CHANNEL, now=NOW, until=later(60))
    assert store.bookmark(CHANNEL) is None
    store.save_bookmark(CHANNEL, "17")
    store.save_bookmark("other.rest", "18")
    store.plan_collect(CHANNEL, later(120))
    assert (store.bookmark(CHANNEL), store.bookmark("other.rest")) == ("17", None)


def test_a_delivery_goes_on_where_it_had_come_to(store: Store) -> None:
    """Progress is kept with the payload while the lease holds, and only then."""
    put(store)
    (first,) = claim(store)
    begun = DeliveryUpdate(
        id=first.delivery.id,
        state=TransportState.SENDING,
        owner="w1",
        lease_until=later(30),
        payload=b"{}",
        payload_type="application/json",
    )
    store.apply(Change(updates=(begun,)))
    assert store.save_progress(first.delivery.id, "created", owner="w1")
    assert not store.save_progress(first.delivery.id, "foreign", owner="w2")
    assert now_of(store, first.delivery).progress == "created"

"""The way back that begins with us: when a channel is asked and emptied, what is learnt, and what an inbox gives."""

from __future__ import annotations

import logging
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from hub.cases.submission import Accepted
from hub.delivery.redaction import Redaction
from hub.errors import ConfigurationError, HubError, NotFound, PeerChanged, TemporaryFailure
from hub.inbound.collector import CollectingChannels, collecting
from hub.inbound.inbox import Inbox
from hub.outbound.sender import Ended
from hub.ports import InboundSink, Outcome, RawInbound
from hub.schemas import json_rendering
from hub.schemas.delivery import Change, Delivery, DeliveryUpdate, Fact, FactKind, OutcomeKind, Source, TransportState
from hub.schemas.directory import AuthorityKind, Channel, LegalClass
from hub.schemas.ids import MessageId, new_id
from hub.sealed import open_envelope
from hub.seals import HubSeal
from hub.seals.keys import verification_key
from registry import LoadedDirectory
from registry.territories import shipped
from tests.delivery.making import receipt
from tests.delivery.test_claim import council, own
from tests.delivery.world import BODY, CHANNEL, START, World, keys
from tests.lanes import run_lane

OTHER = "00032684"


def asked(count: int = 1, **lane: Any) -> tuple[World, tuple[Accepted, ...]]:
    """A world whose channel is asked, with sent appeals whose first question has come."""
    world = World(**lane)
    world.adapter.is_polled = True
    accepted = world.submit(count)
    send(world)
    world.clock.go(10)
    return world, accepted


def send(world: World) -> None:
    """Send and write, without asking."""
    ended: list[Ended] = []
    for batch in world.dispatcher.claim([CHANNEL], "worker"):
        world.dispatcher.send(batch, ended.append)
    world.dispatcher.write(ended)


def of_kind(world: World, accepted: Accepted, kind: FactKind) -> list[Fact]:
    """Facts of a case."""
    return [fact for fact in world.store.facts(accepted.case_id) if fact.kind is kind]


# Polling


def test_a_channel_is_asked_for_a_batch_with_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many questions at once as its batch, each with the whole deadline; the others at the next visit."""
    world, _ = asked(3, batch=2, rate_per_sec=50, deadline_secs=17)
    send(world)
    heard: list[float] = []

    def poll(_delivery: Delivery, deadline_secs: float) -> Outcome:
        heard.append(deadline_secs)
        return Outcome(kind=OutcomeKind.TEMPORARY)

    monkeypatch.setattr(world.adapter, "poll", poll)
    assert world.retriever.retrieve(CHANNEL) == 2
    assert heard == [17.0, 17.0]


@pytest.mark.parametrize("age", [10, 100, 100_000])
def test_the_next_question_comes_after_a_tenth_of_the_age(age: int) -> None:
    """Counted from when it was delivered, at most an hour, whatever the answer was."""
    world, (accepted,) = asked()
    world.clock.go(age - 10)
    world.adapter.script = [Outcome(kind=OutcomeKind.DELIVERED)]
    assert world.retriever.retrieve(CHANNEL) == 1
    after = timedelta(seconds=min(age / 10, 3_600))
    assert world.delivery(accepted).poll_at == world.clock.now() + after
    assert world.retriever.retrieve(CHANNEL) == 0


def test_a_question_that_could_not_be_asked_waits_out_its_visit(caplog: pytest.LogCaptureFixture) -> None:
    """No session: nobody else asks while the visit could still last, then all are asked again; the log says why."""
    world, (accepted,) = asked(slice_secs=7, deadline_secs=11)
    world.adapter.locked = TemporaryFailure("Nobody answers.", code="http.refused")
    assert world.retriever.retrieve(CHANNEL) == 1
    assert world.delivery(accepted).poll_at == world.clock.now() + timedelta(seconds=18)
    (record,) = [each for each in caplog.records if each.message == "polling failed"]
    assert (record.levelno, record.__dict__["channel"], record.__dict__["code"]) == (
        logging.WARNING,
        CHANNEL,
        "http.refused",
    )
    world.adapter.locked = None
    world.clock.go(18)
    assert world.retriever.retrieve(CHANNEL) == 1


@pytest.mark.parametrize(
    ("outcome", "reason", "detail"),
    [
        (
            Outcome(kind=OutcomeKind.PERMANENT, code="sev.33", detail="rejected", proves=LegalClass.SENT),
            "sev.33",
            "rejected",
        ),
        (
            Outcome(kind=OutcomeKind.PERMANENT, proves=LegalClass.SENT),
            "poll.failed",
            "The system in between could not deliver the message.",
        ),
    ],
)
def test_a_system_in_between_that_gave_up_is_asked_no_more(outcome: Outcome, reason: str, detail: str) -> None:
    """A person hears of it with the code and their words; the delivery stands as it stood."""
    world, (accepted,) = asked()
    world.adapter.script = [outcome]
    world.retriever.retrieve(CHANNEL)
    (item,) = world.store.items(open_only=True, after=None, limit=9)
    assert (item.reason, item.detail, item.case_id, item.opened_at) == (
        reason,
        detail,
        accepted.case_id,
        world.clock.now(),
    )
    assert [fact.data["reason"] for fact in of_kind(world, accepted, FactKind.ESCALATED)] == [reason]
    delivery = world.delivery(accepted)
    assert (delivery.poll_at, delivery.state) == (None, TransportState.DELIVERED)


@pytest.mark.parametrize("known", [False, True])
def test_what_the_addressee_has_is_said_once(known: bool) -> None:
    """``delivered``, by the body's own system, at the moment of the answer; where that stands already, nothing more."""
    world, accepted = asked_one() if known else taken_in_between()
    delivery = world.delivery(accepted)
    world.adapter.script = [Outcome(kind=OutcomeKind.DELIVERED, proves=LegalClass.DELIVERED)]
    world.retriever.retrieve(CHANNEL)
    facts = of_kind(world, accepted, FactKind.DELIVERED)
    assert [(fact.source, fact.data["channel"], fact.delivery_id) for fact in facts] == [
        (Source.AUTHORITY, CHANNEL, delivery.id)
    ]
    assert facts[0].at == (START if known else world.clock.now())
    assert (world.delivery(accepted).poll_at, world.delivery(accepted).state) == (None, TransportState.DELIVERED)


def asked_one() -> tuple[World, Accepted]:
    """A message that arrived, as its answer showed, and that is asked about now."""
    world, (accepted,) = asked()
    return world, accepted


def taken_in_between() -> tuple[World, Accepted]:
    """A message that a system in between took, and that is asked about now."""
    world = World()
    world.adapter.is_polled = True
    world.adapter.script = [Outcome(kind=OutcomeKind.DELIVERED, proves=LegalClass.SENT)]
    (accepted,) = world.submit()
    run_lane(world.cases, CHANNEL)
    world.clock.go(10)
    return world, accepted


def test_a_final_answer_that_a_poll_brings_ends_the_asking() -> None:
    """There is nothing more to ask about an appeal that was answered."""
    world, (accepted,) = asked()
    came = RawInbound(content_type="application/json", body=json_rendering.to_json(receipt(accepted, "answer")))
    world.adapter.script = [Outcome(kind=OutcomeKind.DELIVERED, receipts=(came,))]
    world.retriever.retrieve(CHANNEL)
    assert (world.state(accepted), world.delivery(accepted).poll_at) == ("answered", None)


# Collecting


def with_channels(world: World, *channels: Channel, **body: object) -> None:
    """The registry's body has these channels now."""
    entry = world.registry.current().authority(BODY)
    assert entry is not None
    entry = entry.model_copy(update={"channels": channels, **body})
    world.registry._directory = LoadedDirectory(authorities=(entry, council(OTHER)), territories=shipped())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("channel", "body", "found"),
    [
        ({}, {}, True),
        ({"adapter": "absent"}, {}, False),
        ({"valid_to": date(2026, 11, 24)}, {}, False),
        ({"valid_from": date(2026, 11, 25)}, {}, False),
        ({}, {"valid_to": date(2026, 11, 24)}, False),
    ],
)
def test_only_what_holds_today_is_collected(channel: dict[str, object], body: dict[str, object], found: bool) -> None:
    """Channel and body must hold on the day, and their adapter must be there; in the order of their ids."""
    world = World()
    world.adapter.waiting = []
    with_channels(world, own(world, id=f"{BODY}.z"), own(world, id=f"{BODY}.a", **channel), **body)
    adapters = {"scripted": world.adapter}
    seen = collecting(world.registry.current(), adapters, date(2026, 11, 24))
    mine = [name for name in seen if name.startswith(BODY)]
    assert f"{OTHER}.test" in seen
    assert mine == ([f"{BODY}.a", f"{BODY}.z"] if found else [f"{BODY}.z"] if not body else [])


def test_a_channel_whose_settings_are_wrong_hides_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is left out with a warning, and the others are collected."""
    world = World()
    with_channels(world, own(world))

    def collects(channel: Channel) -> bool:
        if channel.id == CHANNEL:
            raise ConfigurationError("No folder.", code="channel.settings")
        return True

    monkeypatch.setattr(world.adapter, "collects", collects)
    assert collecting(world.registry.current(), {"scripted": world.adapter}, START.date()) == (f"{OTHER}.test",)
    (record,) = [each for each in caplog.records if each.message == "a channel cannot be collected"]
    assert (record.__dict__["channel"], record.__dict__["code"]) == (CHANNEL, "channel.settings")


def test_the_list_of_collected_channels_follows_registry_and_day() -> None:
    """A new version of the registry and a new day in Kyiv are looked at; between them the answer is kept."""
    world = World()
    world.adapter.waiting = []
    with_channels(world, own(world, valid_to=date(2026, 11, 25)))
    channels = CollectingChannels(world.registry, {"scripted": world.adapter}, world.clock)
    assert channels() == (CHANNEL, f"{OTHER}.test")
    world.adapter.waiting = None
    assert channels() == (CHANNEL, f"{OTHER}.test")
    world.adapter.waiting = []
    world.clock.time = datetime.fromisoformat("2026-11-24T21:59:00+00:00")
    assert channels() == (CHANNEL, f"{OTHER}.test")
    world.clock.go(60)
    assert channels() == (f"{OTHER}.test",)
    with_channels(world, own(world, id=f"{BODY}.new", valid_to=None))
    assert channels() == (f"{BODY}.new", f"{OTHER}.test")


class Mailbox:
    """An adapter whose session notes how it was called; ``during`` is done while it collects."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.deadlines: list[float] = []
        self.sinks: list[InboundSink] = []
        self.failure: Exception | None = None

    def collect(self, sink: InboundSink, deadline_secs: float) -> int:
        self.deadlines.append(deadline_secs)
        self.sinks.append(sink)
        self.world.clock.go(7)
        if self.failure is not None:
            raise self.failure
        return 3


def mailbox(monkeypatch: pytest.MonkeyPatch, **lane: Any) -> tuple[World, Mailbox, list[tuple[datetime, object]]]:
    """A world whose channel is a mailbox, and what is planned for it after each visit."""
    world = World(**lane)
    world.adapter.waiting = []
    box, planned = Mailbox(world), list[tuple[datetime, object]]()
    monkeypatch.setattr(world.adapter, "collect", box.collect)
    real = world.store.plan_collect

    def plan(channel_id: str, at: datetime, *, heard_at: datetime | None = None) -> None:
        assert channel_id == CHANNEL
        planned.append((at, heard_at))
        real(channel_id, at, heard_at=heard_at)

    monkeypatch.setattr(world.store, "plan_collect", plan)
    return world, box, planned


@pytest.mark.parametrize(
    ("failure", "wait", "message"),
    [
        (None, 60, None),
        (TemporaryFailure("Busy.", code="imap.busy"), 60, "collecting failed"),
        (PeerChanged("Another key.", code="ssh.key"), 3_600, "collecting stopped: the other side is another"),
        (KeyError("Канаренко"), 60, "an adapter broke off"),
    ],
)
def test_a_visit_is_planned_anew_when_it_ends(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    failure: Exception | None,
    wait: int,
    message: str | None,
) -> None:
    """After ``collect_secs`` from its end, an hour if the other side is another; only one that went well is heard."""
    world, box, planned = mailbox(monkeypatch, collect_secs=60, deadline_secs=20)
    box.failure = failure
    taken = world.retriever.retrieve(CHANNEL)
    ended = START + timedelta(seconds=7)
    assert box.deadlines == [20.0]
    assert (taken, planned) == (
        3 if failure is None else 0,
        [(ended + timedelta(seconds=wait), ended if failure is None else None)],
    )
    told = [(each.message, each.__dict__["channel"], each.__dict__["code"]) for each in caplog.records]
    code = failure.stable_code if isinstance(failure, HubError) else type(failure).__name__
    assert told == ([] if failure is None else [(message, CHANNEL, code)])
    assert [each.levelno for each in caplog.records] == (
        [] if failure is None else [logging.WARNING if isinstance(failure, TemporaryFailure) else logging.ERROR]
    )


@pytest.mark.parametrize(("collect_secs", "deadline_secs", "free"), [(60, 20, 60), (10, 20, 40)])
def test_one_worker_empties_a_mailbox(
    monkeypatch: pytest.MonkeyPatch, collect_secs: int, deadline_secs: int, free: int
) -> None:
    """While one is at it, and its deadline twice over, nobody else begins; one that dies does not hold it for ever."""
    world, box, _ = mailbox(monkeypatch, collect_secs=collect_secs, deadline_secs=deadline_secs)
    box.failure = SystemExit()  # type: ignore[assignment]  # the process dies in the middle
    with pytest.raises(SystemExit):
        world.retriever.retrieve(CHANNEL)
    box.failure = None
    world.clock.time = START + timedelta(seconds=free - 1)
    assert world.retriever.retrieve(CHANNEL) == 0
    world.clock.time = START + timedelta(seconds=free)
    assert world.retriever.retrieve(CHANNEL) == 3


def test_nothing_is_fetched_over_a_paused_lane_or_one_that_is_not_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paused by an operator, or an adapter that does not collect here: nobody calls the other side."""
    world, box, _ = mailbox(monkeypatch)
    world.operators.pause(CHANNEL)
    assert world.retriever.retrieve(CHANNEL) == 0
    world.operators.resume(CHANNEL)
    world.adapter.waiting = None
    assert world.retriever.retrieve(CHANNEL) == 0
    assert box.deadlines == []


@pytest.mark.parametrize("for_all", [False, True])
def test_a_body_speaks_for_itself_and_the_centres_mailbox_for_all(
    monkeypatch: pytest.MonkeyPatch, for_all: bool
) -> None:
    """Over a body's channel only its own word counts; in the centre's mailbox whoever is proved to have spoken."""
    world, box, _ = mailbox(monkeypatch)
    (accepted,) = world.submit()
    run_lane(world.cases, CHANNEL)
    found = world.registry.current().channel(CHANNEL)
    assert found is not None
    kind = AuthorityKind.CONTACT_CENTRE if for_all else AuthorityKind.NATIONAL_BANK
    speaker = found[0].model_copy(update={"code": OTHER, "kind": kind})
    world.registry._directory = LoadedDirectory(authorities=(speaker,), territories=shipped())
    box.sinks.clear()
    world.clock.go(3_600)
    assert world.retriever.retrieve(CHANNEL) == 3
    (sink,) = box.sinks
    delivery = world.delivery(accepted)
    assert sink.find(message_id=accepted.message_id) == (delivery if for_all else None)


def test_what_can_be_fetched_is_asked_and_collected_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """One visit does both and tells the sum; a channel that is gone, or whose adapter is, gives nothing."""
    world, (_accepted,) = asked()
    box = Mailbox(world)
    world.adapter.waiting = []
    monkeypatch.setattr(world.adapter, "collect", box.collect)
    assert world.retriever.retrieve(CHANNEL) == 1 + 3
    assert world.retriever.retrieve("no.such") == 0
    with_channels(world, own(world, adapter="absent"))
    assert world.retriever.retrieve(CHANNEL) == 0


@pytest.mark.parametrize(("polls", "collects"), [(False, False), (True, False), (False, True)])
def test_a_channel_is_looked_at_if_it_is_asked_or_collected(polls: bool, collects: bool) -> None:
    """Nothing is opened for a channel over which nothing can come; an adapter that is absent fetches nothing."""
    world = World()
    world.adapter.is_polled, world.adapter.waiting = polls, [] if collects else None
    assert world.retriever.retrieves(own(world)) is (polls or collects)
    assert world.retriever.retrieves(own(world, adapter="absent")) is False


# The inbox


def offered() -> tuple[World, Accepted, Inbox]:
    """An appeal that waits for a body that fetches by itself."""
    world = World()
    world.adapter.is_pulled = True
    (accepted,) = world.submit()
    run_lane(world.cases, CHANNEL)
    world.clock.go(60)
    return (
        world,
        accepted,
        Inbox(store=world.store, clock=world.clock, seal=HubSeal(keys()[0]), redaction=Redaction(world.store)),
    )


def test_an_inbox_gives_the_exact_bytes_and_says_that_they_went_out() -> None:
    """As often as wanted, with their type; ``sent`` once, dated by the offer; it waits until a receipt comes."""
    world, accepted, inbox = offered()
    delivery = world.delivery(accepted)
    assert [each.id for each in inbox.waiting(BODY, after=None, limit=9)] == [delivery.id]
    assert inbox.waiting(BODY, after=str(delivery.id), limit=9) == inbox.waiting(OTHER, after=None, limit=9) == ()
    assert inbox.waiting(BODY, after=None, limit=0) == ()
    for _ in range(2):
        fetched = inbox.fetch(BODY, accepted.message_id)
        assert (fetched.message_id, fetched.content_type, fetched.body) == (
            accepted.message_id,
            "application/json",
            delivery.payload,
        )
    (sent,) = of_kind(world, accepted, FactKind.SENT)
    assert (sent.at, sent.source, sent.data["channel"]) == (START, Source.HUB, CHANNEL)
    assert [each.id for each in inbox.waiting(BODY, after=None, limit=9)] == [delivery.id]
    inbox.taken(BODY, accepted.message_id)
    assert inbox.waiting(BODY, after=None, limit=9) == ()
    assert inbox.fetch(BODY, accepted.message_id).body == delivery.payload


@pytest.mark.parametrize("change", ["unknown", "another's", "not offered", "no bytes", "refused"])
def test_an_inbox_gives_nothing_else(change: str) -> None:
    """Unknown, another's, not offered yet, without bytes or refused: one and the same error."""
    world, accepted, inbox = offered()
    delivery = world.delivery(accepted)
    state = {"not offered": TransportState.WAITING, "refused": TransportState.REFUSED}.get(change)
    if state is not None:
        world.store.apply(Change(updates=(DeliveryUpdate(id=delivery.id, state=state),)))
    message_id = MessageId(new_id()) if change == "unknown" else accepted.message_id
    if change == "no bytes":
        world.adapter.is_pulled = False
        (fresh,) = world.submit()
        message_id = fresh.message_id
        update = DeliveryUpdate(id=world.delivery(fresh).id, state=TransportState.DELIVERED)
        world.store.apply(Change(updates=(update,)))
    with pytest.raises(NotFound) as refused:
        inbox.fetch(OTHER if change == "another's" else BODY, message_id)
    assert refused.value.stable_code == "inbox.unknown"
    assert of_kind(world, accepted, FactKind.SENT) == []


def test_what_their_system_took_is_delivered_once() -> None:
    """``sent`` and ``delivered`` with the moment of each; a second word changes nothing."""
    world, accepted, inbox = offered()
    inbox.taken(BODY, accepted.message_id)
    world.clock.go(60)
    inbox.taken(BODY, accepted.message_id)
    delivery = world.delivery(accepted)
    assert (delivery.state, delivery.delivered_at) == (TransportState.DELIVERED, START + timedelta(seconds=60))
    (sent,), (arrived,) = (of_kind(world, accepted, kind) for kind in (FactKind.SENT, FactKind.DELIVERED))
    assert sent.at == START
    assert (arrived.at, arrived.source, arrived.data["channel"]) == (
        START + timedelta(seconds=60),
        Source.AUTHORITY,
        CHANNEL,
    )


def test_what_their_system_cannot_process_comes_to_a_person() -> None:
    """Dead with its code, and an item with their words; not for another's, and not once it was taken."""
    world, accepted, inbox = offered()
    with pytest.raises(NotFound) as refused:
        inbox.failed(OTHER, accepted.message_id, "x")
    assert refused.value.stable_code == "inbox.unknown"
    with pytest.raises(NotFound):
        inbox.taken(BODY, MessageId(new_id()))
    inbox.failed(BODY, accepted.message_id, "cannot be read")
    delivery = world.delivery(accepted)
    assert (delivery.state, delivery.last_code) == (TransportState.DEAD, "inbox.failed")
    (item,) = world.store.items(open_only=True, after=None, limit=9)
    assert (item.reason, item.detail, item.opened_at) == ("inbox.failed", "cannot be read", world.clock.now())
    assert [fact.data["reason"] for fact in of_kind(world, accepted, FactKind.ESCALATED)] == ["inbox.failed"]


def test_a_notices_link_gives_the_sealed_envelope() -> None:
    """What went out as a mail without personal data is fetched as the envelope itself, sealed by the hub."""
    world, accepted, inbox = offered()
    update = DeliveryUpdate(
        id=world.delivery(accepted).id,
        state=TransportState.DELIVERED,
        payload=b"Subject: notice",
        payload_type="message/rfc822",
    )
    world.store.apply(Change(updates=(update,)))
    fetched = inbox.fetch(BODY, accepted.message_id)
    message = world.store.message(accepted.message_id)
    assert message is not None
    envelope, sealed = open_envelope(
        RawInbound(content_type=fetched.content_type, body=fetched.body),
        seal=HubSeal(None),
        keys=[verification_key(keys()[0]).model_copy(update={"valid_from": START - timedelta(days=1)})],
        at=START,
        seal_required=True,
    )
    assert sealed
    assert json_rendering.to_json(envelope) == message.body

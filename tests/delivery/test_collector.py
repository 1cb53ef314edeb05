"""Collecting: what waits at the other side is taken in once, under rules that do not trust who brings it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from hub.cases.submission import Accepted
from hub.errors import HubError, NotFound, PeerChanged, SealRefused, Unavailable
from hub.inbound.collector import collecting
from hub.ports import InboundFilter, RawInbound, ReportedStatus
from hub.schemas.delivery import Applied, Change, FactKind, LaneState
from hub.schemas.directory import LegalClass
from hub.schemas.envelope import AnswerBody, ReceiptBody
from hub.schemas.ids import named_id
from hub.schemas.json_rendering import to_json
from hub.schemas.terms import AnswerResult, AnswerStage, ReceiptStatus
from hub.tracking.state import State
from tests.delivery.making import receipt
from tests.delivery.origins import origin
from tests.delivery.world import CHANNEL, START, World

REGISTERED = ReceiptBody(status=ReceiptStatus.REGISTERED, at=START, number="Г-17", date=date(2026, 11, 24))
ANSWER = AnswerBody(
    stage=AnswerStage.FINAL,
    result=AnswerResult.EXPLAINED,
    number="18",
    date=date(2026, 11, 24),
    at=START,
    text="Відповідь",
)


def spoken(accepted: Accepted, said_id: str = "their-1") -> ReportedStatus:
    """The authority's registration in its own words."""
    raw = RawInbound(content_type="text/plain", body="Зареєстровано Г-17".encode())
    return ReportedStatus(raw=raw, said_id=said_id, body=REGISTERED, at=START, in_reply_to=accepted.message_id)


def sent(**lane: Any) -> tuple[World, Accepted]:
    """A world with one delivered appeal, over a channel that is collected."""
    world = World(sealed=False, **lane)
    world.adapter.waiting = []
    (accepted,) = world.submit()
    world.run()
    return world, accepted


def kinds(world: World, accepted: Accepted) -> list[FactKind]:
    """Kinds of a case's facts."""
    return [fact.kind for fact in world.store.facts(accepted.case_id)]


def test_their_words_become_facts_once() -> None:
    """A statement collected twice makes one fact, one message with the bytes that came, and the state it proves."""
    world, accepted = sent()
    for _ in range(2):
        world.clock.go(60)
        world.adapter.waiting = [spoken(accepted)]
        world.run()
    assert kinds(world, accepted).count(FactKind.REGISTERED) == 1
    assert world.state(accepted) == State.REGISTERED
    (message,) = [m for m in world.store.messages(accepted.case_id) if m.raw is not None]
    assert (message.raw, message.in_reply_to) == ("Зареєстровано Г-17".encode(), accepted.message_id)
    journal = world.store.inbound(InboundFilter(channel_id=CHANNEL), limit=9)
    assert [record.verdict for record in journal] == ["repeat", "accepted"]


def test_registration_is_not_believed_of_a_way_that_cannot_prove_it() -> None:
    """``registered`` over a way that reaches ``delivered`` only is kept as ``accepted``, with number and date."""
    world, accepted = sent()
    world.adapter.waiting = [replace(spoken(accepted), reaches=LegalClass.DELIVERED)]
    world.clock.go(60)
    world.run()
    (fact,) = [f for f in world.store.facts(accepted.case_id) if f.kind is FactKind.ACCEPTED]
    assert (fact.data["number"], fact.data["date"]) == ("Г-17", "2026-11-24")
    assert FactKind.REGISTERED not in kinds(world, accepted)


@pytest.mark.parametrize("change", [{"party": "00032684"}, {"in_reply_to": None, "external_id": "nobody"}])
def test_foreign_words_change_nothing(change: dict[str, object]) -> None:
    """Another authority's word, or one about an unknown case, is journalled as refused and changes no fact."""
    world, accepted = sent()
    before = world.store.facts(accepted.case_id)
    world.adapter.waiting = [replace(spoken(accepted), **change)]  # type: ignore[arg-type]
    world.clock.go(60)
    world.run()
    assert [type(refusal) for refusal in world.adapter.refused] in ([SealRefused], [NotFound])
    assert world.store.facts(accepted.case_id) == before
    assert world.store.inbound(InboundFilter(channel_id=CHANNEL), limit=1)[0].verdict in (
        "seal.party",
        "inbound.unknown_case",
    )


def test_found_by_the_id_that_they_gave() -> None:
    """An answer that names only the other system's id finds its appeal."""
    world, accepted = sent()
    world.adapter.waiting = [
        replace(spoken(accepted), body=ANSWER, in_reply_to=None, external_id="E-1", said_id="their-2")
    ]
    world.clock.go(60)
    world.run()
    assert world.state(accepted) == State.ANSWERED


def test_what_cannot_be_kept_stays_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the store is away nothing is acknowledged to the other side; afterwards it is taken in."""
    world, accepted = sent()
    world.adapter.waiting = [spoken(accepted)]
    real = world.store.apply

    def away(change: Change) -> Applied:
        if change.messages:
            raise Unavailable("away")
        return real(change)

    monkeypatch.setattr(world.store, "apply", away)
    world.clock.go(60)
    world.run()
    assert len(world.adapter.waiting) == 1
    monkeypatch.undo()
    world.clock.go(60)
    world.run()
    assert world.adapter.waiting == []
    assert world.state(accepted) == State.REGISTERED


def test_collecting_keeps_its_time_and_pauses() -> None:
    """A channel is collected every ``collect_secs``, not sooner, and not while its lane is paused."""
    world, accepted = sent(collect_secs=120, deadline_secs=5)
    world.adapter.waiting = [spoken(accepted)]
    world.run()
    world.clock.go(119)
    world.run()
    assert len(world.adapter.waiting) == 1
    world.store.save_lane(LaneState(channel_id=CHANNEL))
    world.store.pause_lane(CHANNEL, paused=True)
    world.clock.go(1)
    world.run()
    assert len(world.adapter.waiting) == 1
    world.store.pause_lane(CHANNEL, paused=False)
    world.run()
    assert world.adapter.waiting == []


def test_an_envelope_goes_the_usual_way() -> None:
    """One of our own envelopes, collected, is taken in like one that was pushed."""
    world, accepted = sent()
    envelope = receipt(accepted, "registered")
    world.adapter.waiting = [RawInbound(content_type="application/json", body=to_json(envelope))]
    world.clock.go(60)
    world.run()
    assert world.state(accepted) == State.REGISTERED


def test_who_brings_it_for_all_must_prove_it_by_a_seal() -> None:
    """Without a credential of its own an envelope needs its sender's seal, whatever it claims."""
    world, accepted = sent()
    raw = RawInbound(content_type="application/json", body=to_json(receipt(accepted, "registered")))
    with pytest.raises(SealRefused, match=r"seal\.missing"):
        world.receiver.receive(raw, origin("mailbox", None))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"[]"),
        ("application/jose", b"x"),
        ("application/xml", b"<a/>"),
        ("application/json", b"{}"),
    ],
)
def test_an_envelope_without_a_sender_is_refused_and_journalled(kind: str, body: bytes) -> None:
    """What names no sender is refused with a code, and stands in the journal."""
    world, _ = sent()
    with pytest.raises(HubError):
        world.receiver.receive(RawInbound(content_type=kind, body=body), origin("mailbox", None))
    assert world.store.inbound(InboundFilter(channel_id="mailbox"), limit=1)[0].authority == "-"


def test_only_collected_channels_are_rung_for() -> None:
    """The sweeper knows the channels that are collected from the registry in force."""
    world, _ = sent()
    assert collecting(world.registry.current(), {"scripted": world.adapter}, START.date()) == (CHANNEL,)
    world.adapter.waiting = None
    assert collecting(world.registry.current(), {"scripted": world.adapter}, START.date()) == ()


def test_a_channel_that_breaks_when_it_is_looked_at_hides_no_other(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An adapter that breaks at the question whether it collects is told by the kind of its error, and passed over."""
    world, _ = sent()

    def broken(*_: object) -> bool:
        raise KeyError("Канаркенко")

    monkeypatch.setattr(world.adapter, "collects", broken)
    assert collecting(world.registry.current(), {"scripted": world.adapter}, START.date()) == ()
    (record,) = caplog.records
    assert (record.message, record.__dict__["code"]) == ("an adapter broke off", "KeyError")
    assert "Канаркенко" not in f"{caplog.text} {record.__dict__!r}"


def test_a_named_id_is_a_uuid7_of_its_moment() -> None:
    """The id made of another system's name is stable, is a UUIDv7, and differs by name and by moment."""
    one = named_id(START, b"a")
    assert one == named_id(START, b"a")
    assert one.version == 7
    assert one.int >> 80 == int(START.timestamp() * 1000)
    assert one not in (named_id(START, b"b"), named_id(START.replace(hour=9), b"a"))


def test_another_host_key_is_not_knocked_at_every_minute() -> None:
    """While the other side is another, its outbox is looked at once an hour; afterwards everything is taken in."""
    world, accepted = sent()
    world.adapter.waiting = [spoken(accepted)]
    world.adapter.locked = PeerChanged("Another host key.", code="sftp.host_key")
    world.clock.go(60)
    world.run()
    world.adapter.locked = None
    world.clock.go(3_000)
    world.run()
    assert FactKind.REGISTERED not in kinds(world, accepted)
    world.clock.go(700)
    world.run()
    assert FactKind.REGISTERED in kinds(world, accepted)

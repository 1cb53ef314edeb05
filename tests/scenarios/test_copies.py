"""Copies of one message on several channels, and channels that are only tried: what word over which of them means."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from hub.delivery.fallback import next_channel
from hub.errors import Conflict
from hub.ports import InboundFilter, RawInbound
from hub.schemas import json_rendering
from hub.schemas.delivery import Delivery, FactKind, TransportState
from hub.schemas.envelope import (
    AppealForm,
    Header,
    Party,
    ReceiptBody,
    ReceiptEnvelope,
    RedirectBody,
    RedirectEnvelope,
)
from hub.schemas.ids import new_id
from hub.schemas.terms import ReceiptStatus
from hub.tracking.state import State
from hub.tracking.story import short
from registry import FixedRegistry, LoadedDirectory
from registry.territories import shipped
from tests.delivery.origins import origin
from tests.delivery.world import HUB
from tests.scenarios.bodies import CODES, registry
from tests.scenarios.language import form_of
from tests.scenarios.world import World, kyiv

SERVICE, POLICE, BANK = CODES["служба"], CODES["поліція"], CODES["банк"]
START = kyiv("24.11.2026", "10:00")


def _world(topic: str) -> World:
    world = World(START)
    form: AppealForm = form_of(START, тема=topic)
    world.submit(form)
    return world


def _receipt(world: World, authority: str, channel: str, status: ReceiptStatus) -> None:
    """A receipt over a channel of a body."""
    message = world.store.deliveries(world.case)[0].message_id
    at = world.clock.time
    numbered = {"number": "7", "date": date(2026, 11, 24)} if status is ReceiptStatus.REGISTERED else {}
    header = Header(
        message_id=new_id(),
        case_id=world.case,
        in_reply_to=message,
        created_at=at,
        sender=Party(code=authority),
        recipient=HUB,
    )
    envelope = ReceiptEnvelope(header=header, body=ReceiptBody(status=status, at=at, **numbered))  # type: ignore[arg-type]
    raw = RawInbound(content_type="application/json", body=json_rendering.to_json(envelope))
    world.receiver.receive(raw, origin(f"{authority}.{channel}", authority))


def _copies(world: World) -> dict[str, Delivery]:
    return {d.channel_id.split(".")[1]: d for d in world.store.deliveries(world.case)}


def test_word_over_a_channel_given_up_stops_the_other_copy() -> None:
    """The mailbox kept silent, the next channel does not work; then the mailbox's receipt comes: nothing goes out."""
    world = _world("пенсії")
    world.adapter.outcomes[f"{SERVICE}.priame"] = world.failing
    world.go(START + timedelta(hours=7))
    assert _copies(world)["priame"].state is TransportState.WAITING
    _receipt(world, SERVICE, "skrynka", ReceiptStatus.REGISTERED)
    assert _copies(world)["priame"].state is TransportState.CANCELLED
    sent = len(world.adapter.sent)
    world.adapter.outcomes.clear()
    world.go(START + timedelta(hours=30))
    assert len(world.adapter.sent) == sent
    counting = world.story.executors[0].counting_copy()
    assert counting is not None
    assert counting.delivery_id == _copies(world)["skrynka"].id
    assert world.row.number == "7"


def test_a_receipt_belongs_to_the_copy_of_its_channel() -> None:
    """A receipt over the first channel, though the second has the newest copy, is the first copy's."""
    world = _world("пенсії")
    world.go(START + timedelta(hours=7))
    _receipt(world, SERVICE, "skrynka", ReceiptStatus.DELIVERED)
    (spoken,) = [f for f in world.facts if f.kind is FactKind.DELIVERED and f.message_id is not None]
    assert spoken.delivery_id == _copies(world)["skrynka"].id


def test_a_shadow_channel_that_speaks_states_nothing() -> None:
    """A registration over the channel that is only tried is kept and noted, and the case is not registered by it."""
    world = _world("банки")
    _receipt(world, BANK, "nove", ReceiptStatus.REGISTERED)
    assert world.row.state == State.DELIVERED
    noted = [f.data["outcome"] for f in world.facts if f.kind is FactKind.SHADOWED]
    assert sorted(noted) == ["delivered", "registered"]
    verdicts = [record.verdict for record in world.store.inbound(InboundFilter(channel_id=f"{BANK}.nove"), limit=9)]
    assert verdicts == ["shadow"]
    _receipt(world, BANK, "priame", ReceiptStatus.REGISTERED)
    assert world.row.state == State.REGISTERED


def test_a_channel_that_the_registry_lost_hands_over() -> None:
    """Deliveries of a channel that is gone go over the body's next one; without a next one a person decides."""
    world = World(START)
    world.adapter.outcomes[f"{POLICE}.priame"] = world.failing
    world.submit(form_of(START, тема="поліція"))
    bodies = list(registry().current().authorities())
    for left, expected in ((1, TransportState.WAITING), (0, TransportState.DEAD)):
        changed = [
            body.model_copy(update={"channels": body.channels[1:][:left] if body.code == POLICE else body.channels})
            for body in bodies
        ]
        world.use(FixedRegistry(LoadedDirectory(authorities=changed, territories=shipped())))
        world.adapter.outcomes[f"{POLICE}.druge"] = world.failing
        world.go(world.clock.time + timedelta(hours=2))
        assert _copies(world)["druge"].state is expected
    assert [item.reason for item in world.items] == ["channel.gone"]


@pytest.mark.parametrize(("after", "expected"), [("priame", "druge"), ("druge", None), ("gone", "priame")])
def test_channels_are_tried_in_their_order(after: str, expected: str | None) -> None:
    """The next channel is the one behind; behind the last is none; an unknown one was before the first."""
    police = registry().current().authority(POLICE)
    found = next_channel(police, f"{POLICE}.{after}", date(2026, 11, 24))
    assert (found.id.split(".")[1] if found else None) == expected


def test_nobody_gives_over_to_a_body_that_has_ended() -> None:
    """A body that does not hold today has no next channel."""
    police = registry().current().authority(POLICE)
    assert police is not None
    ended = police.model_copy(update={"valid_to": date(2026, 1, 1)})
    assert next_channel(ended, f"{POLICE}.priame", date(2026, 11, 24)) is None


def test_a_duty_done_twice_makes_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two watchers whose leases overlapped both send a redirect on: the second is refused, and there is one message."""
    world = _world("дороги")
    monkeypatch.setattr(world.duty_runner, "look", lambda _case: None)
    agency, council = CODES["агентство"], CODES["міськрада"]
    body = RedirectBody(at=world.clock.time, to=council, reason="Не наше.")
    header = Header(
        message_id=new_id(),
        case_id=world.case,
        in_reply_to=world.latest(agency).message_id,
        created_at=world.clock.time,
        sender=Party(code=agency),
        recipient=HUB,
    )
    raw = json_rendering.to_json(RedirectEnvelope(header=header, body=body))
    world.receiver._asked = lambda _case: None
    inbound = RawInbound(content_type="application/json", body=raw)
    world.receiver.receive(inbound, origin(f"{agency}.priame", agency))
    (executor,) = world.story.executors
    (fact,) = executor.of(FactKind.REDIRECTED)
    done = []
    for _ in range(2):
        done.append(world.forwarding.follow(world.row, world.story, executor, fact, short(fact)))
        world.clock.go(5)
    world.store.apply(done[0].change)
    with pytest.raises(Conflict):
        world.store.apply(done[1].change)
    world.work()
    assert sorted(str(m.recipient) for m in world.outgoing()) == sorted([agency, council])

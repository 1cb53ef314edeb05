"""What comes in is kept with its bytes, and what could not be taken in waits for a person."""

from __future__ import annotations

import hashlib

import pytest

from hub.delivery.journal import Journal, Origin
from hub.errors import HubError, Unavailable
from hub.ports import InboundFilter, Outcome, RawInbound
from hub.schemas.delivery import OutcomeKind
from hub.schemas.journal import FIRST_BYTES, Custody, Door
from hub.schemas.json_rendering import to_json
from tests.delivery.making import receipt
from tests.delivery.origins import origin
from tests.delivery.world import BODY, CHANNEL, World


def test_a_refusal_is_held_with_its_bytes() -> None:
    """What cannot be read is kept whole, once however often it comes, and the error says that it is kept."""
    world = World()
    raw = RawInbound(content_type="application/json", body=b'{"no": "envelope", "password": "tuZvjL4Pq9sX"}')
    for seconds in (1, 2):
        world.clock.go(seconds)
        with pytest.raises(HubError) as refused:
            world.receiver.receive(raw, origin(CHANNEL, BODY))
        assert refused.value.journalled
    (entry,) = world.store.inbound(InboundFilter(custody=Custody.HELD), limit=9)
    assert (entry.authority, entry.door, entry.sha256) == (
        BODY,
        Door.CALLBACK,
        hashlib.sha256(raw.body).hexdigest(),
    )
    assert (entry.count, entry.cuts, entry.size) == (2, 1, len(raw.body))
    assert world.store.inbound_body(entry) == b'{"no": "envelope", "password": "[cut]"}'


def test_what_can_be_tried_again_is_not_journalled(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the store is away nothing is decided: the sender keeps it and comes again."""
    world = World()

    def gone(_: object) -> None:
        raise Unavailable("gone for a moment")

    (accepted,) = world.submit()
    body = to_json(receipt(accepted, "answer"))
    monkeypatch.setattr(world.store, "message", gone)
    with pytest.raises(Unavailable):
        world.receiver.receive(RawInbound(content_type="application/json", body=body), origin(CHANNEL, BODY))
    assert world.store.inbound(InboundFilter(), limit=99) == ()


def test_over_the_cap_the_first_part_is_kept() -> None:
    """Length and digest are those of the whole."""
    world = World()
    body = b"x" * (FIRST_BYTES + 10)
    entry = Journal(world.clock, cap_bytes=FIRST_BYTES).held(
        RawInbound(content_type="text/plain", body=body),
        Origin(door=Door.COLLECT, channel_id=CHANNEL, party=BODY),
        verdict="mail.too_large",
    )
    assert (entry.size, entry.kept, entry.sha256) == (len(body), FIRST_BYTES, hashlib.sha256(body).hexdigest())


def test_an_attempt_keeps_the_raw_answer_without_credentials() -> None:
    """Status line, head and body as they came, up to the channel's cap; a cookie and a password are cut out."""
    body = b'{"error": "no such queue", "password": "tuZvjL4Pq9sX"}'
    heard = b"HTTP 500\r\nset-cookie: id=tuZvjL4Pq9sX\r\n\r\n" + body
    world = World(answer_kb=1)
    (accepted,) = world.submit()
    long = Outcome(kind=OutcomeKind.TEMPORARY, code="x", answer=b"x" * 5_000)
    world.adapter.script = [Outcome(kind=OutcomeKind.UNKNOWN, code="answer.server_error", answer=heard), long]
    world.run()
    world.clock.go(3_600)
    world.run()
    kept = world.store.attempt_answers(world.delivery(accepted).id)
    assert kept[1] == b'HTTP 500\r\nset-cookie: [cut]\r\n\r\n{"error": "no such queue", "password": "[cut]"}'
    assert len(kept[2]) == 1_024
    assert "no such queue" not in repr(long)

"""Shares: what one caller may hold at once; nobody waits for another, and the contact centre never for an authority."""

from __future__ import annotations

import asyncio
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import requests

from hub.api import patience as patience_module
from hub.api import shares, threads
from hub.api.auth import CallerRole, Principal
from hub.api.patience import LONGEST_SECS, MOST_NAMES, Patience
from hub.api.shares import SHARES, Held, Share, Shares, Side
from hub.api.threads import HEAVY_WAITING
from hub.errors import ShareTaken, Unavailable
from tests.api.world import PLAIN, World, as_bytes, form, problem, wait_until

FILE = {"Content-Type": "a/b"}


def _principal(party: str, role: CallerRole = CallerRole.AUTHORITY) -> Principal:
    return Principal(id=f"key:{party}", role=role, party=party, holder=None)


@contextmanager
def _uploads(world: World, who: str, count: int) -> Iterator[None]:
    """So many uploads of one caller that go on while the block lasts."""
    gate = threading.Event()

    def slow() -> Iterator[bytes]:
        yield uuid.uuid4().bytes
        gate.wait(60)
        yield b"end"

    def upload() -> None:
        world.call("POST", "/v1/attachments", who, data=slow(), headers=FILE)

    before = world.shares.held(Held.UPLOADS)
    senders = [threading.Thread(target=upload) for _ in range(count)]
    for sender in senders:
        sender.start()
    try:
        wait_until(lambda: world.shares.held(Held.UPLOADS) == before + count)
        yield
    finally:
        gate.set()
        for sender in senders:
            sender.join(60)


def _with_file(world: World) -> requests.Response:
    """An appeal with a file, as a front end sends it."""
    files = [
        ("appeal", ("appeal.json", as_bytes(form()), "application/json")),
        ("file", ("скан.pdf", b"%PDF", "application/pdf")),
    ]
    return world.call("POST", "/v1/appeals", files=files)


def test_an_authority_has_a_share_of_the_uploads(world: World) -> None:
    """Its fifth upload is 429 with its share and the next step; the contact centre's appeals with files go on, and an
    authority beside it too.
    """
    most = SHARES[Held.UPLOADS].authority
    with _uploads(world, "plain", most):
        refused = world.call("POST", "/v1/attachments", "plain", data=b"x", headers=FILE)
        assert problem(refused, 429, "share.taken")["retry_after"] > 0
        assert refused.headers["Retry-After"]
        assert refused.headers["RateLimit-Policy"] == f'"uploads";q={most};qu="concurrent-requests"'
        assert refused.headers["RateLimit"] == '"uploads";r=0'
        assert _with_file(world).status_code == 202
        beside = world.call("POST", "/v1/attachments", "puller", data=b"x", headers=FILE)
        assert (beside.status_code, beside.headers["RateLimit"]) == (201, f'"uploads";r={most - 1}')
    assert world.call("POST", "/v1/attachments", "plain", data=b"x", headers=FILE).status_code == 201


def test_authorities_together_never_take_what_is_the_centres(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """When all that authorities may hold is held, another one is 503, and the contact centre goes on."""
    monkeypatch.setitem(SHARES, Held.UPLOADS, Share(authority=4, centre=16, side=4))
    with _uploads(world, "plain", 4):
        busy = world.call("POST", "/v1/attachments", "puller", data=b"x", headers=FILE)
        assert problem(busy, 503, "upload.busy")["retry_after"] > 0
        assert _with_file(world).status_code == 202
        assert world.submit()["case_id"]


def _open(world: World, who: str, path: str) -> socket.socket:
    host, port = world.url.removeprefix("http://").split(":")
    line = socket.create_connection((host, int(port)), timeout=30)
    line.sendall(f"GET {path} HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {world.tokens[who]}\r\n\r\n".encode())
    return line


def _end(world: World, who: str) -> str:
    """The cursor behind which there is nothing for anybody."""
    cursor = ""
    while True:
        page = world.call("GET", f"/v1/events?limit=500{cursor}", who).json()
        cursor = f"&after={page['cursor']}" if page["cursor"] else cursor
        if not page["events"]:
            return cursor


@pytest.mark.parametrize(("kind", "path"), [(Held.STREAMS, "/v1/events/stream?"), (Held.WAITS, "/v1/events?wait=30")])
def test_streams_and_waits_are_shared_too(world: World, monkeypatch: pytest.MonkeyPatch, kind: Held, path: str) -> None:
    """One more than a caller's share is 429, another caller's goes on; what ended is free again."""
    monkeypatch.setitem(SHARES, kind, Share(authority=3, centre=3, side=100))
    path += _end(world, "puller")
    with ExitStack() as lines:
        for _ in range(3):
            lines.enter_context(_open(world, "puller", path))
        wait_until(lambda: world.shares.held(kind) == 3)
        problem(world.call("GET", path, "puller"), 429, "share.taken")
        with _open(world, "plain", path):
            wait_until(lambda: world.shares.held(kind) == 4)
    wait_until(lambda: world.shares.held(kind) == 0)


def test_counts_come_back_whatever_happens() -> None:
    """A share that was refused, or whose call failed, holds nothing."""
    kept, scope = Shares(), dict[str, Any]()
    body = _principal("00000001")
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), kept.hold(Held.UPLOADS, body, scope):
            raise ZeroDivisionError
    with ExitStack() as held:
        for _ in range(SHARES[Held.UPLOADS].authority):
            held.enter_context(kept.hold(Held.UPLOADS, body, scope))
        with pytest.raises(ShareTaken):
            held.enter_context(kept.hold(Held.UPLOADS, body, scope))
    assert kept.held(Held.UPLOADS) == 0
    assert not kept._callers


def test_two_keys_of_one_body_have_one_share() -> None:
    """A body cannot have more by calling with several keys; the side's limit holds for all bodies."""
    kept, most = Shares(), SHARES[Held.STREAMS]
    with ExitStack() as held:
        for number in range(most.side // most.authority):
            for key in range(most.authority):
                caller = Principal(
                    id=f"key:{number}-{key}", role=CallerRole.AUTHORITY, party=f"{number:08d}", holder=None
                )
                held.enter_context(kept.hold(Held.STREAMS, caller, {}))
        with pytest.raises(Unavailable):
            held.enter_context(kept.hold(Held.STREAMS, _principal("99999999"), {}))
        held.enter_context(kept.hold(Held.STREAMS, _principal("36521731", CallerRole.NCC), {}))


def _as(
    kept: threads.Threads,
    principal: Principal,
    size: int,
    work: Callable[[], None],
    scope: dict[str, Any] | None = None,
) -> Any:
    async def call() -> None:
        kept.for_calls_of(principal, scope)
        await threads.parse_in_thread(size, work)

    return asyncio.create_task(call())


@pytest.mark.parametrize(
    ("size", "each", "together"),
    [
        (100, threads.EACH_THREADS, threads.SIDE_THREADS[Side.AUTHORITIES]),
        (threads.HEAVY_BYTES + 1, 1, threads.HEAVY_AT_ONCE),
    ],
)
def test_threads_of_authorities_are_counted(size: int, each: int, together: int) -> None:
    """An authority never has more at work than its own, all of them never more than theirs, and the contact centre's
    work goes on beside them; in the end all was done.
    """
    running, most, done = [0], [0], [0]
    lock, gate = threading.Lock(), threading.Event()

    def work() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        gate.wait(60)
        with lock:
            running[0] -= 1
            done[0] += 1

    async def main() -> None:
        kept = threads.Threads()
        one = [_as(kept, _principal("00000001"), size, work) for _ in range(HEAVY_WAITING)]
        await asyncio.to_thread(wait_until, lambda: running[0] >= each)
        assert most[0] == each
        others = [_as(kept, _principal(f"0000{number:04d}"), size, work) for number in range(100, 140)]
        await asyncio.to_thread(wait_until, lambda: running[0] >= together)
        await asyncio.wait_for(_as(kept, _principal("36521731", CallerRole.NCC), size, lambda: None), 60)
        assert most[0] == together
        gate.set()
        await asyncio.gather(*one, *others)

    asyncio.run(main())
    assert done[0] == HEAVY_WAITING + 40
    assert most[0] == together


def test_shares_are_told_in_the_words_of_the_draft() -> None:
    """The fields are those of draft-ietf-httpapi-ratelimit-headers: a name, a quota with its unit, what is left."""
    scope: dict[str, Any] = {}
    with Shares().hold(Held.WAITS, _principal("00000001"), scope):
        assert dict(scope[shares.LIMITS]) == {
            b"ratelimit-policy": b'"waits";q=20;qu="concurrent-requests"',
            b"ratelimit": b'"waits";r=19',
        }


def test_who_is_refused_again_and_again_waits() -> None:
    """Fifty refusals are told at once, then ten a second, each at its turn and none after more than ten seconds;
    each caller has its own measure, and time gives it back.
    """
    now = [0.0]
    patience = Patience(lambda: now[0])
    assert [patience.pause("one") for _ in range(50)] == [0.0] * 50
    assert [patience.pause("one") for _ in range(3)] == [0.1, 0.2, 0.3]
    assert patience.pause("two") == 0.0
    many = sorted(patience.pause("one") for _ in range(1_000))
    assert many[-1] == LONGEST_SECS
    each = [many.count(pause) for pause in set(many)]
    assert max(each) <= 8, "a crowd of connections would come back at one moment"
    before = patience.pause("one")
    now[0] = 5.0
    assert patience.pause("one") == pytest.approx(before - 5.0 + 0.1)
    now[0] = 1_000.0
    assert [patience.pause("one") for _ in range(51)] == [0.0] * 50 + [0.1]
    for number in range(20_000):
        patience.pause(f"address {number}")
    assert len(patience._left) == MOST_NAMES


def test_a_pause_is_for_the_refused_only(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind one address, calls without a valid key are told late; those with one at once."""
    slept: list[float] = []
    real = asyncio.sleep

    async def sleep(secs: float) -> None:
        slept.append(secs)
        await real(0)

    monkeypatch.setattr(patience_module, "BURST", 3.0)
    monkeypatch.setattr("hub.api.watch.asyncio.sleep", sleep)
    for _ in range(6):
        problem(world.call("GET", "/v1/cases", None), 401, "auth.required")
        assert world.call("GET", "/v1/cases").status_code == 200
    assert len([secs for secs in slept if 0 < secs < 1]) >= 3


def test_what_is_over_a_share_is_neither_read_nor_held(world: World) -> None:
    """An authority's fifth multipart envelope is told to come again: nothing of it comes to a person or the journal."""
    before = len(world.call("GET", "/v1/ops/inbound?limit=200", "operator").json()["entries"])
    with _uploads(world, "plain", SHARES[Held.UPLOADS].authority):
        files = [("envelope", ("e.json", b"{}", "application/json")), ("file", ("a.txt", b"x", "text/plain"))]
        problem(world.call("POST", f"/v1/callbacks/{PLAIN}.rest", "plain", files=files), 429, "share.taken")
    after = world.call("GET", "/v1/ops/inbound?limit=200", "operator").json()["entries"]
    assert len(after) == before


def test_large_bodies_of_one_authority_do_not_pile_up() -> None:
    """So many may be in memory, at work or waiting; one more is refused, another authority's goes on."""
    gate = threading.Event()

    def work() -> None:
        gate.wait(60)

    async def main() -> None:
        kept, size = threads.Threads(), threads.HEAVY_BYTES + 1
        first = [_as(kept, _principal("00000001"), size, work) for _ in range(HEAVY_WAITING)]
        await asyncio.sleep(0)
        refused: dict[str, Any] = {}
        with pytest.raises(ShareTaken):
            await _as(kept, _principal("00000001"), size, lambda: None, refused)
        policy = (b"ratelimit-policy", b'"bodies";q=8;qu="concurrent-requests"')
        assert refused[shares.LIMITS] == [policy, (b"ratelimit", b'"bodies";r=0')]
        taken: dict[str, Any] = {}
        await asyncio.wait_for(_as(kept, _principal("00000002"), size, lambda: None, taken), 60)
        assert taken[shares.LIMITS] == [policy, (b"ratelimit", b'"bodies";r=7')]
        gate.set()
        await asyncio.gather(*first)

    asyncio.run(main())

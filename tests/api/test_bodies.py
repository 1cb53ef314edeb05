"""Bodies that come slowly, break off, or are too many at once."""

from __future__ import annotations

import socket

import pytest

from hub.api import bodies
from hub.api.shares import Held
from tests.api.world import World, wait_until


def _head(world: World, path: str, kind: str, length: int) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {world.tokens['ncc']}\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def _connect(world: World) -> socket.socket:
    host, port = world.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


@pytest.mark.parametrize(
    ("path", "kind"), [("/v1/appeals", "application/json"), ("/v1/attachments", "application/pdf")]
)
def test_a_slow_body_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch, path: str, kind: str) -> None:
    """Who announces a body and does not send it is told so and let go, and holds no slot any more."""
    monkeypatch.setattr(bodies, "PACE_SECS", 0.1)
    with _connect(world) as line:
        line.sendall(_head(world, path, kind, 1_000) + b"{")
        assert line.recv(65_536).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_breaks_off_leaves_nothing(world: World) -> None:
    """A connection that ends in the middle of an upload frees its slot and leaves no attachment."""
    with _connect(world) as line:
        line.sendall(_head(world, "/v1/attachments", "application/pdf", 1_000) + b"half")
        wait_until(lambda: world.shares.held(Held.UPLOADS) == 1)
    wait_until(lambda: world.shares.held(Held.UPLOADS) == 0)


def test_what_came_fast_buys_no_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sends a great part at once and then nothing is let go as soon as who never sent anything."""
    monkeypatch.setattr(bodies, "PACE_SECS", 0.3)
    with _connect(world) as line:
        line.sendall(_head(world, "/v1/attachments", "application/pdf", 100_000_000) + bytes(4 * bodies.PACE_BYTES))
        assert line.recv(65_536).startswith(b"HTTP/1.1 408 ")

"""Bodies that come slowly, break off, or are too many at once."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Iterator

import pytest

from hub.api import bodies
from tests.api.world import World, problem, wait_until


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
    monkeypatch.setattr(bodies, "GRACE_SECS", 0.1)
    with _connect(world) as line:
        line.sendall(_head(world, path, kind, 1_000) + b"{")
        assert line.recv(65_536).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_breaks_off_leaves_nothing(world: World) -> None:
    """A connection that ends in the middle of an upload frees its slot and leaves no attachment."""
    uploads = world.uploads
    with _connect(world) as line:
        line.sendall(_head(world, "/v1/attachments", "application/pdf", 1_000) + b"half")
        wait_until(lambda: uploads._free < bodies.UPLOADS_AT_ONCE)
    wait_until(lambda: uploads._free == bodies.UPLOADS_AT_ONCE)


def test_too_many_uploads_are_told_to_come_later(world: World) -> None:
    """When all slots are taken, an upload is 503 with Retry-After at once, while other calls go on."""
    gate = threading.Event()

    def slow() -> Iterator[bytes]:
        yield uuid.uuid4().bytes
        gate.wait(20)
        yield b"end"

    def upload() -> None:
        world.call("POST", "/v1/attachments", data=slow(), headers={"Content-Type": "a/b"})

    uploads = world.uploads
    threads = [threading.Thread(target=upload) for _ in range(bodies.UPLOADS_AT_ONCE)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: uploads._free == 0)
        busy = world.call("POST", "/v1/attachments", data=b"x", headers={"Content-Type": "a/b"})
        assert problem(busy, 503, "upload.busy")["retry_after"] > 0
        assert world.submit()["case_id"]
    finally:
        gate.set()
        for thread in threads:
            thread.join(20)
    assert world.call("POST", "/v1/attachments", data=b"x", headers={"Content-Type": "a/b"}).status_code == 201

"""What a serving process does at its end."""

from __future__ import annotations

import threading

from starlette.responses import Response

from hub.api.protocol import server_config
from hub.cli.up import Server
from tests.api.world import wait_until


def test_what_was_only_counted_is_written_at_the_end() -> None:
    """A process that stops flushes what it counts, after the last request."""
    flushed = threading.Event()
    server = Server(server_config(Response("well"), "127.0.0.1", 0), flushed.set)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    assert not flushed.is_set()
    server.should_exit = True
    thread.join(60)
    assert flushed.is_set()

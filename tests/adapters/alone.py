"""A test that must make no connection, in a process where other threads may: other tests have servers there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def alone() -> Iterator[None]:
    """Whatever is called inside, on this thread, and asks for an address or a connection fails."""
    owner = threading.get_ident()
    connect, ask = socket.socket.connect, socket.getaddrinfo

    def refuse() -> None:
        if threading.get_ident() == owner:
            raise AssertionError("a connection was made")

    def no_connect(self: socket.socket, address: Any) -> None:
        refuse()
        connect(self, address)

    def no_ask(*words: Any, **more: Any) -> Any:
        refuse()
        return ask(*words, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", no_connect)
        patch.setattr(socket, "getaddrinfo", no_ask)
        yield

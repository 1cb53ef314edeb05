"""What the tests of descriptions rest on: nothing connects unseen."""

from __future__ import annotations

import socket
import threading

import pytest

from tests.adapters.alone import alone


def test_only_the_thread_that_is_alone_is_refused() -> None:
    """Inside, neither a name is asked for nor a connection made on this thread; other threads go on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = server.getsockname()

        def connect() -> None:
            socket.create_connection(place).close()
            done.set()

        done = threading.Event()
        with alone(), socket.socket() as direct:
            with pytest.raises(AssertionError, match="connection"):
                direct.connect(place)
            with pytest.raises(AssertionError, match="connection"):
                socket.getaddrinfo("localhost", 80)
            other = threading.Thread(target=connect)
            other.start()
            other.join()
        assert done.is_set()
        connect()

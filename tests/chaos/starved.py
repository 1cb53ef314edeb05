"""What the hub stands on gives too little: a disk that is full, a broker that is slow and then says nothing."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from tests.adapters.servers import Server, serving
from tests.chaos.bench import Bench, Result, result
from tests.chaos.room import Room, room
from tests.chaos.servers import Postgres
from tests.chaos.world import World

HOME_MIB = 64
CLUSTER_MIB = 256
FULL_SECS = 10.0
ACCEPT_SECS = 20.0


@contextmanager
def _small(bench: Bench) -> Iterator[tuple[World, Room, Postgres | None]]:
    """A world whose database lives on a small disk: SQLite in its home, or a PostgreSQL cluster of its own."""
    with ExitStack() as stack:
        if bench.backing is None:
            world = bench.made(stack)
            disk = stack.enter_context(room(world.arrangement.home, HOME_MIB))
            yield stack.enter_context(world), disk, None
            return
        disk = stack.enter_context(room(bench.folder / "small", CLUSTER_MIB))
        cluster = Postgres(disk.folder)
        stack.callback(cluster.close)
        cluster.start()
        world = bench.made(stack, backing=replace(bench.backing, postgres=cluster))
        yield stack.enter_context(world), disk, cluster


def disk_full(bench: Bench) -> Result:
    """F4: 503 with Retry-After while the database's disk is full; nothing accepted is lost; room heals it by itself."""
    with _small(bench) as (world, disk, cluster):
        world.submitter.add(bench.messages)
        world.wait(lambda: len(world.receivers.arrivals) > 3, 60, "traffic")
        disk.fill()

        def refused() -> bool:
            if world.submitter.open() < 10:
                world.submitter.add(5)
            return world.submitter.statuses[503] > 0

        world.wait(refused, 60, "a 503")
        threading.Event().wait(min(bench.stop_secs, FULL_SECS))
        disk.clear()
        if cluster is not None:
            cluster.revive()
        done = result(world, bench)
        if world.strikes:
            world.faults.append("a process of the hub died of a full disk")
        return done


class _Slow:
    """Between hub and broker: ``delay_secs`` before each piece, nothing at all while ``held``."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.delay_secs = 0.0
        self.held = threading.Event()

    def carry(self, server: Server, near: socket.socket) -> None:
        """One connection."""
        near.settimeout(None)
        with socket.create_connection(("127.0.0.1", self._port)) as far:
            back = threading.Thread(target=self._pump, args=(server, far, near), daemon=True)
            back.start()
            self._pump(server, near, far)
            back.join()

    def _pump(self, server: Server, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while (piece := source.recv(65_536)) and not server.pause(self.delay_secs):
                while self.held.is_set() and not server.pause(0.05):
                    pass
                target.sendall(piece)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def slow_broker(bench: Bench) -> Result:
    """F7: a broker that answers late, then not at all with its connections open, delays intake by nothing."""
    assert bench.backing is not None
    slow = _Slow(bench.backing.rabbitmq.port)
    with serving(slow.carry) as server:
        backing = replace(bench.backing, broker_url=f"amqp://guest:guest@127.0.0.1:{server.port}//")
        with bench.world(backing=backing) as world:
            for delay_secs in (0.2, 2.0):
                slow.delay_secs = delay_secs
                world.submitter.add(bench.messages // 3)
                world.wait(lambda: not world.submitter.open(), ACCEPT_SECS, f"acceptance at {delay_secs} s a piece")
            slow.delay_secs = 0.0
            slow.held.set()
            world.submitter.add(bench.messages // 3)
            world.wait(lambda: not world.submitter.open(), ACCEPT_SECS, "acceptance while the broker says nothing")
            threading.Event().wait(bench.stop_secs)
            slow.held.clear()
            return result(world, bench)

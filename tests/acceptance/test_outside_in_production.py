"""Accounting from outside over the production set-up: PostgreSQL, RabbitMQ, doors, worker and sweeper, each struck."""

from __future__ import annotations

import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import psycopg
import pytest

from hub.cli.init import make_home
from hub.demo.arrangement import free_listen
from hub.settings import Settings
from hub.storage.migrations import HEAD
from tests.acceptance.outside import BODIES, Centre, Door, channel, check_account, door, overlay
from tests.acceptance.processes import hub_process, until
from tests.adapters.certificates import TestAuthority
from tests.chaos import clock, room, servers
from tests.chaos.clock import Clock
from tests.chaos.room import Room
from tests.chaos.servers import Postgres, RabbitMQ
from tests.chaos.units import Unit
from tests.conftest import leave_out

APPEALS: Final = 60
"""Before, during and behind each strike together."""
AWAY_SECS: Final = 60.0
DATABASE_MIB, BROKER_MIB = 512, 192
HEAL_SECS: Final = 240.0


@dataclass(slots=True, kw_only=True)
class Town:
    """A whole hub in production, its two servers on small disks of their own, and nginx as everybody's door."""

    centre: Centre
    nginx: Door
    postgres: Postgres
    rabbitmq: RabbitMQ
    database_disk: Room
    broker_disk: Room
    url: str
    clock: Clock
    trust: Path
    certificate: Path
    units: dict[str, Unit]
    number: int = 0
    told: list[str] = field(default_factory=list)

    def struck(self, name: str, strike: Callable[[], None]) -> None:
        """Appeals come in while it strikes; behind it all of them are accepted, and nginx has seen each."""
        numbers = range(self.number, self.number + APPEALS)
        self.number += APPEALS
        before = self.centre.unavailable
        sending = threading.Thread(target=self._submit, args=(numbers,), daemon=True)
        sending.start()
        until(lambda: self._accepted(numbers) >= APPEALS // 6, seconds=HEAL_SECS, what=f"traffic before {name}")
        strike()
        sending.join(HEAL_SECS)
        assert self._accepted(numbers) == APPEALS, f"{name}: not all were accepted"
        wanted = set(self.centre.accepted.values())
        until(lambda: wanted <= set(self.nginx.seen()), seconds=HEAL_SECS, what=f"every message of {name}")
        check_account(self.centre, self.nginx.seen())
        self.told.append(f"{name}: {self.centre.unavailable - before} × 503")

    def _submit(self, numbers: range) -> None:
        for at in range(numbers.start, numbers.stop, 6):
            some = range(at, min(at + 6, numbers.stop))
            until(partial(self._tried, some), seconds=HEAL_SECS, what="acceptance")

    def _tried(self, numbers: range) -> bool:
        self.centre.submit_all(numbers)
        return self._accepted(numbers) == len(numbers)

    def _accepted(self, numbers: range) -> int:
        return sum(number in self.centre.accepted for number in numbers)

    def _server(self, name: str) -> Postgres | RabbitMQ | None:
        return self.postgres if name == "database" else self.rabbitmq if name == "broker" else None

    # Strikes

    def freeze(self, name: str) -> None:
        """A process, or a server, does nothing for a while."""
        server = self._server(name)
        if server is not None:
            server.freeze()
            threading.Event().wait(AWAY_SECS)
            server.thaw()
            return
        self.units[name].signal(signal.SIGSTOP)
        threading.Event().wait(AWAY_SECS)
        self.units[name].signal(signal.SIGCONT)

    def kill(self, name: str) -> None:
        """A process, or a server, dies and is started again."""
        server = self._server(name)
        if server is not None:
            server.kill()
            server.start()
            return
        self.units[name].kill()
        self.units[name].start()

    def fill_database(self) -> None:
        """No room on the database's disk until the doors have said 503, and a while longer."""
        before = self.centre.unavailable
        self.database_disk.fill()
        until(lambda: self.centre.unavailable > before, what="a 503")
        threading.Event().wait(AWAY_SECS / 6)
        self.database_disk.clear()
        self.postgres.revive()

    def fill_broker(self) -> None:
        """No room on the broker's disk: it takes nothing more from anybody."""
        self.broker_disk.fill()
        until(lambda: "disk resource limit alarm set" in self.rabbitmq.log(), what="the broker's alarm")
        threading.Event().wait(AWAY_SECS)
        self.broker_disk.clear()

    def jump(self) -> None:
        """The hub's clocks go an hour ahead, back, an hour behind, and back."""
        for offset in (3_600, 0, -3_600, 0):
            self.clock.jump(offset)
            threading.Event().wait(AWAY_SECS / 12)

    def rotate(self, folder: Path) -> None:
        """Another authority signs the door's certificate: the hub trusts it first, and for a while nothing goes."""
        fresh = TestAuthority(folder, "Another CA")
        file, _ = fresh.issue("another")
        _replace(fresh.file, self.trust)
        threading.Event().wait(AWAY_SECS / 12)
        _replace(file, self.certificate)
        self.nginx.reload()

    def migrate(self) -> None:
        """The last step of the schema is undone, and a process of the new release brings it up while others write."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("DROP INDEX ix_facts_authority")
            connection.execute("UPDATE alembic_version SET version_num = '0015'")
        self.units["beat"].kill()
        self.units["beat"].start()
        with psycopg.connect(self.url) as connection:
            found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            index = connection.execute("SELECT 1 FROM pg_indexes WHERE indexname = 'ix_facts_authority'").fetchone()
        assert (found, index) == ((HEAD,), (1,))


def _replace(source: Path, target: Path) -> None:
    fresh = target.with_suffix(".new")
    shutil.copy(source, fresh)
    fresh.replace(target)


@pytest.fixture
def ground() -> Iterator[Path]:
    """A folder that another user, such as `postgres`, may go through."""
    folder = Path(tempfile.mkdtemp(prefix="hub-outside-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _town(ground: Path) -> Iterator[Town]:
    with ExitStack() as stack:
        disks = [
            stack.enter_context(room.room(ground / name, mib))
            for name, mib in (("database", DATABASE_MIB), ("broker", BROKER_MIB))
        ]
        postgres, rabbitmq = Postgres(disks[0].folder), RabbitMQ(disks[1].folder)
        stack.callback(postgres.close)
        stack.callback(rabbitmq.close)
        postgres.start()
        rabbitmq.start()
        outside = ground / "outside"
        outside.mkdir()
        trust, certificate = outside / "trust.pem", outside / "door.pem"
        first = TestAuthority(outside)
        _replace(first.file, trust)
        _replace(first.issue("first")[0], certificate)
        nginx = stack.enter_context(door(outside, certificate))
        home = ground / "home"
        made = make_home(Settings(home=home))
        overlay(home, [channel(code, nginx.port, trust) for code in BODIES])
        time = stack.enter_context(clock.faked(ground))
        url, listen = postgres.database(), free_listen()
        env = {
            "HUB_HOME": str(home),
            "HUB_LISTEN": listen,
            "HUB_SWEEP_SECS": "0.5",
            "HUB_DATABASE_URL": url,
            "HUB_BROKER_URL": rabbitmq.url,
        }
        hub_process("broker", "prepare", home=home, HUB_DATABASE_URL=url, HUB_BROKER_URL=rabbitmq.url)
        units = {name: Unit(name, (name,), ground, plan=[], **env, **time.environment) for name in _UNITS}
        for unit in units.values():
            stack.callback(unit.kill)
            unit.start()
        centre = Centre(made.keys["ncc"].read_text("ascii").strip(), 20.0)
        centre.url = f"http://{listen}"
        yield Town(
            centre=centre,
            nginx=nginx,
            postgres=postgres,
            rabbitmq=rabbitmq,
            database_disk=disks[0],
            broker_disk=disks[1],
            url=url,
            clock=time,
            trust=trust,
            certificate=certificate,
            units=units,
        )


_UNITS: Final = ("api", "worker", "beat")


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.timeout(3_600)
@pytest.mark.foreign("nginx")
def test_production_struck_everywhere(ground: Path) -> None:
    """Whatever is frozen, killed, filled, set wrong, rotated or migrated under load: nginx saw exactly the messages
    that were accepted, each once or again with the same bytes.
    """
    if why := [f"not installed: {name}" for name in servers.missing()] or [w for w in (clock.fit(), room.fit()) if w]:
        leave_out("; ".join(why))
    with _town(ground) as town:
        for name in (*_UNITS, "database", "broker"):
            town.struck(f"{name} frozen", partial(town.freeze, name))
            town.struck(f"{name} killed", partial(town.kill, name))
        town.struck("the database's disk is full", town.fill_database)
        town.struck("the broker's disk is full", town.fill_broker)
        town.struck("the clock jumps", town.jump)
        town.struck("certificates are rotated", lambda: town.rotate(ground / "outside"))
        town.struck("the schema moves", town.migrate)
        for unit in town.units.values():
            assert unit.state() == "running", unit.tail()
    print("\n".join(town.told))

"""A PostgreSQL cluster and a RabbitMQ node of our own, to be killed, frozen and wiped. Loopback, own ports, own folder.

Both run as children of this process (or of ``runuser``), never as the machine's services; PostgreSQL refuses to run as
root, so root hands its folder to the user ``postgres``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import psycopg
from kombu import Connection

from hub.demo.arrangement import free_listen
from tests.chaos.units import state_of

START_SECS = 120.0
"""A hang's end, not a measure: the machine may be busy."""
LIVING: list[Postgres | RabbitMQ] = []


def end_all() -> None:
    """Stop every server that was started here."""
    for server in tuple(LIVING):
        server.close()


def postgres_bin() -> Path | None:
    """Folder of PostgreSQL's programs, newest version first."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]), reverse=True)
    if found:
        return found[0].parent
    initdb = shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb else None


def rabbitmq_server() -> Path | None:
    """The server's own script: the distribution's wrapper would switch to the service's user and folders."""
    found = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    if found:
        return found[-1]
    script = shutil.which("rabbitmq-server")
    return Path(script) if script else None


def missing() -> list[str]:
    """Programs that the production cells need and that are not here."""
    wanted: dict[str, object] = {
        "postgresql": postgres_bin(),
        "rabbitmq-server": rabbitmq_server(),
        "epmd": shutil.which("epmd"),
    }
    if os.geteuid() == 0:
        wanted["runuser"] = shutil.which("runuser")
    return [name for name, found in wanted.items() if not found]


def _wait(fact: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + START_SECS
    while not fact():
        if time.monotonic() > end:
            raise AssertionError(f"{what} within {START_SECS:.0f} s")
        time.sleep(0.05)


def _group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)


class Postgres:
    """One cluster. ``database()`` makes a fresh database and gives its URL."""

    def __init__(self, folder: Path) -> None:
        binaries = postgres_bin()
        assert binaries is not None
        self._bin = binaries
        self._folder = folder / "postgresql"
        self._folder.mkdir(parents=True)
        self._data = self._folder / "data"
        self._port = free_listen().rpartition(":")[2]
        if os.geteuid() == 0:
            for each in (folder, *folder.parents):
                if each.stat().st_uid == 0 and each != Path("/") and not each.stat().st_mode & 0o001:
                    each.chmod(each.stat().st_mode | 0o111)
            shutil.chown(self._folder, "postgres")
        LIVING.append(self)
        self._run("initdb", "-D", str(self._data), "-U", "hub", "--auth=trust", "-N", "-E", "UTF8", "--no-locale")

    def _words(self, program: str, *words: str) -> list[str]:
        command = [str(self._bin / program), *words]
        return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command

    def _run(self, program: str, *words: str) -> None:
        subprocess.run(self._words(program, *words), check=True, capture_output=True, timeout=START_SECS, cwd="/")

    def start(self) -> None:
        """Start and wait until it answers."""
        options = f"-p {self._port} -k {self._folder} -h 127.0.0.1 -c max_connections=200"
        log = str(self._folder / "log")
        # A postmaster that was killed leaves workers that hold the shared memory for a moment.
        end = time.monotonic() + START_SECS
        while True:
            try:
                self._run("pg_ctl", "-D", str(self._data), "-l", log, "-o", options, "-w", "-t", "60", "start")
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as broken:
                if time.monotonic() > end:
                    raise AssertionError(f"PostgreSQL did not start:\n{self._tail()}") from broken
                time.sleep(0.2)
            else:
                return

    def _tail(self) -> str:
        log = self._folder / "log"
        return log.read_text("utf-8", "replace")[-2000:] if log.exists() else "no log"

    def _processes(self) -> list[int]:
        """The postmaster and its children (each is a session of its own, so a group does not reach them)."""
        pid_file = self._data / "postmaster.pid"
        if not pid_file.exists():
            return []
        postmaster = int(pid_file.read_text("ascii").split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children")
        with contextlib.suppress(FileNotFoundError):
            return [postmaster, *map(int, children.read_text("ascii").split())]
        return []

    def _signal(self, number: signal.Signals) -> list[int]:
        pids = self._processes()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return pids

    def kill(self) -> None:
        """SIGKILL to all of its processes, as when the machine loses its power (the disk keeps what was synced)."""
        pids = self._signal(signal.SIGKILL)
        _wait(lambda: all(state_of(pid) == "dead" for pid in pids), "PostgreSQL did not die")
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def revive(self) -> None:
        """What a service manager does: start it if it has ended."""
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            self.kill()
            self.start()

    def freeze(self) -> None:
        """SIGSTOP to all of its processes."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT to all of its processes."""
        self._signal(signal.SIGCONT)

    def database(self) -> str:
        """A fresh database; its URL."""
        name = f"hub_{uuid.uuid4().hex[:12]}"
        self.execute(f'CREATE DATABASE "{name}"')
        return f"postgresql://hub@127.0.0.1:{self._port}/{name}"

    def execute(self, statement: str, url: str | None = None) -> None:
        """One statement as superuser."""
        target = url or f"postgresql://hub@127.0.0.1:{self._port}/postgres"
        with psycopg.connect(target, autocommit=True, connect_timeout=10) as connection:
            connection.execute(statement.encode())

    def close(self) -> None:
        """Stop for good."""
        if self in LIVING:
            LIVING.remove(self)
        self.thaw()
        self.kill()


class RabbitMQ:
    """One node with its own epmd."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "rabbitmq"
        self._folder.mkdir(parents=True)
        self._port = free_listen().rpartition(":")[2]
        self._dist = free_listen().rpartition(":")[2]
        self._epmd_port = free_listen().rpartition(":")[2]
        self._name = f"chaos{uuid.uuid4().hex[:8]}@localhost"
        self._process: subprocess.Popen[bytes] | None = None
        (self._folder / "plugins").write_text("[].\n", "ascii")
        (self._folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.local = 127.0.0.1:{self._port}\n"
            "disk_free_limit.absolute = 10MB\n"
            "collect_statistics_interval = 60000\n",
            "ascii",
        )
        LIVING.append(self)
        self._epmd = subprocess.Popen(
            ["epmd", "-port", self._epmd_port, "-address", "127.0.0.1"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def url(self) -> str:
        """For Celery."""
        return f"amqp://guest:guest@127.0.0.1:{self._port}//"

    @property
    def port(self) -> int:
        """Where it listens for AMQP."""
        return int(self._port)

    def _environment(self) -> dict[str, str]:
        f = self._folder
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(f),
            "LANG": "C.UTF-8",
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_DIST_PORT": self._dist,
            "RABBITMQ_MNESIA_BASE": str(f / "mnesia"),
            "RABBITMQ_LOG_BASE": str(f / "log"),
            "RABBITMQ_LOGS": str(f / "node.log"),
            "RABBITMQ_CONFIG_FILE": str(f / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(f / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(f / "plugins"),
            "RABBITMQ_PID_FILE": str(f / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_PORT": self._epmd_port,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def start(self) -> None:
        """Start and wait until it takes connections."""
        script = rabbitmq_server()
        assert script is not None
        with (self._folder / "out").open("ab") as out:
            self._process = subprocess.Popen(
                [str(script)],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                cwd=self._folder,
            )
        _wait(self._answers, "RabbitMQ did not start")

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            tail = (self._folder / "out").read_text("utf-8", "replace")[-2000:]
            raise AssertionError(f"RabbitMQ ended at its start:\n{tail}")
        with Connection(self.url, connect_timeout=2) as connection:
            try:
                connection.connect()
            except connection.connection_errors:  # also those of AMQP: the port is there before the node is
                return False
        return True

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            _group(self._process.pid, signal.SIGKILL)
            self._process.wait(10)

    def freeze(self) -> None:
        """SIGSTOP."""
        if self._process is not None:
            _group(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        if self._process is not None:
            _group(self._process.pid, signal.SIGCONT)

    def wipe(self) -> None:
        """Remove its disk; only while it is dead."""
        shutil.rmtree(self._folder / "mnesia", ignore_errors=True)

    def log(self) -> str:
        """What the node wrote into its log."""
        return (self._folder / "node.log").read_text("utf-8", "replace")

    def publish(self, routing_key: str, body: bytes, content_type: str, encoding: str, **headers: object) -> None:
        """Put a message on the hub's exchange as any stranger with the password could."""
        with Connection(self.url, connect_timeout=5) as connection:
            connection.default_channel.basic_publish(
                connection.default_channel.prepare_message(
                    body, content_type=content_type, content_encoding=encoding, headers=headers
                ),
                exchange="hub",
                routing_key=routing_key,
            )

    def depth(self, queue: str) -> int:
        """Messages that wait in a queue."""
        with Connection(self.url, connect_timeout=5) as connection:
            return int(connection.default_channel.queue_declare(queue, passive=True).message_count)

    def close(self) -> None:
        """Stop for good."""
        if self in LIVING:
            LIVING.remove(self)
        self.thaw()
        self.kill()
        self._epmd.kill()
        self._epmd.wait(10)

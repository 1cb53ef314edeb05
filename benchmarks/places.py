"""What a run needs of PostgreSQL and RabbitMQ: a database and a virtual host of its own, gone when it ends."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from benchmarks.processes import BenchmarkError

DATABASE_SERVER = os.environ.get("HUB_BENCH_DATABASE_URL", "postgresql://root@127.0.0.1:5432/postgres")
BROKER = os.environ.get("HUB_BENCH_BROKER_URL", "amqp://guest:guest@127.0.0.1:5672/")


@contextmanager
def database() -> Iterator[str]:
    """URL of an empty database on ``HUB_BENCH_DATABASE_URL``'s server, dropped afterwards."""
    name = f"hub_bench_{os.getpid()}_{uuid.uuid4().hex[:6]}"
    _maintain(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield urlunsplit(urlsplit(DATABASE_SERVER)._replace(path=f"/{name}"))
    finally:
        _maintain(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _maintain(statement: sql.Composed) -> None:
    with psycopg.connect(DATABASE_SERVER, autocommit=True) as connection:
        connection.execute(statement)


def server_settings(url: str) -> dict[str, str]:
    """Version and the settings on which durability and speed depend."""
    names = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size")
    with psycopg.connect(url) as connection:
        return {name: str(_one(connection, name)) for name in names}


def _one(connection: psycopg.Connection[tuple[object, ...]], name: str) -> object:
    row = connection.execute(sql.SQL("SHOW {}").format(sql.Identifier(name))).fetchone()
    return row[0] if row else ""


@contextmanager
def virtual_host() -> Iterator[str]:
    """URL of an empty virtual host on ``HUB_BENCH_BROKER_URL``'s server, deleted afterwards; needs ``rabbitmqctl``."""
    name = f"hub-bench-{os.getpid()}-{uuid.uuid4().hex[:6]}"
    parts = urlsplit(BROKER)
    _rabbitmqctl("add_vhost", name)
    try:
        _rabbitmqctl("set_permissions", "-p", name, parts.username or "guest", ".*", ".*", ".*")
        yield urlunsplit(parts._replace(path=f"/{quote(name, safe='')}"))
    finally:
        _rabbitmqctl("delete_vhost", name)


def _rabbitmqctl(*words: str) -> None:
    program = shutil.which("rabbitmqctl")
    if program is None:
        raise BenchmarkError("rabbitmqctl is not here: the run needs it to make a virtual host of its own.")
    done = subprocess.run([program, "-q", *words], capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise BenchmarkError(f"rabbitmqctl {words[0]} failed: {(done.stderr or done.stdout).strip()[-500:]}")


def broker_version() -> str:
    """Version of RabbitMQ."""
    program = shutil.which("rabbitmqctl")
    if program is None:
        return "unknown"
    done = subprocess.run([program, "version"], capture_output=True, text=True, check=False, timeout=60)
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "unknown"

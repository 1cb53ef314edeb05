"""Workers and sweepers of the production set-up: processes of their own on RabbitMQ and PostgreSQL."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable

from prometheus_client import start_http_server

from hub import metrics
from hub.bootstrap import build, settle_heap
from hub.errors import ConfigurationError, Unavailable
from hub.settings import Settings
from hub.worker.app import HEALTHY, SUSPECT, CeleryDoorbell, make_app, register
from hub.worker.background import Background
from hub.worker.engine import Engine

log = logging.getLogger(__name__)

LANE_THREADS = 1_000
TASK_THREADS = 2


def broker_of(settings: Settings) -> str:
    """The broker's URL; ``ConfigurationError`` if there is none."""
    if settings.broker_url is None:
        raise ConfigurationError("HUB_BROKER_URL is not set.", action="Set it, or use `hub up`, which needs no broker.")
    return settings.broker_url


def show_figures(settings: Settings) -> None:
    """Serve ``/metrics`` of this process, if a place is set. It holds no ids and no personal data."""
    if settings.metrics_listen:
        host, _, port = settings.metrics_listen.rpartition(":")
        start_http_server(int(port), host.strip("[]"), registry=metrics.REGISTRY)


def work(
    settings: Settings, queues: tuple[str, ...] = (HEALTHY, SUSPECT), ready: Callable[[], None] = lambda: None
) -> None:
    """Run a worker until SIGTERM or SIGINT; what is being sent then is finished."""
    show_figures(settings)
    app = make_app(broker_of(settings))
    doorbell = CeleryDoorbell(app)
    hub = build(settings, doorbell)
    # Leases of this owner end by themselves; the name only says who held them.
    owner = f"{socket.gethostname()}:{os.getpid()}"
    engine = Engine(
        hub.dispatcher,
        hub.retriever,
        doorbell,
        hub.clock,
        owner=owner,
        slots=settings.workers,
        threads=LANE_THREADS,
    )
    register(app, engine.wake)
    settle_heap()
    worker = app.Worker(
        app=app,
        pool="threads",
        concurrency=TASK_THREADS,
        queues=list(queues),
        hostname=f"hub@{owner}",
        loglevel=logging.WARNING,
        without_heartbeat=True,
        without_mingle=True,
        without_gossip=True,
        quiet=True,
        ready_callback=lambda _consumer: ready(),
    )
    try:
        worker.start()
    finally:
        engine.close()
        doorbell.close()
        hub.close()


def sweep(settings: Settings, stop: threading.Event, ready: Callable[[], None] = lambda: None) -> None:
    """Ring for due lanes every ``sweep_secs`` until ``stop``. Any number of these may run at once."""
    show_figures(settings)
    app = make_app(broker_of(settings))
    doorbell = CeleryDoorbell(app)
    hub = build(settings, doorbell)
    ready()
    try:
        with Background(hub):
            while not stop.is_set():
                try:
                    hub.sweeper.sweep()
                except Unavailable as error:
                    log.warning("the sweeper found the store unavailable", extra={"code": error.stable_code})
                stop.wait(settings.sweep_secs)
    finally:
        doorbell.close()
        hub.close()

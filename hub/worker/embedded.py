"""The embedded engine: a Celery worker, the sweeper and nothing else, in threads of this process."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from celery.worker import state as worker_state

from hub.bootstrap import Hub, build
from hub.errors import ConfigurationError, Unavailable
from hub.settings import Settings
from hub.worker.app import CeleryDoorbell, make_app, register
from hub.worker.background import Background
from hub.worker.engine import Engine

log = logging.getLogger(__name__)

OWNER = "embedded"
LANE_THREADS = 128
"""Lanes that may hang at once without holding up others; threads are made when they are needed."""
TASK_THREADS = 2
STOP_SECS = 20.0


class HomeLock:
    """Keeps two embedded hubs off one home. The lock ends with the process, however it ends."""

    def __init__(self, home: Path) -> None:
        self._path = home / "hub.lock"
        self._descriptor: int | None = None

    def __enter__(self) -> HomeLock:
        if not self._path.parent.is_dir():
            raise ConfigurationError(f"There is no hub's home in {self._path.parent}.", action="Run `hub init` first.")
        descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise ConfigurationError(
                f"Another hub runs in {self._path.parent}.", action="Stop it, or use another HUB_HOME."
            ) from None
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)


class Embedded:
    """A whole hub in this process. Use as a context manager; ``hub`` is there from the start."""

    def __init__(self, settings: Settings) -> None:
        self._lock = HomeLock(settings.home)
        self._app = make_app(None)
        self._doorbell = CeleryDoorbell(self._app)
        self._settings = settings
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._controller: Any = None

    def __enter__(self) -> Embedded:
        self._lock.__enter__()
        try:
            self.hub: Hub = build(self._settings, self._doorbell)
            # The lock says that whoever held these leases is gone: its attempts have an unknown outcome.
            self.hub.store.release(OWNER)
            self._engine = Engine(
                self.hub.dispatcher,
                self.hub.retriever,
                self._doorbell,
                self.hub.clock,
                owner=OWNER,
                slots=self._settings.workers,
                threads=LANE_THREADS,
            )
            register(self._app, self._engine.wake)
            self._start_worker()
            self._start("sweeper", self._sweep)
            self._background = Background(self.hub).__enter__()
        except BaseException:
            self._lock.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._background.__exit__()
        worker_state.should_stop = 0
        for thread in self._threads:
            thread.join(STOP_SECS)
        worker_state.should_stop = None
        self._engine.close()
        self._doorbell.close()
        self.hub.close()
        self._lock.__exit__(None, None, None)

    def _start(self, name: str, target: Any) -> threading.Thread:
        thread = threading.Thread(target=target, name=f"hub-{name}", daemon=True)
        thread.start()
        self._threads.append(thread)
        return thread

    def _start_worker(self) -> None:
        ready = threading.Event()
        self._controller = self._app.WorkController(
            app=self._app,
            pool_cls="threads",
            concurrency=TASK_THREADS,
            hostname="hub@embedded",
            loglevel=logging.WARNING,
            logfile=None,
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
            ready_callback=lambda _consumer: ready.set(),
        )
        self._worker_thread = self._start("worker", self._controller.start)
        if not ready.wait(STOP_SECS):
            raise ConfigurationError("The embedded worker did not start in 20 seconds.")

    def _sweep(self) -> None:
        while not self._stop.is_set():
            try:
                self.hub.sweeper.sweep()
                self._watch_worker()
            except Unavailable as error:
                log.warning("the sweeper found the store unavailable", extra={"code": error.stable_code})
            self._stop.wait(self._settings.sweep_secs)

    def _watch_worker(self) -> None:
        """A hub that takes in and cannot deliver is worse than none: end, so that whoever watches starts it anew."""
        if not self._worker_thread.is_alive() and not self._stop.is_set():
            log.critical("the embedded worker has died; the process ends")
            os.kill(os.getpid(), signal.SIGTERM)

"""Celery as the hub uses it: two queues on a topic exchange, JSON only, late acks, no results, no ETA.

A task carries names of lanes and nothing else. On RabbitMQ the queues are quorum queues with a delivery limit, a length
limit that makes the broker refuse rather than drop, and dead-lettering; ``hub broker prepare`` declares them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from celery import Celery
from celery.exceptions import CeleryError
from kombu import Exchange, Queue
from kombu.exceptions import KombuError

from hub.failpoints import hit

log = logging.getLogger(__name__)

EXCHANGE = "hub"
DEAD_EXCHANGE = "hub.dead"
HEALTHY = "hub.lanes"
SUSPECT = "hub.lanes.suspect"
DEAD = "hub.dead"
RUN_LANES = "hub.run_lanes"
DELIVERY_LIMIT = 20
"""After so many deliveries of one wake-up the broker drops it: a wake-up that kills workers must not live for ever."""
QUEUE_LENGTH = 100_000
EMBEDDED_BROKER = "memory://localhost/"
EMBEDDED_POLL_SECS = 0.01
"""kombu's default is 1 s between two looks; 10 ms gives 5 ms idle latency (measured, DESIGN section 4)."""
GATHER_SECS = 0.005
"""A ring after a pause waits so long for those that come with it."""
PACE_SECS = 0.05
"""In a stream of rings a task goes as often as this, for many lanes together: a claim costs little more for many."""
HOLD_SECS = 0.2
"""A lane that was rung for is not rung for again sooner; a ring in between is kept and made then."""
TASK_LANES = 64
MAX_NAME = 100


def queues(broker_url: str | None) -> list[Any]:
    """The queues, with what RabbitMQ must know of them."""
    exchange = Exchange(EXCHANGE, type="topic", durable=True)
    arguments: dict[str, Any] = {}
    if broker_url:
        arguments = {
            "x-queue-type": "quorum",
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-max-length": QUEUE_LENGTH,
            "x-overflow": "reject-publish",
            "x-dead-letter-exchange": DEAD_EXCHANGE,
            "x-dead-letter-strategy": "at-least-once",
        }
    return [Queue(name, exchange, routing_key=name, queue_arguments=arguments) for name in (HEALTHY, SUSPECT)]


def make_app(broker_url: str | None) -> Celery:
    """The Celery application. ``broker_url``: absent = in this process, in memory."""
    app = Celery("hub", broker=broker_url or EMBEDDED_BROKER, set_as_current=False, fixups=[])
    transport: dict[str, Any] = {"polling_interval": EMBEDDED_POLL_SECS}
    if broker_url:
        transport = {"confirm_publish": True, "socket_timeout": 10, "max_retries": 1, "interval_start": 0}
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        result_backend=None,
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_track_started=False,
        task_send_sent_event=False,
        task_publish_retry=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_prefetch_multiplier=4,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        task_queues=queues(broker_url),
        task_default_exchange=EXCHANGE,
        task_default_exchange_type="topic",
        task_default_queue=HEALTHY,
        task_default_routing_key=HEALTHY,
        task_create_missing_queues=False,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=5,
        broker_transport_options=transport,
        timezone="UTC",
        enable_utc=True,
    )
    return app


def prepare_broker(broker_url: str) -> list[str]:
    """Declare exchanges and queues on RabbitMQ; returns their names. Safe to repeat; raises what kombu raises."""
    app = make_app(broker_url)
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=3)
        channel = connection.default_channel
        dead = Queue(
            DEAD,
            Exchange(DEAD_EXCHANGE, type="fanout", durable=True),
            queue_arguments={"x-queue-type": "quorum", "x-max-length": QUEUE_LENGTH, "x-overflow": "drop-head"},
        )
        for queue in (dead, *queues(broker_url)):
            queue(channel).declare()
    return [DEAD, HEALTHY, SUSPECT]


class CeleryDoorbell:
    """Rings by tasks that name lanes. Rings are gathered for a moment, and a lane is not rung for twice in ``hold``."""

    def __init__(self, app: Celery, *, hold_secs: float = HOLD_SECS) -> None:
        self._app = app
        self._hold = hold_secs
        self._changed = threading.Condition()
        self._wanted: dict[str, bool] = {}
        self._rung: dict[str, float] = {}
        self._sent_at = 0.0
        self._stopping = False
        self._thread: threading.Thread | None = None

    def ring(self, channel_id: str, *, suspect: bool) -> None:
        """Wake the lane soon. Never blocks, never raises: for what the broker did not take the sweeper rings again."""
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="hub-doorbell", daemon=True)
                self._thread.start()
            self._wanted[channel_id] = suspect
            self._changed.notify()

    def close(self) -> None:
        """Stop ringing."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(10)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._wanted and not self._stopping:
                    self._changed.wait()
                if self._stopping:
                    return
                gather = max(GATHER_SECS, self._sent_at + PACE_SECS - time.monotonic())
                self._changed.wait_for(lambda: self._stopping, gather)
                due, rest = self._due()
            for suspect in (False, True):
                names = [name for name, is_suspect in due.items() if is_suspect is suspect]
                for at in range(0, len(names), TASK_LANES):
                    self._send(names[at : at + TASK_LANES], suspect)
            if rest and not due:
                with self._changed:
                    self._changed.wait(rest)

    def _due(self) -> tuple[dict[str, bool], float]:
        """Lanes to ring for now, taken from those wanted; and how long the next of the others must wait."""
        now = time.monotonic()
        due = {
            name: suspect for name, suspect in self._wanted.items() if now - self._rung.get(name, -9e9) >= self._hold
        }
        for name in due:
            del self._wanted[name]
            self._rung[name] = now
        waits = [self._hold - (now - self._rung[name]) for name in self._wanted]
        if len(self._rung) > QUEUE_LENGTH:
            self._rung = {name: at for name, at in self._rung.items() if now - at < self._hold}
        return due, max(min(waits, default=0.0), 0.0)

    def _send(self, names: list[str], suspect: bool) -> None:
        self._sent_at = time.monotonic()
        try:
            self._app.send_task(RUN_LANES, args=(names,), routing_key=SUSPECT if suspect else HEALTHY)
        except (KombuError, CeleryError, OSError) as error:
            log.warning("the broker could not be reached", extra={"error": type(error).__name__, "count": len(names)})
        hit("S5")


def _lane_names(names: object) -> list[str]:
    """Lane names that a task may carry; anything else in the queue is not ours and is dropped with a word."""
    if isinstance(names, Sequence) and not isinstance(names, str):
        good = [name for name in names if isinstance(name, str) and 0 < len(name) <= MAX_NAME]
        if len(good) == len(names):
            return good
    log.error("a task that does not carry names of lanes was dropped")
    return []


def register(app: Celery, wake: Callable[[list[str]], None]) -> None:
    """Add the one task."""

    @app.task(name=RUN_LANES, ignore_result=True)  # type: ignore[untyped-decorator]
    def run_lanes(names: object) -> None:
        wake(_lane_names(names))

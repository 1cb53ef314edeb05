"""Celery as the hub uses it: two queues on a topic exchange, JSON only, late acks, no results, no ETA."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from celery import Celery
from celery.exceptions import CeleryError
from kombu import Exchange, Queue
from kombu.exceptions import KombuError

if TYPE_CHECKING:
    from hub.delivery.carry import LaneReport

log = logging.getLogger(__name__)

EXCHANGE = "hub"
HEALTHY = "hub.lanes"
SUSPECT = "hub.lanes.suspect"
RUN_LANE = "hub.run_lane"
DELIVERY_LIMIT = 20
"""After so many deliveries of one wake-up the broker drops it: a wake-up that kills workers must not live for ever."""
EMBEDDED_BROKER = "memory://"
EMBEDDED_POLL_SECS = 0.01
"""kombu's default is 1 s between two looks; 10 ms gives 5 ms idle latency (measured, DESIGN section 4)."""

RunLane = Callable[[str, str], "LaneReport"]


def make_app(broker_url: str | None) -> Celery:
    """The Celery application. ``broker_url``: absent = in this process, in memory."""
    app = Celery("hub", broker=broker_url or EMBEDDED_BROKER, set_as_current=False, fixups=[])
    exchange = Exchange(EXCHANGE, type="topic", durable=True)
    # A wake-up is worth nothing once the sweeper has rung again, so the queue may forget but must not grow.
    arguments: dict[str, Any] = {"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT} if broker_url else {}
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        result_backend=None,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_track_started=False,
        task_send_sent_event=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        task_queues=[
            Queue(HEALTHY, exchange, routing_key=HEALTHY, queue_arguments=arguments),
            Queue(SUSPECT, exchange, routing_key=SUSPECT, queue_arguments=arguments),
        ],
        task_default_exchange=EXCHANGE,
        task_default_exchange_type="topic",
        task_default_queue=HEALTHY,
        task_default_routing_key=HEALTHY,
        task_create_missing_queues=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={"confirm_publish": True} if broker_url else {"polling_interval": EMBEDDED_POLL_SECS},
        timezone="UTC",
        enable_utc=True,
    )
    return app


class CeleryDoorbell:
    """Rings by a task that names the lane. A lane that is rung for and not yet woken is not rung for again."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._rung: set[str] = set()

    def ring(self, channel_id: str, *, suspect: bool) -> None:
        """Wake the lane. A broker that is down is logged; the sweeper rings again."""
        with self._lock:
            if channel_id in self._rung:
                return
            self._rung.add(channel_id)
        try:
            self._app.send_task(RUN_LANE, args=(channel_id,), routing_key=SUSPECT if suspect else HEALTHY)
        except (KombuError, CeleryError, OSError) as error:
            self.woken(channel_id)
            log.warning("the broker could not be reached", extra={"channel": channel_id, "error": type(error).__name__})

    def woken(self, channel_id: str) -> None:
        """The lane runs now (or the ring failed): the next ring counts again."""
        with self._lock:
            self._rung.discard(channel_id)


def register(app: Celery, run: RunLane, doorbell: CeleryDoorbell, *, owner: str) -> None:
    """Add the one task. ``owner``: prefix of the leases that this process holds."""

    @app.task(name=RUN_LANE, ignore_result=True)  # type: ignore[untyped-decorator]
    def run_lane(channel_id: str) -> None:
        doorbell.woken(channel_id)
        report = run(channel_id, f"{owner}:{uuid.uuid4().hex}")
        if report.sent or report.polled:
            log.info(
                "lane ran",
                extra={
                    "channel": channel_id,
                    "sent": report.sent,
                    "polled": report.polled,
                    "outcomes": dict(report.outcomes),
                },
            )

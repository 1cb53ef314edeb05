"""The engine of a worker process: lanes in, outcomes out.

A task only claims and hands over; each lane then sends in a thread of its own, and one writer thread commits the
outcomes of all lanes in batches. A send that takes long gives its slot to another (``FAST_SECS``), so endpoints that
hang hold threads, which are cheap, and never the slots of the healthy. What dies with the process comes free when its
leases end.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from hub import metrics
from hub.delivery.adapter_fault import broke_off
from hub.delivery.together import together_else_each
from hub.errors import HubError, Unavailable
from hub.failpoints import hit
from hub.inbound.retriever import Retriever
from hub.outbound.batch import LaneBatch
from hub.outbound.dispatcher import Dispatcher
from hub.outbound.sender import Ended
from hub.ports import Clock, Doorbell
from hub.schemas.directory import Channel
from hub.worker.lanes import LaneTable

log = logging.getLogger(__name__)

FAST_SECS = 0.05
"""A lane that has been sending for longer gives its slot to another and goes on beside it."""
FLUSH_SOON_SECS, FLUSH_SECS = 0.005, 0.1
"""An outcome after a pause waits so long for company; in a stream of outcomes they are written as often as this."""
FLUSH_MOST = 100
RETRY_SECS = 1.0
CLAIM_LANES = 64
"""Lanes that are claimed for in one transaction."""


class OutcomeWriter:
    """Commits outcomes in batches; waits and tries again while the database is away. One thread."""

    def __init__(
        self,
        write: Callable[[Sequence[Ended]], None],
        ping: Callable[[], None],
        bare: Callable[[Ended, HubError], None],
    ) -> None:
        """``bare``: writes one without what the other side stated, which could not be kept."""
        self._write = write
        self._bare = bare
        self._ping = ping
        self._queue: queue.SimpleQueue[Ended | tuple[Callable[[], None], bool] | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._written_at = 0.0
        self._thread = threading.Thread(target=self._run, name="hub-writer", daemon=True)
        self._thread.start()

    def put(self, ended: Ended) -> None:
        """Queue an outcome."""
        self._queue.put(ended)

    def then(self, call: Callable[[], None], *, soon: bool = False) -> None:
        """Do something once all outcomes before it are written. ``soon``: without waiting for company."""
        self._queue.put((call, soon))

    def close(self) -> None:
        """Write what is queued and stop."""
        self._stopping.set()
        self._queue.put(None)
        self._thread.join(30)

    def _run(self) -> None:
        while True:
            batch, afterwards, last = self._batch()
            if batch:
                if not self._written(batch):
                    return
                self._written_at = time.monotonic()
            for call in afterwards:
                call()
            if last:
                return

    def _batch(self) -> tuple[list[Ended], list[Callable[[], None]], bool]:
        """Entries for one write: many cost little more than one, so in a stream there is a while between two writes."""
        batch: list[Ended] = []
        afterwards: list[Callable[[], None]] = []
        end = None
        while len(batch) < FLUSH_MOST:
            try:
                wait = None if end is None else max(end - time.monotonic(), 0)
                entry = self._queue.get(timeout=wait)
            except queue.Empty:
                break
            if entry is None:
                return batch, afterwards, True
            if isinstance(entry, Ended):
                batch.append(entry)
            else:
                afterwards.append(entry[0])
                if entry[1]:
                    break
            end = end or max(time.monotonic() + FLUSH_SOON_SECS, self._written_at + FLUSH_SECS)
        return batch, afterwards, False

    def _written(self, batch: list[Ended]) -> bool:
        """Write a batch; False if the process stops before the database came back.

        If the batch may not be written, one of it may not: the others are let through.
        """
        return all(together_else_each(batch, self._kept, self._given_up))

    def _kept(self, batch: Sequence[Ended]) -> list[bool]:
        """Write, waiting for the database if it is away."""
        while True:
            try:
                with metrics.STAGE_SECONDS.labels("write").time():
                    self._write(batch)
            except Unavailable:
                if self._alive():
                    raise
                log.warning("outcomes wait for the database", extra={"count": len(batch)})
                if self._stopping.wait(RETRY_SECS):
                    return [False]  # their leases end, and the same bytes go again under the same ids
            else:
                return [True]

    def _given_up(self, ended: Ended, failure: HubError) -> bool:
        """Let an outcome go that cannot be written though the database is there: its lease ends, and the same bytes go
        again under the same id. What came with it and cannot be kept does not take the outcome with it.
        """
        with contextlib.suppress(HubError):
            if ended.held and not isinstance(failure, Unavailable):
                self._bare(ended, failure)
                return True
        log.error("an outcome could not be written", extra={"delivery": str(ended.delivery.id)})
        return True

    def _alive(self) -> bool:
        try:
            self._ping()
        except HubError:
            return False
        return True


class Slots:
    """So many may be at work at once. A queue of tokens, for a semaphore's lock is Python code and is asked all day."""

    def __init__(self, count: int) -> None:
        self._free: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(count):
            self.release()

    def acquire(self) -> None:
        """Take a slot, waiting for one."""
        self._free.get()

    def release(self) -> None:
        """Give it back."""
        self._free.put(None)

    @property
    def free(self) -> int:
        """Slots that nobody has."""
        return self._free.qsize()


class Engine:
    """Runs lanes for one process. ``slots``: lanes that send at once; ``threads``: those that may hang beside them."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        retriever: Retriever,
        doorbell: Doorbell,
        clock: Clock,
        *,
        owner: str,
        slots: int,
        threads: int,
    ) -> None:
        self._dispatcher = dispatcher
        self._retriever = retriever
        self._doorbell = doorbell
        self._clock = clock
        self._owner = f"{owner}:{uuid.uuid4().hex}"
        self._slots = Slots(slots)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="hub-lane")
        self._writer = OutcomeWriter(dispatcher.write, dispatcher.ping, dispatcher.write_bare)
        self._lock = threading.Lock()
        self._lanes = LaneTable()
        self._running: dict[int, float] = {}
        self._stopping = threading.Event()
        self._watch = threading.Thread(target=self._tend, name="hub-tending", daemon=True)
        self._watch.start()

    def wake(self, channel_ids: Iterable[str]) -> None:
        """Claim for these lanes and begin to send; returns when the attempts are committed.

        A lane that is at work already is looked at again when it is done.
        """
        with self._lock:
            claimable = self._lanes.ring(channel_ids, time.monotonic())
        for at in range(0, len(claimable), CLAIM_LANES):
            self._claim(claimable[at : at + CLAIM_LANES])

    def close(self) -> None:
        """Let what is being sent end, write its outcomes, stop."""
        self._stopping.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._writer.close()

    def _claim(self, channel_ids: list[str]) -> None:
        begun: set[str] = set()
        try:
            with metrics.STAGE_SECONDS.labels("take").time():
                batches = self._dispatcher.claim(channel_ids, self._owner)
            for batch in batches:
                begun.add(batch.channel.id)
                for _ in range(batch.concurrency):
                    self._pool.submit(self._work, batch)
        finally:
            for channel_id in channel_ids:
                if channel_id not in begun:
                    self._pool.submit(self._retrieve, channel_id)

    def _retrieve(self, channel_id: str) -> None:
        """Nothing to send; perhaps something to poll or collect."""
        try:
            self._retriever.retrieve(channel_id)
        except HubError as failure:
            log.warning("asking failed", extra={"channel": channel_id, "code": failure.stable_code})
        except Exception as fault:  # noqa: BLE001 - nobody looks at what this call raises
            broke_off(channel_id, fault)
        finally:
            self._release(channel_id, more=False, suspect=False)

    def _work(self, batch: LaneBatch) -> None:
        channel_id = batch.channel.id
        self._enter()
        try:
            over = self._dispatcher.send(batch, self._writer.put)
        except HubError as failure:
            over = True  # only the one that leaves last writes, and what it writes may fail
            log.warning("a lane broke off", extra={"channel": channel_id, "code": failure.stable_code})
        finally:
            self._leave()
        if over:
            self._through(batch)

    def _through(self, batch: LaneBatch) -> None:
        used = len(batch.messages) / batch.channel.lane.rate_per_sec
        until = time.monotonic() + used - (self._clock.now() - batch.started).total_seconds()
        with self._lock:
            self._lanes.throttle(batch.channel.id, until)
        # Only when its outcomes are written may the lane be claimed for again, and with the state they leave behind.
        # One that has more to send goes on at once: nothing is gained by letting it wait.
        self._writer.then(lambda: self._done(batch), soon=batch.more)

    def _done(self, batch: LaneBatch) -> None:
        try:
            self._dispatcher.save_lane(batch)
        except HubError as failure:
            log.warning("a lane's state was not kept", extra={"channel": batch.channel.id, "code": failure.stable_code})
        hit("S13")
        self._go_on_or_release(batch)

    def _go_on_or_release(self, batch: LaneBatch) -> None:
        channel_id, suspect = batch.channel.id, batch.state.suspect
        more = batch.more and (suspect or not self._waits(channel_id))
        if self._retrieves(batch.channel) and not self._stopping.is_set():
            self._pool.submit(self._retrieve, channel_id)
            if more:
                with self._lock:
                    self._lanes.again(channel_id)
        elif more and self._is_quick(batch):
            self._release(channel_id, more=False, suspect=False)
            self._submit(self._go_on, channel_id)
        else:
            self._release(channel_id, more=more, suspect=suspect)

    def _retrieves(self, channel: Channel) -> bool:
        """True if there may be something to fetch. Called by the writer, which a channel that cannot say must not end:
        such a one is asked, and what it raises is told there.
        """
        try:
            return self._retriever.retrieves(channel)
        except Exception:  # noqa: BLE001 - see above
            return True

    def _waits(self, channel_id: str) -> bool:
        """True if the lane has had what its rate allows; then it goes on by itself when its throttle ends."""
        with self._lock:
            return self._lanes.wait(channel_id, time.monotonic())

    def _is_quick(self, batch: LaneBatch) -> bool:
        """True if the run took less than half its time slice: what fails fast keeps no slot from others."""
        return (self._clock.now() - batch.started).total_seconds() < batch.channel.lane.slice_secs / 2

    def _go_on(self, channel_id: str) -> None:
        """Claim again for a lane that has more, past the doorbell, which holds rings for one lane apart."""
        try:
            self.wake((channel_id,))
        except HubError as failure:
            # The sweeper rings for it.
            log.warning("a lane could not go on", extra={"channel": channel_id, "code": failure.stable_code})

    def _submit(self, work: Callable[[str], None], channel_id: str) -> None:
        if not self._stopping.is_set():
            with contextlib.suppress(RuntimeError):  # the pool closes at this very moment
                self._pool.submit(work, channel_id)

    def _release(self, channel_id: str, *, more: bool, suspect: bool) -> None:
        with self._lock:
            again = self._lanes.release(channel_id, more=more)
        if again and not self._stopping.is_set():
            self._doorbell.ring(channel_id, suspect=suspect)

    # Slots

    def _enter(self) -> None:
        self._slots.acquire()
        self._running[threading.get_ident()] = time.monotonic()

    def _leave(self) -> None:
        if self._running.pop(threading.get_ident(), None) is not None:
            self._slots.release()

    def _tend(self) -> None:
        """Lanes whose throttle ended go on; slow ones give their slots away."""
        while not self._stopping.wait(FAST_SECS / 5):
            with self._lock:
                due = self._lanes.due(time.monotonic())
            for channel_id in due:
                self._submit(self._go_on, channel_id)
            limit = time.monotonic() - FAST_SECS
            for thread, since in list(self._running.items()):
                if since < limit and self._running.pop(thread, None) is not None:
                    self._slots.release()

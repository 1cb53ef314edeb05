"""One simulated authority: takes messages in once per id, counts what it sees, and decides what to report when."""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Literal

from hub.ports import RawInbound
from hub.schemas.envelope import AnyEnvelope, AppealEnvelope, Party
from hub.schemas.keys import VerificationKey
from hub.sealed import open_envelope
from hub.seals import HubSeal, SigningKey
from hub.simulator import reports
from hub.simulator.characters import Character, Failure, failure, refuses


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedReport:
    """A sealed document for the hub, made when its time has come. ``after_secs``: real seconds from now.

    ``copies``: how often the same bytes are sent.
    """

    kind: Literal["registered", "refused", "answered"]
    message_id: uuid.UUID
    make: Callable[[], bytes]
    after_secs: float
    copies: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedVerdict:
    """Reaction of the authority to one arrival of a message.

    ``failure``: it fails in this way instead of answering (after taking the message in, if that is ``lost``).
    ``receipt``: the sealed receipt that goes into the response. ``reports``: what it will tell later.
    """

    message_id: uuid.UUID
    status: Literal["accepted", "duplicate", "refused"]
    number: str | None = None
    failure: Failure | None = None
    receipt: bytes | None = None
    reports: tuple[SimulatedReport, ...] = ()


@dataclass(slots=True)
class _Seen:
    sha256: str
    running: int
    refused: bool
    receipt: bytes | None = None


@dataclass(slots=True)
class _Book:
    """Memory of the authority."""

    seen: dict[uuid.UUID, _Seen] = field(default_factory=dict)
    tries: Counter[uuid.UUID] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)


class PlayedAuthority:
    """Safe to use from many threads. Counts: see ``state``."""

    def __init__(
        self,
        *,
        party: Party,
        character: Character,
        key: SigningKey,
        hub_keys: Sequence[VerificationKey] = (),
        seed: int = 1,
        hours_per_sec: int = 1,
    ) -> None:
        self.party = party
        self.character = character
        self._author = reports.Author(party=party, key=key, seed=seed)
        self._hub_keys = tuple(hub_keys)
        self._seed = seed
        self._hours_per_sec = hours_per_sec
        self._seal = HubSeal(None)
        self._lock = threading.Lock()
        self._book = _Book()

    def open(self, raw: RawInbound) -> AnyEnvelope:
        """Read what the hub sent; with the hub's keys known, only what they sealed. Raises ``HubError``."""
        envelope, _ = open_envelope(
            raw, seal=self._seal, keys=self._hub_keys, at=datetime.now(UTC), seal_required=bool(self._hub_keys)
        )
        return envelope

    def receive(self, envelope: AnyEnvelope, digest: str) -> SimulatedVerdict:
        """Take one arrival in. ``digest``: SHA-256 of the bytes as they came."""
        message_id = envelope.header.message_id
        with self._lock:
            book = self._book
            book.counts["received"] += 1
            book.tries[message_id] += 1
            appeal = reports.appeal_key(envelope)
            fails = failure(self.character, self._seed, self.party.code, appeal, book.tries[message_id])
            if fails in ("busy", "error", "reset"):
                book.counts[f"failed_{fails}"] += 1
                return SimulatedVerdict(message_id=message_id, status="accepted", failure=fails)
            seen = book.seen.get(message_id)
            if seen is not None:
                return self._again(message_id, seen, digest)
            verdict = self._first(envelope, digest, appeal)
            if fails == "lost":
                book.counts["failed_lost"] += 1
        # The next try gets the receipt that is lost here.
        return verdict if fails is None else replace(verdict, failure=fails, receipt=None)

    def _again(self, message_id: uuid.UUID, seen: _Seen, digest: str) -> SimulatedVerdict:
        self._book.counts["duplicates"] += 1
        if seen.sha256 != digest:
            self._book.counts["altered"] += 1
        return SimulatedVerdict(
            message_id=message_id, status="refused" if seen.refused else "duplicate", receipt=seen.receipt
        )

    def _first(self, envelope: AnyEnvelope, digest: str, appeal: str) -> SimulatedVerdict:
        message_id, counts = envelope.header.message_id, self._book.counts
        counts["unique"] += 1
        is_appeal = isinstance(envelope, AppealEnvelope)
        refused = is_appeal and refuses(self.character, self._seed, self.party.code, appeal)
        seen = _Seen(digest, counts["unique"], refused)
        self._book.seen[message_id] = seen
        if refused:
            counts["refused"] += 1
            if self.character.pulls or self.character.files:
                make = partial(reports.refused, self._author, envelope, self.character.ground)
                told = SimulatedReport(kind="refused", message_id=message_id, make=make, after_secs=0)
                return SimulatedVerdict(message_id=message_id, status="refused", reports=(told,))
            return SimulatedVerdict(message_id=message_id, status="refused")
        if not is_appeal:
            return SimulatedVerdict(message_id=message_id, status="accepted")
        number = reports.number(envelope, seen.running)
        planned = self._plan(envelope, seen.running)
        if self.character.receipt == "response" and self.character.registers:
            seen.receipt = planned[0].make()
            return SimulatedVerdict(
                message_id=message_id, status="accepted", number=number, receipt=seen.receipt, reports=planned[1:]
            )
        return SimulatedVerdict(message_id=message_id, status="accepted", number=number, reports=planned)

    def _plan(self, envelope: AnyEnvelope, running: int) -> tuple[SimulatedReport, ...]:
        """The reports on an appeal that was taken in, registration first in the list whatever their times."""
        character = self.character
        register_secs = character.register_hours / self._hours_per_sec
        answer_secs = character.answer_hours / self._hours_per_sec
        if character.answer_first:
            register_secs, answer_secs = answer_secs, register_secs
        registration = SimulatedReport(
            kind="registered",
            message_id=envelope.header.message_id,
            make=partial(reports.registered, self._author, envelope, running),
            after_secs=register_secs,
            copies=character.copies,
        )
        answer = replace(
            registration,
            kind="answered",
            make=partial(reports.answered, self._author, envelope, running),
            after_secs=answer_secs,
        )
        return tuple(
            report for report, wanted in ((registration, character.registers), (answer, character.answers)) if wanted
        )

    def knows(self, message_id: uuid.UUID) -> bool:
        """True if the message was taken in."""
        with self._lock:
            return message_id in self._book.seen

    def count(self, what: str) -> None:
        """Count something that happened."""
        with self._lock:
            self._book.counts[what] += 1

    def state(self) -> dict[str, int]:
        """Counts: ``received`` arrivals, ``unique`` ids, ``duplicates`` (``altered``: with other bytes), ``refused``,
        ``failed_*`` on purpose, ``registered`` and ``answered`` as the hub confirmed (who files: as laid into the
        outbox), ``report_refused`` by the hub, ``malformed`` or wrongly sealed, ``unauthenticated``.
        """
        names = ("received", "unique", "duplicates", "altered", "refused", "registered", "answered", "report_refused")
        with self._lock:
            return dict.fromkeys(names, 0) | dict(self._book.counts)


def digest_of(body: bytes) -> str:
    """SHA-256 of bytes as they came."""
    return hashlib.sha256(body).hexdigest()

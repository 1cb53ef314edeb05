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
from hub.schemas.terms import RefusalGround
from hub.sealed import open_envelope
from hub.seals import HubSeal, SigningKey
from hub.simulator import reports
from hub.simulator.characters import TAKEN, Character, Failure, failure, refuses
from hub.simulator.wishes import Wishes, wishes


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

    ``failure``: it fails in this way instead of answering (after taking the message in, if that is one of ``TAKEN``),
    and asks to come again after ``wait_secs``. ``receipt``: the sealed receipt that goes into the response.
    ``reports``: what it will tell later. ``ground``: why it refuses. ``respond_ms``: how long it thinks before.
    """

    message_id: uuid.UUID
    status: Literal["accepted", "duplicate", "refused"]
    number: str | None = None
    failure: Failure | None = None
    receipt: bytes | None = None
    reports: tuple[SimulatedReport, ...] = ()
    ground: RefusalGround = RefusalGround.OTHER
    respond_ms: int = 0
    wait_secs: int = 1


@dataclass(slots=True)
class _Seen:
    sha256: str
    running: int
    refused: bool
    ground: RefusalGround
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
        obeys: bool = True,
    ) -> None:
        """``obeys``: whether it grants the wishes of appeals."""
        self.party = party
        self.character = character
        self._author = reports.Author(party=party, key=key, seed=seed)
        self._hub_keys = tuple(hub_keys)
        self._seed = seed
        self._hours_per_sec = hours_per_sec
        self._obeys = obeys
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
        wanted = wishes(envelope, self.character) if self._obeys else Wishes(character=self.character)
        with self._lock:
            verdict = self._decide(envelope, digest, wanted)
        return replace(verdict, respond_ms=wanted.character.respond_ms)

    def _decide(self, envelope: AnyEnvelope, digest: str, wanted: Wishes) -> SimulatedVerdict:
        message_id, book = envelope.header.message_id, self._book
        book.counts["received"] += 1
        book.tries[message_id] += 1
        fails, wait = self._fails(envelope, book.tries[message_id], wanted)
        if fails is not None:
            book.counts[f"failed_{fails}"] += 1
            if fails not in TAKEN:
                return SimulatedVerdict(message_id=message_id, status="accepted", failure=fails, wait_secs=wait)
        seen = book.seen.get(message_id)
        verdict = self._first(envelope, digest, wanted) if seen is None else self._again(message_id, seen, digest)
        # The next try gets the receipt that is lost here.
        return verdict if fails is None else replace(verdict, failure=fails, receipt=None)

    def _fails(self, envelope: AnyEnvelope, attempt: int, wanted: Wishes) -> tuple[Failure | None, int]:
        """How this try fails, and when to come again: as it was asked for, else as it is drawn."""
        if attempt <= len(wanted.failures):
            return wanted.failures[attempt - 1]
        character, appeal = self.character, reports.appeal_key(envelope)
        drawn = None if wanted.failures else failure(character, self._seed, self.party.code, appeal, attempt)
        return drawn, character.retry_after_secs

    def _again(self, message_id: uuid.UUID, seen: _Seen, digest: str) -> SimulatedVerdict:
        self._book.counts["duplicates"] += 1
        if seen.sha256 != digest:
            self._book.counts["altered"] += 1
        status: Literal["refused", "duplicate"] = "refused" if seen.refused else "duplicate"
        return SimulatedVerdict(message_id=message_id, status=status, receipt=seen.receipt, ground=seen.ground)

    def _first(self, envelope: AnyEnvelope, digest: str, wanted: Wishes) -> SimulatedVerdict:
        message_id, counts, character = envelope.header.message_id, self._book.counts, wanted.character
        counts["unique"] += 1
        is_appeal = isinstance(envelope, AppealEnvelope)
        drawn = refuses(character, self._seed, self.party.code, reports.appeal_key(envelope))
        refused = is_appeal and (drawn or bool(wanted.unknown))
        ground = RefusalGround.OTHER if wanted.unknown else character.ground
        seen = _Seen(digest, counts["unique"], refused, ground)
        self._book.seen[message_id] = seen
        if refused:
            return self._refuse(envelope, seen, unknown=bool(wanted.unknown))
        if not is_appeal:
            return SimulatedVerdict(message_id=message_id, status="accepted")
        number = character.number or reports.number(envelope, seen.running)
        planned = self._plan(envelope, number, character)
        if character.receipt == "response" and character.registers:
            seen.receipt, planned = planned[0].make(), planned[1:]
        return SimulatedVerdict(
            message_id=message_id, status="accepted", number=number, receipt=seen.receipt, reports=planned
        )

    def _refuse(self, envelope: AnyEnvelope, seen: _Seen, *, unknown: bool) -> SimulatedVerdict:
        message_id = envelope.header.message_id
        self._book.counts["refused"] += 1
        if unknown:
            self._book.counts["wish_unknown"] += 1
        told: tuple[SimulatedReport, ...] = ()
        if self.character.pulls or self.character.files:
            make = partial(reports.refused, self._author, envelope, seen.ground)
            told = (SimulatedReport(kind="refused", message_id=message_id, make=make, after_secs=0),)
        return SimulatedVerdict(message_id=message_id, status="refused", reports=told, ground=seen.ground)

    def _plan(self, envelope: AnyEnvelope, number: str, character: Character) -> tuple[SimulatedReport, ...]:
        """The reports on an appeal that was taken in, registration first in the list whatever their times."""
        register_secs = character.register_hours / self._hours_per_sec
        answer_secs = character.answer_hours / self._hours_per_sec
        if character.answer_first:
            register_secs, answer_secs = answer_secs, register_secs
        about = reports.about_another(envelope) if character.stray else envelope
        registration = SimulatedReport(
            kind="registered",
            message_id=envelope.header.message_id,
            make=partial(reports.registered, self._author, about, number),
            after_secs=register_secs,
            copies=character.copies,
        )
        answer = replace(
            registration,
            kind="answered",
            make=partial(reports.answered, self._author, about, number),
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
        ``failed_*`` on purpose, ``wish_unknown``, ``registered`` and ``answered`` as the hub confirmed (who files: as
        laid into the outbox), ``report_refused`` by the hub, ``malformed`` or wrongly sealed, ``unauthenticated``.
        """
        names = ("received", "unique", "duplicates", "altered", "refused", "registered", "answered", "report_refused")
        with self._lock:
            return dict.fromkeys(names, 0) | dict(self._book.counts)


def digest_of(body: bytes) -> str:
    """SHA-256 of bytes as they came."""
    return hashlib.sha256(body).hexdigest()

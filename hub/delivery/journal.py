"""The journal of everything that came in: an entry for each input, with its bytes.

Bytes are kept once by content, without credentials, up to a cap: over it the first part, with length and digest of the
whole. What is attached to a case stands with its message already, and is not kept twice. The same bytes by the same way
with the same verdict are one entry with a count: a system that tries for days is one thing to decide.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from hub.delivery.records import UNKNOWN_PARTY
from hub.delivery.redaction import without_secrets
from hub.ports import Clock, RawInbound
from hub.schemas.ids import CaseId, MessageId, new_id
from hub.schemas.journal import CAP_BYTES, FIRST_BYTES, Custody, Door, InboundRecord

REPEATING = frozenset({Door.POLL, Door.RESPONSE})
"""Ways by which what was said once is shown again and again: a repeat over them is no news."""
_ENTRIES = uuid.UUID("6f6f5f0e-8f0b-5a0e-9d53-3c6f0a6b6f11")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Way, channel and sender of an input. ``party``: whose word it is, absent = nobody could be told. ``proof``: how
    the sender was known: an API key's id, the channel that was called, a token in an address.
    """

    door: Door
    channel_id: str
    party: str | None = None
    proof: str = "channel"


class Journal:
    """Makes entries. ``secrets``: values that must not be kept, asked for at each entry that holds bytes."""

    def __init__(
        self, clock: Clock, *, secrets: Callable[[], Iterable[str]] = tuple, cap_bytes: int = CAP_BYTES
    ) -> None:
        self._clock = clock
        self._secrets = secrets
        self._cap = cap_bytes

    def answer(self, heard: bytes | None, cap_bytes: int) -> bytes | None:
        """Another side's answer as it is kept with an attempt: without credentials, up to a cap."""
        if heard is None or cap_bytes == 0:
            return None
        return self.clean(heard[:cap_bytes])

    def clean(self, said: bytes) -> bytes:
        """Bytes of another side without the hub's secrets."""
        return without_secrets(said, self._secrets())[0]

    def attached(
        self, raw: RawInbound, origin: Origin, *, case_id: CaseId, message_id: MessageId, verdict: str = "accepted"
    ) -> InboundRecord:
        """Entry of what stands with a case; its bytes are those of the message."""
        entry = self._entry(raw, origin, verdict, self._clock.now())
        return replace(entry, custody=Custody.ATTACHED, case_id=case_id, message_id=message_id)

    def noted(
        self, raw: RawInbound, origin: Origin, *, verdict: str, case_id: CaseId | None = None, detail: str | None = None
    ) -> InboundRecord:
        """Entry of what leaves nothing to decide: a machine's noise, a repeat."""
        return self._kept(raw, origin, Custody.NOTED, verdict, case_id, detail)

    def held(
        self, raw: RawInbound, origin: Origin, *, verdict: str, case_id: CaseId | None = None, detail: str | None = None
    ) -> InboundRecord:
        """Entry of what may be an authority's word and was not taken in: a person decides."""
        return self._kept(raw, origin, Custody.HELD, verdict, case_id, detail)

    def _kept(
        self,
        raw: RawInbound,
        origin: Origin,
        custody: Custody,
        verdict: str,
        case_id: CaseId | None,
        detail: str | None,
    ) -> InboundRecord:
        now = self._clock.now()
        entry = self._entry(raw, origin, verdict, now)
        whole = len(raw.body) <= self._cap
        body, cuts = without_secrets(raw.body if whole else raw.body[:FIRST_BYTES], self._secrets())
        kept = hashlib.sha256(body).hexdigest()
        named = f"{origin.door}\n{origin.channel_id}\n{origin.party}\n{verdict}\n{case_id}\n{entry.sha256}"
        return replace(
            entry,
            id=str(uuid.uuid5(_ENTRIES, named)),
            last_at=now,
            custody=custody,
            case_id=case_id,
            detail=detail,
            kept_sha256=kept,
            kept=len(body),
            cuts=cuts,
            body=body,
        )

    @staticmethod
    def _entry(raw: RawInbound, origin: Origin, verdict: str, now: datetime) -> InboundRecord:
        return InboundRecord(
            id=str(new_id()),
            received_at=now,
            channel_id=origin.channel_id,
            authority=origin.party or UNKNOWN_PARTY,
            sha256=raw.whole_sha256 or hashlib.sha256(raw.body).hexdigest(),
            size=raw.whole_size if raw.whole_size is not None else len(raw.body),
            verdict=verdict,
            door=origin.door,
            proof=origin.proof,
            content_type=raw.content_type[:200],
        )

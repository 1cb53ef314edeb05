"""Repeats of a request (the Idempotent Receiver of the trade): the same key gets the same answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hub.errors import Conflict
from hub.ports import Records
from hub.schemas.delivery import StoredAnswer

ACCEPTED_STATUS = 202


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """An idempotency key of a principal and the SHA-256 of the request that came with it."""

    principal: str
    key: str
    request_sha256: str


def earlier_answer(records: Records, key: IdempotencyKey | None) -> bytes | None:
    """The answer given before to the same key, none if there was none. ``Conflict`` if it came with another request."""
    stored = records.answer(key.principal, key.key) if key else None
    if key is None or stored is None:
        return None
    if stored.request_sha256 != key.request_sha256:
        raise Conflict("This Idempotency-Key was used for another request.", code="idempotency.conflict")
    return stored.body


def kept_answer(key: IdempotencyKey | None, body: bytes, now: datetime) -> tuple[StoredAnswer, ...]:
    """The row that keeps an answer for repeats; none without a key."""
    if key is None:
        return ()
    return (
        StoredAnswer(
            principal=key.principal,
            key=key.key,
            request_sha256=key.request_sha256,
            status=ACCEPTED_STATUS,
            body=body,
            created_at=now,
        ),
    )


def is_repeat(conflict: Conflict) -> bool:
    """True if a conflict says that the key is taken: the answer that was given before is to be looked up."""
    return conflict.stable_code.startswith("idempotency.")

"""The world around the use cases: time, keys, files by content, and the bell that wakes a lane."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import BinaryIO, Protocol

from hub.schemas.keys import VerificationKey


class Clock(Protocol):
    """Time. Tests bring their own."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC, cut to milliseconds."""
        ...


class Seal(Protocol):
    """Signs for the hub and verifies for the registry's parties. Raises ``SealRefused``."""

    def seal_json(self, payload: bytes) -> bytes:
        """Compact JWS (RFC 7515) over RFC 8785 bytes."""
        ...

    def seal_xml(self, document: bytes) -> bytes:
        """The document with an enveloped XAdES-B signature."""
        ...

    def verify_json(self, token: bytes, keys: Sequence[VerificationKey], at: datetime) -> bytes:
        """The payload, if one of the keys valid at ``at`` made the seal."""
        ...

    def verify_xml(self, document: bytes, keys: Sequence[VerificationKey], at: datetime) -> bytes:
        """The verified bytes, the only ones that may be read on."""
        ...


class Attachments(Protocol):
    """Files by content. Written, fsynced and renamed before anyone may name them."""

    def put(self, source: BinaryIO | Iterator[bytes], *, limit: int) -> tuple[str, int]:
        """Store a stream; SHA-256 and size. ``TooLarge`` beyond ``limit`` bytes, ``Unavailable`` if the disk fails."""
        ...

    def open(self, sha256: str) -> BinaryIO:
        """The file for reading; ``NotFound`` if there is none."""
        ...

    def size(self, sha256: str) -> int:
        """Size in bytes; ``NotFound`` if there is none."""
        ...


class Doorbell(Protocol):
    """Wakes a lane. A lost ring is harmless: the sweeper rings again."""

    def ring(self, channel_id: str, *, suspect: bool) -> None:
        """Ask some worker to run the lane soon. Never raises: a broker that is down is logged and swept later."""
        ...

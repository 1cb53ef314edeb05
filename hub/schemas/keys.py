"""Keys as the registry knows them: public halves only, each of one party, one algorithm, one span of time."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from hub.schemas.base import Code, Frozen, Instant, Text


class SealAlgorithm(StrEnum):
    """Signature algorithms that a registry entry may name (RFC 7518 section 3.1; in XML the same by its URI)."""

    ES256 = "ES256"
    ES384 = "ES384"
    PS256 = "PS256"
    RS256 = "RS256"


class VerificationKey(Frozen):
    """A public key that may verify seals of one party.

    ``pem``: certificate or SubjectPublicKeyInfo. ``valid_to`` is exclusive; absent = not limited. The algorithm is
    fixed here and never taken from a message.
    """

    kid: Annotated[str, Code(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")]
    algorithm: SealAlgorithm = SealAlgorithm.ES256
    pem: Annotated[str, Text(16_384)]
    valid_from: Instant
    valid_to: Instant | None = None

    def valid_at(self, moment: datetime) -> bool:
        """True if the key may be used for something signed at ``moment``."""
        return self.valid_from <= moment and (self.valid_to is None or moment < self.valid_to)

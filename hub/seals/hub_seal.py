"""The port ``hub.ports.Seal`` over one signing key of the hub and the registry's keys of the others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import final

from hub.errors import ConfigurationError, SealRefused
from hub.schemas.keys import VerificationKey
from hub.seals import jws, xades
from hub.seals.keys import SigningKey, verification_key


@final
class HubSeal:
    """Seals with one key, verifies with the keys that it is handed. Safe to use from several threads at once."""

    def __init__(self, key: SigningKey | None) -> None:
        """``key`` absent: verifies only."""
        self._key = key

    def __repr__(self) -> str:
        return f"HubSeal(kid={self._key.kid!r})" if self._key else "HubSeal(verifies only)"

    def own_key(self) -> VerificationKey:
        """The public half of the key that it seals with. ``ConfigurationError`` if there is none."""
        return verification_key(self._signing_key())

    def seal_json(self, payload: bytes) -> bytes:
        """See ``hub.seals.jws.seal_json``."""
        return jws.seal_json(payload, self._signing_key())

    def seal_xml(self, document: bytes) -> bytes:
        """See ``hub.seals.xades.seal_xml``."""
        return xades.seal_xml(document, self._signing_key())

    def verify_json(self, token: bytes, keys: Sequence[VerificationKey], at: datetime) -> bytes:
        """The payload, if the one key that the token names is among ``keys`` and holds. Raises ``SealRefused``."""
        kid = jws.peek_kid(token)
        for key in keys:
            if key.kid == kid:
                return jws.verify_json(token, key, at=at)
        raise SealRefused("The registry has no such key for this party.", code="seal.kid")

    def verify_xml(self, document: bytes, keys: Sequence[VerificationKey], at: datetime) -> bytes:
        """The verified bytes, if one of ``keys`` valid at ``at`` made the seal (XML names no key id).

        Raises ``SealRefused``; with several keys, the refusal by the first valid one.
        """
        valid = [key for key in keys if key.valid_at(at)]
        if not valid:
            raise SealRefused("The registry has no key of this party that is valid then.", code="seal.key_expired")
        refusals: list[SealRefused] = []
        for key in valid:
            try:
                return xades.verify_xml(document, key, at=at)
            except SealRefused as refusal:
                refusals.append(refusal)
        raise refusals[0]

    def _signing_key(self) -> SigningKey:
        if self._key is None:
            raise ConfigurationError("There is no key to seal with.", code="seal.no_key")
        return self._key

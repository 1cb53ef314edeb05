"""The JSON seal: a compact JWS over the RFC 8785 bytes of an envelope.

Header, closed: ``alg`` (the registry's), ``kid``, ``typ`` = ``appeal-envelope+jws``, ``cty`` = ``json``, ``jcs_sha256``
(SHA-256 of the payload, so the XML rendering can be matched), and optionally ``iat`` (signing time, seconds since 1970:
the signer's word, proof of nothing). Any other member is refused.
"""

from __future__ import annotations

import hmac
import time
from datetime import UTC, datetime
from typing import Final

from hub.errors import InvalidInput, SealRefused, TooLarge
from hub.schemas import jcs, strict_json
from hub.schemas.keys import VerificationKey
from hub.seals import compact
from hub.seals.keys import SigningKey
from hub.seals.public import load_public, verify_signature

TYPE: Final = "appeal-envelope+jws"
CONTENT_TYPE: Final = "json"
_MEMBERS: Final = frozenset({"alg", "kid", "typ", "cty", "jcs_sha256", "iat"})


def seal_json(payload: bytes, key: SigningKey) -> bytes:
    """Compact JWS over ``payload``: bytes that ``jcs.canonical_bytes`` made, at most 1 MiB (else ``TooLarge``)."""
    if len(payload) > compact.MAX_PAYLOAD_BYTES:
        raise TooLarge(f"An envelope has at most {compact.MAX_PAYLOAD_BYTES} bytes.", code="seal.too_large")
    # In the order of RFC 8785; no value needs escaping (kid is checked by VerificationKey's pattern).
    header = (
        f'{{"alg":"{key.algorithm.value}","cty":"{CONTENT_TYPE}","iat":{int(time.time())},'
        f'"jcs_sha256":"{jcs.digest(payload)}","kid":"{key.kid}","typ":"{TYPE}"}}'
    )
    signing_input = compact.encode(header.encode()) + b"." + compact.encode(payload)
    return signing_input + b"." + compact.encode(key.sign(signing_input))


def peek_kid(token: bytes) -> str:
    """The key id that a well-made token names, to look it up in the registry. Nothing is verified by this."""
    return _kid(_read(token))


def verify_json(token: bytes, key: VerificationKey, *, at: datetime | None = None) -> bytes:
    """The payload, if ``key`` made this seal and may be used at ``at`` (aware; absent = now).

    Raises ``SealRefused``: ``seal.too_large``, ``seal.grammar``, ``seal.header``, ``seal.kid``, ``seal.algorithm``,
    ``seal.key``, ``seal.key_expired``, ``seal.signature``, ``seal.digest``, ``seal.not_canonical``.
    """
    parts = _read(token)
    if _kid(parts) != key.kid:
        raise SealRefused("The seal names another key.", code="seal.kid")
    compact.require_algorithm(parts, key.algorithm.value)
    public = load_public(key, at=at or datetime.now(UTC))
    verify_signature(public, parts.signing_input, parts.signature)
    if not hmac.compare_digest(str(parts.header["jcs_sha256"]).encode(), jcs.digest(parts.payload).encode()):
        raise SealRefused("jcs_sha256 is not the SHA-256 of the payload.", code="seal.digest")
    _require_canonical(parts.payload)
    return parts.payload


def _require_canonical(payload: bytes) -> None:
    try:
        canonical = jcs.canonical_bytes(strict_json.parse(payload, max_bytes=compact.MAX_PAYLOAD_BYTES))
    except InvalidInput as error:
        codes = ", ".join(sorted({fault.code for fault in error.faults}))
        raise SealRefused(f"The payload is not strict JSON ({codes}).", code="seal.not_canonical") from None
    if canonical != payload:
        raise SealRefused("The payload is not in canonical form (RFC 8785).", code="seal.not_canonical")


def _read(token: bytes) -> compact.Compact:
    """Split and hold against the closed list of header members."""
    parts = compact.split(token)
    header = parts.header
    if not header.keys() <= _MEMBERS:
        raise SealRefused("The seal's header has a member that is not on the list.", code="seal.header")
    if header.get("typ") != TYPE or header.get("cty") != CONTENT_TYPE:
        raise SealRefused(f"The seal's header must have typ {TYPE} and cty {CONTENT_TYPE}.", code="seal.header")
    if not all(isinstance(header.get(name), str) for name in ("alg", "kid", "jcs_sha256")):
        raise SealRefused("The seal's header must have alg, kid and jcs_sha256 as text.", code="seal.header")
    issued = header.get("iat", 0)
    if not isinstance(issued, int) or isinstance(issued, bool) or issued < 0:
        raise SealRefused("iat must be whole seconds since 1970.", code="seal.header")
    return parts


def _kid(parts: compact.Compact) -> str:
    return str(parts.header["kid"])

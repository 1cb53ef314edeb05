"""Compact JWS (RFC 7515), read strictly before any library or key is asked.

Libraries let through what they should not: padding, stray characters, leftover bits in base64url, two header members
of one name. Here exactly one spelling of a token is readable, and header members that would bring a key, an algorithm
or an extension along are refused by name.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hub.errors import InvalidInput, SealRefused
from hub.schemas import strict_json
from hub.schemas.jcs import JsonValue

MAX_PAYLOAD_BYTES: Final = 1_048_576
MAX_HEADER_BYTES: Final = 4_096
MAX_TOKEN_BYTES: Final = MAX_PAYLOAD_BYTES * 4 // 3 + 16_384

# Three parts, base64url without padding. A JWS without a signature is not one, so the third is never empty.
_TOKEN: Final = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)\.([A-Za-z0-9_-]+)")

FORBIDDEN: Final = {
    "jku": "keys come from the registry, never from an address",
    "x5u": "keys come from the registry, never from an address",
    "jwk": "keys come from the registry, never from the message",
    "x5c": "keys come from the registry, never from the message",
    "crit": "no extension is understood here, so none can be critical (RFC 7515 section 4.1.11)",
    "b64": "the payload is always base64url (RFC 7797 is not offered)",
    "zip": "the payload is never compressed",
    "enc": "encryption is not offered",
}
"""Header members that are refused by name, with the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compact:
    """The parts of a token, decoded; nothing is verified yet."""

    header: Mapping[str, JsonValue]
    payload: bytes
    signature: bytes
    signing_input: bytes


def split(token: bytes) -> Compact:
    """Read a token strictly. Raises ``SealRefused``: ``seal.too_large``, ``seal.grammar``, ``seal.header``."""
    if len(token) > MAX_TOKEN_BYTES:
        raise SealRefused(f"The seal is longer than {MAX_TOKEN_BYTES} bytes.", code="seal.too_large")
    parts = _TOKEN.fullmatch(token)
    if parts is None:
        raise SealRefused("The seal is not a compact JWS: three parts in unpadded base64url.", code="seal.grammar")
    return Compact(
        header=_header(_decode(parts[1])),
        payload=_decode(parts[2]),
        signature=_decode(parts[3]),
        signing_input=token[: parts.end(2)],
    )


def require_algorithm(parts: Compact, algorithm: str) -> None:
    """Raise ``SealRefused`` (``seal.algorithm``) unless the header names this algorithm."""
    if parts.header.get("alg") != algorithm:
        raise SealRefused("The algorithm is not the one that the registry has for this key.", code="seal.algorithm")


def encode(data: bytes) -> bytes:
    """Base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _decode(part: bytes) -> bytes:
    if len(part) % 4 == 1:
        raise SealRefused("A part of the seal is not base64url.", code="seal.grammar")
    data = base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    if encode(data) != part:  # leftover bits: another spelling of the same bytes
        raise SealRefused("A part of the seal is not base64url in its one spelling.", code="seal.grammar")
    return data


def _header(data: bytes) -> Mapping[str, JsonValue]:
    try:
        header = strict_json.parse(data, max_bytes=MAX_HEADER_BYTES, max_depth=4)
    except InvalidInput as error:
        codes = ", ".join(fault.code for fault in error.faults)
        raise SealRefused(f"The seal's header is not strict JSON ({codes}).", code="seal.header") from None
    if not isinstance(header, dict):
        raise SealRefused("The seal's header is not a JSON object.", code="seal.header")
    for name, reason in FORBIDDEN.items():
        if name in header:
            raise SealRefused(f"The seal's header must not have {name}: {reason}.", code="seal.header")
    return header

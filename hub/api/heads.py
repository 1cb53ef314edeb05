"""Rules for the head of a request: what two servers in a row could read in two ways is refused, whoever is right.

Behind a proxy each request must be the one that the proxy saw. So lengths are told in one way, each header that has one
value stands once, and there is one Host (RFC 9112 sections 3.2, 6.1 and 11.2, RFC 9110 section 5.3). Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from hub.api.problems import document
from hub.errors import Fault

SINGLE: Final = frozenset(
    {
        b"access-reason",
        b"authorization",
        b"content-digest",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"expect",
        b"host",
        b"idempotency-key",
        b"last-event-id",
        b"transfer-encoding",
    }
)
"""Headers that the hub reads as one value: of two the first would win here, and the other one elsewhere."""
VERSIONS: Final = ("1.0", "1.1")
_HOST: Final = re.compile(rb"(?:\[[0-9A-Fa-f:.]{2,}\]|[A-Za-z0-9._~%-]*)(?::[0-9]{0,5})?")
TOO_LONG: Final = Fault(pointer="header", code="head.too_long", message="must be 64 KiB at most")


def fault_of(method: str, version: str, headers: Sequence[tuple[bytes, bytes]]) -> Fault | None:
    """The first rule that a head breaks; none if it can be read in one way only. ``headers``: names in small letters.
    A length that is no number, a length beside a transfer encoding, and what is no HTTP/1 at all, the parser refuses.
    """
    if version not in VERSIONS:
        return Fault(pointer="request", code="head.version", message="must be HTTP/1.1 or HTTP/1.0")
    if method == "CONNECT":
        return Fault(pointer="request", code="head.method", message="the hub is no proxy")
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in SINGLE:
            if name in found:
                return _fault(name, "head.repeated", "must stand once")
            found[name] = value
    if version == "1.1" and b"host" not in found:
        return _fault(b"host", "head.missing", "must be given")
    if not _HOST.fullmatch(found.get(b"host", b"")):
        return _fault(b"host", "head.host", "must be one name or address, with a port or without")
    coding = found.get(b"transfer-encoding")
    if coding is None:
        return None
    if b"content-length" in found or version != "1.1":
        return _fault(b"transfer-encoding", "head.framing", "goes with HTTP/1.1 and without Content-Length")
    if coding.lower() != b"chunked":
        return _fault(b"transfer-encoding", "head.transfer_encoding", "must be chunked, and nothing else")
    return None


def unreadable(reason: str) -> Fault:
    """The fault of bytes that the parser refused. ``reason``: its words, which hold nothing of the input."""
    return Fault(pointer="request", code="head.syntax", message=f"must be HTTP/1 as RFC 9112 writes it: {reason}")


def problem(fault: Fault) -> dict[str, Any]:
    """The problem document of a refused request; the connection ends behind it."""
    return document(
        status=400,
        code="http.head",
        title="The request can be read in more ways than one",
        detail="The head of the request, or the framing of its body, is refused, and the connection ends.",
        action="Send HTTP/1.1 as RFC 9112 says: one Host, each header that has one value once, the length told once.",
        faults=(fault,),
    )


def _fault(name: bytes, code: str, message: str) -> Fault:
    return Fault(pointer=f"header/{name.decode()}", code=code, message=message)

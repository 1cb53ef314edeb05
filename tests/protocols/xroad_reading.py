"""X-Road messages read step by step, as the client and the dialect ``trembita`` read an answer."""

from __future__ import annotations

from dataclasses import dataclass

from hub.protocols.soap import xroad
from hub.protocols.soap.client import unpack
from hub.protocols.soap.mime import MimePart
from hub.protocols.soap.wire import FaultElement, SoapEnvelope, fault_of, read_envelope

MAX_BYTES = 10_485_760


@dataclass(frozen=True, kw_only=True)
class Exchanged:
    """A message: an answer or request with headers, or a fault, which may come without them."""

    envelope: SoapEnvelope
    headers: xroad.XRoadHeaders | None
    fault: FaultElement | None
    parts: tuple[MimePart, ...]


def read_message(body: bytes, content_type: str) -> Exchanged:
    """A whole message. ``InvalidInput``; a fault is no error here."""
    soap, charset, parts = unpack(body, content_type)
    envelope = read_envelope(soap, charset=charset, max_bytes=MAX_BYTES)
    fault = fault_of(envelope)
    headers = None
    if fault is None:
        headers = xroad.read_headers(envelope)
        xroad.check_body(envelope)
    return Exchanged(envelope=envelope, headers=headers, fault=fault, parts=parts)

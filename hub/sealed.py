"""Envelopes in and out of their sealed forms.

Three forms: ``jws`` (compact, ``application/jose``), ``json`` (``{"envelope":…,"seal":…}``: the envelope readable, the
seal a JWS with detached payload, RFC 7515 appendix F), ``xml`` (enveloped XAdES-B, ``application/xml``).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime

from hub.errors import Fault, InvalidInput, SealRefused
from hub.ports import AssignedExecutor, Parcel, RawInbound, Rendering, Seal
from hub.schemas import jcs, json_rendering, strict_json, strict_xml, xml_rendering
from hub.schemas.envelope import AnyEnvelope, Attachment
from hub.schemas.ids import MessageId
from hub.schemas.jcs import JsonValue
from hub.schemas.keys import VerificationKey

CONTENT_TYPES = {
    Rendering.JSON: "application/json",
    Rendering.JWS: "application/jose",
    Rendering.XML: "application/xml",
}
MAX_ENVELOPE_BYTES = 1_048_576
_XML_TYPES = frozenset({"application/xml", "text/xml"})


def media_type(content_type: str) -> str:
    """The media type without parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def seal_envelope(envelope: AnyEnvelope | None, canonical: bytes, rendering: Rendering, seal: Seal) -> bytes:
    """The sealed bytes of an envelope. ``canonical``: its RFC 8785 bytes; ``envelope``: if it was read already."""
    if rendering is Rendering.XML:
        return seal.seal_xml(xml_rendering.to_xml(envelope or json_rendering.from_trusted(canonical)))
    token = seal.seal_json(canonical)
    return token if rendering is Rendering.JWS else wrap(canonical, token)


def seal_parcel(
    envelope: AnyEnvelope | Callable[[], AnyEnvelope],
    canonical: bytes,
    rendering: Rendering,
    seal: Seal,
    *,
    message_id: MessageId,
    reply_url: str | None,
    attachments: tuple[Attachment, ...] | None = None,
    executors: Callable[[], tuple[AssignedExecutor, ...]] | None = None,
) -> Parcel:
    """The envelope with its seal, in the form (or both forms) that an adapter asked for."""
    both = rendering is Rendering.BOTH
    if both and callable(envelope):
        envelope = envelope()  # XML cannot be made without reading it
    read = None if callable(envelope) else envelope
    return Parcel(
        message_id=message_id,
        envelope=envelope,
        sealed=seal_envelope(read, canonical, Rendering.JSON if both else rendering, seal),
        sealed_xml=seal_envelope(read, canonical, Rendering.XML, seal) if both else None,
        reply_url=reply_url,
        attachments=attachments,
        executors=executors,
    )


def wrap(canonical: bytes, token: bytes) -> bytes:
    """``{"envelope":…,"seal":…}``: the payload readable, the JWS with its payload taken out."""
    head, _, tail = token.split(b".")
    return b'{"envelope":' + canonical + b',"seal":"' + head + b".." + tail + b'"}'


def _unwrap(document: object) -> tuple[bytes, bytes | None]:
    """The envelope's canonical bytes, and the compact token if there is a seal."""
    if not isinstance(document, dict):
        raise InvalidInput(
            "The body must be a JSON object.", faults=[Fault(pointer="", code="type", message="must be an object")]
        )
    if "envelope" not in document:
        return jcs.canonical_bytes(document), None
    faults = [
        Fault(pointer=f"/{key}", code="unknown_field", message="only envelope and seal are known here")
        for key in document
        if key not in ("envelope", "seal")
    ]
    seal = document.get("seal")
    if not isinstance(seal, str) or seal.count(".") != 2 or ".." not in seal or not seal.isascii():
        faults.append(Fault(pointer="/seal", code="seal.grammar", message="must be a JWS with detached payload"))
    if faults or not isinstance(seal, str):
        raise InvalidInput("The sealed document is not well made.", faults=faults)
    canonical = jcs.canonical_bytes(document["envelope"])
    payload = base64.urlsafe_b64encode(canonical).rstrip(b"=")
    return canonical, seal.encode().replace(b"..", b"." + payload + b".")


class SealedDocument:
    """An envelope as it came, sealed or not, in any of the three forms. Read once, whatever is asked of it."""

    def __init__(self, raw: RawInbound) -> None:
        self._raw = raw
        self._kind = media_type(raw.content_type)
        self._tree: JsonValue | None = None

    def open(
        self, *, seal: Seal, keys: Sequence[VerificationKey], at: datetime, seal_required: bool
    ) -> tuple[AnyEnvelope, bool]:
        """The envelope inside, and whether a seal was verified. Only verified bytes are read.

        ``keys``: the registry's keys of the party that claims to have sent it. Raises ``InvalidInput``,
        ``SealRefused``.
        """
        body = self._raw.body
        if self._kind in _XML_TYPES:
            return _open_xml(body, seal, keys, at, seal_required)
        if self._kind == "application/jose":
            return json_rendering.from_json(seal.verify_json(body.strip(), keys, at)), True
        if self._kind != "application/json":
            raise InvalidInput(
                "This content type is not an envelope.",
                code="input.media_type",
                action="Send application/json, application/jose or application/xml.",
            )
        canonical, token = _unwrap(self._json())
        if token is not None:
            return json_rendering.from_json(seal.verify_json(token, keys, at)), True
        if seal_required:
            raise _missing()
        return json_rendering.from_json(canonical), False

    def claimed_sender(self) -> str:
        """The code of the party that it names as its sender: nothing is proved by it. ``InvalidInput``."""
        if self._kind in _XML_TYPES:
            code: object = strict_xml.parse(self._raw.body).findtext("{*}header/{*}sender/{*}code")
        else:
            document: object = self._json()
            for name in ("envelope", "header", "sender", "code"):
                inner = document.get(name) if isinstance(document, dict) else None
                document = document if name == "envelope" and inner is None else inner
            code = document
        if not isinstance(code, str) or not code:
            raise InvalidInput(
                "The envelope names no sender.",
                faults=[Fault(pointer="/header/sender/code", code="missing", message="must be there")],
            )
        return code

    def _json(self) -> JsonValue:
        if self._tree is None:
            payload = _payload_of(self._raw.body) if self._kind == "application/jose" else self._raw.body
            self._tree = strict_json.parse(payload, max_bytes=MAX_ENVELOPE_BYTES)
        return self._tree


def _missing() -> SealRefused:
    return SealRefused("This party has keys in the registry, so its envelopes must be sealed.", code="seal.missing")


def open_envelope(
    raw: RawInbound, *, seal: Seal, keys: Sequence[VerificationKey], at: datetime, seal_required: bool
) -> tuple[AnyEnvelope, bool]:
    """The envelope inside, and whether a seal was verified (``SealedDocument.open``)."""
    return SealedDocument(raw).open(seal=seal, keys=keys, at=at, seal_required=seal_required)


def _open_xml(
    body: bytes, seal: Seal, keys: Sequence[VerificationKey], at: datetime, seal_required: bool
) -> tuple[AnyEnvelope, bool]:
    if b"http://www.w3.org/2000/09/xmldsig#" in body:
        return xml_rendering.from_xml(seal.verify_xml(body, keys, at)), True
    if seal_required:
        raise _missing()
    return xml_rendering.from_xml(body), False


def compact_token(raw: RawInbound) -> bytes | None:
    """The compact JWS of a sealed document, as other programs read it; None for XML and for what has no seal.

    Raises ``InvalidInput`` for what is no well-made document.
    """
    kind = media_type(raw.content_type)
    if kind == "application/jose":
        return raw.body.strip()
    if kind != "application/json":
        return None
    return _unwrap(strict_json.parse(raw.body, max_bytes=MAX_ENVELOPE_BYTES))[1]


def _payload_of(token: bytes) -> bytes:
    parts = token.strip().split(b".")
    try:
        return base64.b64decode(parts[1] + b"=" * (-len(parts[1]) % 4), altchars=b"-_", validate=True)
    except (IndexError, binascii.Error):
        raise InvalidInput("The document is not a JWS.", code="seal.grammar") from None

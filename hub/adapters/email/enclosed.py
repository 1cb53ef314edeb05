"""Envelopes of our own kind that came in a mail: sealed ones prove themselves, whoever brought them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from hub.adapters.email import parse
from hub.errors import HubError, InvalidInput
from hub.ports import MailSink, RawInbound
from hub.schemas import json_rendering, strict_json, strict_xml, xml_rendering
from hub.schemas.envelope import AnyEnvelope
from hub.schemas.ids import MessageId
from hub.sealed import MAX_ENVELOPE_BYTES, open_envelope
from hub.seals import HubSeal

_SAYS: Final = frozenset({"receipt", "answer", "redirect", "extension", "clarification", "publication"})
_VERIFIER: Final = HubSeal(None)


def sealed_in(mail: parse.Mail) -> tuple[tuple[RawInbound, str], ...]:
    """Sealed statements of authorities in a mail, and who claims each. Our own letters sent back are none."""
    found = ((raw, _sealed_by(raw)) for raw in _envelopes(mail))
    return tuple((raw, sender) for raw, sender in found if sender is not None)


def files_of(raw: RawInbound, sender: str, mail: parse.Mail, sink: MailSink, at: datetime) -> tuple[parse.File, ...]:
    """Files of the mail that the envelope's manifest names; none if its seal does not hold under the sender's keys:
    nobody lays files into the hub by a claim.
    """
    try:
        envelope, _ = open_envelope(raw, seal=_VERIFIER, keys=sink.keys(sender), at=at, seal_required=True)
    except HubError:
        return ()
    wanted = {entry.sha256 for entry in envelope.attachments}
    return tuple(file for file in mail.files if wanted and hashlib.sha256(file.data).hexdigest() in wanted)


def unsealed_in(mail: parse.Mail, message_id: MessageId) -> AnyEnvelope | None:
    """An envelope without a seal that answers this very message: believed as far as a mail is."""
    for raw in _envelopes(mail):
        read = xml_rendering.from_xml if raw.content_type == "application/xml" else json_rendering.from_json
        try:
            envelope = read(raw.body)
        except InvalidInput:
            continue
        if envelope.kind in _SAYS and envelope.header.in_reply_to == message_id:
            return envelope
    return None


def _envelopes(mail: parse.Mail) -> Iterator[RawInbound]:
    """Files that look like our envelopes, as their kind."""
    for file in mail.files:
        if len(file.data) > MAX_ENVELOPE_BYTES:
            continue
        start = file.data.lstrip()[:1]
        if start == b"{":
            yield RawInbound(content_type="application/json", body=file.data)
        elif start == b"<" and b"urn:ua:appeal-hub:envelope:" in file.data:
            yield RawInbound(content_type="application/xml", body=file.data)


def _sealed_by(raw: RawInbound) -> str | None:
    """Party that claims to have sealed it, if it is a sealed statement of an authority."""
    try:
        said = _said_in_xml(raw.body) if raw.content_type == "application/xml" else _said_in_json(raw.body)
    except InvalidInput:
        return None
    if said is None:
        return None
    kind, sender, step = said
    return sender if kind in _SAYS and step != "reply" and isinstance(sender, str) else None


def _said_in_xml(body: bytes) -> tuple[str, object, object] | None:
    root = strict_xml.parse(body)
    if b"http://www.w3.org/2000/09/xmldsig#" not in body:
        return None
    names = [str(child.tag).rpartition("}")[2] for child in root]
    kind = next((name for name in names if name in _SAYS), "")
    return kind, root.findtext("{*}header/{*}sender/{*}code"), root.findtext("{*}clarification/{*}step")


def _said_in_json(body: bytes) -> tuple[str, object, object] | None:
    document = strict_json.parse(body, max_bytes=MAX_ENVELOPE_BYTES)
    if not isinstance(document, dict) or "seal" not in document:
        return None
    envelope = document.get("envelope")
    kind = _inner(envelope, "kind")
    return str(kind), _inner(envelope, "header", "sender", "code"), _inner(envelope, "body", "step")


def _inner(tree: object, *names: str) -> object:
    for name in names:
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree

"""JSON rendering of the envelope. What comes out is the one RFC 8785 form; what comes in is checked before any model.

Absent values and empty lists are left out, so a message has exactly one form, one digest, and one seal's payload.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from hub.errors import InvalidInput
from hub.schemas import jcs, strict_json
from hub.schemas.envelope import ENVELOPE, AnyEnvelope, AppealForm, Attachment
from hub.schemas.faults import faults_of
from hub.schemas.jcs import JsonValue

MAX_MEMBERS = 128
"""Members of one object or entries of one list. No model has as many; the limit is for floods: the model would name
every fault of every entry, and a megabyte of ``{}`` as attachments cost 24 s and 1.9 GB before it stood here."""


def _prune(value: Any) -> Any:
    """Without empty lists, at any depth; absent values are gone already."""
    if isinstance(value, dict):
        return {key: _prune(inner) for key, inner in value.items() if inner != []}
    if isinstance(value, list):
        return [_prune(inner) for inner in value]
    return value


def to_tree(envelope: AnyEnvelope | AppealForm) -> dict[str, JsonValue]:
    """The message as plain JSON values."""
    tree: dict[str, JsonValue] = _prune(envelope.model_dump(mode="json", exclude_none=True))
    return tree


def to_json(envelope: AnyEnvelope) -> bytes:
    """The RFC 8785 bytes of an envelope."""
    return jcs.canonical_bytes(to_tree(envelope))


def digest(envelope: AnyEnvelope) -> str:
    """SHA-256 of the RFC 8785 bytes, 64 hexadecimal digits."""
    return jcs.digest(to_json(envelope))


def from_json(data: bytes) -> AnyEnvelope:
    """Read an envelope. Raises ``InvalidInput`` that names every fault by JSON pointer; ``TooLarge`` over a limit."""
    strict_json.parse(data, max_members=MAX_MEMBERS)
    return from_trusted(data)


def from_trusted(data: bytes) -> AnyEnvelope:
    """Read bytes that ``to_json`` made or ``strict_json`` has passed: the model still checks everything."""
    try:
        return ENVELOPE.validate_json(data)
    except ValidationError as error:
        raise InvalidInput("The envelope breaks the rules of its form.", faults=faults_of(error, tagged=True)) from None


def attachments_of(canonical: bytes) -> tuple[Attachment, ...]:
    """The manifest in an envelope's RFC 8785 bytes. An empty one is left out, and it is the first member by name, so
    most envelopes need not be read for it.
    """
    return from_trusted(canonical).attachments if canonical.startswith(b'{"attachments":') else ()

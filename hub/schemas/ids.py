"""Identifiers: what they are made of, and types that keep them apart."""

from __future__ import annotations

import hashlib
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated, NewType, TypeAlias

import uuid_utils
from pydantic import PlainSerializer, WithJsonSchema
from pydantic.functional_validators import BeforeValidator
from pydantic_core import PydanticCustomError

from hub.schemas.base import Code

AuthorityCode: TypeAlias = Annotated[str, Code(r"[0-9]{8,10}")]
"""Code of a body (ЄДРПОУ): 8 digits, or 9-10 for a sub-unit. Text, never a number: 00032106 keeps its zeros."""

TerritoryCode: TypeAlias = Annotated[str, Code(r"UA[0-9]{17}")]
"""Code of a territorial unit in the codifier КАТОТТГ: ``UA`` and 17 digits."""

TopicCode: TypeAlias = Annotated[str, Code(r"[a-z0-9][a-z0-9_.-]{0,63}")]
"""Code of a topic (тематика): the hub's own, mapped to classifier 858 part II in the registry's topics file."""

ChannelId: TypeAlias = Annotated[str, Code(r"[a-z0-9][a-z0-9._-]{0,99}")]
"""Name of a channel, unique in the registry: ``00032106.rest``."""

Sha256: TypeAlias = Annotated[str, Code(r"[0-9a-f]{64}")]
"""SHA-256 as 64 lower-case hexadecimal digits."""


UUID7_PATTERN = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_SPELLED = re.compile(UUID7_PATTERN, re.ASCII)


def _uuid7(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not _SPELLED.fullmatch(value):
        raise PydanticCustomError("uuid7", "must be a UUID version 7 in lower case")
    return uuid.UUID(value)


Uuid7: TypeAlias = Annotated[
    uuid.UUID,
    BeforeValidator(_uuid7),
    PlainSerializer(str, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": f"^{UUID7_PATTERN}$"}),
]
"""UUID version 7 (RFC 9562 section 5.7), spelled in lower case."""


def _any_uuid(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = spelled(value)
    if found is None:
        raise ValueError("must be a UUID")
    return found


AnyUuid: TypeAlias = Annotated[uuid.UUID, BeforeValidator(_any_uuid)]
"""An id of ours as another system gives it back."""


def spelled(text: str) -> uuid.UUID | None:
    """The UUID in a text of another system: capitals, braces, ``urn:uuid:`` or no hyphens do not matter (RFC 9562
    section 4; databases and runtimes each have their habit).
    """
    try:
        return uuid.UUID(text.strip()) if text.isascii() else None
    except ValueError:
        return None


def is_same(text: str | None, own: uuid.UUID) -> bool:
    """True if a text of another system names this id."""
    return text is not None and spelled(text) == own


MessageId = NewType("MessageId", uuid.UUID)
"""Names one envelope for ever; a repeat carries the same."""
CaseId = NewType("CaseId", uuid.UUID)
"""Names all that concerns one appeal (справа)."""
DeliveryId = NewType("DeliveryId", uuid.UUID)
"""Names one envelope on its way to one addressee."""
NoteId = NewType("NoteId", uuid.UUID)
"""Names one note about a case."""
AttemptId = NewType("AttemptId", uuid.UUID)
"""Names one try of a delivery."""


def named_id(at: datetime, name: bytes) -> uuid.UUID:
    """The UUIDv7 of this moment whose random part is taken from the SHA-256 of ``name``: the same arguments give the
    same id. For messages of other systems, which have ids of their own kind.
    """
    millis = int(at.timestamp() * 1000) & (1 << 48) - 1
    drawn = int.from_bytes(hashlib.sha256(name).digest()[:16], "big")
    low = drawn & (1 << 62) - 1
    high = drawn >> 62 & 0xFFF
    return uuid.UUID(int=millis << 80 | 7 << 76 | high << 64 | 0b10 << 62 | low)


def made_at(message_id: MessageId) -> datetime:
    """When an id of our own was made (UUIDv7): the same moment for each copy of a message. ``OverflowError`` for one
    that is not ours and names a year that Python does not know.
    """
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=message_id.int >> 80)


def new_id() -> uuid.UUID:
    """A fresh UUIDv7; ids made later in one process sort later."""
    return uuid.UUID(bytes=uuid_utils.uuid7().bytes)


_GROUPS = (4, 6, 9, 12, 14)
"""Where oblast, district, community, settlement and city district end in a code of the codifier."""


def territory_prefix(code: str) -> str:
    """Prefix of all codes of a unit and of everything below it; codes are positional (КАТОТТГ)."""
    end = 2
    for group in _GROUPS:
        if code[end:group].strip("0") or code[group:14].strip("0"):
            end = group
        else:
            break
    return code[:end]

"""Identifiers: what they are made of, and types that keep them apart."""

from __future__ import annotations

import uuid
from typing import Annotated, NewType, TypeAlias

import uuid_utils
from pydantic import PlainSerializer
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


def _uuid7(value: object) -> object:
    if isinstance(value, str):
        if len(value) != 36:  # the one spelling: 8-4-4-4-12, lower case
            raise PydanticCustomError("uuid7", "must be a UUID version 7 in lower case")
        try:
            parsed = uuid.UUID(value)
        except ValueError:
            raise PydanticCustomError("uuid7", "must be a UUID version 7 in lower case") from None
        if parsed.version != 7 or str(parsed) != value:
            raise PydanticCustomError("uuid7", "must be a UUID version 7 in lower case")
        return parsed
    return value


Uuid7: TypeAlias = Annotated[
    uuid.UUID, BeforeValidator(_uuid7), PlainSerializer(str, return_type=str, when_used="json")
]
"""UUID version 7 (RFC 9562 section 5.7), spelled in lower case."""

MessageId = NewType("MessageId", uuid.UUID)
"""Names one envelope for ever; a repeat carries the same."""
CaseId = NewType("CaseId", uuid.UUID)
"""Names all that concerns one appeal (справа)."""
DeliveryId = NewType("DeliveryId", uuid.UUID)
"""Names one envelope on its way to one addressee."""
AttemptId = NewType("AttemptId", uuid.UUID)
"""Names one try of a delivery."""


def new_id() -> uuid.UUID:
    """A fresh UUIDv7; ids made later in one process sort later."""
    return uuid.UUID(bytes=uuid_utils.uuid7().bytes)

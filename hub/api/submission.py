"""What a front end submits: the unified form, with the manifest of attachments and the priority beside its members."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, ValidationError

from hub.delivery.intake import Repeatable
from hub.errors import Fault, InvalidInput
from hub.schemas import faults, strict_json
from hub.schemas.envelope import MAX_ATTACHMENTS, AppealForm, Attachment
from hub.schemas.terms import Priority

_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,128}")
IDEMPOTENCY_PATTERN = r"^[\x21-\x7e]{1,128}$"
_EXTRA = frozenset({"attachments", "priority"})


class AppealSubmission(AppealForm):
    """The unified form as submitted; ``attachments`` were uploaded before (files may also travel beside it)."""

    attachments: Annotated[tuple[Attachment, ...], Field(max_length=MAX_ATTACHMENTS)] = ()
    priority: Priority = Priority.NORMAL

    def form(self) -> AppealForm:
        """The form alone. Its members were validated with this object."""
        members = {name: value for name, value in self if name not in _EXTRA}
        return AppealForm.model_construct(_fields_set=self.model_fields_set - _EXTRA, **members)


def from_json(body: bytes, limit: int) -> AppealSubmission:
    """A submission from hostile bytes. ``InvalidInput`` names every fault by JSON pointer."""
    strict_json.parse(body, max_bytes=limit)
    try:
        return AppealSubmission.model_validate_json(body)
    except ValidationError as error:
        raise InvalidInput("The appeal breaks the rules of the form.", faults=faults.faults_of(error)) from None


def idempotency_key(headers: Mapping[str, str]) -> str | None:
    """The Idempotency-Key: 1 to 128 visible ASCII characters; None if absent. ``InvalidInput`` otherwise."""
    key = headers.get("idempotency-key")
    if key is None:
        return None
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        fault = Fault(
            pointer="header/Idempotency-Key",
            code="parameter.idempotency_key",
            message="must be 1 to 128 visible ASCII characters",
        )
        raise InvalidInput("The Idempotency-Key is not well made.", code="input.parameters", faults=[fault])
    return key


def repeatable(principal: str, key: str | None, *content: bytes) -> Repeatable | None:
    """The idempotency key with the SHA-256 over all that the request says; None without a key."""
    if key is None:
        return None
    digest = hashlib.sha256()
    for part in content:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return Repeatable(principal=principal, key=key, request_sha256=digest.hexdigest())

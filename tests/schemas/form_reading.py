"""The unified form of an appeal read from JSON, by the rules of ``hub.schemas.json_rendering``."""

from __future__ import annotations

from pydantic import TypeAdapter, ValidationError

from hub.errors import InvalidInput
from hub.schemas import strict_json
from hub.schemas.envelope import AppealForm
from hub.schemas.faults import faults_of
from hub.schemas.json_rendering import MAX_MEMBERS

_FORM = TypeAdapter(AppealForm)


def form_from_json(data: bytes) -> AppealForm:
    """Read a form from hostile bytes. ``InvalidInput`` names every fault."""
    strict_json.parse(data, max_members=MAX_MEMBERS)
    try:
        return _FORM.validate_json(data)
    except ValidationError as error:
        raise InvalidInput("The appeal breaks the rules of the unified form.", faults=faults_of(error)) from None

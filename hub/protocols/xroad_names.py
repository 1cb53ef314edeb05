"""Identifiers of X-Road and Trembita as settings have them: parts joined by slashes.

Both keep the same form. X-Road's rule allows ``A-Z a-z 0-9 ' ( ) + , - . = ?`` in a part; Trembita's codes have ``_``
everywhere, so only what would do harm is refused: blanks, slashes, control characters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeAlias

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from hub.schemas.base import Code

_PART = r"[^/\s\x00-\x1f\x7f]{1,100}"
_PARTS = Code(rf"{_PART}(?:/{_PART})+")


def _counted(least: int, most: int, rule: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not least <= value.count("/") + 1 <= most:
            raise PydanticCustomError("xroad_identifier", "{rule}", {"rule": rule})
        return value

    return check


ClientId: TypeAlias = Annotated[
    str,
    _PARTS,
    AfterValidator(_counted(3, 4, "client is instance/class/member or …/subsystem")),
]
"""Who calls."""
ServiceId: TypeAlias = Annotated[
    str,
    _PARTS,
    AfterValidator(_counted(5, 6, "service is instance/class/member/subsystem/service or …/version")),
]
"""What is called."""

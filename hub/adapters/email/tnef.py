"""Message class in a ``winmail.dat`` (MS-OXTNEF section 2.1.3.3): whether it is a mail or a report of one. Pure."""

from __future__ import annotations

import struct
from typing import Final

_SIGNATURE: Final = b"\x78\x9f\x3e\x22"
_MESSAGE_CLASS: Final = 0x00078008
_ATTRIBUTE: Final = struct.Struct("<BII")
_MAX_ATTRIBUTES: Final = 100
"""The class stands among the first."""
_MAX_CHARS: Final = 255


def is_tnef(data: bytes) -> bool:
    """True if these bytes are a ``winmail.dat``."""
    return data.startswith(_SIGNATURE)


def message_class(data: bytes) -> str:
    """The class in lower case, ``report.ipm.note.ipnrn`` for a reading notice; empty if there is none."""
    at = len(_SIGNATURE) + 2
    for _ in range(_MAX_ATTRIBUTES):
        if not is_tnef(data) or at + _ATTRIBUTE.size > len(data):
            return ""
        _, name, length = _ATTRIBUTE.unpack_from(data, at)
        at += _ATTRIBUTE.size
        if name == _MESSAGE_CLASS:
            value = data[at : at + min(length, _MAX_CHARS)]
            return value.split(b"\0", 1)[0].decode("ascii", "replace").lower()
        at += length + 2
    return ""

"""Names of files in mails: names and never paths, and an ending for what came without a name. Pure."""

from __future__ import annotations

import re
from typing import Final

NO_NAME: Final = "без назви"
MAX_CHARS: Final = 255
_ENDINGS: Final = {
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "application/rtf": ".rtf",
    "application/msword": ".doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.ms-excel": ".xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/tiff": ".tif",
    "text/plain": ".txt",
    "text/html": ".html",
    "text/csv": ".csv",
    "text/calendar": ".ics",
    "application/pkcs7-signature": ".p7s",
    "application/x-pkcs7-signature": ".p7s",
    "application/pkcs7-mime": ".p7m",
    "application/x-pkcs7-mime": ".p7m",
    "application/ms-tnef": ".dat",
}
"""Endings for parts without a name, so that a person can open them."""
_TYPES: Final = {ending: kind for kind, ending in reversed(_ENDINGS.items())}
_PATH: Final = re.compile(r"[/\\]|\.{1,2}[/\\]|~[/\\]|[A-Za-z]:[/\\]")
_SLASHES: Final = re.compile(r"[/\\]")
_BREAKS: Final = re.compile("[\r\n\u2028\u2029\t]+")
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def type_of(name: str) -> str:
    """Media type of a file that came without one."""
    return _TYPES.get(f".{name.rpartition('.')[2].lower()}", "application/octet-stream")


def without_name(kind: str) -> str:
    """Name of a part that came without one."""
    return NO_NAME + _ENDINGS.get(kind, "")


def safe(name: str) -> str:
    """The name as an envelope can hold it. Of a path the last piece; a slash inside a name (``18-05/77``) becomes
    ``_``.
    """
    bare = _SLASHES.split(name)[-1] if _PATH.match(name) else _SLASHES.sub("_", name)
    return _CONTROLS.sub("", _BREAKS.sub(" ", bare)).strip()[:MAX_CHARS].strip() or NO_NAME

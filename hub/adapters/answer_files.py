"""Files that an answer brings in itself, as base64: put into the hub's store. One that cannot be costs itself, never
the answer: a person hears of it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from hub.adapters import parameters
from hub.adapters.mapping import SaidFile, not_understood
from hub.errors import InvalidInput, TooLarge
from hub.ports import ReportedStatus
from hub.schemas.envelope import MAX_ATTACHMENTS, Attachment
from hub.schemas.visible import visible

_MEDIA_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")
_PLAIN: Final = "application/octet-stream"
_NO_NAME: Final = "файл"
_NAME_CHARS: Final = 255
_UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f/\\\\\u2028\u2029\ud800-\udfff\ufffe\uffff]+")
_TYPES: Final = {
    "pdf": "application/pdf",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "txt": "text/plain",
    "zip": "application/zip",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "p7s": "application/pkcs7-signature",
    "asice": "application/vnd.etsi.asic-e+zip",
}


class Keep(Protocol):
    """Puts a file into the hub's store."""

    def __call__(self, source: Iterator[bytes], *, media_type: str, name: str) -> Attachment:
        """The entry of a manifest for it. ``TooLarge``, ``Unavailable``."""
        ...


@dataclass(slots=True)
class Fetched:
    """Files that are in the store now, and what a person must hear of the others."""

    files: list[Attachment] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)

    def words(self) -> str | None:
        """Words about files that could not be had; None if there are none."""
        return f"Files that could not be had: {'; '.join(self.unclear)}." if self.unclear else None

    def along(self, told: ReportedStatus) -> ReportedStatus:
        """A statement with these files."""
        unclear = " ".join(filter(None, (told.unclear, self.words())))
        return replace(told, attachments=tuple(self.files), unclear=unclear or None)


class UnfitFile(Exception):
    """Note for a person on a file that cannot be had."""


def inside(said: Sequence[SaidFile], keep: Keep) -> Fetched:
    """Put the files of an answer into the store."""
    done = Fetched()
    for file in said[:MAX_ATTACHMENTS]:
        try:
            entry = stored_inside(file, keep)
        except UnfitFile as unfit:
            done.unclear.append(not_understood("file", f"{file.name or 'without a name'}: {unfit}"))
        else:
            if all(entry.sha256 != other.sha256 for other in done.files):
                done.files.append(entry)
    if len(said) > MAX_ATTACHMENTS:
        done.unclear.append(f"files: there are {len(said)}, and {MAX_ATTACHMENTS} were taken")
    return done


def stored_inside(file: SaidFile, keep: Keep) -> Attachment:
    """The entry for a file that came in the answer: its bytes, or base64. ``UnfitFile``."""
    body = _decoded(file.content or "") if file.data is None else file.data
    return stored(body, keep, named(file.name), file.media_type)


def stored(body: bytes, keep: Keep, name: str, *kinds: str | None) -> Attachment:
    """The entry for bytes. ``kinds``: what is said of their type, the best first. ``UnfitFile``."""
    wanted = (*kinds, _TYPES.get(name.rpartition(".")[2].lower()))
    fitting = (kind for kind in wanted if kind and kind != _PLAIN and _MEDIA_TYPE.fullmatch(kind))
    try:
        return keep(iter((body,)), media_type=next(fitting, _PLAIN), name=name)
    except (TooLarge, InvalidInput) as error:
        raise UnfitFile(error.message) from None


def _decoded(text: str) -> bytes:
    """Base64 as other systems write it: with line breaks, for URLs, with ``data:…,`` before it, without padding."""
    bare = "".join(text.rpartition(",")[2].split()) if text.startswith("data:") else "".join(text.split())
    bare = bare.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise UnfitFile("its content is no base64") from None


def name_in(disposition: str) -> str | None:
    """The name in a Content-Disposition: ``filename*`` before ``filename`` (RFC 6266 section 4.3)."""
    return parameters.read(_bytes_shown(disposition)).get("filename", "").strip() or None


def _bytes_shown(header: str) -> str:
    """Clients show the bytes of a header as ISO 8859-1; most systems write UTF-8."""
    try:
        return header.encode("latin-1").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return header


def named(name: str | None) -> str:
    """A name as an envelope can hold it."""
    return visible(_UNSAFE.sub("_", name or "")).strip()[:_NAME_CHARS].strip() or _NO_NAME

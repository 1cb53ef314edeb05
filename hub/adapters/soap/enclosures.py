"""Files that come along with a SOAP answer: in it as base64, or as parts to which it refers (MTOM, SwA)."""

from __future__ import annotations

import base64
import binascii
import copy
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, Protocol

from lxml import etree

from hub.adapters.mapping import SaidFile, not_understood
from hub.errors import InvalidInput
from hub.ports import ReportedStatus
from hub.protocols.soap import mime, own
from hub.schemas import mime_rules
from hub.schemas.envelope import MAX_ATTACHMENTS, Attachment
from hub.schemas.visible import visible

_MEDIA_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")
_BYTES: Final = "application/octet-stream"
_NAME_CHARS: Final = 255


class Keep(Protocol):
    """Puts a file into the hub's store."""

    def __call__(self, source: Iterator[bytes], *, media_type: str, name: str) -> Attachment:
        """The entry of a manifest for it. ``TooLarge``, ``Unavailable``."""
        ...


def with_parts(node: etree._Element, parts: tuple[mime.MimePart, ...]) -> etree._Element:
    """The same element in a copy of its envelope, with each part in base64 where the envelope refers to it.

    A reference to no part stays as it is: it costs that file.
    """
    if not parts:
        return node
    root = copy.deepcopy(node.getroottree().getroot())
    found = root.find("{*}Body")
    made = node if found is None or not len(found) else found[0]
    for each in list(root.iter(etree.Element)):
        data = _referred(each, parts)
        if data is not None:
            for inner in list(each):
                each.remove(inner)
            each.text = base64.b64encode(data).decode("ascii")
    return made


def _referred(node: etree._Element, parts: tuple[mime.MimePart, ...]) -> bytes | None:
    """The part that an element's only child includes (XOP), or that its text or ``href`` names (SwA)."""
    inner = list(node)
    named = (node.text or "").strip() or node.get("href", "")
    try:
        if len(inner) == 1 and inner[0].tag == f"{{{own.XOP}}}Include":
            return own.binary(node, parts)
        if not inner and named.startswith("cid:"):
            return own.part(named, parts)
    except InvalidInput:
        return None
    return None


def enclosed(told: ReportedStatus, said: Sequence[SaidFile], keep: Keep) -> ReportedStatus:
    """The statement with its files, which are in the store then. One that cannot be kept costs itself: a person hears
    of it.
    """
    kept: dict[str, Attachment] = {}
    unclear = []
    for number, file in enumerate(said[:MAX_ATTACHMENTS], 1):
        name = _name(file.name, number)
        try:
            entry = keep(iter((_decoded(file.content or ""),)), media_type=_kind(file.media_type), name=name)
        except InvalidInput as error:
            unclear.append(not_understood("file", f"{name}: {error.message}"))
        else:
            kept.setdefault(entry.sha256, entry)
    if len(said) > MAX_ATTACHMENTS:
        unclear.append(f"files: there are {len(said)}, and {MAX_ATTACHMENTS} were taken")
    notes = [told.unclear or "", f"Files that could not be had: {'; '.join(unclear)}." if unclear else ""]
    return replace(told, attachments=tuple(kept.values()), unclear=" ".join(filter(None, notes)) or None)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("Its content is no base64.", code="soap.content") from None


def _kind(said: str | None) -> str:
    kind = mime_rules.parameters(said or "")[0]
    return kind if _MEDIA_TYPE.fullmatch(kind) else _BYTES


def _name(said: str | None, number: int) -> str:
    """A name for people; never used as a path."""
    last = re.split(r"[/\\]", said or "")[-1]
    return visible(last).strip()[:_NAME_CHARS].strip() or f"file-{number}"

"""Answers in parts (multipart/mixed, related, form-data): the document is the part of JSON, all others are files.

A part is JSON if it says so and is; else if it can be read as JSON. Many things begin like it (RTF with a brace).
"""

from __future__ import annotations

from typing import Final

from hub.adapters.answer_files import name_in
from hub.adapters.mapping import SaidFile
from hub.errors import InvalidInput
from hub.net.http import HttpAnswer
from hub.protocols.soap.mime import MimePart, root_first, split
from hub.schemas import foreign_json, mime_rules

_KIND: Final = "multipart/"


def are_in(answer: HttpAnswer) -> bool:
    """True if an answer is in parts."""
    return answer.content_type.strip().lower().startswith(_KIND)


def document(answer: HttpAnswer) -> HttpAnswer:
    """The answer with the document for its body; one that is not in parts, or badly made, as it is."""
    parts = _parts(answer)
    found = _document(parts)
    if found is None:
        return answer
    return HttpAnswer(
        status=answer.status, headers={**answer.headers, "Content-Type": found.content_type}, body=found.data
    )


def enclosed(answer: HttpAnswer) -> tuple[SaidFile, ...]:
    """The files beside the document."""
    parts = _parts(answer)
    first = _document(parts)
    return tuple(_said(part) for part in parts if part is not first) if first is not None else ()


def _parts(answer: HttpAnswer) -> tuple[MimePart, ...]:
    """The parts, the one that ``start`` names first."""
    if not are_in(answer):
        return ()
    try:
        parts = split(answer.body, answer.content_type, untyped=True)
    except InvalidInput:
        return ()
    return root_first(parts, mime_rules.parameters(answer.content_type)[1].get("start"))


def _document(parts: tuple[MimePart, ...]) -> MimePart | None:
    """The part of JSON. One that looks like it and is broken is taken for it if there is no other: its reader says
    why it cannot be read.
    """
    alike = [part for part in parts if foreign_json.is_json(part.data)]
    alike.sort(key=_rank)
    if len(alike) == 1:
        return alike[0]
    return next(filter(_reads, alike), alike[0] if alike else None)


def _rank(part: MimePart) -> tuple[bool, bool]:
    """Key that sorts parts: those that say that they are JSON first, then those that do not call themselves files."""
    kind = mime_rules.parameters(part.content_type)[0]
    says = kind in ("application/json", "text/json") or kind.endswith("+json")
    return not says, part.headers.get("content-disposition", "").strip().lower().startswith("attachment")


def _reads(part: MimePart) -> bool:
    try:
        foreign_json.parse(part.data, mime_rules.parameters(part.content_type)[1].get("charset"))
    except InvalidInput:
        return False
    return True


def _said(part: MimePart) -> SaidFile:
    return SaidFile(
        name=name_in(part.headers.get("content-disposition", "")),
        media_type=mime_rules.parameters(part.content_type)[0] or None,
        content=None,
        url=None,
        data=part.data,
    )

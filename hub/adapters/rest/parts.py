"""Answers in parts (multipart/mixed, related, form-data): the document is the first part of JSON, all others files."""

from __future__ import annotations

from typing import Final

from hub.adapters.answer_files import name_in
from hub.adapters.mapping import SaidFile
from hub.errors import InvalidInput
from hub.net.http import HttpAnswer
from hub.protocols.soap.mime import MimePart, split
from hub.schemas import foreign_json

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
    if not are_in(answer):
        return ()
    try:
        return split(answer.body, answer.content_type)
    except InvalidInput:
        return ()


def _document(parts: tuple[MimePart, ...]) -> MimePart | None:
    return next((part for part in parts if foreign_json.is_json(part.data)), None)


def _said(part: MimePart) -> SaidFile:
    return SaidFile(
        name=name_in(part.headers.get("content-disposition", "")),
        media_type=part.content_type.split(";")[0].strip().lower(),
        content=None,
        url=None,
        data=part.data,
    )

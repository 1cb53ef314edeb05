"""Dialect ``template``: a document in the authority's own form under its own name (docs/adapters/sftp.md).

The document is made once and kept with the names of all that is laid down (``Prepared.body`` is an archive of both), so
that each attempt lays down the very same. Files lie beside it, or stand in it where the mapping says ``$item.content``.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from hub.adapters.documents import names
from hub.adapters.documents.bound import BoundDocuments
from hub.adapters.documents.section import Answers, DocumentSection
from hub.adapters.mapping_check import CONTENT, sent_places
from hub.adapters.mapping_tests import SEALED
from hub.adapters.sftp import archive
from hub.adapters.sftp.layout import BODY_TYPE, Piece, ending_of, opener, part, refuse_files
from hub.adapters.template import template_values
from hub.errors import UnsupportedFeature
from hub.net.files import content, store_of
from hub.ports import Attachments, Parcel, Prepared
from hub.schemas import jcs, strict_json
from hub.schemas.base import Code
from hub.schemas.envelope import Attachment
from hub.sealed import MAX_ENVELOPE_BYTES

PATH: Final = "path"
"""Member of a file that stands for its path, counted from the inbox."""
_LAYOUT: Final = "layout.json"
_DOCUMENT: Final = "document"
_OF_FILES: Final = ("n", "ext", "sha256")
_OF_FLAGS: Final = ("name", "stem")
_TELLING: Final = frozenset(
    {("message_id",), ("case_id",), ("body", "reference"), ("header", "message_id"), ("sealed",)}
)
_PIECE_BYTES: Final = 49_152
"""A multiple of three: pieces of base64 then follow one another without padding."""


class SftpAnswers(Answers):
    """Files in the outbox. ``flag``: with ``ready: marker`` the name of the file that says that another is whole."""

    flag: Annotated[str, Code(r"\{(?:name|stem)\}\.[A-Za-z0-9][A-Za-z0-9._-]{0,19}")] = "{name}.done"


class SftpTemplate(DocumentSection):
    """Dialect ``template``. ``name``: of the document, counted from the inbox; ``files``: of each attachment, without
    it they do not lie beside the document; ``flag``: of an empty file that is laid down last.
    """

    any_file_members: ClassVar[tuple[str, ...]] = (CONTENT, PATH)

    name: str
    files: str | None = None
    flag: str | None = None
    answers: SftpAnswers = Field(default_factory=SftpAnswers)

    @model_validator(mode="after")
    def _names_fit(self) -> SftpTemplate:
        names.check(self.name, names.MESSAGE)
        if self.flag is not None:
            names.check(self.flag, (*names.MESSAGE, *_OF_FLAGS))
            if not {"message_id", "case_id", "reference", *_OF_FLAGS} & {*names.words_of(self.flag)}:
                raise PydanticCustomError("flag", "one flag for each message: {name}, {stem} or {message_id} in it")
        if self.files is not None:
            names.check(self.files, (*names.MESSAGE, *_OF_FILES))
            self._files_apart(self.files)
        self.check_apart(self.name)
        return self

    def check_apart(self, name: str) -> None:
        """Raise pydantic's own error for a name that two messages can share with their content: the second would count
        as the first.
        """
        said = {*names.words_of(name)}
        sent = {*sent_places(self.request)}
        if not said & {"message_id", "case_id", "reference"}:
            raise PydanticCustomError("name", "must name the message: {message_id}, {case_id} or {reference} in it")
        if len(self.kinds) > 1 and not said & {"message_id", "kind"}:
            raise PydanticCustomError("name", "with several kinds {message_id} or {kind} must be in it")
        if not said & {"message_id", "case_id"} and not sent & _TELLING:
            raise PydanticCustomError(
                "name",
                "{reference} alone is made safe and can be alike: the request must send $body.reference, or an id",
            )

    def _files_apart(self, pattern: str) -> None:
        said = {*names.words_of(pattern)}
        if not said & {"message_id", "case_id", "reference"} or not said & {"n", "sha256"}:
            raise PydanticCustomError("files", "must tell messages and files apart: {message_id} and {n} in it")

    def file_members(self) -> tuple[str, ...]:
        """The path of a file that lies beside the document; else its bytes."""
        return super().file_members() if self.files is None else (PATH,)

    def tried(self, parcel: Parcel) -> dict[str, Any]:
        """The values of a test's message."""
        return template_values(self, parcel, SEALED, members_of(self, parcel, "(content)"))


def paths_of(section: SftpTemplate, parcel: Parcel) -> dict[str, str]:
    """Paths of a message's files by their SHA-256; the same bytes lie there once."""
    if section.files is None:
        return {}
    named, paths = names.NameWords.of(parcel.envelope), dict[str, str]()
    for number, file in enumerate(parcel.attachments, 1):
        more = {"n": f"{number:03d}", "ext": ending_of(file), "sha256": file.sha256}
        paths.setdefault(file.sha256, named.fill(section.files, **more))
    return paths


def members_of(
    section: SftpTemplate, parcel: Parcel, stands: str | None = None
) -> Callable[[Attachment], dict[str, str]]:
    """Further members of a message's files. ``stands``: for the bytes; absent = a mark of the file."""
    paths = paths_of(section, parcel)

    def members(file: Attachment) -> dict[str, str]:
        if section.files is not None:
            return {PATH: paths[file.sha256]}
        return {CONTENT: stands or f"\0{file.sha256}\0"}

    return members


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One file to lay down. ``path``: counted from the inbox."""

    path: str
    piece: Piece


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that one message becomes: files, then the document, then the flag."""

    message_id: str
    document: Target
    files: tuple[Target, ...]
    flag: str | None


def prepare(parcel: Parcel, documents: BoundDocuments, *, attachments: Literal["carry", "refuse"]) -> Prepared:
    """The document and the names. ``UnsupportedFeature`` for what cannot be said."""
    section = documents.section
    assert isinstance(section, SftpTemplate)
    refuse_files(parcel, attachments)
    named = names.NameWords.of(parcel.envelope)
    name, paths = named.fill(section.name), paths_of(section, parcel)
    flag = None
    if section.flag is not None:
        flag = named.fill(section.flag, name=name, stem=name.rpartition(".")[0] or name)
    _check_different([name, *paths.values(), *filter(None, [flag])])
    document = documents.write(parcel, members_of(section, parcel))
    layout: dict[str, jcs.JsonValue] = {
        "document": name,
        "flag": flag,
        "files": dict(paths),
    }
    carried = parcel.attachments if paths or section.sends_files else ()
    distinct = tuple({file.sha256: file for file in carried}.values())
    parts = {f"{_DOCUMENT}.{documents.form.ending}": document, _LAYOUT: jcs.canonical_bytes(layout)}
    return Prepared(message_id=parcel.message_id, content_type=BODY_TYPE, body=archive.pack(parts), files=distinct)


def _check_different(paths: list[str]) -> None:
    """Refuse two names that are one. Many systems do not tell capital letters apart."""
    alike = [path for path, times in Counter(path.casefold() for path in paths).items() if times > 1]
    if alike:
        raise UnsupportedFeature(
            f"The document, its files and its flag would share a name: {alike[0]}.",
            code="template.name",
            action="Give name, files and flag patterns that differ.",
        )


def plan(prepared: Prepared, documents: BoundDocuments, store: Attachments | None) -> Plan:
    """All that is to be laid down. ``PermanentFailure`` if an attachment is damaged."""
    parts = archive.unpack(prepared.body)
    layout: Any = strict_json.parse(parts[_LAYOUT], max_bytes=MAX_ENVELOPE_BYTES)
    document = parts[f"{_DOCUMENT}.{documents.form.ending}"]
    paths: dict[str, str] = layout["files"]
    beside = tuple(
        Target(
            path=paths[file.sha256],
            piece=Piece(path="", size=file.size, sha256=file.sha256, chunks=opener(file, store)),
        )
        for file in prepared.files
        if file.sha256 in paths
    )
    return Plan(
        message_id=str(prepared.message_id),
        document=Target(path=layout["document"], piece=_document(document, prepared, documents.form.marks, store)),
        files=beside,
        flag=layout["flag"],
    )


def _document(data: bytes, prepared: Prepared, marks: re.Pattern[bytes] | None, store: Attachments | None) -> Piece:
    """The document, with files in base64 where their marks stand; then it is read through once, for its SHA-256."""
    if marks is None or marks.search(data) is None:
        return part("", data)
    files = {file.sha256: file for file in prepared.files}
    pieces = marks.split(data)

    def chunks() -> Iterator[bytes]:
        for number, piece in enumerate(pieces):
            if number % 2 == 0:
                yield piece
                continue
            for each in content(files[piece.decode("ascii")], store_of(store), _PIECE_BYTES):
                yield base64.b64encode(each)

    digest, size = hashlib.sha256(), 0
    for chunk in chunks():
        digest.update(chunk)
        size += len(chunk)
    return Piece(path="", size=size, sha256=digest.hexdigest(), chunks=chunks)


def outline(prepared: Prepared, inbox: str) -> tuple[str, ...]:
    """Paths that are laid down, in their order."""
    layout: Any = strict_json.parse(archive.unpack(prepared.body)[_LAYOUT], max_bytes=MAX_ENVELOPE_BYTES)
    paths = [*layout["files"].values(), layout["document"], *filter(None, [layout["flag"]])]
    return tuple(f"put {inbox.rstrip('/')}/{path}" for path in paths)

"""Reading of a thing from an outbox, and the way to hand it to the sink.

One file: an envelope (``.json``, ``.jws``, ``.xml``), or a container (``.asice``, ``.zip``). A folder, or a container:
``envelope.json``, ``.jws`` or ``.xml`` (the first of these that is there counts), and files under ``attachments/``.
A ``.json`` without ``header`` is a statement in plain words: ``{"message_id": …, "receipt": {…}}``. Whether an envelope
is true is not judged here: the sink opens the seal.
"""

from __future__ import annotations

import contextlib
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import IO, Final
from uuid import UUID

from pydantic import ConfigDict, TypeAdapter, ValidationError

from hub.adapters.documents.bound import BoundDocuments
from hub.adapters.documents.statements import Source, take_in
from hub.adapters.sftp.connection import BROKEN, SftpConnection
from hub.adapters.sftp.layout import MEDIA_TYPES
from hub.errors import Fault, InvalidInput, TooLarge, Unavailable
from hub.ports import Dating, InboundSink, RawInbound, Rendering, ReportedStatus
from hub.protocols.sftp import FolderEntry, StatusError
from hub.schemas import charsets, jcs, strict_json
from hub.schemas.base import Instant, format_datetime
from hub.schemas.directory import LegalClass
from hub.schemas.envelope import (
    MAX_ATTACHMENT_BYTES,
    MAX_ATTACHMENTS,
    AnswerBody,
    Attachment,
    AuthorityBody,
    ClarificationBody,
    ExtensionBody,
    PublicationBody,
    ReceiptBody,
    RedirectBody,
)
from hub.schemas.ids import MessageId, made_at
from hub.sealed import CONTENT_TYPES, MAX_ENVELOPE_BYTES, SealedDocument

MAX_CONTAINER_BYTES: Final = 4 * 1024 * 1024 * 1024
MAX_DIRECTORY_BYTES: Final = 1_048_576
_FORMS: Final = {
    "json": CONTENT_TYPES[Rendering.JSON],
    "jws": CONTENT_TYPES[Rendering.JWS],
    "xml": CONTENT_TYPES[Rendering.XML],
}
_CONTAINERS: Final = frozenset({"asice", "zip"})
_FOLDER: Final = "attachments"
_BODIES: Final[dict[str, type[AuthorityBody]]] = {
    "receipt": ReceiptBody,
    "answer": AnswerBody,
    "redirect": RedirectBody,
    "extension": ExtensionBody,
    "clarification": ClarificationBody,
    "publication": PublicationBody,
}
_END: Final = struct.Struct("<L4HLLH")
_LOCATOR: Final = b"PK\x06\x07"
_CHUNK_BYTES: Final = 65_536
WHOLE_BYTES: Final = 8 * 1_048_576
"""Longest file that a person gets whole, where it could not be taken in."""
HELD_BYTES: Final = 1_048_576
"""So much of a longer one: it stays, whole, where it was put aside."""
_ZIP_FAULTS: Final = (
    zipfile.BadZipFile,
    NotImplementedError,  # a method of compression that Python does not know
    RuntimeError,  # a password
    zlib.error,
    EOFError,
    struct.error,
    ValueError,  # names that are not the text that they say
    OSError,  # places before the file's beginning; what is read is a file of our own, not the connection
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosed:
    """A file that came with a message. ``name`` is shown to people only."""

    name: str
    chunks: Callable[[], Iterator[bytes]]


class Reader:
    """Reads things over one connection. ``reaches``: what a statement in plain words may prove over this channel;
    ``documents``: of a channel in the dialect ``template``, which reads theirs and nothing else.
    """

    def __init__(
        self, connection: SftpConnection, *, reaches: LegalClass, documents: BoundDocuments | None = None
    ) -> None:
        self._connection = connection
        self._sftp = connection.sftp
        self._reaches = reaches
        self._documents = documents

    def hand_over(self, path: str, sink: InboundSink) -> None:
        """Read what is at a path and give it to the sink. Raises what the sink raises, and ``InvalidInput``."""
        entry = self._sftp.look(path)
        ending = path.rpartition(".")[2].lower()
        if entry is not None and self._documents is not None:
            self._read_document(path, entry, self._documents, sink)
        elif entry is not None and entry.is_folder:
            self._from_folder(path, sink)
        elif entry is None or not entry.is_file:
            raise InvalidInput("This is neither a file nor a folder.", code="sftp.kind")
        elif ending in _FORMS:
            content = self._small(path, entry)
            self._tell(RawInbound(content_type=_FORMS[ending], body=content), (), sink)
        elif ending in _CONTAINERS:
            self._from_container(path, entry, sink)
        else:
            raise InvalidInput(
                "The name ends in nothing that the hub reads.",
                code="sftp.form",
                action="Lay envelopes as .json, .jws or .xml, containers as .asice, or a folder with .done in it.",
            )

    def _read_document(self, path: str, entry: FolderEntry, documents: BoundDocuments, sink: InboundSink) -> None:
        """A document of theirs, alone or in a folder with the files that belong to it."""
        enclosed: tuple[Enclosed, ...] = ()
        if entry.is_folder:
            place, entry, enclosed = self._document_in(path.encode(), documents)
        elif entry.is_file and documents.reads_safe(_claimed_name(path)):
            place = path.encode()
        else:
            raise _no_document(documents)
        data = b"".join(self._stream(place, entry, WHOLE_BYTES))
        source = Source(
            content_type=documents.answers.content_type.partition(";")[0],
            reaches=self._reaches,
            files=lambda delivery: tuple(_keep(each, sink, delivery.authority) for each in enclosed),
            passing=(*BROKEN, StatusError),
        )
        assert documents.section.answer is not None
        take_in(documents.pieces(data), documents.section.answer, sink, source)

    def _document_in(self, folder: bytes, documents: BoundDocuments) -> tuple[bytes, FolderEntry, tuple[Enclosed, ...]]:
        """The one document of a folder, and all other files of it, those in ``attachments`` too."""
        inside = self._sftp.listing(folder, limit=MAX_ATTACHMENTS + 2)
        files = [each for each in inside if each.is_file and b"/" not in each.name and b"\0" not in each.name]
        files = [each for each in files if not each.name.startswith(b".")]
        fits = [each for each in files if documents.reads(_shown(each.name))]
        if len(fits) != 1:
            raise _no_document(documents)
        others = [each for each in files if each is not fits[0]]
        _check_number(len(others))
        enclosed = tuple(self._beside(folder, each) for each in others) + self._enclosed(folder)
        _check_number(len(enclosed))
        return folder + b"/" + fits[0].name, fits[0], enclosed

    def _beside(self, folder: bytes, entry: FolderEntry) -> Enclosed:
        return Enclosed(name=_shown(entry.name), chunks=self._opener(folder + b"/" + entry.name, entry))

    def raw(self, path: str | bytes) -> RawInbound:
        """The bytes at a path, for a person: of a long file the first part, of a folder its envelope, of what cannot
        be read at all its name.
        """
        name = path.encode() if isinstance(path, str) else path
        kind = MEDIA_TYPES.get(_ending(name), "application/octet-stream")
        kind = _FORMS.get(_ending(name), kind)
        try:
            entry = self._sftp.look(name)
            if entry is not None and entry.is_folder:
                inside = self._envelope_in(name)
                name, entry, kind = inside or (name, None, "text/plain; charset=utf-8")
            if entry is None or not entry.is_file:
                return RawInbound(content_type="text/plain; charset=utf-8", body=_shown(name).encode())
            most = WHOLE_BYTES if entry.size is None or entry.size <= WHOLE_BYTES else HELD_BYTES
            self._connection.wire.allow(most + 2 * _CHUNK_BYTES)
            body = self._sftp.first(name, most + 1)
            longer = len(body) > most
            size = max(entry.size or 0, len(body)) if longer else None
            return RawInbound(content_type=kind, body=body[:most], whole_size=size)
        except StatusError:
            return RawInbound(content_type="text/plain; charset=utf-8", body=_shown(name).encode())

    def _envelope_in(self, folder: bytes) -> tuple[bytes, FolderEntry, str] | None:
        """The envelope of a folder: its path, what is known of it, its kind. Capitals in the name do not matter."""
        for ending, content_type in _FORMS.items():
            wanted = f"envelope.{ending}".encode()
            entry = self._sftp.look(folder + b"/" + wanted)
            if entry is not None and entry.is_file:
                return folder + b"/" + wanted, entry, content_type
        inside = self._sftp.listing(folder, limit=MAX_ATTACHMENTS)
        for ending, content_type in _FORMS.items():
            for entry in sorted(inside, key=lambda each: each.name):
                if entry.is_file and entry.name.lower() == f"envelope.{ending}".encode():
                    return folder + b"/" + entry.name, entry, content_type
        return None

    def _small(self, path: str | bytes, entry: FolderEntry) -> bytes:
        return b"".join(self._stream(path, entry, MAX_ENVELOPE_BYTES))

    def _stream(self, path: str | bytes, entry: FolderEntry, most: int) -> Iterator[bytes]:
        """The content, if it is as long as the listing said: what is still growing is not whole. Where the server says
        no size, up to ``most``.
        """
        if entry.size is not None and entry.size > most:
            raise _too_large(most)
        expected = most if entry.size is None else entry.size
        self._connection.wire.allow(expected)
        got = 0
        for chunk in self._sftp.read(path, limit=expected + _CHUNK_BYTES):
            got += len(chunk)
            if got > most:
                raise _too_large(most)
            yield chunk
        if entry.size is not None and got != entry.size:
            raise InvalidInput("The file changed while it was read.", code="sftp.unstable", action="Lay it there anew.")

    def _from_folder(self, path: str, sink: InboundSink) -> None:
        found = self._envelope_in(path.encode())
        if found is None:
            raise _no_envelope()
        name, entry, content_type = found
        raw = RawInbound(content_type=content_type, body=self._small(name, entry))
        self._tell(raw, self._enclosed(path.encode()), sink)

    def _enclosed(self, root: bytes) -> tuple[Enclosed, ...]:
        folder = self._attachments_in(root)
        if folder is None:
            return ()
        entries = self._sftp.listing(folder, limit=MAX_ATTACHMENTS + 1)
        _check_number(len(entries))
        found = []
        for each in sorted(entries, key=lambda each: each.name):
            if not each.is_file or b"/" in each.name or b"\0" in each.name:
                raise InvalidInput("Among the attachments is something that is no plain file.", code="sftp.kind")
            if each.size is not None and each.size > MAX_ATTACHMENT_BYTES:
                raise _too_large(MAX_ATTACHMENT_BYTES)
            path = folder + b"/" + each.name
            found.append(Enclosed(name=_shown(each.name), chunks=self._opener(path, each)))
        return tuple(found)

    def _attachments_in(self, root: bytes) -> bytes | None:
        wanted = _FOLDER.encode()
        entry = self._sftp.look(root + b"/" + wanted)
        if entry is not None:
            return root + b"/" + wanted if entry.is_folder else None
        inside = self._sftp.listing(root, limit=MAX_ATTACHMENTS)
        names = [each.name for each in inside if each.is_folder and each.name.lower() == wanted]
        return root + b"/" + names[0] if names else None

    def _opener(self, path: bytes, entry: FolderEntry) -> Callable[[], Iterator[bytes]]:
        return lambda: self._stream(path, entry, MAX_ATTACHMENT_BYTES)

    def _from_container(self, path: str, entry: FolderEntry, sink: InboundSink) -> None:
        """Containers are fetched to a nameless file on disk first: a zip is read from its end."""
        with tempfile.TemporaryFile() as file:
            for chunk in self._stream(path, entry, MAX_CONTAINER_BYTES):
                _write(file, chunk)
            with _zip_faults():
                check_directory(file, file.tell())
                container = zipfile.ZipFile(file)
                raw, enclosed = from_zip(container)
            with container:
                self._tell(raw, enclosed, sink)

    def _tell(self, raw: RawInbound, enclosed: Iterable[Enclosed], sink: InboundSink) -> None:
        said = statement(raw)
        if said is None:
            sender = SealedDocument(raw).claimed_sender()
            for each in enclosed:
                _keep(each, sink, sender)
            sink.envelope(raw)
            return
        delivery = sink.find(message_id=said.message_id)
        kept = () if delivery is None else tuple(_keep(each, sink, delivery.authority) for each in enclosed)
        sink.reported(  # it knows what to say about a message_id that nobody knows
            ReportedStatus(
                raw=raw,
                said_id=sha256(raw.body).hexdigest(),
                body=said.body,
                at=said.body.at,
                in_reply_to=said.message_id,
                attachments=kept,
                reaches=self._reaches,
                dated=said.dated,
                claims=said.claims,
                unclear=said.unclear,
            )
        )


def _claimed_name(path: str) -> str:
    """Their name in that under which a thing is kept, as far as it was safe."""
    return path.rpartition("/")[2].split("-", 2)[-1]


def _no_document(documents: BoundDocuments) -> InvalidInput:
    return InvalidInput(
        f"There is no file here with a name as {documents.section.answers.names}.",
        code="sftp.form",
        action="Lay answers under such names, or in a folder with exactly one of them.",
    )


def _ending(name: bytes) -> str:
    return name.rpartition(b".")[2].lower().decode("ascii", "replace")


def _write(file: IO[bytes], chunk: bytes) -> None:
    """A local disk that is full is no fault of the container: it is left there until there is room."""
    try:
        file.write(chunk)
    except OSError:
        raise Unavailable("There is no room to unpack a container.", retry_after=60) from None


def _keep(each: Enclosed, sink: InboundSink, party: str) -> Attachment:
    ending = each.name.rpartition(".")[2].lower()
    kind = MEDIA_TYPES.get(ending, "application/octet-stream")
    return sink.keep(each.chunks(), media_type=kind, name=each.name, party=party)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainWords:
    """Statement in plain words. ``dated``, ``claims``, ``unclear``: as in ``ReportedStatus``."""

    message_id: MessageId
    body: AuthorityBody
    dated: Dating = Dating.MOMENT
    claims: datetime | None = None
    unclear: str | None = None


def statement(raw: RawInbound) -> PlainWords | None:
    """Statement in plain words; None if it is an envelope. A moment that cannot be read, or that no envelope can hold,
    costs itself. ``InvalidInput``.
    """
    if raw.content_type != CONTENT_TYPES[Rendering.JSON]:
        return None
    document = strict_json.parse(raw.body, max_bytes=MAX_ENVELOPE_BYTES)
    if not isinstance(document, dict) or "envelope" in document or "header" in document:
        return None
    said = [kind for kind in document if kind in _BODIES]
    if len(said) != 1 or set(document) != {"message_id", said[0]}:
        raise InvalidInput(
            "The statement must have message_id and exactly one of: " + ", ".join(_BODIES) + ".", code="sftp.statement"
        )
    try:
        message_id = MessageId(UUID(str(document["message_id"])))
    except ValueError:
        raise InvalidInput("The statement's message_id is no UUID.", code="sftp.statement") from None
    members = document[said[0]]
    dated, claims, unclear = Dating.MOMENT, None, None
    if isinstance(members, dict) and not _can_be_held(members.get("at")):
        claims = _claimed(members.get("at"))
        unclear = None if claims is not None else "The statement does not say when it happened (at)."
        members, dated = {**members, "at": _stand_in(message_id)}, Dating.NONE
    try:
        body = _BODIES[said[0]].model_validate_json(jcs.canonical_bytes(members))
    except ValidationError as error:
        faults = [
            Fault(pointer="/" + "/".join(map(str, (said[0], *e["loc"]))), code=e["type"], message=e["msg"])
            for e in error.errors(include_url=False, include_input=False)
        ]
        raise InvalidInput("The statement breaks the rules.", code="sftp.statement", faults=faults) from None
    return PlainWords(message_id=message_id, body=body, dated=dated, claims=claims, unclear=unclear)


_INSTANT: Final[TypeAdapter[datetime]] = TypeAdapter(Instant, config=ConfigDict(strict=True))


def _can_be_held(at: object) -> bool:
    try:
        _INSTANT.validate_python(at)
    except ValidationError:
        return False
    return True


def _stand_in(message_id: MessageId) -> str:
    """A moment for what names none, the same at each repeat; what no message of ours can have is refused."""
    try:
        return format_datetime(made_at(message_id))
    except OverflowError:
        return ""


def _claimed(at: object) -> datetime | None:
    """A moment that can be told though no envelope can hold it: year 1, year 9999."""
    try:
        found = datetime.fromisoformat(at) if isinstance(at, str) else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo is not None else found.replace(tzinfo=UTC)


def check_directory(file: IO[bytes], size: int) -> None:
    """Look at a zip's end before ``zipfile`` does, which reads a directory of any size into memory."""
    start = max(0, size - _END.size - 0xFFFF)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise InvalidInput("The container is no zip.", code="sftp.container")
    if _END.unpack_from(tail, at)[5] > MAX_DIRECTORY_BYTES or _LOCATOR in tail[max(0, at - 20) : at]:
        raise InvalidInput("The container lists too many files.", code="sftp.container")
    file.seek(0)


def from_zip(container: zipfile.ZipFile) -> tuple[RawInbound, tuple[Enclosed, ...]]:
    """Envelope and attachments of a container. Names are compared, never used as paths."""
    infos = {info.filename: info for info in container.infolist()}
    lower = {name.lower(): info for name, info in reversed(infos.items())}
    if len(infos) != len(container.infolist()):
        raise InvalidInput("The container has two files of one name.", code="sftp.container")
    enclosed = [
        info for name, info in sorted(infos.items()) if name.lower().startswith(f"{_FOLDER}/") and not info.is_dir()
    ]
    _check_number(len(enclosed))
    for ending, content_type in _FORMS.items():
        info = infos.get(f"envelope.{ending}") or lower.get(f"envelope.{ending}")
        if info is not None:
            content = b"".join(_unzip(container, info, MAX_ENVELOPE_BYTES))
            files = tuple(Enclosed(name=_last(each), chunks=_unzipper(container, each)) for each in enclosed)
            return RawInbound(content_type=content_type, body=content), files
    raise _no_envelope()


_UTF8_NAMES: Final = 0x800
_UNICODE_PATH: Final = struct.Struct("<HHBL")
_UNICODE_PATH_ID: Final = 0x7075


def _last(info: zipfile.ZipInfo) -> str:
    """Last part of a member's name as it was meant (APPNOTE 4.4.4, 4.6.9): archivers write it in the code page of DOS
    or of Windows, and say UTF-8 by a flag or in an extra field.
    """
    if info.flag_bits & _UTF8_NAMES:
        return _shown_text(info.filename.rpartition("/")[2])
    raw = info.filename.encode("cp437", "replace")
    extra = info.extra
    if len(extra) > _UNICODE_PATH.size:
        kind, length, version, crc = _UNICODE_PATH.unpack_from(extra)
        if kind == _UNICODE_PATH_ID and version == 1 and crc == zlib.crc32(raw):
            raw = extra[_UNICODE_PATH.size : 4 + length]
    return _shown_text(charsets.decode(raw, "cp866").replace("\\", "/").rpartition("/")[2])


def _unzipper(container: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], Iterator[bytes]]:
    return lambda: _unzip(container, info, MAX_ATTACHMENT_BYTES)


def _unzip(container: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> Iterator[bytes]:
    """The content, never more than ``limit`` bytes, whatever the zip says of itself."""
    left = limit
    with _zip_faults(), container.open(info) as file:
        while chunk := file.read(_CHUNK_BYTES):
            left -= len(chunk)
            if left < 0:
                raise _too_large(limit)
            yield chunk


@contextlib.contextmanager
def _zip_faults() -> Iterator[None]:
    try:
        yield
    except _ZIP_FAULTS as error:
        raise InvalidInput(
            f"The container cannot be read ({type(error).__name__}).",
            code="sftp.container",
            action="Make a plain zip: stored or deflated, without a password.",
        ) from None


def _check_number(count: int) -> None:
    if count > MAX_ATTACHMENTS:
        raise TooLarge(f"There are more than {MAX_ATTACHMENTS} attachments.", code="sftp.too_many")


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"A file is larger than {limit} bytes.")


def _no_envelope() -> InvalidInput:
    return InvalidInput(
        "There is no envelope.json, envelope.jws or envelope.xml in it.",
        code="sftp.no_envelope",
        action="Lay the envelope beside the folder attachments.",
    )


def _shown(name: bytes) -> str:
    """A name as people may see it: no controls, no more than a manifest allows."""
    return _shown_text(charsets.decode(name))


def _shown_text(text: str) -> str:
    return "".join(char if char.isprintable() else "_" for char in text)[-255:].strip() or "_"

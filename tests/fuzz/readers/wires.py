"""HTTP answers, multipart at the doors, SFTP, containers, IMAP and SMTP."""

from __future__ import annotations

import gzip
import hashlib
import imaplib
import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from http.client import HTTPException
from typing import Any
from unittest import mock

from hub.adapters import AdapterContext
from hub.adapters.email import imap
from hub.adapters.email import wire as mail_wire
from hub.adapters.email.adapter import EmailAdapter
from hub.adapters.email.settings import ImapServer
from hub.adapters.sftp import reading
from hub.api import multipart
from hub.errors import HubError, InvalidInput
from hub.evidence.check import check as check_bundle
from hub.evidence.export import FORMAT, MANIFEST, SEAL
from hub.net import heads
from hub.net.deadline import Deadline
from hub.net.encodings import unpack
from hub.net.http import HttpPolicy, HttpSession
from hub.net.response import HttpHeaders, Response
from hub.ports import RawInbound, Rendering
from hub.protocols.sftp import FolderEntry, ProtocolError, Sftp, StatusError
from hub.schemas.keys import VerificationKey
from hub.storage.attachments import MemoryAttachments
from hub.testing.samples import appeal, parcel, receipt, render
from tests.adapters.email.making import out_channel
from tests.fuzz.judging import Target
from tests.fuzz.readers import chosen

_LIMIT = 262_144


class _Answered:
    """A socket from which an answer is read."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, mode: str, *_: object) -> Any:
        return io.BufferedReader(io.BytesIO(self._data))

    def has_more(self, stream: Any) -> bool:
        return bool(stream.peek(1))

    def settimeout(self, _: object) -> None: ...

    def sendall(self, _: bytes) -> None: ...

    def shutdown(self, _: int) -> None: ...

    def close(self) -> None: ...


def _http_answer(data: bytes) -> None:
    """As ``HttpSession.call`` reads: these errors are what it turns into outcomes."""
    heads.refuses(data)
    session = HttpSession(HttpPolicy(max_response_bytes=_LIMIT))
    session._deadline.start(60.0, 1 << 30)
    response = Response(_Answered(data), method="POST")
    response.begin()
    assert len(session._read(response)) <= _LIMIT, "an answer is never longer than it may be"


def _encodings(data: bytes) -> None:
    names = ("gzip", "deflate", "gzip, gzip", "br", "utf-8", "x-gzip, identity", "")
    label, rest = chosen(data, names)
    unpacked = unpack(rest, HttpHeaders([("Content-Encoding", label)]), _LIMIT)
    assert len(unpacked) <= max(_LIMIT, len(rest))


def _in_pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def _read_parts(pieces: Iterator[bytes], made: Callable[[dict[str, str]], multipart.FormPart]) -> list[tuple[Any, ...]]:
    told = []
    for part in multipart.chosen(multipart.parts(pieces, b"XX", made)):
        told.append((part.name, part.filename, part.media_type, multipart.small(part, 1 << 20)))
        multipart.file_name(part, 1)
    return told


def _tried(read: Callable[[], object]) -> object:
    """What is read, or that it is refused: by which rule depends on what came first."""
    try:
        return read()
    except HubError:
        return "refused"


def _multipart(data: bytes) -> None:
    made, rest = chosen(data, (multipart._part, multipart.related))
    whole = _tried(lambda: _read_parts(iter([rest]), made))
    pieces = _tried(lambda: _read_parts(_in_pieces(rest, 7), made)) if len(rest) < 4_000 else whole
    assert pieces == whole, "in whatever pieces a body comes, its parts are the same"
    if whole == "refused":
        raise InvalidInput("refused")


class _Said:
    """What a server of SFTP says, whatever it is asked."""

    def __init__(self, data: bytes) -> None:
        self._stream = io.BytesIO(data)

    def sendall(self, data: bytes, /) -> None: ...

    def recv(self, count: int, /) -> bytes:
        return self._stream.read(count)


def _write(sftp: Sftp) -> None:
    sftp.write("/a", [b"x" * 100_000])
    sftp.rename("/a", "/b")


_ASKED: tuple[Callable[[Sftp], object], ...] = (
    lambda sftp: sftp.listing("/out", limit=1_000),
    lambda sftp: sftp.look("/out/a"),
    lambda sftp: sum(map(len, sftp.read("/out/a", limit=100_000))),
    lambda sftp: sftp.first("/out/a", 70_000),
    _write,
    lambda sftp: sftp.make_folder("/out/.hub"),
    lambda sftp: sftp.mark("/out/.lock"),
)


def _sftp(data: bytes) -> None:
    ask, rest = chosen(data, _ASKED)
    found = ask(Sftp(_Said(rest)))
    for entry in found if isinstance(found, list) else ():
        assert isinstance(entry, FolderEntry)
        reading._shown(entry.name)
        reading._ending(entry.name)


def _container(data: bytes) -> None:
    file = io.BytesIO(data)
    with reading._zip_faults():
        reading.check_directory(file, len(data))
        container = zipfile.ZipFile(file)
        _, enclosed = reading.from_zip(container)
    with container:
        for each in enclosed:
            assert each.name, "each file has a name"
            for chunk in each.chunks():
                assert len(chunk) <= _LIMIT


def _statement(data: bytes) -> None:
    reading.statement(RawInbound(content_type="application/json", body=data))


class _Believing:
    """A seal that holds whatever it stands under, so that what is behind it is looked at."""

    def __init__(self) -> None:
        self.body = b""

    def seal_json(self, payload: bytes) -> bytes:
        return payload

    seal_xml = seal_json

    def verify_json(self, token: bytes, keys: Iterable[VerificationKey], at: object) -> bytes:
        return self.body or token

    def verify_xml(self, document: bytes, keys: Iterable[VerificationKey], at: object) -> bytes:
        return document


_MEMBERS = ("deliveries.json", "seals.json", "keys/a.json", "envelopes/a.json", "seals/a.jws", "timeline.json")


def _zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()


def _bundle(data: bytes) -> None:
    """A genuine manifest over files that somebody changed; parts are cut at NUL."""
    seal = _Believing()
    members = dict(zip(_MEMBERS, data.split(b"\0"), strict=False))
    seal.body = _manifest()
    check_bundle(io.BytesIO(_zipped({MANIFEST: _manifest(), SEAL: b"s", **members})), seal=seal, trusted=())


def _bundle_zip(data: bytes) -> None:
    check_bundle(io.BytesIO(data), seal=_Believing(), trusted=())


@cache
def _imap_server() -> ImapServer:
    return ImapServer.model_validate({"host": "127.0.0.1", "port": 993, "security": "tls"})


def _tag() -> bytes:
    """The tag that imaplib makes of the seed below."""
    random.seed(7)
    tag: bytes = imaplib.Int2AP(random.randint(4_096, 65_535))
    return tag


def _imap(data: bytes) -> None:
    """A whole visit; ``@@`` stands for the tag of the answer."""
    sock = _Answered(data.replace(b"@@", _tag()))
    random.seed(7)
    deadline = Deadline()
    deadline.start(60.0, 1 << 30)
    with (
        mock.patch.object(mail_wire, "connect", return_value=sock),
        mock.patch.object(mail_wire, "secure", return_value=sock),
        imap.opened(_imap_server(), deadline) as box,
    ):
        for mail in box.waiting():
            box.fetch(mail)
            for _ in box.pieces(mail):
                pass
            box.refuse(mail, InvalidInput("x", code="mail.x"))


@cache
def _smtp_prepared() -> tuple[EmailAdapter, Any, Any]:
    adapter, channel = EmailAdapter(AdapterContext(attachments=MemoryAttachments())), out_channel()
    return adapter, channel, adapter.prepare(parcel(appeal(), Rendering.BOTH), channel)


def _smtp(data: bytes) -> None:
    adapter, channel, prepared = _smtp_prepared()
    with mock.patch.object(mail_wire, "connect", return_value=_Answered(data)), adapter.session(channel) as session:
        session.send(prepared, 60.0)


# Seeds


def _of_http() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    chunks = b"4;x=y\r\nabcd\r\n0\r\nA: b\r\n\r\n"
    yield b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
    packed = gzip.compress(b"hello " * 50, mtime=0)
    yield b"HTTP/1.0 503 Busy\r\nRetry-After: 5\r\nContent-Encoding: gzip\r\nX : folded\r\n more\r\n\r\n" + packed
    yield b"HTTP/1.1 204 None\r\nConnection: close\r\nContent-Length: 5, 5\r\n\r\n"
    yield b"HTTP/1.1 413 Large\nContent-Encoding: deflate, identity\n\n" + zlib.compress(b"x" * 100)


def _of_encodings() -> Iterator[bytes]:
    packed = gzip.compress(b"hello " * 50, mtime=0)
    yield b"\0" + packed
    yield b"\0" + packed + packed + bytes(8)
    yield b"\1" + zlib.compress(b"x" * 300)
    yield b"\1" + zlib.compress(b"x" * 300)[2:-4]
    yield b"\2" + gzip.compress(packed, mtime=0)
    yield b"\3text"


def _of_multipart() -> Iterator[bytes]:
    form = b'--XX\r\nContent-Disposition: form-data; name="appeal"\r\nContent-Type: application/json\r\n\r\n{}\r\n'
    file = '--XX\r\nContent-Disposition: form-data; name="files"; filename="Акт.pdf"\r\n\r\n%PDF\r\n'.encode()
    yield b"\0" + form + file + b"--XX--\r\n"
    yield b"\0preamble\r\n" + form + b"--XX--"
    part = b"--XX\r\nContent-Type: text/xml; charset=utf-8\r\nContent-ID: <a@b>\r\n"
    part += b"Content-Transfer-Encoding: base64\r\n\r\n"
    yield b"\1" + part + b"PGEvPg==\r\n" + part.replace(b"base64", b"quoted-printable") + b"=3Ca/>\r\n--XX--\r\n"


def _packet(kind: int, payload: bytes) -> bytes:
    return struct.pack(">IB", len(payload) + 1, kind) + payload


def _text(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def _numbered(kind: int, number: int, payload: bytes) -> bytes:
    return _packet(kind, struct.pack(">I", number) + payload)


def _of_sftp() -> Iterator[bytes]:
    version = _packet(2, struct.pack(">I", 3) + _text(b"posix-rename@openssh.com") + _text(b"1"))
    attributes = struct.pack(">IQIII", 0x1 | 0x4 | 0x8, 3, 0o100644, 1, 2)
    handle, ok = _text(b"h"), struct.pack(">I", 0) + _text(b"") + _text(b"")
    end = struct.pack(">I", 1) + _text(b"end") + _text(b"")
    gone = struct.pack(">I", 2) + _text(b"none") + _text(b"")
    names = struct.pack(">I", 2) + b"".join(
        _text(name) + _text(b"-rw") + attributes for name in (b"a.json", b"\xe0\xea")
    )
    listing = _numbered(102, 1, handle) + _numbered(104, 2, names) + _numbered(101, 3, end) + _numbered(101, 4, ok)
    yield b"\0" + version + listing
    yield b"\1" + version + _numbered(105, 1, attributes)
    yield b"\1" + version + _numbered(101, 1, gone)
    data = b"".join(_numbered(103, number, _text(b"x" * 9)) for number in range(2, 8))
    yield b"\2" + version + _numbered(102, 1, handle) + data + b"".join(_numbered(101, n, end) for n in range(8, 90))
    yield b"\3" + version + _numbered(102, 1, handle) + data + _numbered(101, 8, end) + _numbered(101, 9, ok)
    writes = b"".join(_numbered(101, number, ok) for number in range(2, 12))
    yield b"\4" + version + _numbered(102, 1, handle) + writes
    yield b"\5" + version + _numbered(101, 1, struct.pack(">I", 4) + _text(b"no")) + _numbered(105, 2, attributes)
    yield b"\6" + version + _numbered(102, 1, handle) + _numbered(101, 2, ok)


def _of_containers() -> Iterator[bytes]:
    envelope = render(receipt(appeal()), Rendering.JSON)
    yield _zipped({"mimetype": b"application/vnd.etsi.asic-e+zip", "envelope.json": envelope})
    yield _zipped({"ENVELOPE.XML": b"<a/>", "attachments/": b"", "attachments/Акт.pdf": b"%PDF", "attachments/b": b""})
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("envelope.jws", b"a.b.c")
        archive.writestr("attachments/x.txt", b"text")
    yield out.getvalue()


def _manifest() -> bytes:
    listed = [{"path": "deliveries.json", "sha256": hashlib.sha256(b"[]").hexdigest(), "size": 2}]
    said = {"format": FORMAT, "case_id": "x", "made_at": "2026-03-02T09:00:00Z", "made_by": "y", "files": listed}
    return json.dumps(said).encode()


def _of_bundle_zips() -> Iterator[bytes]:
    yield _zipped({MANIFEST: _manifest(), SEAL: _manifest(), "deliveries.json": b"[]", "seals.json": b"[]"})


def _of_statements() -> Iterator[bytes]:
    about = '{"message_id":"0197ab00-0000-7000-8000-000000000001",'
    yield (about + '"receipt":{"status":"delivered","at":"2026-03-02T09:00:00Z"}}').encode()
    yield (
        about + '"answer":{"stage":"final","result":"explained",'
        '"number":"К-1","date":"2026-03-02","at":"0001-01-01T00:00:00+14:00","text":"Так"}}'
    ).encode()
    yield b'{"message_id":"ffffffff-ffff-ffff-ffff-ffffffffffff","receipt":{"status":"registered","at":"x"}}'


def _of_bundles() -> Iterator[bytes]:
    yield b"\0".join(
        (
            b'[{"id":"d","sent":"envelopes/a.json","tries":[{"number":1,"sha256":"00"}]}]',
            b'[{"file":"seals/a.jws","party":"00032106","kid":"k","envelope":"envelopes/a.json","form":"jws"}]',
            b'{"party":"00032106","kid":"k","algorithm":"ES256","pem":"x","valid_from":"2026-01-01T00:00:00Z"}',
            b"{}",
            b"a.b.c",
            b"[]",
        )
    )
    yield b"[]\0[]\0{}"


def _of_imap() -> Iterator[bytes]:
    mail = b"From: a@b.example\r\nSubject: x\r\n\r\nyes\r\n"
    told = b'* 1 FETCH (UID 7 RFC822.SIZE %d INTERNALDATE "30-Nov-2026 10:00:00 +0200")\r\n' % len(mail)
    content = b"* 1 FETCH (UID 7 BODY[] {%d}\r\n%s)\r\n" % (len(mail), mail)
    for capabilities in (b"IMAP4rev1 UIDPLUS MOVE", b"IMAP4rev1 NAMESPACE"):
        told_of = b"* CAPABILITY " + capabilities + b"\r\n"
        flags = b"* 1 EXISTS\r\n* OK [PERMANENTFLAGS (\\Seen \\*)] ok\r\n"
        spaces = [b'* NAMESPACE (("INBOX." ".")) NIL NIL\r\n'] if b"NAMESPACE" in capabilities else []
        found = [b"* SEARCH 7\r\n", b"* SEARCH\r\n", told, b"", content, content]
        answers = [told_of, told_of, flags, *spaces, *found, *[b""] * 8]
        ended = (each + b"@@%d OK done\r\n" % number for number, each in enumerate(answers))
        yield b"* PREAUTH ready\r\n" + b"".join(ended)


def _of_smtp() -> Iterator[bytes]:
    hello = b"220 mx ESMTP\r\n250-mx\r\n250-SIZE 52428800\r\n250 DSN\r\n"
    yield hello + b"250 2.0.0 ok\r\n250 ok\r\n354 go on\r\n250 2.0.0 queued as 4F1C2\r\n221 bye\r\n"
    yield hello + b"250 ok\r\n550 5.1.1 no such user\r\n250 ok\r\n221 bye\r\n"
    yield b"220 mx\r\n502 what\r\n250 mx\r\n452 4.2.2 full\r\n250 ok\r\n221 bye\r\n"
    yield hello + b"250 ok\r\n250 ok\r\n354 go\r\n554-5.7.1 spam\r\n554 5.7.1 try again in 300 seconds\r\n"


_HTTP_WORDS = (b"Transfer-Encoding: chunked", b"Content-Length: ", b"\r\n\r\n", b"HTTP/1.1 ", b"Content-Encoding: gzip")
TARGETS = (
    Target(
        name="http-answer",
        reads=_http_answer,
        seeds=_of_http,
        allowed=(HTTPException, OSError, ValueError),
        words=_HTTP_WORDS,
    ),
    Target(name="content-encoding", reads=_encodings, seeds=_of_encodings, allowed=(OSError, ValueError)),
    Target(
        name="multipart",
        reads=_multipart,
        seeds=_of_multipart,
        words=(b"\r\n--XX", b"--XX--", b"filename*=", b"base64"),
    ),
    Target(name="sftp", reads=_sftp, seeds=_of_sftp, allowed=(StatusError, ProtocolError, EOFError)),
    Target(
        name="container", reads=_container, seeds=_of_containers, words=(b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06")
    ),
    Target(name="sftp-statement", reads=_statement, seeds=_of_statements),
    Target(name="bundle", reads=_bundle, seeds=_of_bundles),
    Target(name="bundle-zip", reads=_bundle_zip, seeds=_of_bundle_zips, words=(b"PK\x01\x02", b"PK\x05\x06")),
    Target(
        name="imap",
        reads=_imap,
        seeds=_of_imap,
        words=(b"* ", b"@@", b" FETCH (", b"{10}\r\n", b"UID ", b"RFC822.SIZE "),
    ),
    Target(name="smtp", reads=_smtp, seeds=_of_smtp, words=(b"\r\n250 ", b"\r\n250-", b"\r\n354 ", b"\r\n550 ")),
)

"""SOAP answers, mappings over them, SEV's messages and calls."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache, partial

from hub.adapters import xml_places
from hub.adapters.soap import mapping
from hub.errors import HubError, InvalidInput
from hub.protocols.sevovv import wire as sev
from hub.protocols.sevovv.building import Ends, acknowledgement, build
from hub.protocols.sevovv.codes import SevFault
from hub.protocols.sevovv.meaning import meaning, numbers, subjects
from hub.protocols.sevovv.package import Package
from hub.protocols.sevovv.reading import read
from hub.protocols.sevovv.split import narrow, split
from hub.protocols.soap import mime, own, wire, xroad
from hub.protocols.soap.client import unpack
from hub.schemas.envelope import Party
from hub.storage.attachments import MemoryAttachments
from hub.testing.samples import AUTHORITY, appeal, parcel
from tests.fuzz.judging import Target
from tests.fuzz.readers import chosen, vectors

_KINDS = (
    "text/xml; charset=utf-8",
    'multipart/related; boundary="b"; type="text/xml"; start="<soap@hub>"',
    "application/soap+xml",
    "text/html; charset=windows-1251",
)
_PATHS = ("messageId", "item[2]/id", "result/@code", "a/b/c", "faultcode", "detail/error/code")


def _tried(reading: Callable[[], object]) -> None:
    """One reading that may be refused, beside others of the same answer."""
    try:
        reading()
    except HubError:
        return


def _soap_answer(data: bytes) -> None:
    kind, rest = chosen(data, _KINDS)
    body, charset, parts = unpack(rest, kind)
    envelope = wire.read_envelope(body, charset=charset)
    fault = wire.fault_of(envelope)
    list(envelope.demanded())
    node = envelope.content
    for path in _PATHS:
        xml_places.find(envelope.body if node is None else node, path)
        mapping.fault_verdict(
            mapping.FaultField(path=path, values={"Client": "refused"}), fault.node if fault else None
        )
    _tried(lambda: xroad.read_headers(envelope))
    _tried(lambda: xroad.read_headers(envelope, copied=True))
    _tried(lambda: own.acknowledgement(node, parts))
    if node is not None:
        for name in own.MEMBERS:
            _tried(partial(own.check_members, node, name))
        _tried(partial(own.document, node, parts))


def _mime(data: bytes) -> None:
    kind, rest = chosen(data, _KINDS[1:2])
    parts = mime.split(rest, kind)
    mime.root_first(parts, "<a@b>")


def _split(data: bytes, size: int, store: MemoryAttachments) -> object:
    pieces = (data[at : at + size] for at in range(0, len(data), size))
    try:
        skeleton = split(narrow(pieces), lambda chunks: store.put(chunks, limit=1 << 24))
    except HubError as refusal:
        return refusal.stable_code
    return sorted(skeleton.files.values())


def _sev_message(data: bytes) -> None:
    store = MemoryAttachments()
    if len(data) < 2_000 and not data.startswith((b"\xff\xfe", b"\xfe\xff")) and b"\0" not in data[:4]:
        assert _split(data, 5, store) == _split(data, 1 << 20, store), "files are the same in whatever pieces they come"
    message = read(split(narrow([data]), lambda chunks: store.put(chunks, limit=1 << 24)))
    message.sealed()
    message.to_xml()
    subjects(message)
    numbers(message)
    meaning(message, "Відповідь")


def _sev_call(data: bytes) -> None:
    for reading in (sev.read_identity, sev.read_request):
        with contextlib.suppress(InvalidInput, SevFault):
            reading(data, max_bytes=1 << 20)


def _sev_answer(data: bytes) -> None:
    operation, rest = chosen(data, tuple(sev.OPERATIONS.values()))
    sev.read_response(operation, rest, max_bytes=1 << 20)


_ENDS = Ends(from_sys_id="019aa000-0000-7000-8000-00000000aaaa", from_system="Хаб")
_AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


@cache
def _messages() -> tuple[bytes, ...]:
    store = MemoryAttachments()
    made = parcel(appeal())
    skeleton = build(made, ends=_ENDS, rendering_type="application/json")
    message = b"".join(Package(skeleton, store).chunks())
    notices = (
        acknowledgement(
            about="X-1",
            ack_type=kind,
            at=_AT,
            sender=Party(code="36521731"),
            recipient=AUTHORITY,
            ends=_ENDS,
            number=("К-1", _AT.date()) if kind == 3 else None,
            text="Не наше",
        )[1]
        for kind in (1, 2, 3, 4)
    )
    reply = (
        '<Header standart="1207" version="1.5" msg_type="1" msg_id="{A}" from_org_id="1" time="2026-03-02T09:00:00">'
        '<Document idnumber="1" purpose_type="3" kind="Лист" title="т"><RegNumber regdate="2026-03-02">К-1</RegNumber>'
        '<Addressee type="0"><Referred idnumber="2" retype="д"/></Addressee><DocTransfer type="txt" idnumber="3" '
        'description="a.txt" transfer_type="1">SGVsbG8=</DocTransfer></Document><Expansion/></Header>'
    )
    return (message, *notices, reply.encode(), reply.encode("utf-16"), b"\xef\xbb\xbf" + reply.encode())


def _of_soap() -> Iterator[bytes]:
    said = own.element(
        "DeliverEnvelopeResponse", own.element("messageId", text="1"), own.element("status", text="accepted")
    )
    plain = wire.write_envelope(wire.SoapVersion.V11, said)
    yield b"\0" + plain
    yield b"\2" + wire.write_fault(wire.SoapVersion.V12, "Client", "ні")
    yield b"\0" + wire.write_fault(
        wire.SoapVersion.V11, "Server.ServiceFailed.Timeout", "ні", own.element("x", text="y")
    )
    head = b"--b\r\nContent-Type: text/xml; charset=utf-8\r\nContent-ID: <soap@hub>\r\n\r\n"
    file = b"Content-Type: application/pdf\r\nContent-ID: <f@hub>\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERg=="
    yield b"\1" + head + plain + b"\r\n--b\r\n" + file + b"\r\n--b--"
    rpc = (
        b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><m><messageId href="#i"/>'
        b"<item/><item><id>&lt;a&gt;&lt;b&gt;c&lt;/b&gt;&lt;/a&gt;</id></item></m>"
        b'<multiRef id="i">7</multiRef></s:Body></s:Envelope>'
    )
    yield b"\0" + rpc
    client, service = map(xroad.parse_identifier, ("UA/GOV/36521731/SUB", "UA/GOV/00032106/SUB/submit"))
    headers = xroad.XRoadHeaders(client=client, service=service, id="1", protocol_version="4.0")
    yield b"\0" + wire.write_envelope(wire.SoapVersion.V11, said, xroad.write_headers(headers))
    yield from (b"\0" + each for each in list(vectors("soap-php-interop", ".xml", ".txt", ".wsdl"))[:40])
    yield from (b"\0" + each for each in list(vectors("soap-node-soap", ".xml"))[:40])


def _of_calls() -> Iterator[bytes]:
    identity = {"Password": "p", "SystemId": "s"}
    session = {"SessionId": 1, "Status": "Opened", "Type": "Upload", "MessageSize": 5}
    values = {
        "identity": identity,
        "messageInfo": {"CreationDate": _AT, "MessageId": "m", "Size": 5, "Type": "Document", "Format": "Plain"},
        "hash": "h",
        "sessionId": 1,
        "messageChunk": b"abc",
        "sessionInfo": session,
        "sessionsIds": [1, 2],
        sev.COUNT: 5,
        "fromDateTime": _AT,
    }
    for operation in sev.OPERATIONS.values():
        yield sev.request(operation, values)


def _of_sev_answers() -> Iterator[bytes]:
    session = {
        "SessionId": 1,
        "Status": "Opened",
        "Type": "Upload",
        "MessageSize": 5,
        "Error": {"Code": 1, "Text": "t"},
    }
    results = {
        "SessionInfo": session,
        "DownloadChunkResponse": {"MessageChunk": b"abc", "Session": session},
        "MessageValidationInfo": {"Hash": "h", "Session": session, "Signature": b"s"},
        "ArrayOfSessionInfo": [session],
        "ArrayOfMessageInfo": [{"CreationDate": _AT, "MessageId": "m", "Size": 5, "Type": "Document"}],
        "string": "2.0",
    }
    for index, operation in enumerate(sev.OPERATIONS.values()):
        yield bytes([index]) + sev.response(operation, results[operation.result])
    yield b"\0" + sev.fault(SevFault(1, "t"))


def _of_mime() -> Iterator[bytes]:
    part = b"--b\r\nContent-Type: text/xml\r\nContent-ID: <a@b>\r\n\r\n<a/>\r\n"
    yield b"\0" + part + b"--b\r\nContent-Type: a/b;\r\n x=y\r\n\r\n1\r\n--b--\r\n"
    yield b"\0preamble\n--b\nContent-Type: text/xml\nContent-Transfer-Encoding: quoted-printable\n\n=3Ca/>\n--b--"


TARGETS = (
    Target(
        name="soap-answer", reads=_soap_answer, seeds=_of_soap, words=(b"<s:Body>", b' href="#', b' id="', b"\r\n--b")
    ),
    Target(name="soap-mime", reads=_mime, seeds=_of_mime, words=(b"\r\n--b", b"--b--", b"Content-Type: ")),
    Target(
        name="sev-message", reads=_sev_message, seeds=_messages, words=(b"<DocTransfer ", b"</DocTransfer>", b"&#10;")
    ),
    Target(name="sev-call", reads=_sev_call, seeds=_of_calls),
    Target(name="sev-answer", reads=_sev_answer, seeds=_of_sev_answers, allowed=(SevFault,)),
)

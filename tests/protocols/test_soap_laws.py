"""Laws that hold for every input: hostile bytes give our error or a value, parts survive, signatures hold."""

from __future__ import annotations

import contextlib
from datetime import timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from hub.adapters import xml_places
from hub.errors import HubError, InvalidInput
from hub.protocols.soap import mime, own
from hub.protocols.soap.client import unpack
from hub.protocols.soap.wire import SoapVersion, fault_of, read_envelope, write_envelope
from hub.schemas.envelope import Attachment
from hub.storage.attachments import MemoryAttachments
from tests.forms import examples
from tests.protocols.test_soap_security import NOW, message, signed, verify

PIECES = [
    b"<soap:Envelope xmlns:soap='http://schemas.xmlsoap.org/soap/envelope/'>",
    b"<soap:Header>",
    b"<soap:Body>",
    b"<soap:Fault><faultcode>soap:Server</faultcode></soap:Fault>",
    b"</soap:Header>",
    b"</soap:Body>",
    b"</soap:Envelope>",
    b"<!DOCTYPE a>",
    b"<![CDATA[",
    b"]]>",
    b"\xef\xbb\xbf",
    b"<?xml version='1.0' encoding='utf-16'?>",
    b"--b\r\n",
    b"--b--",
    b"Content-Type: text/xml\r\n\r\n",
    b"\n\n",
    b"\x00\xff",
]
KINDS = [
    "text/xml",
    "application/soap+xml; charset=windows-1251",
    "multipart/related; boundary=b",
    'multipart/related; boundary="',
    "",
]


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=20), max_size=12).map(b"".join), st.sampled_from(KINDS))
@example(b"--b--", "multipart/related; boundary=b")
@settings(max_examples=examples(200))
def test_hostile_bytes_give_a_value_or_our_error(data: bytes, kind: str) -> None:
    """Whatever comes: an envelope with a fault or without, or ``InvalidInput``; never another exception."""
    with contextlib.suppress(InvalidInput):
        soap, charset, _ = unpack(data, kind)
        fault_of(read_envelope(soap, charset=charset))


@given(st.lists(st.binary(max_size=200), max_size=4, unique=True), st.booleans())
@example([b"\r\n--hub-x\r\n", b"", b"--"], True)
def test_parts_survive(contents: list[bytes], mtom: bool) -> None:
    """What goes out as parts comes back byte for byte, in order, with its announced length."""
    store = MemoryAttachments()
    files = []
    for data in contents:
        sha256, size = store.put(iter([data]), limit=1_000)
        files.append(Attachment(sha256=sha256, size=size, media_type="application/pdf", name="x"))
    soap = write_envelope(SoapVersion.V11, own.element("DeliverEnvelope"))
    related = mime.Related(boundary="hub-0123456789abcdef", version=SoapVersion.V11, mtom=mtom)
    upload = related.upload(related.soap_part(soap), tuple(files), store)
    body = b"".join(upload.chunks())
    assert len(body) == upload.length
    got, _, parts = unpack(body, related.content_type)
    assert got == soap
    assert [part.data for part in parts] == contents
    assert [part.content_id for part in parts] == [mime.content_id(file) for file in files]


SIGNED = signed()


@given(st.integers(0, len(SIGNED) - 1), st.integers(1, 255))
@settings(max_examples=examples(300))
def test_one_changed_byte_never_changes_what_is_read(place: int, change: int) -> None:
    """Any byte of a signed message altered: refused, or what is read is what was signed."""
    spoiled = SIGNED[:place] + bytes([SIGNED[place] ^ change]) + SIGNED[place + 1 :]
    try:
        verified = verify(spoiled, at=NOW + timedelta(seconds=1))
    except HubError:
        return
    body, genuine = read_envelope(verified).body, read_envelope(message()).body
    assert ["".join(map(str, each.itertext())) for each in (body, genuine)] == ["genuine", "genuine"]


paths = st.text("ab/[]@123 ", max_size=12)


@given(paths)
def test_any_path_finds_text_or_nothing(path: str) -> None:
    """A path of a mapping never raises, however it is written."""
    found = xml_places.find(own.element("a", own.element("b", text="1")), path)
    assert found is None or isinstance(found, str)

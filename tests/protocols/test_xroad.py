"""X-Road's own messages and identifiers: each gets the verdict that X-Road's tests demand, in time and in bounds."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from hub.errors import ConfigurationError, InvalidInput
from hub.protocols.soap import xroad
from hub.protocols.soap.description import understand
from hub.protocols.soap.files import resolve
from hub.protocols.soap.wire import SoapVersion, read_envelope, write_envelope
from tests.adapters.alone import alone
from tests.conftest import leave_out, vectors_root
from tests.protocols.xroad_reading import Exchanged, read_message

SPEC = vectors_root().parent / "spec" / "xroad"
BOUNDARY = "multipart/related; charset=UTF-8; boundary=jetty771207119h3h10dty"
KINDS = {
    "attachm-mtom.query": 'Multipart/Related; start-info="application/soap+xml"; type="application/xop+xml"; '
    'boundary="jetty771207119h3h10dty"',
    "attachm-mtom.answer": 'Multipart/Related; start-info="application/soap+xml"; type="application/xop+xml"; '
    'boundary="jetty771207119h3h10dty"',
    "no-signature.query": "multipart/related; boundary=jetty42534330h7vzfqv2",
    "getstate-iso88591.answer": "text/xml; charset=ISO-8859-1",
}
REFUSED = {
    "empty.query": "soap.empty",
    "no-soap.query": "soap.mime",
    "attachm-no-soap.query": "soap.no_soap_part",
    "attachm-error.query": "soap.mime",
    "attachm-faulty-soap.query": "xroad.missing_header",
    "missing-protocolVersion.query": "xroad.missing_header",
    "faulty-header.query": "xroad.missing_header",
    "faulty-header2.query": "xroad.duplicate_header",
    "no-header.query": "xroad.no_header",
    "missing-body.query": "soap.body",
    "malformed-body1.query": "xroad.body",
    "malformed-body2.query": "xroad.body",
    "malformed-protocolVersion.query": "xroad.protocol_version",
    "missingobjecttype.query": "xroad.identifier",
    "faulty-multipart.query": "soap.mime",
}
FAULTS = {
    "fault.query": "CODE",
    "faulty-fault.answer": "Server",
    "customfault.answer": "FOOCODE",
    "customsoapenv.answer": "Server.CODE",
}


@pytest.fixture(autouse=True)
def _spec() -> None:
    if not SPEC.is_dir():
        leave_out(f"X-Road's messages are absent ({SPEC})")


def read(path: Path) -> Exchanged:
    data = path.read_bytes()
    kind = KINDS.get(path.name, BOUNDARY if data.startswith(b"--") else "text/xml")
    return read_message(data, kind)


@pytest.fixture
def _alone() -> Iterator[None]:
    with alone():
        yield


@pytest.mark.usefixtures("_alone")
def test_every_message_gets_its_verdict() -> None:
    """55 messages: well-formed ones are read, faults are faults, hostile ones are refused by name; none takes a second,
    50 MB or a connection.
    """
    paths = sorted((SPEC / "soap-messages").iterdir())
    assert len(paths) == 55
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for path in paths:
        begun = time.thread_time()
        if path.name in REFUSED:
            with pytest.raises(InvalidInput) as caught:
                read(path)
            assert caught.value.stable_code == REFUSED[path.name], path.name
        elif path.name in FAULTS:
            fault = read(path).fault
            assert fault is not None, path.name
            assert fault.path == FAULTS[path.name]
            assert fault.reason
        else:
            message = read(path)
            assert message.headers is not None, path.name
            assert message.headers.service.service_code, path.name
        assert time.thread_time() - begun < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024


def test_content_survives() -> None:
    """CDATA, another charset, a BOM inside a part: the text is whole; a missing userId is no error."""
    cdata = read(SPEC / "soap-messages" / "cdata.query")
    assert "<" in "".join(str(piece) for piece in cdata.envelope.body.itertext())
    path = SPEC / "soap-messages" / "getstate-iso88591.answer"
    latin = read(path)
    assert path.read_bytes().decode("iso-8859-1").partition("<response>")[2][:3] in "".join(
        str(piece) for piece in latin.envelope.body.itertext()
    )
    marked = SPEC / "soap-messages" / "attachm2-utf8bom-inside.query"
    assert b"\xef\xbb\xbf<?xml" in marked.read_bytes()
    assert len(read(marked).parts) == 1
    missing = read(SPEC / "soap-messages" / "missing-userId.answer").headers
    assert missing is not None
    assert missing.user_id is None


def test_identifiers_are_read_and_written_back_equal() -> None:
    """Nine identifiers: two contradict themselves and are refused."""
    for path in sorted((SPEC / "identifiers").iterdir()):
        node = etree.fromstring(path.read_bytes())
        if path.name.startswith("invalid"):
            with pytest.raises(InvalidInput):
                xroad.read_identifier(node)
            continue
        identifier = xroad.read_identifier(node)
        again = xroad.write_identifier(etree.QName(node).localname, identifier)
        assert xroad.read_identifier(again) == identifier
        assert [(c.tag, c.text) for c in again] == [(c.tag, c.text) for c in node.iterchildren(etree.Element)]


LOADED = ("valid.wsdl", "valid-getrandom.wsdl", "testservice.wsdl", "invalid-serviceversion-percent.wsdl")


def test_descriptions_load_from_the_table_of_addresses_or_fail_by_name() -> None:
    """Nine WSDLs with the schemas beside them and no network: loaded, or a named error; the XXE one for its DOCTYPE."""
    schemas = {f"xsd/{path.name}": path.read_bytes() for path in sorted((SPEC / "xsd").iterdir())}
    addresses = {
        f"http://x-road.{country}/xsd/{name}": f"xsd/{file}"
        for country in ("eu", "ee")
        for name, file in (("xroad.xsd", "xroad.xsd"), ("x-road.xsd", "xroad.xsd"), ("identifiers", "identifiers.xsd"))
    }
    ends = {}
    begun = time.thread_time()
    for path in sorted((SPEC / "wsdl").iterdir()):
        try:
            understand(resolve(path.name, {path.name: path.read_bytes(), **schemas}, addresses))
            ends[path.name] = ""
        except ConfigurationError as error:
            ends[path.name] = str(error)
    assert time.thread_time() - begun < 5
    assert all(ends[name] == "" for name in LOADED), ends
    assert "xml.doctype" in ends.pop("xxe.wsdl")
    assert all(text == "" or text.startswith("wsdl.") for text in ends.values())


part = st.text("abcXYZ019_-.'ії", min_size=1, max_size=12)


@given(st.lists(part, min_size=4, max_size=4), st.lists(part, min_size=5, max_size=6), st.permutations(range(6)))
def test_headers_are_read_in_any_order(client: list[str], service: list[str], order: list[int]) -> None:
    """Whatever codes (``_`` too) and whatever order: what is written is read, and is the same exchange."""
    headers = xroad.XRoadHeaders(
        client=xroad.parse_identifier("/".join(client)),
        service=xroad.parse_identifier("/".join(service)),
        id="019aa001-0000-7000-8000-000000000001",
        protocol_version="4.0",
        user_id="hub",
        issue="НКЦ-1",
    )
    blocks = xroad.write_headers(headers)
    body = etree.Element("{urn:x}anything")
    data = write_envelope(SoapVersion.V11, body, [blocks[index] for index in order])
    received = xroad.read_headers(read_envelope(data))
    assert received == headers
    assert xroad.same_exchange(headers, received)

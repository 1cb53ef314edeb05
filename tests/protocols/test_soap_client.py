"""The SOAP client and the reading of WSDLs: what goes out, what comes back, and every way it can end."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hub.errors import (
    ConfigurationError,
    HubError,
    InvalidInput,
    OutcomeUnknown,
    PermanentFailure,
    Retry,
    SealRefused,
    TemporaryFailure,
)
from hub.net.http import HttpPolicy, HttpSession
from hub.protocols.faults import classify
from hub.protocols.soap.client import SoapClient, SoapRequest, request_of, unpack
from hub.protocols.soap.description import Description, from_folder, understand
from hub.protocols.soap.faults import SoapFault
from hub.protocols.soap.files import resolve
from hub.protocols.soap.wire import SoapVersion, fault_of, read_envelope, write_fault
from hub.schemas import mime_rules
from tests.adapters.servers import answering, http, serving

SCHEMA = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"
 targetNamespace="urn:t" elementFormDefault="qualified">
<xs:element name="Register"><xs:complexType><xs:sequence>
<xs:element name="number" type="xs:string"/><xs:element name="file" type="xs:base64Binary" minOccurs="0"/>
</xs:sequence></xs:complexType></xs:element>
<xs:element name="RegisterResponse"><xs:complexType><xs:sequence>
<xs:element name="result" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
</xs:schema>"""
WSDL = """<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
 xmlns:soap12="http://schemas.xmlsoap.org/wsdl/soap12/" xmlns:t="urn:t" targetNamespace="urn:t">
<types><xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:all">
<xs:import namespace="urn:t" schemaLocation="LOCATION"/></xs:schema></types>
<message name="in"><part name="p" element="t:Register"/></message>
<message name="out"><part name="p" element="t:RegisterResponse"/></message>
<portType name="P"><operation name="Register"><input message="t:in"/><output message="t:out"/></operation></portType>
<binding name="B11" type="t:P"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
<operation name="Register"><soap:operation soapAction="urn:t/Register"/>
<input><soap:body use="literal"/></input><output><soap:body use="literal"/></output></operation></binding>
<binding name="B12" type="t:P"><soap12:binding transport="http://schemas.xmlsoap.org/soap/http"/>
<operation name="Register"><soap12:operation soapAction="urn:t/Register"/>
<input><soap12:body use="literal"/></input><output><soap12:body use="literal"/></output></operation></binding>
<service name="S"><port name="P11" binding="t:B11"><soap:address location="http://example.org/"/></port>
<port name="P12" binding="t:B12"><soap12:address location="http://example.org/"/></port></service></definitions>"""


def files(location: str = "types.xsd", **more: str) -> dict[str, bytes]:
    """A description of two files; ``location``: how the WSDL names the schema."""
    return {
        "service.wsdl": WSDL.replace("LOCATION", location).encode(),
        "types.xsd": SCHEMA.encode(),
        **{name: text.encode() for name, text in more.items()},
    }


def described(location: str = "types.xsd") -> Description:
    return understand(resolve("service.wsdl", files(location)))


@contextmanager
def calling(*answers: bytes) -> Iterator[tuple[SoapClient, str, list[tuple[bytes, bytes]]]]:
    """A client, the address of a server that gives these answers, and what it received."""
    policy = HttpPolicy(allow_http=True, allow_private=(ipaddress.ip_network("127.0.0.0/8"),))
    with serving(answering(*answers)) as server, HttpSession(policy) as session:
        yield SoapClient(session), server.url(), server.requests


def answer_of(version: SoapVersion, result: str = "12/3") -> bytes:
    space, kind = version.namespace, "text/xml" if version is SoapVersion.V11 else "application/soap+xml"
    body = (
        f'<e:Envelope xmlns:e="{space}"><e:Body><RegisterResponse xmlns="urn:t"><result>{result}</result>'
        f"</RegisterResponse></e:Body></e:Envelope>"
    )
    return http("200 OK", body.encode(), Content_Type=kind)


@pytest.mark.parametrize(("port", "version"), [("P11", SoapVersion.V11), ("P12", SoapVersion.V12)])
def test_an_operation_is_said_and_its_answer_read(port: str, version: SoapVersion) -> None:
    """Both versions: the body that the WSDL asks for goes out with its action, the answer's values come back."""
    operation = described().operation("Register", port=port)
    with calling(answer_of(version)) as (client, url, requests):
        values = {"number": "К-1", "file": b"\x00scan"}
        assert client.call(operation, values, url=url, deadline_secs=5) == "12/3"
    head, body = requests[0]
    sent = read_envelope(body)
    assert sent.version is version
    assert b"urn:t/Register" in head
    assert (b"SOAPAction" in head) == (version is SoapVersion.V11)
    assert sent.body.findtext(".//{urn:t}number") == "К-1"
    assert base64.b64decode(sent.body.findtext(".//{urn:t}file") or "") == b"\x00scan"


def test_a_value_that_cannot_be_written_is_not_repeated() -> None:
    """What the body cannot hold is refused without its text: it may be the applicant's."""
    with pytest.raises(ConfigurationError) as caught:
        described().operation("Register").request({"number": "Канаркенко\x00"})
    assert "Канаркенко" not in str(caught.value)


def test_an_action_that_would_break_a_header_is_refused() -> None:
    """A WSDL's soapAction is another's text: a quotation mark or line break in it stops the operation by name."""
    broken = {**files(), "service.wsdl": files()["service.wsdl"].replace(b'"urn:t/Register"', b"'urn:t/\"; x=\"'")}
    with pytest.raises(ConfigurationError, match="soapAction"):
        understand(resolve("service.wsdl", broken)).operation("Register")


def test_a_description_is_shared_by_threads() -> None:
    """Eight threads say and read with one description at once: every one the same bytes and values."""
    operation = described().operation("Register")
    answer = read_envelope(answer_of(SoapVersion.V11).partition(b"\r\n\r\n")[2])

    def work(_: int) -> tuple[bytes, Any]:
        return request_of(operation, {"number": "1"}, url="u").envelope, operation.read_answer(answer)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(work, range(400)))) == 1


def test_the_same_values_give_the_same_bytes() -> None:
    """An attempt that is repeated sends what was written down before the first one."""
    made = [request_of(described().operation("Register"), {"number": "1"}, url="u").envelope for _ in range(2)]
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("values", "named", "code"),
    [({}, "number", "wsdl.values"), ({"number": "1", "nummer": "2"}, "nummer", "wsdl.member")],
)
def test_wrong_values_are_named_before_anything_goes_out(values: dict[str, Any], named: str, code: str) -> None:
    """A missing and an unknown name are refused by name; what is unknown no other message mends."""
    with pytest.raises(ConfigurationError, match=named) as caught:
        described().operation("Register").request(values)
    assert caught.value.stable_code == code


ENDS: list[tuple[bytes, type[HubError], str]] = [
    (http("302 Found", b"", Location="file:///etc/passwd"), OutcomeUnknown, "soap.redirect"),
    (http("307 Again", b"", Location="http://127.0.0.1:1/"), OutcomeUnknown, "soap.redirect"),
    (http("503 Busy", b"", Retry_After="7"), TemporaryFailure, "soap.try_later"),
    (http("401 No", b"<html/>", Content_Type="text/html"), TemporaryFailure, "soap.unauthorized"),
    (
        http("503 Busy", write_fault(SoapVersion.V11, "Server", "x"), Content_Type="text/xml", Retry_After="7"),
        TemporaryFailure,
        "soap.try_later",
    ),
    (http("404 No", b"", Content_Type="text/html"), PermanentFailure, "soap.http_404"),
    (http("500 Oops", b"<html/>", Content_Type="text/html"), OutcomeUnknown, "soap.server_error"),
    (http("200 OK", b"<html/>", Content_Type="text/html"), OutcomeUnknown, "soap.no_answer"),
    (http("200 OK", b"", Content_Type="text/xml"), OutcomeUnknown, "soap.no_answer"),
    (
        http("200 OK", b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', Content_Type="text/xml"),
        OutcomeUnknown,
        "soap.no_answer",
    ),
    (answer_of(SoapVersion.V12), OutcomeUnknown, "soap.no_answer"),
    (
        http("200 OK", b"--c\nContent-Type: text/xml\n\n<a/>\n--b--\n", Content_Type="multipart/related; boundary=b"),
        OutcomeUnknown,
        "soap.no_answer",
    ),
]


@pytest.mark.parametrize(("said", "kind", "code"), ENDS)
def test_what_is_no_answer_is_an_error_with_a_code(said: bytes, kind: type[HubError], code: str) -> None:
    """Redirects (file:// too) are not followed; pages, emptiness, DTDs and another SOAP version are no success."""
    with calling(said) as (client, url, requests), pytest.raises(kind) as caught:
        client.call(described().operation("Register"), {"number": "1"}, url=url, deadline_secs=5)
    assert caught.value.stable_code == code
    assert len(requests) == 1


@pytest.mark.parametrize("version", list(SoapVersion))
def test_faults_are_read_whole_and_classified(version: SoapVersion) -> None:
    """A fault is an error that keeps code, reason and detail; its class says what to do."""
    said = write_fault(version, "Client", "немає")
    served = calling(http("500 Fault", said, Content_Type="text/xml"))
    with served as (client, url, _), pytest.raises(SoapFault) as caught:
        client.call(described().operation("Register"), {"number": "1"}, url=url, deadline_secs=5)
    assert (caught.value.retry, caught.value.fault.reason) == (Retry.OPERATOR, "немає")
    assert "немає" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("Server", "retry"),
        ("Client", "permanent"),
        ("Sender.FailedAuthentication", "operator"),
        ("Server.ServerProxy.NetworkError", "retry"),
        ("server.serverproxy.network_error", "retry"),
        ("Server.ServerProxy.AccessDenied", "operator"),
        ("Server.ServerProxy.ServiceFailed.InvalidSoap", "retry"),
        ("Server.ClientProxy.UnknownMember", "operator"),
        ("Client.InvalidSoapAction", "permanent"),
        ("VersionMismatch", "operator"),
        ("", "retry"),
    ],
)
def test_fault_codes_have_a_class(path: str, kind: str) -> None:
    """SOAP, WS-Security and X-Road codes, in both of X-Road's spellings."""
    assert classify(path) == kind


def test_faults_with_prefixes_of_their_own_are_read() -> None:
    """Own prefixes, a namespaced faultcode and nested subcodes do not break it."""
    one = b"""<x:Envelope xmlns:x="http://schemas.xmlsoap.org/soap/envelope/"><x:Body><x:Fault>
      <x:faultcode>x:Server.Db</x:faultcode><x:faultstring>a</x:faultstring><detail><d>1</d></detail></x:Fault></x:Body></x:Envelope>"""
    fault = fault_of(read_envelope(one))
    assert fault is not None
    assert (fault.path, fault.reason, fault.detail is not None) == ("Server.Db", "a", True)
    two = b"""<x:Envelope xmlns:x="http://www.w3.org/2003/05/soap-envelope"><x:Body><x:Fault><x:Code><x:Value>x:Sender</x:Value>
      <x:Subcode><x:Value>w:InvalidSecurity</x:Value></x:Subcode></x:Code><x:Reason><x:Text>b</x:Text></x:Reason></x:Fault></x:Body></x:Envelope>"""
    fault = fault_of(read_envelope(two))
    assert fault is not None
    assert fault.path == "Sender.InvalidSecurity"


@pytest.mark.parametrize(
    ("location", "repaired"),
    [("types.xsd", False), ("http://old.example.org/x/types.xsd", True), ("../wrong/other.xsd", True)],
)
def test_a_wrong_location_alone_is_mended(location: str, repaired: bool) -> None:
    """A schema that is there under another address is found, and a person is told."""
    description = described(location)
    assert bool(description.repairs) == repaired
    assert description.operation("Register").name == "Register"


def test_what_is_missing_is_named() -> None:
    """A file that is not there is named with the line that asks for it."""
    with pytest.raises(ConfigurationError, match=r"service\.wsdl, line 4.*absent\.xsd") as caught:
        resolve("service.wsdl", {"service.wsdl": WSDL.replace("LOCATION", "absent.xsd").encode()})
    assert caught.value.stable_code == "wsdl.import_missing"


def pinned(folder: Path) -> str:
    """Lay a description down; its pin."""
    for name, data in files().items():
        (folder / name).write_bytes(data)
    entries = [{"path": name, "sha256": hashlib.sha256(data).hexdigest()} for name, data in files().items()]
    raw = json.dumps({"root": "service.wsdl", "files": entries}).encode()
    (folder / "description.json").write_bytes(raw)
    return hashlib.sha256(raw).hexdigest()


def test_a_pinned_folder_is_read_once(tmp_path: Path) -> None:
    """The same folder and pin give the same object; an altered file or manifest is refused by name."""
    pin = pinned(tmp_path)
    assert from_folder(tmp_path, pin) is from_folder(tmp_path, pin)
    other = tmp_path / "other"
    other.mkdir()
    pin = pinned(other)
    (other / "types.xsd").write_bytes(SCHEMA.encode() + b"\n")
    with pytest.raises(ConfigurationError, match=r"types\.xsd"):
        from_folder(other, pin)
    with pytest.raises(ConfigurationError, match="the channel's sha256"):
        from_folder(other, "0" * 64)


def multipart(*parts: str, boundary: str = "b1") -> tuple[bytes, str]:
    body = "".join(f"--{boundary}\n{part}\n" for part in parts) + f"--{boundary}--\n"
    return body.encode(), f'multipart/related; boundary="{boundary}"'


def test_parts_are_read_with_bare_line_feeds() -> None:
    """SOAP first, files after it with their Content-ID; LF line ends as X-Road writes them."""
    body, kind = multipart(
        "Content-Type: text/xml; charset=UTF-8\n\n<a/>", "Content-Type: image/png\nContent-ID: <x@y>\n\nPNG\n\nPNG"
    )
    soap, charset, parts = unpack(body, kind)
    assert (soap, charset) == (b"<a/>", "UTF-8")
    assert [(part.content_id, part.data) for part in parts] == [("x@y", b"PNG\n\nPNG")]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"--b\n\n<a/>\n--c--\n", "multipart/related; boundary=b"),
        (b"--b\nContent-Tpye: text/xml\n\n<a/>\n--b--\n", "multipart/related; boundary=b"),
        (b"--b\nContent-Type: text/xml\nContent-Type: image/png\n\n<a/>\n--b--\n", "multipart/related; boundary=b"),
        (b"--b\nContent-Type: image/png\n\nx\n--b--\n", "multipart/related; boundary=b"),
        (b"<a/>", "multipart/related"),
        (b"--b\nnever ends", "multipart/related; boundary=b"),
        (b"--b--\n" * 500, "multipart/related; boundary=b"),
        (b"x", "text/html"),
    ],
)
def test_broken_multipart_is_refused(body: bytes, kind: str) -> None:
    """Boundaries that do not match, misspelt or doubled headers, no SOAP first: a named error."""
    with pytest.raises(InvalidInput) as caught:
        unpack(body, kind)
    assert caught.value.stable_code.startswith("soap.")


@pytest.mark.parametrize("kind", ["multipart/related; boundary=b", 'multipart/related; boundary=b; start="<a@b>"'])
@pytest.mark.parametrize("name", ["base64", "Base64 ", "base 64"])
@pytest.mark.parametrize("preamble", [b"", b"This is a multi-part message in MIME format.\n", b"\r\n--bb\r\n"])
def test_the_root_part_is_found_and_decoded(kind: str, name: str, preamble: bytes) -> None:
    """The part that ``start`` names is the root, else the first; its transfer encoding is read, the preamble is not."""
    soap = base64.encodebytes(b"<Envelope xmlns='urn:x'/>")
    parts = [b"Content-Type: text/xml\nContent-ID: <a@b>\nContent-Transfer-Encoding: %s\n\n%s" % (name.encode(), soap)]
    parts.insert(0 if "start" in kind else 1, b"Content-Type: image/png\nContent-ID: <x>\n\nPNG")
    body = preamble + b"".join(b"--b\n" + part + b"\n" for part in parts) + b"--b--\n"
    root, _, others = unpack(body, kind)
    assert (root, [part.data for part in others]) == (b"<Envelope xmlns='urn:x'/>", [b"PNG"])


@pytest.mark.parametrize("kind", ["", "text/plain", "text/html; charset=utf-8", "soap", "application/json", "?"])
def test_the_bytes_say_what_is_soap(kind: str) -> None:
    """An envelope is SOAP under any type; a page for people is none."""
    assert unpack(b"\n<?xml version='1.0'?><s:Envelope xmlns:s='urn:x'/>", kind)[0].startswith(b"\n<?xml")
    with pytest.raises(InvalidInput):
        unpack(b"<html><body>Service</body></html>", kind)


@pytest.mark.parametrize("kind", ["text/xml", "", "application/octet-stream", "multipart/related; boundary=b"])
@pytest.mark.parametrize("body", [b"--b\r\nContent-Type: text/xml\r\n\r\n<Envelope/>\r\n--b--\r\n", b"\r\n<Envelope/>"])
def test_the_bytes_say_whether_there_are_parts(kind: str, body: bytes) -> None:
    """Parts under the type of XML, and a lone envelope under the type of parts: both are read."""
    assert unpack(body, kind)[0].strip() == b"<Envelope/>"


def test_parameters_of_a_content_type() -> None:
    """Quoted and bare parameters, names without case."""
    kind, options = mime_rules.parameters('Multipart/Related; Boundary="a;b"; type=text/xml')
    assert (kind, options) == ("multipart/related", {"boundary": "a;b", "type": "text/xml"})


@pytest.mark.parametrize("declared", ["utf-8", "utf8", "windows-1251", "utf-16"])
@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "cp1251"])
def test_descriptions_are_read_in_the_encoding_that_they_are_in(charset: str, declared: str) -> None:
    """WSDLs as Windows writes them: a mark, wide letters, a declaration that is not true, a blank line before it."""
    said = "windows-1251" if charset == "cp1251" else declared
    text = f'\r\n<?xml version="1.0" encoding="{said}"?>' + WSDL.replace('name="Register"', 'name="Реєстрація"')
    made = understand(resolve("s.wsdl", {"s.wsdl": text.encode(charset), "LOCATION": SCHEMA.encode()}))
    assert made.operation("Реєстрація").name == "Реєстрація"


class _NothingSigned:
    """A guard that finds no signature."""

    def secure(self, envelope: bytes) -> bytes:
        return envelope

    def check(self, envelope: bytes) -> bytes:
        raise SealRefused("There is no signature.", code="wsse.missing")


def test_a_fault_that_counts_as_an_answer_is_signed_like_one() -> None:
    """Where answers must be signed, nobody says «taken already» by a fault without a signature."""
    said = write_fault(SoapVersion.V11, "Server", "17")

    answer = http("500 Fault", said, Content_Type="text/xml")
    policy = HttpPolicy(allow_http=True, allow_private=(ipaddress.ip_network("127.0.0.0/8"),))
    with serving(answering(answer, answer)) as server, HttpSession(policy) as session:
        request = SoapRequest(url=server.url(), version=SoapVersion.V11, action="", envelope=b"<a/>")
        known = SoapClient(session).exchange(request, deadline_secs=5, knows=lambda _: True)
        assert known.fault is not None
        assert known.said == "Fault Server: 17"
        with pytest.raises(OutcomeUnknown) as caught:
            SoapClient(session, guard=_NothingSigned()).exchange(request, deadline_secs=5, knows=lambda _: True)
    assert caught.value.stable_code == "wsse.missing"

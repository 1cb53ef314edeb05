"""The SOAP door: clients that others wrote exchange with it; the rights, rules and limits are those of HTTP."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest
import requests
from lxml import etree

from hub.ports import Rendering
from hub.protocols.soap import own
from hub.protocols.soap.wire import FaultElement, SoapVersion, fault_of, read_envelope, write_envelope
from hub.schemas.ids import CaseId, MessageId, new_id
from hub.sealed import seal_envelope
from tests.api.world import NCC, PULLER, SEALER, World, answer, as_bytes, envelope, form, registered
from tests.conftest import ROOT, leave_out

FOREIGN = ROOT / "tests" / "foreign"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8


def say(
    world: World,
    name: str,
    *children: etree._Element,
    who: str | None = "puller",
    version: SoapVersion = SoapVersion.V11,
    **headers: str,
) -> requests.Response:
    """One call of the door."""
    kind = "text/xml" if version is SoapVersion.V11 else "application/soap+xml"
    body = write_envelope(version, own.element(name, *children))
    return world.call("POST", "/soap/hub", who, data=body, headers={"Content-Type": kind, **headers})


def content(response: requests.Response) -> etree._Element:
    assert response.status_code == 200, response.text
    node = read_envelope(response.content).content
    assert node is not None
    return node


def fault(response: requests.Response) -> tuple[int, FaultElement, str]:
    """Status, fault and the code in its detail."""
    found = fault_of(read_envelope(response.content))
    assert found is not None, response.text
    assert found.detail is not None
    return response.status_code, found, found.detail.findtext(f".//{own.tag('code')}") or ""


def document(data: bytes, kind: str = "application/json") -> tuple[etree._Element, etree._Element]:
    return (
        own.element("contentType", text=kind),
        own.element("content", text=base64.b64encode(data).decode()),
    )


def sealed_appeal(world: World, message: str) -> bytes:
    """The appeal as the hub seals it for its authority."""
    kept = world.store.message(MessageId(uuid.UUID(message)))
    assert kept is not None
    return seal_envelope(None, kept.body, Rendering.JSON, world.hub.seal)


def waiting(world: World) -> tuple[str, str, dict[str, Any]]:
    """A case whose message waits in the puller's inbox: case, message and a receipt on it."""
    made = world.submit(topics=["water"])
    world.offer(made["case_id"], sealed_appeal(world, made["message_id"]))
    return made["case_id"], made["message_id"], registered(PULLER, made["case_id"], made["message_id"])


def state(world: World, case: str) -> str:
    row = world.store.case(CaseId(uuid.UUID(case)))
    assert row is not None
    return row.state


SYSTEM_PYTHON = "/usr/bin/python3"
"""Where Debian's packages of Python are."""
CLIENTS = {
    "php": ["php", str(FOREIGN / "hub_client.php")],
    "node": ["node", str(FOREIGN / "node" / "hub_client.js")],
    "perl": ["perl", str(FOREIGN / "hub_client.pl")],
    SYSTEM_PYTHON: [SYSTEM_PYTHON, str(FOREIGN / "hub_client.py")],
}
LIBRARIES = {"perl": ["perl", "-MSOAP::Lite", "-e1"], SYSTEM_PYTHON: [SYSTEM_PYTHON, "-c", "import suds"]}
"""What must work for a client to run."""
SPOKEN = [
    (name, version) for name in CLIENTS for version in ("1.1", "1.2") if (name, version) != (SYSTEM_PYTHON, "1.2")
]
"""suds speaks SOAP 1.1 only."""


def need_library(program: str) -> None:
    if program in LIBRARIES and subprocess.run(LIBRARIES[program], capture_output=True, check=False).returncode:
        leave_out(f"the SOAP library of {program} is not installed (tests/foreign.sh)")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "version"), [pytest.param(*each, marks=pytest.mark.foreign(each[0])) for each in SPOKEN]
)
def test_a_client_that_others_wrote_exchanges_an_appeal_and_a_receipt(
    world: World, program: str, version: str, tmp_path: Path
) -> None:
    """PHP's SoapClient, npm's soap and suds by our WSDL, SOAP::Lite without: inbox, message byte for byte, receipt,
    repeat, state, fault.
    """
    need_library(program)
    if program == "node" and not (FOREIGN / "node" / "node_modules" / "soap").is_dir():
        leave_out("npm's soap is not installed (tests/foreign.sh)")
    case, message, receipt = waiting(world)
    (tmp_path / "receipt.json").write_bytes(as_bytes(receipt))
    command = [*CLIENTS[program], f"{world.url}/soap/hub?wsdl", world.tokens["puller"], message]
    done = subprocess.run(
        [*command, str(tmp_path / "receipt.json"), version], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    told = json.loads(done.stdout)
    assert message in told["inbox"]
    appeal = json.loads(base64.b64decode(told["content"]))
    assert appeal["envelope"]["body"]["text"] == form()["text"]
    assert appeal["envelope"]["header"]["message_id"] == message
    assert appeal["seal"]
    assert (told["content_type"], told["repeat"]) == ("application/json", [False, True])
    assert (told["state"], told["number"]) == ("registered", "Ш-12/34")
    assert told["fault"]["detail"] == "inbox.unknown"
    assert state(world, case) == "registered"


@pytest.mark.slow
@pytest.mark.parametrize("program", [pytest.param(each, marks=pytest.mark.foreign(each)) for each in ("node", "perl")])
def test_a_client_that_others_wrote_sends_a_file_as_a_part(world: World, program: str, tmp_path: Path) -> None:
    """Multipart bodies of npm's soap, and of SOAP::Lite with preamble, base64 and encoded id: the file is stored and
    belongs to the answer.
    """
    need_library(program)
    if program == "node" and not (FOREIGN / "node" / "node_modules" / "soap").is_dir():
        leave_out("npm's soap is not installed (tests/foreign.sh)")
    case, message, _ = waiting(world)
    (tmp_path / "answer.json").write_bytes(as_bytes(with_file(case, message)))
    (tmp_path / "photo.png").write_bytes(PNG)
    script = FOREIGN / ("node/send_file.js" if program == "node" else "send_file.pl")
    command = [program, str(script), f"{world.url}/soap/hub?wsdl", world.tokens["puller"]]
    done = subprocess.run(
        [*command, str(tmp_path / "answer.json"), str(tmp_path / "photo.png")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"caseId": case, "repeat": False}
    assert world.call("GET", f"/v1/attachments/{hashlib.sha256(PNG).hexdigest()}", "puller").content == PNG
    assert state(world, case) == "answered"


def test_zeep_exchanges_an_appeal_and_a_receipt(world: World) -> None:
    """zeep with nothing of ours: the WSDL from the door, a bearer key, the whole exchange."""
    import zeep
    from zeep.transports import Transport

    case, message, receipt = waiting(world)
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {world.tokens['puller']}"
        client = zeep.Client(f"{world.url}/soap/hub?wsdl", transport=Transport(session=session))
        for port in ("HubSoap11", "HubSoap12"):
            service = client.bind("Hub", port)
            assert message in [each.messageId for each in service.ListInbox(limit=200).message]
            assert service.FetchMessage(message).content == world.delivery(case).payload
        taken = service.Acknowledge(message, "application/json", as_bytes(receipt))
        assert (taken.caseId, taken.repeat) == (case, False)
        assert service.GetStatus(case).state == "registered"


def test_the_contact_centre_submits_a_sealed_appeal(world: World) -> None:
    """SubmitEnvelope with the centre's seal makes a case; the same again is a repeat; unsealed is refused."""
    made = envelope("appeal", form(), sender=NCC, case=str(uuid.uuid4()), reply_to=None)
    made["header"]["case_id"] = str(new_id())
    sealed = world.sealed(made, world.ncc_key, Rendering.XML)
    first = content(say(world, "SubmitEnvelope", *document(sealed, "application/xml"), who="ncc"))
    again = content(say(world, "SubmitEnvelope", *document(sealed, "application/xml"), who="ncc"))
    assert first.findtext(own.tag("caseId")) == made["header"]["case_id"]
    assert [node.findtext(own.tag("repeat")) for node in (first, again)] == ["false", "true"]
    made["header"]["message_id"] = str(new_id())
    refused = say(world, "SubmitEnvelope", *document(as_bytes(made)), who="ncc")
    assert fault(refused)[2] == "seal.missing"


def test_an_authority_with_a_key_answers_sealed(world: World) -> None:
    """A sealed answer is taken in over SOAP; the same unsealed is refused with the code that HTTP gives."""
    made = world.submit(topics=["heating"])
    told = answer(SEALER, made["case_id"], made["message_id"])
    assert fault(say(world, "SubmitEnvelope", *document(as_bytes(told)), who="sealer"))[2] == "seal.missing"
    sealed = world.sealed(told, world.sealer_key, Rendering.JWS)
    content(say(world, "SubmitEnvelope", *document(sealed, "application/jose"), who="sealer"))
    assert state(world, made["case_id"]) == "answered"


def with_file(case: str, message: str) -> dict[str, Any]:
    entry = {
        "sha256": hashlib.sha256(PNG).hexdigest(),
        "size": len(PNG),
        "media_type": "image/png",
        "name": "яма.png",
    }
    return answer(PULLER, case, message, attachments=[entry])


def file_of(child: etree._Element, data: bytes = PNG) -> etree._Element:
    return own.element(
        "file",
        own.element("sha256", text=hashlib.sha256(data).hexdigest()),
        own.element("mediaType", text="image/png"),
        child,
    )


def related(version: SoapVersion, soap: bytes, *parts: tuple[str, str, bytes]) -> tuple[bytes, str]:
    kind = "text/xml" if version is SoapVersion.V11 else "application/soap+xml"
    body = f'--b\r\nContent-Type: application/xop+xml; type="{kind}"\r\nContent-ID: <s@x>\r\n\r\n'.encode() + soap
    for name, media, data in parts:
        body += f"\r\n--b\r\nContent-Type: {media}\r\nContent-ID: <{name}>\r\n\r\n".encode() + data
    return body + b"\r\n--b--\r\n", f'multipart/related; boundary=b; type="application/xop+xml"; start-info="{kind}"'


@pytest.mark.parametrize("way", ["mtom", "swa", "inline"])
def test_files_come_along(world: World, way: str) -> None:
    """MTOM parts, SwA references and base64 in the body: the file is stored and belongs to the answer."""
    case, message, _ = waiting(world)
    sealed = as_bytes(with_file(case, message))
    if way == "inline":
        inline = own.element("content", text=base64.b64encode(PNG).decode())
        taken = say(world, "SubmitEnvelope", *document(sealed), file_of(inline))
    else:
        mtom = way == "mtom"
        child = own.element("content", own.include("f@x")) if mtom else own.element("reference", text="cid:f@x")
        inner = (own.element("contentType", text="application/json"), own.element("content", own.include("e@x")))
        body = own.element("SubmitEnvelope", *(inner if mtom else document(sealed)), file_of(child))
        parts = [("f@x", "image/png", PNG), *([("e@x", "application/octet-stream", sealed)] if mtom else [])]
        data, kind = related(SoapVersion.V11, write_envelope(SoapVersion.V11, body), *parts)
        taken = world.call("POST", "/soap/hub", "puller", data=data, headers={"Content-Type": kind})
    assert content(taken).findtext(own.tag("caseId")) == case
    digest = hashlib.sha256(PNG).hexdigest()
    assert world.call("GET", f"/v1/attachments/{digest}", "puller").content == PNG


@pytest.mark.parametrize("odd", ["preamble", "start", "transfer", "cid", "charset"])
def test_odd_but_legal_multipart_is_read(world: World, odd: str) -> None:
    """A preamble, the root behind the file, base64 parts, percent-encoded ids, a charset: as toolkits write them."""
    case, message, _ = waiting(world)
    child = own.element("reference", text="cid:f%40x" if odd == "cid" else "cid:f@x")
    soap = write_envelope(
        SoapVersion.V11, own.element("SubmitEnvelope", *document(as_bytes(with_file(case, message))), file_of(child))
    )
    transfer, charset = "", "utf8"
    png = PNG
    if odd == "transfer":
        transfer, png, soap = (
            "Content-Transfer-Encoding: base64 \r\n",
            base64.encodebytes(PNG),
            base64.encodebytes(soap),
        )
    if odd == "charset":
        soap, charset = soap.decode().encode("utf-16"), "utf-16"
    root = f"Content-Type: text/xml; charset={charset}\r\nContent-ID: <s@x>\r\n{transfer}\r\n".encode() + soap
    file = f"Content-Type: image/png\r\nContent-ID: <f@x>\r\n{transfer}\r\n".encode() + png
    body = b"".join(b"--b\r\n" + each + b"\r\n" for each in ([file, root] if odd == "start" else [root, file]))
    data = (b"This is a message in MIME format.\r\n--bx\r\n" if odd == "preamble" else b"") + body + b"--b--\r\n"
    kind = 'multipart/related; boundary=b; type="text/xml"' + ('; start="<s@x>"' if odd == "start" else "")
    taken = world.call("POST", "/soap/hub", "puller", data=data, headers={"Content-Type": kind})
    assert content(taken).findtext(own.tag("caseId")) == case
    assert world.call("GET", f"/v1/attachments/{hashlib.sha256(PNG).hexdigest()}", "puller").content == PNG


def plain(node: etree._Element) -> etree._Element:
    """The element, its members in no namespace."""
    for each in node.iterdescendants(etree.Element):
        each.tag = etree.QName(each).localname
    return node


def test_members_without_a_namespace_are_ours(world: World) -> None:
    """SOAP::Lite and PHP without a WSDL qualify the operation only: each call reads its members all the same."""
    case, message, receipt = waiting(world)
    calls = [
        own.element("ListInbox", own.element("limit", text="1")),
        own.element("FetchMessage", own.element("messageId", text=message)),
        own.element("Acknowledge", own.element("messageId", text=message), *document(as_bytes(receipt))),
        own.element("GetStatus", own.element("caseId", text=case)),
    ]
    for each in calls:
        body = write_envelope(SoapVersion.V11, plain(each))
        got = world.call("POST", "/soap/hub", "puller", data=body, headers={"Content-Type": "text/xml"})
        assert etree.QName(content(got)).localname.endswith("Response")
    assert state(world, case) == "registered"


@pytest.mark.parametrize("name", list(own.MEMBERS))
@pytest.mark.parametrize("member", [own.element("Limit"), etree.Element("limits"), etree.Element("{urn:x}messageId")])
def test_a_member_that_a_call_does_not_have_is_named(world: World, name: str, member: etree._Element) -> None:
    """Misspelt, unknown or of another namespace: nothing is skipped in silence."""
    if name == "file":
        call = own.element("SubmitEnvelope", own.element("file", copy.deepcopy(member)))
    else:
        call = own.element(name, copy.deepcopy(member))
    body = write_envelope(SoapVersion.V11, call)
    refused = world.call("POST", "/soap/hub", "puller", data=body, headers={"Content-Type": "text/xml"})
    assert fault(refused)[2] == "soap.content"
    assert etree.QName(member).localname in refused.text


ENVELOPES = {
    SoapVersion.V11: ("actor", "http://schemas.xmlsoap.org/soap/actor/next"),
    SoapVersion.V12: ("role", "http://www.w3.org/2003/05/soap-envelope/role/next"),
}


@pytest.mark.parametrize("version", list(SoapVersion))
@pytest.mark.parametrize("whose", ["nobody's", "the next's", "another's"])
def test_a_block_that_must_be_understood_is_ours_or_not(world: World, version: SoapVersion, whose: str) -> None:
    """A block for another node is not ours; one for us is refused by its name (SOAP 1.2: NotUnderstood)."""
    attribute, following = ENVELOPES[version]
    block = etree.Element("{urn:w}Audit", {f"{{{version.namespace}}}mustUnderstand": "true"})
    role = {"nobody's": None, "the next's": following, "another's": "http://gateway.example/"}[whose]
    if role is not None:
        block.set(f"{{{version.namespace}}}{attribute}", role)
    body = write_envelope(version, own.element("ListInbox"), [block])
    kind = "text/xml" if version is SoapVersion.V11 else "application/soap+xml"
    answer = world.call("POST", "/soap/hub", "puller", data=body, headers={"Content-Type": kind})
    if whose == "another's":
        assert answer.status_code == 200
        return
    assert fault(answer)[1].code == "MustUnderstand"
    assert "{urn:w}Audit" in fault(answer)[1].reason
    assert (b"NotUnderstood" in answer.content) == (version is SoapVersion.V12)


@pytest.mark.parametrize("wrong", ["digest", "extra part", "missing part"])
def test_files_that_are_not_as_announced_are_refused(world: World, wrong: str) -> None:
    """Another content, a part that nobody announced, a part that is not there."""
    case, message, receipt = waiting(world)
    child = own.element("reference", text="cid:f@x")
    body = own.element(
        "Acknowledge", own.element("messageId", text=message), *document(as_bytes(receipt)), file_of(child)
    )
    parts = {
        "digest": [("f@x", "image/png", b"other")],
        "extra part": [("f@x", "image/png", PNG), ("g@x", "image/png", PNG)],
        "missing part": [],
    }[wrong]
    data, kind = related(SoapVersion.V12, write_envelope(SoapVersion.V12, body), *parts)
    refused = world.call("POST", "/soap/hub", "puller", data=data, headers={"Content-Type": kind})
    code = fault(refused)[2]
    assert code in ("attachment.digest", "soap.part")
    assert state(world, case) != "registered"


@pytest.mark.parametrize("version", list(SoapVersion))
def test_rights_are_those_of_the_other_doors(world: World, version: SoapVersion) -> None:
    """No key, a wrong one, another role, another's message: a fault with the code that HTTP gives."""
    _, message, receipt = waiting(world)
    asked = own.element("messageId", text=message)
    status, found, code = fault(say(world, "ListInbox", who=None, version=version))
    assert (status, code) == (401, "auth.required")
    assert found.code in ("Client", "Sender")
    wrong = base64.b64encode(b"edms:hub_000000000000_nope").decode()
    refused = world.call(
        "POST", "/soap/hub", None, data=b"<x/>", headers={"Content-Type": "text/xml", "Authorization": f"Basic {wrong}"}
    )
    assert fault(refused)[::2] == (401, "auth.invalid")
    assert fault(say(world, "ListInbox", who="ncc", version=version))[::2] == (403, "auth.forbidden")
    assert fault(say(world, "FetchMessage", asked, who="plain", version=version))[2] == "inbox.unknown"
    taken = say(world, "Acknowledge", own.element("messageId", text=message), *document(as_bytes(receipt)), who="plain")
    assert fault(taken)[2] == "inbox.unknown"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "soap.empty"),
        (b"<x/>", "soap.envelope"),
        (b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>', "xml.doctype"),
        (b"<a>" * 100 + b"</a>" * 100, "xml.depth"),
        (write_envelope(SoapVersion.V11, own.element("Unknown")), "soap.operation"),
        (write_envelope(SoapVersion.V11, etree.Element("{urn:x}ListInbox")), "soap.operation"),
        (
            write_envelope(
                SoapVersion.V11,
                own.element("ListInbox"),
                [etree.Element("{urn:x}must", {"{http://schemas.xmlsoap.org/soap/envelope/}mustUnderstand": "1"})],
            ),
            "soap.must_understand",
        ),
        (write_envelope(SoapVersion.V11, own.element("SubmitEnvelope", *document(b"no envelope"))), "json.syntax"),
    ],
)
def test_hostile_bodies_are_faults(world: World, body: bytes, code: str) -> None:
    """DTDs, depth, emptiness, unknown operations and header blocks: a Client fault that names the rule."""
    refused = world.call("POST", "/soap/hub", "puller", data=body, headers={"Content-Type": "text/xml"})
    _, found, outer = fault(refused)
    codes = [node.text for node in found.detail.iter(own.tag("code"))] if found.detail is not None else []
    assert found.code in ("Client", "MustUnderstand")
    assert code in {outer, *codes}


def test_limits_hold_before_reading(world: World) -> None:
    """A body that announces more than the limit is refused by its header alone, and other types are not read."""
    huge = say(world, "ListInbox", own.element("after", text="x" * 3_000_000))
    assert fault(huge)[::2] == (413, "input.too_large")
    other = world.call("POST", "/soap/hub", "puller", data=b"{}", headers={"Content-Type": "application/json"})
    assert fault(other)[::2] == (415, "input.media_type")


def test_the_descriptions_are_there_for_all(world: World) -> None:
    """The WSDL names this hub's address; its schemas and the authority's WSDL are beside it; nothing else is."""
    wsdl = world.call("GET", "/soap/hub?wsdl", None)
    assert f"{world.url}/soap/hub".encode() in wsdl.content
    for name in ("hub.xsd", "xmlmime.xsd", "swaref.xsd", "authority.wsdl"):
        assert etree.fromstring(world.call("GET", f"/soap/{name}", None).content) is not None
    for path in ("/soap/hub", "/soap/hub?xsd", "/soap/xroad.xsd", "/soap/%2e%2e%2fhub.xsd"):
        assert world.call("GET", path, None).status_code == 404


def test_a_file_is_fetched_in_pieces(world: World) -> None:
    """What was granted comes whole, piece by piece, with its size; another's file does not exist; limits hold."""
    data = PNG * 700
    stored = world.call("POST", "/v1/attachments", "puller", data=data, headers={"Content-Type": "image/png"}).json()
    name = own.element("sha256", text=stored["sha256"])
    got, size = b"", -1
    while len(got) != size:
        where = (own.element("from", text=str(len(got))), own.element("count", text="1000000"))
        piece = content(say(world, "FetchFile", copy.copy(name), *where))
        size = int(piece.findtext(own.tag("size")) or 0)
        got += base64.b64decode(piece.findtext(own.tag("content")) or "")
    assert (got, piece.findtext(own.tag("mediaType"))) == (data, "image/png")
    assert fault(say(world, "FetchFile", copy.copy(name), who="plain"))[2] == "attachment.unknown"
    for wrong in (own.element("count", text="1048577"), own.element("from", text="-1"), own.element("from", text="x")):
        assert fault(say(world, "FetchFile", copy.copy(name), wrong))[2] == "soap.limit"


def test_pages_of_the_inbox(world: World) -> None:
    """``limit`` and ``after`` walk through the inbox without a gap; a wrong cursor is refused."""
    wanted = {waiting(world)[1] for _ in range(3)}
    seen: list[str] = []
    after: str | None = None
    while True:
        asked = [own.element("after", text=after)] if after else []
        page = content(say(world, "ListInbox", *asked, own.element("limit", text="2")))
        seen += [node.findtext(own.tag("messageId")) or "" for node in page.findall(own.tag("message"))]
        after = page.findtext(own.tag("cursor"))
        if after is None:
            break
    assert wanted <= set(seen)
    assert len(seen) == len(set(seen))
    assert fault(say(world, "ListInbox", own.element("after", text="nonsense")))[2] == "inbox.cursor"
    assert fault(say(world, "ListInbox", own.element("limit", text="0")))[2] == "soap.limit"


def test_the_call_of_the_page_is_answered(world: World) -> None:
    """The example in docs/adapters/soap.md lists the inbox; each operation of the WSDL stands in its table."""
    page = (ROOT / "docs" / "adapters" / "soap.md").read_text("utf-8")
    body = page.partition("```xml door-request\n")[2].partition("```")[0]
    waiting(world)
    response = world.call("POST", "/soap/hub", "puller", data=body.encode(), headers={"Content-Type": "text/xml"})
    assert content(response).findall(own.tag("message"))
    wsdl = etree.fromstring(world.call("GET", "/soap/hub?wsdl", None).content)
    for operation in wsdl.iterfind("{http://schemas.xmlsoap.org/wsdl/}portType/{*}operation"):
        assert f"| `{operation.get('name')}` (" in page

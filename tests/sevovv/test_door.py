"""The door ``/soap/IntegrationService`` itself: foreign tool kits, look-alikes, hostile bytes."""

from __future__ import annotations

import re
import socket
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from hub.net.http import HttpSession
from hub.ports import InboundFilter
from hub.protocols.sevovv import codes
from hub.protocols.sevovv.client import Service, TimeLeft
from hub.schemas.journal import Custody, Door
from tests.conftest import leave_out
from tests.sevovv.test_both_ends import LOOPBACK
from tests.sevovv.world import BODY, NCC, SYSTEM, World, world

SOAP = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{}</s:Body></s:Envelope>'
FAULT = re.compile(r"<Code>(-?\d+)</Code>")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A hub that serves SEV."""
    with world(tmp_path_factory.mktemp("door") / "home") as running:
        yield running


def post(hub: World, body: bytes | str) -> requests.Response:
    """One call."""
    data = body.encode() if isinstance(body, str) else body
    with requests.Session() as session:
        session.trust_env = False
        return session.post(hub.service, data=data, headers={"Content-Type": "text/xml"}, timeout=60)


def identity(hub: World) -> str:
    """Who calls."""
    inner = f"<Password>{hub.keys[BODY]}</Password><SystemId>{SYSTEM}</SystemId>"
    return f'<identity xmlns:c="x">{inner}</identity>'


def _begun(hub: World, head: bytes, announced: int) -> bytes:
    """The beginning of a call's body goes out; the answer, or nothing if the door still listens."""
    host, port = hub.service.removeprefix("http://").partition("/")[0].split(":")
    with socket.create_connection((host, int(port)), timeout=60) as line:
        line.sendall(
            b"POST /soap/IntegrationService HTTP/1.1\r\nHost: hub\r\nContent-Type: text/xml\r\n"
            + f"Content-Length: {announced}\r\n\r\n".encode()
            + head
        )
        line.settimeout(2 if announced > len(head) else 60)
        try:
            return line.recv(65_536)
        except TimeoutError:
            return b""


_FLOOD = b'<GetInputMessages xmlns="http://tempuri.org/">' + b"<identity/>" * 1_600


@pytest.mark.slow
@pytest.mark.parametrize(
    "known",
    ["", "<Password>wrong</Password>", "<Password>hub_a_b</Password>" * 4, "<Password><![CDATA[no]]></Password>"],
)
def test_a_stranger_is_refused_before_its_call_is_heard(hub: World, known: str) -> None:
    """Of half a megabyte 18 KB came, without anybody known in them: SEV's fault for a wrong login, at once."""
    begun = SOAP.format(known + "{}").partition("{}")[0].encode() + _FLOOD
    answer = _begun(hub, begun, 526_000)
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert FAULT.findall(answer.decode()) == [str(codes.AUTHORITY_FAILED)]


@pytest.mark.slow
def test_a_known_system_is_heard_to_the_end(hub: World) -> None:
    """A large call that begins with who calls is read on; its answer comes when it is whole."""
    begun = SOAP.partition("{}")[0].encode() + b'<UploadMessageChunk xmlns="http://tempuri.org/">'
    begun += identity(hub).encode() + b"<messageChunk>" + b"A" * 20_000
    assert _begun(hub, begun, 526_000) == b""
    whole = begun + b"</messageChunk><sessionId>999999</sessionId></UploadMessageChunk></s:Body></s:Envelope>"
    # There is no such session: it was read whole, and answered as SEV does.
    assert FAULT.findall(_begun(hub, whole, len(whole)).decode()) == [str(codes.SESSION_NOT_FOUND)]


def test_a_flood_of_elements_is_refused_before_it_is_a_tree(hub: World) -> None:
    """Even a known system's call holds no more elements than an operation can take."""
    inner = identity(hub) + "<identity/>" * 30_000
    answer = post(hub, SOAP.format(f'<GetInputMessages xmlns="http://tempuri.org/">{inner}</GetInputMessages>'))
    assert answer.status_code == 500
    assert "more elements" in answer.text


@pytest.mark.slow
@pytest.mark.foreign("php")
def test_php_fetches_and_registers(hub: World) -> None:
    """PHP's SoapClient, from our description alone: a whole exchange, and the official fault as an object."""
    modules = subprocess.run(["php", "-m"], capture_output=True, text=True, check=True).stdout
    if "soap" not in modules.split():
        leave_out("PHP's soap extension is not installed")
    document = hub.submit()
    hub.carry(f"{BODY}.sev")
    script = Path(__file__).with_name("edms.php")
    done = subprocess.run(
        ["php", "-d", "error_reporting=0", str(script), hub.service, hub.keys[BODY], SYSTEM],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines == ["version 2.0", f"registered {document['message_id']} Delivered", "fault 26"]
    (registered,) = [fact for fact in hub.facts(document["case_id"]) if fact.kind == "registered"]
    assert registered.data["number"] == "PHP-7"


@pytest.mark.parametrize("name", ["\u0441ount", "count"])
def test_both_letters_are_taken(hub: World, name: str) -> None:
    """The parameter of GetInputMessages with its Cyrillic letter, and with the Latin one that looks like it."""
    inner = f'<GetInputMessages xmlns="http://tempuri.org/">{identity(hub)}<{name}>1001</{name}></GetInputMessages>'
    answer = post(hub, SOAP.format(inner))
    assert (answer.status_code, FAULT.findall(answer.text)) == (500, ["23"])


HOSTILE = {
    "nothing": b"",
    "no xml": b"hello",
    "html": b"<html></html>",
    "doctype": b'<!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]><s>&x;</s>',
    "two bodies": SOAP.format("<a/><b/>").encode(),
    "no operation": SOAP.format('<Nothing xmlns="http://tempuri.org/"/>').encode(),
    "a number that is none": SOAP.format("<GetSessionInfo><sessionId>1e999</sessionId></GetSessionInfo>").encode(),
    "a number too long": SOAP.format(f"<GetSessionInfo><sessionId>{'9' * 400}</sessionId></GetSessionInfo>").encode(),
    "no bytes": SOAP.format("<UploadMessageChunk><messageChunk>!</messageChunk></UploadMessageChunk>").encode(),
    "deep": SOAP.format("<a>" * 200 + "</a>" * 200).encode(),
    "no identity": SOAP.format('<GetInputMessages xmlns="http://tempuri.org/"/>').encode(),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_calls_get_a_fault(hub: World, name: str) -> None:
    """Each gets ``CommunicationError`` with a code, at once, without a word of what was sent."""
    answer = post(hub, HOSTILE[name])
    assert answer.status_code == 500
    assert FAULT.findall(answer.text)[0] in ("2", "3", "30")
    assert "passwd" not in answer.text


def held(hub: World, custody: Custody = Custody.HELD) -> list[tuple[str, bytes]]:
    """Entries of SEV's door: verdict and bytes."""
    entries = hub.hub.store.inbound(InboundFilter(door=Door.SEV, custody=custody), limit=50)
    return [(entry.verdict, hub.hub.store.inbound_body(entry) or b"") for entry in entries]


def refusals(hub: World) -> int:
    """Calls of nobody that are counted."""
    hub.refused.flush()
    entries = hub.hub.store.inbound(InboundFilter(door=Door.LOGIN), limit=50)
    return sum(entry.count for entry in entries if "IntegrationService" in (entry.detail or ""))


@pytest.mark.parametrize(
    ("operation", "inner", "verdict", "custody"),
    [
        ("UploadMessageChunk", "<sessionId>99999</sessionId><messageChunk>VXA=</messageChunk>", "26", Custody.HELD),
        ("UploadMessageChunk", "<sessionId>1</sessionId><messageChunk>no base64!</messageChunk>", "3", Custody.HELD),
        ("GetSessionInfo", "<sessionId>99999</sessionId>", "26", Custody.NOTED),
        ("Nothing", "", "2", Custody.NOTED),
    ],
)
def test_a_refused_call_of_a_known_system_is_kept(
    hub: World, operation: str, inner: str, verdict: str, custody: Custody
) -> None:
    """What brings something waits for a person, the rest is noted: with its bytes, without the password."""
    before = refusals(hub)
    body = SOAP.format(f'<{operation} xmlns="http://tempuri.org/">{identity(hub)}{inner}</{operation}>')
    assert FAULT.findall(post(hub, body).text) == [verdict]
    kept = body.replace(hub.keys[BODY], "[cut]").encode()
    assert (f"sevovv.{verdict}", kept) in held(hub, custody)
    assert refusals(hub) == before


def test_what_comes_with_another_sum_is_kept(hub: World) -> None:
    """A whole message whose bytes are not those that were announced fails, and waits for a person."""
    body = b"<Header>half of a message</Header>"
    with HttpSession(LOOPBACK.policy()) as line:
        served = Service(line, hub.service, system_id=SYSTEM, password=hub.keys[BODY], max_bytes=1 << 20)
        info = {"MessageId": str(uuid.uuid4()), "Size": len(body), "ToOrgId": NCC, "Type": "Document"}
        opened = served.session("OpenUploadingSession", TimeLeft(30), messageInfo=info, hash="0" * 64)
        ended = served.session("UploadMessageChunk", TimeLeft(30), sessionId=opened.id, messageChunk=body)
    assert (ended.status, ended.error_code) == ("Failed", 28)
    assert ("sevovv.28", body) in held(hub)


def test_calls_of_nobody_are_counted(hub: World) -> None:
    """A wrong password, bytes that are no call, a body over the limit: counted, and not kept."""
    before = refusals(hub)
    wrong = "<identity><Password>hub_x_y</Password></identity>"
    post(hub, SOAP.format(f'<GetSessionInfo xmlns="http://tempuri.org/">{wrong}</GetSessionInfo>'))
    post(hub, b"no call at all")
    post(hub, b"x" * 2_000_000)
    assert refusals(hub) == before + 3
    assert b"no call at all" not in [body for _, body in held(hub)]


@pytest.mark.parametrize(
    ("data", "headers", "said"),
    [
        (b"<a><b></a>", {}, "xml.syntax"),
        (b"<!DOCTYPE a><a/>", {}, "xml.doctype"),
        (b"\x1f\x8b", {"Content-Encoding": "gzip"}, "Compressed bodies are not taken"),
    ],
)
def test_a_refusal_is_a_fault_that_names_the_rule(hub: World, data: bytes, headers: dict[str, str], said: str) -> None:
    """Whoever calls can act on it: SOAP it can read, with the rule and the place, for bodies that are not read too."""
    answer = requests.post(f"{hub.url}/soap/IntegrationService", data=data, headers=headers, timeout=20)
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, "text/xml; charset=utf-8")
    assert said in answer.text


def test_a_body_over_the_limit(hub: World) -> None:
    """More than a part and its envelope is refused before it is read."""
    assert post(hub, b"x" * 2_000_000).status_code == 413


def test_the_password_stays_where_it_is(hub: World, caplog: pytest.LogCaptureFixture) -> None:
    """A call with a credential leaves none of it in the log, whether it works or not."""
    with caplog.at_level("DEBUG"):
        for operation in ("GetInputMessages", "GetSessionInfo"):
            post(hub, SOAP.format(f'<{operation} xmlns="http://tempuri.org/">{identity(hub)}</{operation}>'))
    assert hub.keys[BODY] not in caplog.text

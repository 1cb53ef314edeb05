"""The door ``/soap/IntegrationService`` itself: foreign tool kits, look-alikes, hostile bytes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.conftest import leave_out
from tests.sevovv.world import BODY, SYSTEM, World, world

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


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_calls_get_a_fault(hub: World, name: str) -> None:
    """Each gets ``CommunicationError`` with a code, at once, without a word of what was sent."""
    answer = post(hub, HOSTILE[name])
    assert answer.status_code == 500
    assert FAULT.findall(answer.text)[0] in ("2", "3", "30")
    assert "passwd" not in answer.text


def test_a_body_over_the_limit(hub: World) -> None:
    """More than a part and its envelope is refused before it is read."""
    assert post(hub, b"x" * 2_000_000).status_code == 413


def test_the_password_stays_where_it_is(hub: World, caplog: pytest.LogCaptureFixture) -> None:
    """A call with a credential leaves none of it in the log, whether it works or not."""
    with caplog.at_level("DEBUG"):
        for operation in ("GetInputMessages", "GetSessionInfo"):
            post(hub, SOAP.format(f'<{operation} xmlns="http://tempuri.org/">{identity(hub)}</{operation}>'))
    assert hub.keys[BODY] not in caplog.text

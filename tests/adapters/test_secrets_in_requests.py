"""Secrets inside requests (``$secret``): a mark where anything is kept or shown, the secret only in what goes out."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from pydantic import ValidationError

from hub.adapters import AdapterContext
from hub.adapters.rest.adapter import RestAdapter
from hub.adapters.rest.settings import RestSettings
from hub.adapters.soap.adapter import SoapAdapter
from hub.adapters.template import MappedSection
from hub.errors import ConfigurationError, UnsupportedFeature
from hub.net import secrets
from hub.net.secret_marks import shown
from hub.ports import Outcome
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel
from hub.storage.attachments import MemoryAttachments
from hub.testing.contract import store_file
from hub.testing.samples import appeal, delivery, parcel
from hub.upkeep.naming import Form, named
from tests.adapters import test_soap_wsdl as wsdl
from tests.adapters.channels import rest_channel
from tests.adapters.servers import Server, http, read_request, serving

SECRET = "p\"a\\ss<&>її'{}"
JSON = "application/json"
LEFT = [
    *("channel", "kind", "sign", "received_at", "reply_by", "applicant", "topics", "subject", "place", "reference"),
    "operator_notes",
]


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A reference to a secret that no form of document can hold as it is."""
    monkeypatch.setattr(secrets, "_KNOWN", {})
    path = tmp_path / "secret"
    path.touch(mode=0o600)
    path.write_text(SECRET, "utf-8")
    return f"file:{path}"


def template(reference: str, **more: Any) -> dict[str, Any]:
    hidden = {"$secret": reference}
    return {
        "leaves_out": [*LEFT, *([] if more.get("files") else ["attachments"])],
        "request": {
            "id": "$message_id",
            "login": {"user": "hub", "password": hidden},
            "keys": [hidden, {"$from": ["key", hidden], "join": "="}],
            "text": "$body.text",
            **more.pop("files", {}),
        },
        "answer": {"status": "accepted", "echo": "id"},
        **more,
    }


class Taking:
    """A system that keeps what it is sent and answers with the id in it."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []

    def script(self, server: Server, conn: socket.socket) -> None:
        while (got := read_request(conn))[0]:
            self.heads.append(got[0])
            self.bodies.append(got[1])
            said = json.loads(got[1])["id"] if got[1] else ""
            conn.sendall(http("200 OK", json.dumps({"id": said}).encode(), Content_Type=JSON))


@contextmanager
def talking(peer: Taking, said: dict[str, Any], **more: Any) -> Iterator[tuple[RestAdapter, Channel]]:
    files = MemoryAttachments()
    with serving(peer.script) as server:
        more = {
            name: value.replace("URL", server.url()) if isinstance(value, str) else value
            for name, value in more.items()
        }
        channel = rest_channel(server.url(), template=said, **more)
        yield RestAdapter(AdapterContext(attachments=files)), channel.model_copy(update={"dialect": "template"})


def send(adapter: RestAdapter, channel: Channel, *files: Any) -> tuple[bytes, Outcome]:
    prepared = adapter.prepare(parcel(appeal(files)), channel)
    with adapter.session(channel) as session:
        return prepared.body, session.send(prepared, 10)


def test_the_secret_is_in_what_goes_out_and_nowhere_else(secret: str) -> None:
    """Prepared bytes are the same each time and hold marks; the system gets each secret as JSON writes it, in document
    and headers; people see «(secret)»; whoever cuts secrets out knows it from then on.
    """
    peer = Taking()
    with talking(peer, template(secret, headers={"X-Key": {"$secret": "env:HUB_K"}, "X-Who": "hub"})) as (
        adapter,
        channel,
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HUB_K", "k-3y")
            body, outcome = send(adapter, channel)
        again = adapter.prepare(parcel(appeal()), channel)
    assert outcome.kind is OutcomeKind.DELIVERED
    (went,) = peer.bodies
    read = json.loads(went)
    assert (read["login"], read["keys"]) == ({"user": "hub", "password": SECRET}, [SECRET, f"key={SECRET}"])
    assert b"\r\nX-Key: k-3y\r\nX-Who: hub\r\n" in peer.heads[0]
    kept = body.decode()
    assert not any(part in kept for part in ("ss<", "file:", "її"))
    assert json.loads(shown(kept))["keys"] == ["(secret)", "key=(secret)"]
    assert len(body) == len(again.body)
    assert "X-Key: (secret)" in adapter.outline(again, channel)
    assert {SECRET, "k-3y"} <= set(secrets.known())


def test_a_rotated_secret_is_used_at_once(secret: str) -> None:
    """The bytes that were prepared stay; what goes out has the secret of that moment, and without one nothing goes."""
    peer = Taking()
    file = Path(secret.removeprefix("file:"))
    with talking(peer, template(secret)) as (adapter, channel):
        prepared = adapter.prepare(parcel(appeal()), channel)
        with adapter.session(channel) as session:
            session.send(prepared, 10)
            file.write_text("next")
            session.send(prepared, 10)
            file.unlink()
            outcome = session.send(prepared, 10)
    assert [json.loads(body)["login"]["password"] for body in peer.bodies] == [SECRET, "next"]
    assert (outcome.kind, outcome.code) == (OutcomeKind.TEMPORARY, "configuration.wrong")


def test_files_and_secrets_go_in_one_document(secret: str) -> None:
    """Both are put in their places while the document is streamed."""
    peer = Taking()
    rows = {"files": {"$each": "$attachments", "as": {"name": "$item.name", "data": "$item.content"}}}
    with talking(peer, template(secret, files=rows)) as (adapter, channel):
        assert isinstance(adapter.attachments, MemoryAttachments)
        file = store_file(adapter.attachments, b"%PDF-1.4")
        assert send(adapter, channel, file)[1].kind is OutcomeKind.DELIVERED
    read = json.loads(peer.bodies[0])
    assert (read["login"]["password"], base64.b64decode(read["files"][0]["data"])) == (SECRET, b"%PDF-1.4")


def test_a_signature_covers_what_goes_out(secret: str, tmp_path: Path) -> None:
    """With ``auth: hmac`` the system can check what it got: the signature is over the final bytes."""
    peer, key = Taking(), tmp_path / "hmac"
    key.touch(mode=0o600)
    key.write_text("signing")
    with talking(peer, template(secret), auth={"type": "hmac", "secret": f"file:{key}"}) as (adapter, channel):
        send(adapter, channel)
    said = dict(line.decode().split(": ", 1) for line in peer.heads[0].split(b"\r\n")[1:] if line)
    signed = f"{said['Webhook-Id']}.{said['Webhook-Timestamp']}.".encode() + peer.bodies[0]
    digest = base64.b64encode(hmac.new(b"signing", signed, hashlib.sha256).digest()).decode()
    assert said["Webhook-Signature"] == f"v1,{digest}"


def test_headers_go_with_questions_too(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A header that proves who we are is needed wherever their system is called."""
    peer, envelope = Taking(), appeal()
    headers = {"X-Key": {"$secret": "env:HUB_K"}}
    said = template(secret, headers=headers, poll={"status": {"path": "s"}, "echo": "id"})
    monkeypatch.setenv("HUB_K", "k-3y")
    with (
        talking(peer, said, receipt="poll", status_url="URL/{message_id}") as (adapter, channel),
        adapter.session(channel) as session,
    ):
        session.poll(delivery(envelope, channel), 10)
    assert b"\r\nX-Key: k-3y\r\n" in peer.heads[0]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"$secret": "hunter2"}, "env:NAME or file:/absolute/path"),
        ({"$secret": 7}, "env:NAME or file:/absolute/path"),
        ({"$secret": "env:A", "default": "x"}, "no rule has this key"),
        ({"$from": {"$secret": "env:A"}, "values": {"a": "b"}}, "a secret goes as it is"),
        ({"$sekret": "env:A"}, "did you mean «$secret»?"),
    ],
)
def test_a_secret_is_named_never_written(rule: Any, words: str) -> None:
    """The registry's check tells the place and the rule, and does not repeat what may be the secret itself."""
    said = template("env:A")
    said["request"]["login"]["password"] = rule
    with pytest.raises(ValidationError) as refused:
        RestSettings.model_validate({"url": "https://e.example.org/", "template": said})
    text = str(refused.value)
    assert words in text
    assert "hunter2" not in text


def test_a_secret_header_is_named_never_written() -> None:
    """The same for headers."""
    said = template("env:A", headers={"X-Key": {"$secret": "hunter2"}})
    with pytest.raises(ValidationError) as refused:
        RestSettings.model_validate({"url": "https://e.example.org/", "template": said})
    assert "must be a reference" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_ways_without_secrets_refuse_them() -> None:
    """A form of documents whose adapter puts nothing in its place says so when the registry is read."""
    with pytest.raises(ValidationError, match="no secret goes along"):
        MappedSection.model_validate({"request": {"a": {"$secret": "env:A"}, "s": "$sealed"}})


def test_tests_of_a_mapping_show_the_word() -> None:
    """Beside the mapping a secret is «(secret)»; no secret is read for them."""
    form = {
        "channel": "web",
        "kind": "complaint",
        "received_at": "2026-03-02T10:00:00Z",
        "applicant": {
            "type": "individual",
            "name": {"surname": "Гук", "given": "Іван"},
            "address": {"text": "м. Київ"},
        },
        "topics": ["other"],
        "text": "Немає світла.",
    }
    expected = {
        "id": "019aa001-0000-7000-8000-000000000001",
        "login": {"user": "hub", "password": "(secret)"},
        "keys": ["(secret)", "key=(secret)"],
        "text": "Немає світла.",
    }
    said = template("env:HUB_NOBODY", tests=[{"name": "secret", "appeal": form, "request": expected}])
    RestSettings.model_validate({"url": "https://e.example.org/", "template": said})


def test_secrets_of_mappings_are_watched() -> None:
    """Whoever lists certificates, keys and secrets finds those in documents and headers too."""
    said = template("file:/etc/hub/x", headers={"X-Key": {"$secret": "env:HUB_K"}})
    model = RestSettings.model_validate({"url": "https://e.example.org/", "template": said})
    found = {each.value: each.name for each in named("c", model) if each.form is Form.SECRET}
    assert set(found) == {"file:/etc/hub/x", "env:HUB_K"}


# SOAP

FACET = '<xs:element name="password"><xs:simpleType><xs:restriction base="xs:string"><xs:maxLength value="20"/>'
FACET += '<xs:pattern value="p.*"/></xs:restriction></xs:simpleType></xs:element>'


@contextmanager
def described(folder: Path, reference: str, url: str = "http://127.0.0.1:1/", **changes: Any) -> Iterator[Channel]:
    """A channel whose operation wants a password of 20 letters at most, and asks with one."""
    whole = wsdl.WSDL
    with pytest.MonkeyPatch.context() as patch:
        text = whole.replace(
            '<xs:element name="requestId" type="xs:string"/>', f'<xs:element name="requestId" type="xs:string"/>{FACET}'
        )
        patch.setattr(
            wsdl,
            "WSDL",
            text.replace(
                '<xs:element name="docId" type="xs:string"/>', f'<xs:element name="docId" type="xs:string"/>{FACET}'
            ),
        )
        request = {**wsdl.MAPPING["request"], "password": {"$secret": reference}, **changes}
        poll = {
            "operation": "GetState",
            "request": {"docId": "$external_id", "password": {"$secret": reference}},
            "answer": {"status": {"path": "state"}},
        }
        yield wsdl.channel_of(folder, url, request=request, poll=poll)


def test_an_operation_gets_the_secret_as_xml_writes_it(secret: str, tmp_path: Path) -> None:
    """The envelope holds a mark until it goes out, also where the schema has a rule for passwords; the question what
    became of a message has the secret as well.
    """
    bodies: list[bytes] = []

    def script(server: Server, conn: socket.socket) -> None:
        while (got := read_request(conn))[0]:
            bodies.append(got[1])
            conn.sendall(http("200 OK", wsdl.result("0", "x"), Content_Type="text/xml"))

    adapter, envelope = SoapAdapter(AdapterContext()), appeal()
    with serving(script) as server, described(tmp_path, secret, server.url()) as channel:
        prepared = adapter.prepare(parcel(envelope), channel)
        with adapter.session(channel) as session:
            session.send(prepared, 10)
            session.poll(delivery(envelope, channel, external_id="77"), 10)
    said = [etree.fromstring(body).findtext(".//{urn:edms}password") for body in bodies]
    assert said == [SECRET, SECRET]
    assert "<e:password>(secret)<" in shown(prepared.body.decode()).replace("ns0:", "e:")
    assert b"file:" not in prepared.body


def test_other_faults_of_the_schema_are_still_told(secret: str, tmp_path: Path) -> None:
    """A mark hides its own value only: another member that does not fit is refused as before."""
    adapter = SoapAdapter(AdapterContext())
    with (
        described(
            tmp_path, secret, kind={"$from": "$body.kind", "default": "x", "values": {"complaint": "many"}}
        ) as channel,
        pytest.raises(UnsupportedFeature) as refused,
    ):
        adapter.prepare(parcel(appeal()), channel)
    assert "kind is no xs:int" in refused.value.message
    assert "password" not in refused.value.message


def test_a_secret_that_xml_cannot_hold_is_not_sent(secret: str, tmp_path: Path) -> None:
    """It is a fault of the setting, told without the secret; nothing goes out."""
    Path(secret.removeprefix("file:")).write_text("p\ufffe", "utf-8")
    adapter = SoapAdapter(AdapterContext())
    with described(tmp_path, secret) as channel:
        prepared = adapter.prepare(parcel(appeal()), channel)
        with adapter.session(channel) as session:
            outcome = session.send(prepared, 10)
    assert (outcome.kind, outcome.code) == (OutcomeKind.TEMPORARY, ConfigurationError.code)


@pytest.mark.parametrize("change", ["", "hash"])
def test_the_gateways_hash_is_that_of_what_went_out(secret: str, tmp_path: Path, change: str) -> None:
    """Trembita answers with the hash of the request that it got, which held the secret: it agrees, and another does
    not.
    """
    gateway, adapter = wsdl.Gateway(change), SoapAdapter(AdapterContext())
    mapping = {**wsdl.MAPPING, "request": {**wsdl.MAPPING["request"], "topics": {"$secret": secret}}}
    mapping["leaves_out"] = [*mapping["leaves_out"], "topics"]
    section = {**wsdl.lay_down(tmp_path / "wsdl", mapping), "attachments": "link"}
    with serving(gateway.script) as server:
        channel = wsdl.trembita(server.url(), description=section)
        with adapter.session(channel) as session:
            outcome = session.send(adapter.prepare(parcel(appeal()), channel), 10)
    assert (outcome.code == "xroad.request_hash") == (change == "hash")
    assert b"ss&lt;&amp;&gt;" in gateway.requests[0][1]

"""The adapter ``rest`` with the dialects ``xroad`` and ``trembita``: the contract, through a security server and a
gateway that refuse what breaks their protocols, and every kind of error of theirs.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from pydantic import ValidationError

from hub.adapters import AdapterContext
from hub.adapters.rest.adapter import RestAdapter
from hub.adapters.rest.settings import RestSettings
from hub.adapters.rest.trembita import RestTrembitaDialect
from hub.adapters.rest.xroad import XRoadDialect
from hub.errors import ConfigurationError, UnsupportedFeature
from hub.net.http import HttpAnswer
from hub.ports import Outcome
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel, LegalClass
from hub.schemas.envelope import Attachment
from hub.schemas.ids import new_id
from hub.storage.attachments import MemoryAttachments
from hub.testing.contract import CALLS, AdapterContract, Feature, Harness
from hub.testing.samples import SECRET, appeal, parcel, secret_file
from tests.adapters.servers import SICK, Server, http, read_request, serving, sick

JSON = "application/json"
CLIENT = "SEVDEIR-TEST/GOV/36521731/NCC_prod"
SERVICE = "SEVDEIR-TEST/GOV/00032106/10_Bank_prod/RegisterAppeal"
PURPOSE = "9X9X9X9X9X9X9X9X9X9X9"
SECTIONS: dict[str, dict[str, object]] = {
    "xroad": {"client": CLIENT, "service": SERVICE, "path": "/v1/appeals", "user_id": "UA-hub"},
    "trembita": {"client": CLIENT, "service": SERVICE, "purpose_id": PURPOSE},
}


def head_of(raw: bytes) -> tuple[str, dict[str, list[str]]]:
    """The request's target, and its headers by name in lower case, each with every value it was sent with."""
    lines = raw.decode("latin-1").split("\r\n")
    headers: dict[str, list[str]] = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), []).append(value.strip())
    return lines[0].split(" ")[1], headers


def broken_rules(dialect: str, raw: bytes) -> str | None:
    """The rule of the protocol that a request breaks, as the system in between would say it."""
    target, headers = head_of(raw)
    if any(len(values) > 1 for values in headers.values()):
        return "Client.InvalidRequest"
    one = {name: values[0] for name, values in headers.items()}
    if dialect == "xroad":
        parts = [unquote(part) for part in target.split("/")[1:]]
        if parts[0] != "r1" or "/".join(parts[1:6]) != SERVICE or parts[6:] != ["v1", "appeals"]:
            return "Server.ServerProxy.UnknownService"
        if unquote(one.get("x-road-client", "")) != CLIENT:
            return "Client.MissingHeader"
        return None if one.get("x-road-id") and one.get("x-road-userid") == "UA-hub" else "Client.MissingHeader"
    if urlsplit(target).path != "/restapi" or (one.get("uxp-client"), one.get("uxp-service")) != (CLIENT, SERVICE):
        return "Client.MissingHeader"
    return None if one.get("uxp-queryid") and one.get("uxp-purpose-ids") == PURPOSE else "Client.MissingHeader"


@dataclass
class Between:
    """A system in between with the authority behind it. ``kind``: how the authority behaves."""

    dialect: str
    kind: str
    settings: dict[str, object] = field(default_factory=dict)
    received: list[bytes] = field(default_factory=list)
    server: Server | None = None
    poured: int = 0
    secret: str = SECRET

    def script(self, server: Server, conn: socket.socket) -> None:
        while True:
            raw, body = read_request(conn)
            if not raw:
                return
            if (rule := broken_rules(self.dialect, raw)) is not None:
                conn.sendall(error_of_server(rule, marked=self.dialect == "xroad"))
                continue
            self.received.append(body)
            if self.kind == "loses_answer" and len(self.received) == 1:
                return
            if self.kind in SICK:
                self.poured = sick(self.kind, conn, server.stopped)
                return
            conn.sendall(self.say(raw))

    def say(self, raw: bytes) -> bytes:
        _, headers = head_of(raw)
        name = headers["hub-message-id"][0]
        said = {"message_id": name, "status": "accepted", "id": "їх-1"}
        told = {"X_Road_Id": name, "X_Road_Service": SERVICE} if self.dialect == "xroad" else {}
        match self.kind:
            case "garbles":
                return http("200 OK", b"<html>login</html>", Content_Type="text/html")
            case "refuses":
                refusal = {"message_id": name, "status": "refused", "ground": "wrong_addressee"}
                return http("422 No", json.dumps(refusal).encode(), Content_Type=JSON, **told)
            case "busy":
                return http("503 Busy", b"", Retry_After="7")
            case "loses_answer":
                return http("409 Conflict", json.dumps({**said, "status": "duplicate"}).encode(), Content_Type=JSON)
            case "answers_another":
                foreign = {**said, "message_id": str(new_id())}
                return http("200 OK", json.dumps(foreign).encode(), Content_Type=JSON, **told)
            case _:
                return http("200 OK", json.dumps(said).encode(), Content_Type=JSON, **told)

    def channel(self) -> Channel:
        assert self.server is not None
        return channel(self.dialect, self.server.url("/restapi" if self.dialect == "trembita" else ""), **self.settings)


def error_of_server(rule: str, *, marked: bool) -> bytes:
    """What a security server says of itself."""
    body = json.dumps({"type": rule, "message": "no", "detail": "00000000-0000-4000-8000-000000000000"}).encode()
    mark = {"X_Road_Error": rule} if marked else {}
    return http("400 Bad" if rule.startswith("Client") else "500 Error", body, Content_Type=JSON, **mark)


def channel(dialect: str, url: str, **settings: object) -> Channel:
    loopback = {"allow_http": True, "allow_private": ["127.0.0.0/8"]}
    section = {dialect: SECTIONS[dialect]}
    return Channel(
        id=f"00032106.{dialect}",
        adapter="rest",
        dialect=dialect,
        settings={"url": url, **loopback, **section, **settings},
    )


class ExchangeContract(AdapterContract):
    """The suite over real HTTP on loopback."""

    dialect = ""

    @pytest.fixture
    def harness(self, tmp_path: Path) -> Iterator[Harness]:
        attachments = MemoryAttachments()
        with ExitStack() as stack, socket.create_server(("127.0.0.1", 0)) as closed:

            def peer(kind: str, **settings: object) -> Between:
                made = Between(self.dialect, kind, settings)
                made.server = stack.enter_context(serving(made.script))
                return made

            nobody = f"http://127.0.0.1:{closed.getsockname()[1]}/restapi"
            closed.close()
            yield Harness(
                adapter=RestAdapter(AdapterContext(attachments=attachments)),
                attachments=attachments,
                accepts=peer("accepts"),
                wrong=channel(self.dialect, nobody, receipt="poll"),
                garbles=peer("garbles"),
                refuses=peer("refuses"),
                busy=peer("busy"),
                absent=channel(self.dialect, nobody),
                loses_answer=peer("loses_answer"),
                carries_files=(lambda: peer("accepts", attachments="multipart")) if self.dialect == "xroad" else None,
                refuses_files=channel(self.dialect, nobody, attachments="refuse"),
                answers_another=peer("answers_another"),
                trickles=peer("trickles"),
                floods=peer("floods"),
                confides=peer("accepts", auth={"type": "bearer", "token": secret_file(tmp_path)}),
            )


class TestXRoad(ExchangeContract):
    """Through a security server."""

    features = CALLS
    proves = LegalClass.REGISTERED

    dialect = "xroad"


class TestTrembita(ExchangeContract):
    """Through a gateway."""

    features = CALLS - {Feature.CARRIES_FILES}
    proves = LegalClass.REGISTERED

    dialect = "trembita"


def settings(**more: object) -> RestSettings:
    return RestSettings.model_validate({"url": "https://ss.example.org", **more})


def judge(headers: dict[str, str], body: bytes = b"", status: int = 500) -> Outcome:
    """What ``xroad`` makes of an answer; ``{id}`` in the body and headers stands for the message's id."""
    dialect = XRoadDialect(settings(xroad=SECTIONS["xroad"]))
    sent = dialect.prepare(parcel(appeal()))
    name = str(sent.message_id)
    filled = {key: value.replace("{id}", name) for key, value in headers.items()}
    answer = HttpAnswer(
        status=status, headers={"Content-Type": JSON, **filled}, body=body.replace(b"{id}", name.encode())
    )
    return dialect.judge(answer, sent)


TAKEN = b'{"message_id":"{id}","status":"accepted"}'


@pytest.mark.parametrize("spelling", [str, lambda path: path.replace("Proxy", "_Proxy").lower()])
@pytest.mark.parametrize(
    ("path", "kind", "code"),
    [
        ("Server.ServerProxy.NetworkError", OutcomeKind.UNKNOWN, "xroad.fault_retry"),
        ("Server.ServerProxy.ServiceFailed.HttpError", OutcomeKind.UNKNOWN, "xroad.fault_retry"),
        ("Server.ClientProxy.LoggingFailed", OutcomeKind.UNKNOWN, "xroad.fault_retry"),
        ("Server.ServerProxy.AccessDenied", OutcomeKind.TEMPORARY, "xroad.fault_operator"),
        ("Server.ClientProxy.UnknownMember", OutcomeKind.TEMPORARY, "xroad.fault_operator"),
        ("Server.ClientProxy.InvalidSignatureValue", OutcomeKind.UNKNOWN, "xroad.fault_operator"),
        ("Client.MissingHeader", OutcomeKind.PERMANENT, "xroad.fault_permanent"),
        ("Server.SomethingNew", OutcomeKind.UNKNOWN, "xroad.fault_retry"),
        ("", OutcomeKind.UNKNOWN, "xroad.fault_retry"),
    ],
)
def test_an_error_of_a_security_server_is_classed_by_its_type(
    path: str, kind: OutcomeKind, code: str, spelling: object
) -> None:
    """Marked errors are the servers': network is tried again, rights wait for a person, what is ours is permanent; in
    either spelling, and whatever the body claims.
    """
    assert callable(spelling)
    outcome = judge({"X-Road-Error": spelling(path)}, TAKEN)
    assert (outcome.kind, outcome.code) == (kind, code)
    assert spelling(path) in (outcome.detail or "")


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({"X-Road-Id": "{id}"}, OutcomeKind.DELIVERED),
        ({"X-Road-Service": SERVICE.replace("_", "%5F")}, OutcomeKind.DELIVERED),
        ({}, OutcomeKind.DELIVERED),
        ({"X-Road-Id": "another"}, OutcomeKind.UNKNOWN),
        ({"X-Road-Service": SERVICE + "2"}, OutcomeKind.UNKNOWN),
    ],
)
def test_an_answer_to_another_exchange_is_not_believed(headers: dict[str, str], kind: OutcomeKind) -> None:
    """Id and service, where the servers tell them, must be those of the request."""
    outcome = judge(headers, TAKEN, 200)
    assert (outcome.kind, outcome.code) == (kind, None if kind is OutcomeKind.DELIVERED else "xroad.headers")


def test_an_error_says_nothing_of_what_was_sent() -> None:
    """A security server that repeats our request in its error does not bring the applicant into the journal."""
    dialect = XRoadDialect(settings(xroad=SECTIONS["xroad"]))
    sent = dialect.prepare(parcel(appeal()))
    answer = HttpAnswer(status=500, headers={"X-Road-Error": "Server.\u202eX", "Content-Type": JSON}, body=sent.body)
    detail = dialect.judge(answer, sent).detail or ""
    assert "Канаркенко" not in detail
    assert "\u202e" not in detail


def test_each_part_of_the_url_is_encoded_by_itself() -> None:
    """Characters that mean something in a URL cannot move the call to another service."""
    tricky = {"client": "A/GOV/1/s", "service": "A/GOV/1/..%2f?x=1#/se;rv"}
    target = XRoadDialect(settings(xroad=tricky)).target
    assert target == "https://ss.example.org/r1/A/GOV/1/..%252f%3Fx%3D1%23/se%3Brv"
    assert [unquote(part) for part in urlsplit(target).path.split("/")[2:]] == tricky["service"].split("/")


def test_what_the_servers_would_refuse_for_its_size_is_not_sent() -> None:
    """More than the security servers can log is an operator's matter before it leaves, with its next step."""
    dialect = XRoadDialect(settings(xroad=SECTIONS["xroad"], attachments="multipart"))
    file = Attachment(sha256="0" * 64, size=10 * 1_048_576, media_type="application/pdf", name="скан.pdf")
    with pytest.raises(UnsupportedFeature) as refused:
        dialect.prepare(parcel(appeal((file,))))
    assert (refused.value.stable_code, "attachments: link" in refused.value.next_step) == ("channel.too_large", True)
    assert XRoadDialect(settings(xroad=SECTIONS["xroad"])).prepare(parcel(appeal((file,)))).files == ()


def test_the_older_headers_of_trembita() -> None:
    """``legacy``: the purpose under its old name, ids in the URL, and the message's id not as a header."""
    section = {**SECTIONS["trembita"], "headers": "legacy", "user_id": "ncc"}
    dialect = RestTrembitaDialect(settings(trembita=section))
    request = dialect.request(dialect.prepare(parcel(mine := appeal())))
    assert parse_qs(urlsplit(request.url).query) == {"queryId": [str(mine.header.message_id)], "userId": ["ncc"]}
    assert {name for name in request.headers if "Uxp" in name or "Purpose" in name} == {
        "Uxp-Client",
        "Uxp-Service",
        "Purpose-Id",
    }


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"xroad": SECTIONS["xroad"], "trembita": SECTIONS["trembita"]}, "two dialects"),
        ({"xroad": SECTIONS["xroad"], "dialect": "envelope"}, "not that of the section"),
        ({"dialect": "xroad"}, "needs the section"),
        ({"dialect": "trembita", "xroad": SECTIONS["xroad"]}, "not that of the section"),
        ({"xroad": SECTIONS["xroad"], "receipt": "poll", "status_url": "https://ss.example.org/{message_id}"}, "poll"),
        ({"xroad": SECTIONS["xroad"], "url": "https://ss.example.org/?a=1"}, "query"),
        ({"xroad": {**SECTIONS["xroad"], "service": SERVICE + "/v1"}}, "REST service"),
        ({"xroad": {**SECTIONS["xroad"], "client": "A/GOV"}}, "client is"),
        ({"xroad": {**SECTIONS["xroad"], "path": "/../x y"}}, "path"),
        ({"xroad": {**SECTIONS["xroad"], "user_id": "a\r\nb"}}, "user_id"),
        ({"trembita": SECTIONS["trembita"], "format": "jws"}, "format: json"),
        ({"trembita": SECTIONS["trembita"], "attachments": "multipart"}, "attachments"),
        ({"trembita": {**SECTIONS["trembita"], "service": SERVICE + "Т2"}}, "ASCII"),
        ({"trembita": {**SECTIONS["trembita"], "purpose_id": "a b"}}, "purpose_id"),
    ],
)
def test_settings_that_could_not_work_are_refused_early(wrong: dict[str, object], word: str) -> None:
    """What the protocols do not allow is named when the registry is checked, not when a citizen's appeal is sent."""
    with pytest.raises(ValidationError, match=word):
        settings(**wrong)


@pytest.mark.parametrize("dialect", ["xroad", "trembita"])
def test_a_channel_without_its_section_is_named(dialect: str) -> None:
    """The dialect alone says not who calls whom."""
    bare = Channel(id="x.y", adapter="rest", dialect=dialect, settings={"url": "https://ss.example.org"})
    with pytest.raises(ConfigurationError, match=r"x\.y"):
        RestAdapter(AdapterContext()).rendering(bare)


def test_what_goes_out_can_be_seen_without_the_credentials() -> None:
    """Line and headers as they will be, and of the credentials their kind; no secret is read for it."""
    adapter = RestAdapter(AdapterContext())
    secret = {"auth": {"type": "bearer", "token": "env:NO_SUCH_SECRET"}}
    shown = channel("xroad", "https://ss.example.org", **secret)
    prepared = adapter.prepare(parcel(mine := appeal()), shown)
    lines = adapter.outline(prepared, shown)
    assert lines[0] == f"POST https://ss.example.org/r1/{SERVICE}/v1/appeals"
    assert f"X-Road-Id: {mine.header.message_id}" in lines
    assert lines[-1] == "(and the credentials of auth: bearer)"
    assert "NO_SUCH_SECRET" not in "".join(lines)

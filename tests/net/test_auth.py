"""Credentials over HTTP that have to be asked for: a token is got, kept, renewed once when it is refused; no message
goes out twice, and no secret shows up anywhere.
"""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from pydantic import ValidationError

from hub.adapters import AdapterContext
from hub.adapters.rest.adapter import RestAdapter
from hub.adapters.rest.session import RestSession
from hub.adapters.rest.settings import RestSettings
from hub.adapters.soap.settings import SoapSettings
from hub.delivery.redaction import Redactor, without_secrets
from hub.errors import TemporaryFailure
from hub.net import oauth, secrets
from hub.net.auth import credential
from hub.net.http import HttpPolicy, HttpSession
from hub.net.settings import OAuth2Auth
from hub.net.transport import PerCarrier
from hub.ports import Outcome, Prepared
from hub.protocols.soap.client import SoapClient, SoapRequest
from hub.protocols.soap.wire import SoapVersion
from hub.schemas.delivery import OutcomeKind
from hub.storage.attachments import MemoryAttachments
from hub.testing.contract import store_file
from hub.testing.samples import SECRET, appeal, delivery, parcel, secret_file
from tests.adapters.channels import rest_channel
from tests.adapters.servers import Server, drip, http, read_request, serving
from tests.net.test_http import LOOPBACK

JSON = "application/json"
SOAP = b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><ok/></e:Body></e:Envelope>'


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oauth, "_TOKENS", PerCarrier(oauth._Tokens))
    monkeypatch.setattr(secrets, "_KNOWN", {})


def headers_of(head: bytes) -> dict[str, str]:
    """Headers of a request, by names in lower case."""
    pairs = (line.partition(":") for line in head.decode().split("\r\n")[1:])
    return {name.lower(): value.strip() for name, _, value in pairs}


@dataclass
class Peer:
    """An issuer at ``/token`` and a document system at ``/in`` that takes the tokens ``valid`` and notes what it took.

    ``given``: how many tokens were given; ``refuses``: the system believes no token.
    """

    refuses: bool = False
    lasts: int = 3600
    answer: bytes = b""
    given: int = 0
    valid: set[str] = field(default_factory=set)
    asked: list[tuple[bytes, bytes]] = field(default_factory=list)
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)

    def script(self, server: Server, conn: socket.socket) -> None:
        while True:
            head, body = read_request(conn)
            if not head:
                return
            conn.sendall(self._token(head, body) if b" /token " in head else self._system(head, body))

    def _token(self, head: bytes, body: bytes) -> bytes:
        self.asked.append((head, body))
        if self.answer:
            return self.answer
        self.given += 1
        self.valid.add(f"token-{self.given}")
        said = {"access_token": f"token-{self.given}", "token_type": "bearer", "expires_in": self.lasts}
        return http("200 OK", json.dumps(said).encode(), Content_Type=JSON)

    def _system(self, head: bytes, body: bytes) -> bytes:
        said = headers_of(head)
        self.calls.append((said, body))
        token = said.get("authorization", "").removeprefix("Bearer ")
        if self.refuses or token not in self.valid:
            return http("401 Unauthorized", b'{"why": "token"}', Content_Type=JSON)
        self.taken.append(body)
        if said.get("content-type", "").startswith("text/xml"):
            return http("200 OK", SOAP, Content_Type="text/xml")
        named = {"message_id": said["hub-message-id"], "status": "accepted"} if body else {}
        return http("202 Accepted", json.dumps(named).encode(), Content_Type=JSON)


@contextmanager
def opened(peer: Peer, folder: Path, files: MemoryAttachments | None = None, **more: Any) -> Iterator[RestSession]:
    """A conversation with this peer; ``more``: settings, of ``auth`` beside the client's."""
    with serving(peer.script) as server, of(server, folder, files, **more) as session:
        yield session


@contextmanager
def of(server: Server, folder: Path, files: MemoryAttachments | None = None, **more: Any) -> Iterator[RestSession]:
    auth = {"type": "oauth2", "token_url": server.url("/token"), "client_id": "hub", **more.pop("auth", {})}
    if "private_key" not in auth:
        auth.setdefault("client_secret", secret_file(folder))
    channel = rest_channel(server.url(), auth=auth, **more)
    with RestAdapter(AdapterContext(attachments=files)).session(channel) as session:
        assert isinstance(session, RestSession)
        yield session


def sent(session: RestSession, prepared: Prepared | None = None, secs: float = 10) -> Outcome:
    return session.send(prepared or message(), secs)


def message() -> Prepared:
    return RestAdapter(AdapterContext()).prepare(parcel(appeal()), rest_channel("http://127.0.0.1:9/in"))


def test_a_token_is_got_once_for_all_calls(tmp_path: Path) -> None:
    """The issuer is asked before the first call only; each call shows the token, and both the token and the secret are
    known to whoever cuts secrets out.
    """
    peer = Peer()
    with opened(peer, tmp_path, auth={"scope": "appeals", "audience": "edms"}) as session:
        assert [sent(session).kind, sent(session).kind] == [OutcomeKind.DELIVERED] * 2
    assert [said["authorization"] for said, _ in peer.calls] == ["Bearer token-1"] * 2
    ((_, form),) = peer.asked
    assert parse_qs(form.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["hub"],
        "client_secret": [SECRET],
        "scope": ["appeals"],
        "audience": ["edms"],
    }
    assert {"token-1", SECRET} <= set(secrets.known())


def test_basic_carries_what_no_url_could(tmp_path: Path) -> None:
    """Id and secret are encoded as RFC 6749 section 2.3.1 says before Basic joins them; the form holds neither."""
    (tmp_path / "own").mkdir()
    file = tmp_path / "own" / "secret"
    file.touch(mode=0o600)
    file.write_text("a+b%c:d é/&")
    peer = Peer()
    more = {"client_id": "hub:1", "client_auth": "basic", "client_secret": f"file:{file}", "resource": "urn:edms"}
    with opened(peer, tmp_path, auth=more) as session:
        assert sent(session).kind is OutcomeKind.DELIVERED
    ((head, form),) = peer.asked
    pair = base64.b64decode(headers_of(head)["authorization"].removeprefix("Basic ")).decode()
    assert pair == "hub%3A1:a%2Bb%25c%3Ad%20%C3%A9%2F%26"
    assert parse_qs(form.decode()) == {"grant_type": ["client_credentials"], "resource": ["urn:edms"]}


def test_a_refused_token_is_renewed_once_and_the_message_taken_once(tmp_path: Path) -> None:
    """A token that their system revoked costs no attempt: a new one is asked for, the same bytes go again."""
    peer = Peer()
    with opened(peer, tmp_path) as session:
        sent(session)
        peer.valid.clear()
        prepared = message()
        assert sent(session, prepared).kind is OutcomeKind.DELIVERED
    assert [said["authorization"] for said, _ in peer.calls[1:]] == ["Bearer token-1", "Bearer token-2"]
    assert peer.calls[1][1] == peer.calls[2][1] == prepared.body
    assert peer.taken.count(prepared.body) == 1


def test_a_second_refusal_counts(tmp_path: Path) -> None:
    """A system that believes no token is asked twice, not more; the outcome is that of any refused credential."""
    peer = Peer(refuses=True)
    with opened(peer, tmp_path) as session:
        outcome = sent(session)
    assert (outcome.kind, outcome.code) == (OutcomeKind.TEMPORARY, "answer.unauthorized")
    assert (len(peer.calls), peer.given) == (2, 2)


def test_a_question_renews_the_token_too(tmp_path: Path) -> None:
    """What became of a message is asked with a token as well."""
    peer, envelope = Peer(), appeal()
    with serving(peer.script) as server:
        where: dict[str, Any] = {"receipt": "poll", "status_url": server.url("/in/{message_id}")}
        with of(server, tmp_path, **where) as session:
            sent(session)
            peer.valid.clear()
            session.poll(delivery(envelope, rest_channel(server.url())), 10)
    assert [said["authorization"] for said, _ in peer.calls] == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


def test_files_are_streamed_anew(tmp_path: Path) -> None:
    """An upload that was refused with its token goes again whole, with all its files."""
    files = MemoryAttachments()
    file = store_file(files, b"%PDF " * 40_000)
    peer = Peer()
    adapter = RestAdapter(AdapterContext(attachments=files))
    with opened(peer, tmp_path, files, attachments="multipart") as session:
        sent(session)
        peer.valid.clear()
        channel = rest_channel("http://127.0.0.1:9/in", attachments="multipart")
        prepared = adapter.prepare(parcel(appeal((file,))), channel)
        assert sent(session, prepared).kind is OutcomeKind.DELIVERED
    first, again = (body for _, body in peer.calls[1:])
    assert first == again
    assert b"%PDF " * 40_000 in again


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (http("401 Unauthorized", b'{"error": "invalid_client"}'), "oauth.refused", "invalid_client"),
        (http("503 Busy", b"", Retry_After="7"), "oauth.unavailable", "503"),
        (http("200 OK", b'{"access_token": "x", "token_type": "mac"}'), "oauth.answer", "not Bearer"),
        (http("302 Found", b"", Location="http://127.0.0.1:9/"), "oauth.refused", "302"),
    ],
)
def test_without_a_token_nothing_is_sent(tmp_path: Path, answer: bytes, code: str, words: str) -> None:
    """The message waits under a code of its own, with no secret in its words and no answer of the other system's."""
    peer = Peer(lasts=1)
    with opened(peer, tmp_path) as session:
        sent(session)
        peer.answer = answer
        oauth.refused(session._dialect.http.auth)  # type: ignore[arg-type]
        outcome = sent(session)
    assert (outcome.kind, outcome.code, outcome.answer) == (OutcomeKind.TEMPORARY, code, None)
    assert words in str(outcome.detail)
    assert SECRET not in repr(outcome)
    assert len(peer.calls) == 1
    assert outcome.retry_after == (7 if "unavailable" in code else None)


def test_the_issuer_and_the_call_share_one_deadline(tmp_path: Path) -> None:
    """An issuer that never ends its answer costs the call its deadline, not more; nothing was sent, so it waits."""
    with serving(drip(b"HTTP/1.1 200 OK\r\n")) as server, of(server, tmp_path) as session:
        outcome = sent(session, secs=0.3)
    assert (outcome.kind, outcome.code) == (OutcomeKind.TEMPORARY, "oauth.deadline")


def test_many_threads_ask_for_one_token(tmp_path: Path) -> None:
    """Eight threads that need a token at once make one question."""
    peer = Peer()
    got: list[str] = []
    with serving(peer.script) as server:
        auth = OAuth2Auth.model_validate(
            {
                "type": "oauth2",
                "token_url": server.url("/token"),
                "client_id": "hub",
                "client_secret": secret_file(tmp_path),
            }
        )
        policy = HttpPolicy(allow_http=True, allow_private=LOOPBACK)

        def ask() -> None:
            got.append(oauth.access_token(auth, policy, deadline_secs=10).value)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (got, peer.given) == (["token-1"] * 8, 1)


def test_a_late_refusal_leaves_the_new_token(tmp_path: Path) -> None:
    """Of two calls refused with the same old token only the first renews it: the second finds the new one."""
    tokens = oauth._Tokens()
    client = OAuth2Auth.model_validate(
        {"type": "oauth2", "token_url": "https://i.example.org/t", "client_id": "hub", "client_secret": "env:S"}
    )
    old = tokens.put(client, "old", 600)
    tokens.drop(client, old)
    new = tokens.put(client, "new", 600)
    tokens.drop(client, old)
    assert tokens.get(client) is new


def test_a_trial_gets_a_token(tmp_path: Path) -> None:
    """``hub channel probe`` asks the issuer and says so, without the token; what fails there is named as such."""
    peer = Peer()
    with opened(peer, tmp_path) as session:
        session.probe(10)
        said = str(session.credential())
        assert "gave a token" in said
        assert "token-1" not in said
        peer.answer = http("400 No", b'{"error": "invalid_scope"}')
        oauth.refused(session._dialect.http.auth)  # type: ignore[arg-type]
        with pytest.raises(TemporaryFailure) as refused:
            session.probe(10)
    assert (refused.value.stable_code, "scope" in refused.value.next_step) == ("oauth.refused", True)
    assert not peer.calls


def test_soap_calls_carry_and_renew_a_token(tmp_path: Path) -> None:
    """The same over SOAP: the envelope goes again with a new token."""
    peer = Peer()
    with serving(peer.script) as server:
        auth = {
            "type": "oauth2",
            "token_url": server.url("/token"),
            "client_id": "hub",
            "client_secret": secret_file(tmp_path),
        }
        settings = RestSettings.model_validate(
            {"url": server.url(), "allow_http": True, "allow_private": ["127.0.0.0/8"], "auth": auth}
        )
        with HttpSession(settings.policy()) as line:
            client = SoapClient(line, credential=credential(settings))
            request = SoapRequest(url=server.url(), version=SoapVersion.V11, action="a", envelope=SOAP)
            client.exchange(request, deadline_secs=10)
            peer.valid.clear()
            assert client.exchange(request, deadline_secs=10).http_status == 200
    assert [said["authorization"] for said, _ in peer.calls] == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


def test_a_key_in_the_query_shows_nowhere_else(tmp_path: Path) -> None:
    """The key stands at the end of each URL, percent-encoded; what goes out for people, what came back and is kept, and
    every error name its place only.
    """
    lines: list[bytes] = []

    def script(server: Server, conn: socket.socket) -> None:
        while (got := read_request(conn))[0]:
            lines.append(got[0].split(b"\r\n")[0])
            echoed = lines[-1].decode().encode()
            conn.sendall(
                http("404 Not Found", b'{"title": "no ' + echoed + b'"}', Content_Type="application/problem+json")
            )

    (tmp_path / "key").touch(mode=0o600)
    (tmp_path / "key").write_text("s3cret/key+&ї")
    auth = {"type": "api_key", "in": "query", "name": "api_key", "key": f"file:{tmp_path}/key"}
    with serving(script) as server:
        adapter = RestAdapter(AdapterContext())
        for url in (server.url(), server.url("/in?v=2")):
            channel = rest_channel(url, auth=auth)
            prepared = adapter.prepare(parcel(appeal()), channel)
            with adapter.session(channel) as session:
                outcome = session.send(prepared, 10)
            shown = "\n".join(adapter.outline(prepared, channel))
            assert "s3cret" not in shown
            assert "in the URL as api_key" in shown
            kept = without_secrets(outcome.answer or b"", secrets.known())[0]
            detail = Redactor((), secrets.known()).text(str(outcome.detail))
            assert b"s3cret" not in kept + detail.encode()
    encoded = b"s3cret%2Fkey%2B%26%D1%97"
    assert [line.split(b" ")[1] for line in lines] == [b"/in?api_key=" + encoded, b"/in?v=2&api_key=" + encoded]


@pytest.mark.parametrize(
    "more",
    [
        {"in": "query"},
        {"in": "query", "name": "k", "header": "X-K"},
        {"in": "header", "name": "X-K"},
        {"in": "cookie"},
        {"in": "query", "name": "a b"},
    ],
)
def test_a_key_has_one_place(more: dict[str, str]) -> None:
    """A header is named by ``header``, a member of the query by ``name``; never both."""
    with pytest.raises(ValidationError):
        RestSettings.model_validate(
            {"url": "https://e.example.org/", "auth": {"type": "api_key", "key": "env:K", **more}}
        )


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"token_url": "http://issuer.example.org/t"}, "http://"),
        ({"token_url": "https://issuer.example.org:9/t"}, "port"),
        ({"client_auth": "basic", "client_secret": None, "private_key": "file:/k"}, "client_auth: basic"),
        ({"client_secret": "s3cret"}, "must be a reference"),
        ({"client_secret": None}, "client_secret or private_key"),
        ({"scopes": "x"}, "scopes"),
    ],
)
def test_settings_that_cannot_work_are_refused(more: dict[str, object], words: str) -> None:
    """A token endpoint obeys the channel's rules, and a client proves itself in one way; what is wrong is not shown."""
    auth = {"type": "oauth2", "token_url": "https://i.example.org/t", "client_id": "hub", "client_secret": "env:S"}
    with pytest.raises(ValidationError) as refused:
        RestSettings.model_validate({"url": "https://e.example.org/", "ports": [443], "auth": {**auth, **more}})
    assert words in str(refused.value)


def test_sev_is_told_an_account_and_nothing_else() -> None:
    """A credential that nobody would be shown is refused, not ignored: SEV knows the hub by its account."""
    section = {"system_id": "{A}", "password": "env:P", "org_id": "36521731"}
    said = {"url": "https://sev.example.org/", "dialect": "sevovv", "sevovv": section}
    SoapSettings.model_validate(said)
    with pytest.raises(ValidationError, match="system_id and password"):
        SoapSettings.model_validate({**said, "auth": {"type": "bearer", "token": "env:T"}})

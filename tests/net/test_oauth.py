"""Tokens of the hub itself: asked for once, kept until they end, anew when refused; secrets stay where they are."""

from __future__ import annotations

import imaplib
import json
import socket
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from hub.adapters.email import imap, xoauth2
from hub.adapters.email.settings import ImapServer
from hub.errors import TemporaryFailure
from hub.net import oauth
from hub.net.deadline import Deadline
from hub.net.oauth import OAuth2Client, access_token
from tests.adapters.certificates import TestAuthority, server_context
from tests.adapters.servers import Server, http, read_request, serving
from tests.net.test_http import LOOPBACK

SECRET = "s3cret-of-the-client"
REFUSED = b'{"error": "invalid_client", "error_description": "x"}'
SCOPE = "https://outlook.office365.com/.default"


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oauth, "_TOKENS", oauth._Tokens())


def _given(**members: Any) -> bytes:
    document = {"access_token": "t-1", "token_type": "Bearer", "expires_in": 3599, **members}
    return http("200 OK", json.dumps(document).encode(), Content_Type="application/json")


def _issuer(authority: TestAuthority, *answers: bytes) -> AbstractContextManager[Server]:
    """An issuer that gives these answers, one to each connection; the last one repeats."""

    def script(server: Server, conn: socket.socket) -> None:
        server.requests.append(read_request(conn))
        conn.sendall(answers[min(len(server.requests), len(answers)) - 1])

    return serving(script, server_context(authority.issue("issuer")[0]))


def _client(server: Server, tmp_path: Path, authority: TestAuthority, **more: Any) -> OAuth2Client:
    file = tmp_path / "client.secret"
    file.write_text(SECRET)
    file.chmod(0o600)
    url = server.url("/token", "localhost")
    settings = {"token_url": url, "client_id": "hub", "client_secret": f"file:{file}", "ca_file": str(authority.file)}
    return OAuth2Client.model_validate({**settings, **more})


def _asked(client: OAuth2Client) -> str:
    return access_token(client, deadline_secs=5, allow_private=LOOPBACK)


def test_a_token_is_asked_for_once(tmp_path: Path) -> None:
    """The form is that of RFC 6749 section 4.4.2; the second login finds the token; a refused one is asked for anew."""
    authority = TestAuthority(tmp_path)
    with _issuer(authority, _given(), _given(access_token="t-2")) as server:
        client = _client(server, tmp_path, authority, scope=SCOPE)
        assert [_asked(client), _asked(client)] == ["t-1", "t-1"]
        (_, body) = server.requests[0]
        assert parse_qs(body.decode()) == {
            "grant_type": ["client_credentials"],
            "client_id": ["hub"],
            "client_secret": [SECRET],
            "scope": [SCOPE],
        }
        oauth.refused(client)
        assert _asked(client) == "t-2"
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (
            http("400 Bad Request", b'{"error": "invalid_client", "error_description": "x"}'),
            "oauth.refused",
            "invalid_client",
        ),
        (http("401 Unauthorized", b"<html>no</html>"), "oauth.refused", "401"),
        (http("200 OK", b"[]"), "oauth.refused", "200"),
        (_given(access_token=""), "oauth.answer", "no token"),
        (_given(access_token="a\r\nb"), "oauth.answer", "no token"),
        (_given(access_token=7), "oauth.answer", "no token"),
    ],
)
def test_no_token_is_said_without_the_secret(tmp_path: Path, answer: bytes, code: str, words: str) -> None:
    """What the issuer said is a code of the standard or a status; neither secret nor its own words are repeated."""
    authority = TestAuthority(tmp_path)
    with (
        _issuer(authority, answer) as server,
        pytest.raises(TemporaryFailure) as refused,
    ):
        _asked(_client(server, tmp_path, authority))
    assert refused.value.stable_code == code
    assert words in refused.value.message
    assert SECRET not in f"{refused.value!r} {refused.value.message}"
    assert "description" not in refused.value.message


def test_an_issuer_that_is_away_is_temporary(tmp_path: Path) -> None:
    """Nothing listens: the login waits, under a code of its own."""
    authority = TestAuthority(tmp_path)
    with _issuer(authority, _given()) as server:
        client = _client(server, tmp_path, authority)
    with pytest.raises(TemporaryFailure) as refused:
        _asked(client)
    assert refused.value.stable_code.startswith("oauth.")


@pytest.mark.parametrize(
    ("said", "secs"),
    [(3599, 3599.0), ("3599", 3599.0), (3599.5, 3599.5), (None, 300.0), (-1, 300.0), ("soon", 300.0), (True, 300.0)],
)
def test_how_long_a_token_holds(said: object, secs: float) -> None:
    """As number or as text; five minutes where nothing sensible is said."""
    assert oauth._seconds(said) == secs


def _mailbox(**more: Any) -> ImapServer:
    client = {"token_url": "https://issuer.example.org/token", "client_id": "hub", "client_secret": "env:NONE"}
    return ImapServer.model_validate({"host": "imap.example.org", "user": "hub@example.org", "oauth2": client, **more})


class Mailbox:
    """A mailbox that takes one token."""

    capabilities: tuple[str, ...] = ("AUTH=XOAUTH2",)

    def __init__(self, takes: bytes) -> None:
        self._takes = takes

    def authenticate(self, name: str, answer: Any) -> None:
        assert name == "XOAUTH2"
        if answer(b"") != self._takes:
            assert answer(b'{"status":"401"}') == b""  # the empty answer that ends a refused exchange
            raise imaplib.IMAP4.error("AUTHENTICATE failed")


def test_the_mailbox_hears_user_and_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the form of XOAUTH2; a refusal drops the token, so that the next login brings another."""
    dropped: list[OAuth2Client] = []
    monkeypatch.setattr(oauth, "access_token", lambda client, **_: "t-1")
    monkeypatch.setattr(oauth, "refused", dropped.append)
    server, deadline = _mailbox(), Deadline()
    deadline.start(5, 1_000)
    assert xoauth2.words(server, deadline) == "user=hub@example.org\1auth=Bearer t-1\1\1"
    imap._login(Mailbox(b"user=hub@example.org\1auth=Bearer t-1\1\1"), server, deadline)  # type: ignore[arg-type]
    with pytest.raises(TemporaryFailure):
        imap._login(Mailbox(b"another"), server, deadline)  # type: ignore[arg-type]
    assert dropped == [server.oauth2]


@pytest.mark.parametrize("more", [{"password": "env:P"}, {"user": None}])
def test_a_login_is_by_one_way(more: dict[str, Any]) -> None:
    """Password or token, never both; a token needs a user."""
    with pytest.raises(ValueError, match=r"login|password"):
        _mailbox(**more)

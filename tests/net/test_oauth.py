"""Tokens of the hub itself: asked for once, kept until they end, anew when refused; secrets stay where they are."""

from __future__ import annotations

import base64
import imaplib
import json
import socket
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import ECKey, RSAKey

from hub.adapters.email import imap, xoauth2
from hub.adapters.email.settings import ImapServer
from hub.errors import ConfigurationError, TemporaryFailure
from hub.net import oauth, secrets
from hub.net.deadline import Deadline
from hub.net.http import HttpPolicy
from hub.net.oauth import access_token
from hub.net.settings import OAuth2Client
from hub.net.transport import PerCarrier
from tests.adapters.certificates import TestAuthority, server_context
from tests.adapters.servers import Server, http, read_request, serving
from tests.net.test_http import LOOPBACK

SECRET = "s3cret-of-the-client"
REFUSED = b'{"error": "invalid_client", "error_description": "x"}'
SCOPE = "https://outlook.office365.com/.default"


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oauth, "_TOKENS", PerCarrier(oauth._Tokens))
    monkeypatch.setattr(secrets, "_KNOWN", {})


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
    return access_token(client, HttpPolicy(allow_private=LOOPBACK), deadline_secs=5).value


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
        (http("200 OK", b"[]"), "oauth.answer", "no token"),
        (http("200 OK", b"<html>login</html>"), "oauth.answer", "no token"),
        (http("200 OK", b'{"error": "invalid_scope"}'), "oauth.refused", "invalid_scope"),
        (http("200 OK", b'{"access_token": "a", "access_token": "b"}'), "oauth.answer", "no token"),
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


def _key_file(folder: Path, made: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> Path:
    file = folder / "client.key"
    file.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    file.chmod(0o600)
    return file


def _by_jose(folder: Path, token: str, made: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> tuple[Any, Any]:
    """Head and claims of a token that the program jose verifies."""
    key = RSAKey.import_key(made) if isinstance(made, rsa.RSAPrivateKey) else ECKey.import_key(made)
    (folder / "key.jwk").write_text(json.dumps(key.as_dict(private=False)))
    (folder / "token").write_text(token)
    done = subprocess.run(
        ["jose", "jws", "ver", "-i", folder / "token", "-k", folder / "key.jwk", "-O-"],
        capture_output=True,
        check=True,
    )
    head = token.partition(".")[0]
    return json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))), json.loads(done.stdout)


@pytest.mark.foreign("jose")
@pytest.mark.parametrize("subject", [None, "zvernennia@rada.example.org"])
@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_key_proves_the_hub(tmp_path: Path, algorithm: str, subject: str | None) -> None:
    """The assertion verifies with another's program; it is the proof of the client, or the grant for a mailbox."""
    made: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = (
        rsa.generate_private_key(65_537, 2_048) if algorithm == "RS256" else ec.generate_private_key(ec.SECP256R1())
    )
    authority = TestAuthority(tmp_path)
    cert = authority.issue("client")[0]
    more = {"client_secret": None, "private_key": f"file:{_key_file(tmp_path, made)}", "key_id": "k-7"}
    with _issuer(authority, _given()) as server:
        client = _client(server, tmp_path, authority, scope=SCOPE, subject=subject, certificate=str(cert), **more)
        assert _asked(client) == "t-1"
        form = {name: value for name, (value,) in parse_qs(server.requests[0][1].decode()).items()}
    head, claims = _by_jose(tmp_path, form.pop("client_assertion" if subject is None else "assertion"), made)
    (thumbprint,) = {head.pop("x5t#S256")}
    assert head == {"alg": algorithm, "typ": "JWT", "kid": "k-7"}
    assert base64.urlsafe_b64decode(thumbprint + "=") == x509.load_pem_x509_certificate(
        Path(cert).read_bytes()
    ).fingerprint(hashes.SHA256())
    assert (claims["iss"], claims["aud"], claims["exp"] - claims["iat"]) == ("hub", client.token_url, 300)
    if subject is None:
        assert claims["sub"] == "hub"
        assert form == {
            "grant_type": "client_credentials",
            "client_id": "hub",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "scope": SCOPE,
        }
    else:
        assert (claims["sub"], claims["scope"]) == (subject, SCOPE)
        assert form == {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer"}


@pytest.mark.parametrize("what", ["weak", "curve", "text", "absent"])
def test_a_key_that_is_no_use_is_named(tmp_path: Path, what: str) -> None:
    """A setting that is wrong waits for whoever mends it, before anything is sent; the key itself is not repeated."""
    key = tmp_path / "client.key"
    if what == "weak":
        key = _key_file(tmp_path, rsa.generate_private_key(65_537, 1_024))
    elif what == "curve":
        key = _key_file(tmp_path, ec.generate_private_key(ec.SECP384R1()))
    elif what == "text":
        key.write_text("no key at all")
        key.chmod(0o600)
    settings = {"token_url": "https://issuer.example.org/t", "client_id": "hub", "private_key": f"file:{key}"}
    with pytest.raises(ConfigurationError) as refused:
        oauth.question(OAuth2Client.model_validate(settings))
    assert str(key) in refused.value.message
    assert "no key at all" not in refused.value.message


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"client_secret": "env:S", "private_key": "file:/etc/hub/key.pem"},
        {"client_secret": "env:S", "subject": "a@example.org"},
        {"client_secret": "env:S", "key_id": "k"},
        {"private_key": "env:KEY"},
    ],
)
def test_the_hub_proves_itself_by_one_thing(more: dict[str, str]) -> None:
    """Secret or key, never both or neither; what only a key has is refused beside a secret."""
    with pytest.raises(ValueError, match=r"client_secret|private_key"):
        OAuth2Client.model_validate({"token_url": "https://issuer.example.org/t", "client_id": "hub", **more})


def test_tokens_are_known_as_secrets(tmp_path: Path) -> None:
    """A token that was given to the hub is cut out of whatever comes back later; the newest are kept in mind."""
    authority = TestAuthority(tmp_path)
    with _issuer(authority, _given(access_token="token-of-this-test")) as server:
        _asked(_client(server, tmp_path, authority))
    assert "token-of-this-test" in secrets.known()
    for number in range(secrets.MOST_KNOWN):
        secrets.remember(f"token-{number}")
    assert len(secrets.known()) == secrets.MOST_KNOWN
    assert secrets.known()[-1] == f"token-{secrets.MOST_KNOWN - 1}"
    assert "token-of-this-test" not in secrets.known()


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
    monkeypatch.setattr(oauth, "access_token", lambda *_, **__: oauth.Token(value="t-1", until=0.0))
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

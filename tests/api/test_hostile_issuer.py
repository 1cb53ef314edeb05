"""An issuer of tokens that changes its keys or their kind, grows them, answers slowly, without an end, or nonsense.

All over TLS on loopback through the guarded client that the hub uses. Callers whose keys are known never wait for it.
"""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey
from joserfc.util import int_to_base64

from hub.api import tokens
from hub.api.tokens import JWKS_KEEP_SECS, JWKS_MAX_BYTES, JWKS_RETRY_SECS, BearerTokens, Jwks, jwks_source, read_jwks
from hub.errors import Unauthenticated, Unavailable
from hub.net.http import HttpPolicy
from tests.acceptance.processes import until
from tests.adapters.certificates import TestAuthority, server_context
from tests.adapters.servers import Server, answering, drip, http, read_request, serving
from tests.api.test_auth import AUDIENCE, EC, ISSUER, NOW, RSA, _token
from tests.net.test_http import LOOPBACK

Script = Callable[[Server, socket.socket], None]
DEADLINE_SECS = 0.5


def document(*keys: Any) -> bytes:
    """A JWKS of these keys."""
    return json.dumps({"keys": [key if isinstance(key, dict) else key.as_dict(private=False) for key in keys]}).encode()


def told(*keys: Any) -> bytes:
    """The answer with such a JWKS."""
    return http("200 OK", document(*keys), Content_Type="application/jwk-set+json")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    """Who vouches for the issuer."""
    return TestAuthority(tmp_path_factory.mktemp("issuer"))


class Issuer:
    """Tokens held against the keys of a running issuer, with a clock of the test's own."""

    def __init__(self, url: str) -> None:
        self.secs = 0.0
        self.jwks = Jwks(jwks_source(url), monotonic=lambda: self.secs)
        self.tokens = BearerTokens(issuer=ISSUER, audience=AUDIENCE, jwks=self.jwks, now=lambda: NOW)

    def takes(self, key: Any, alg: str = "ES256") -> bool:
        """True if a token by this key opens the door."""
        try:
            self.tokens.check(_token(key, alg))
        except Unauthenticated:
            return False
        return True


@contextmanager
def issuing(
    script: Script, authority: TestAuthority, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Issuer, Server]]:
    """A hub that trusts an issuer on loopback, and the issuer."""
    policy = partial(HttpPolicy, allow_private=LOOPBACK, ca_file=authority.file)
    monkeypatch.setattr(tokens, "HttpPolicy", policy)
    monkeypatch.setattr(tokens, "FETCH_DEADLINE_SECS", DEADLINE_SECS)
    with serving(script, server_context(authority.issue("issuer")[0])) as server:
        yield Issuer(server.url("/jwks", "localhost")), server


def each_time(*answers: bytes) -> Script:
    """One answer to each connection, the last one repeats."""

    def script(server: Server, conn: socket.socket) -> None:
        server.requests.append(read_request(conn))
        conn.sendall(answers[min(len(server.requests), len(answers)) - 1])

    return script


def test_a_rotation_is_followed(authority: TestAuthority, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new key opens the door when a token names it, after half a minute at most; an old one only while it is told."""
    new = ECKey.generate_key("P-256", {"kid": "new"})
    with issuing(each_time(told(EC), told(EC, new), told(new)), authority, monkeypatch) as (issuer, server):
        assert (issuer.takes(EC), issuer.takes(new)) == (True, False)
        issuer.secs += JWKS_RETRY_SECS
        assert (issuer.takes(new), issuer.takes(EC)) == (True, True)
        issuer.secs += JWKS_KEEP_SECS
        assert (issuer.takes(new), issuer.takes(EC)) == (True, False)
        assert len(server.requests) == 3


def test_unknown_keys_cost_one_question_in_half_a_minute(
    authority: TestAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand tokens with ids of keys that nobody has: the issuer is asked once more, not a thousand times."""
    stranger = ECKey.generate_key("P-256", {"kid": "stranger"})
    with issuing(each_time(told(EC)), authority, monkeypatch) as (issuer, server):
        assert issuer.takes(EC)
        issuer.secs += JWKS_RETRY_SECS
        forged = _token(stranger)
        for _ in range(1_000):
            with pytest.raises(Unauthenticated):
                issuer.tokens.check(forged)
        assert len(server.requests) == 2


def test_another_kind_of_key_under_the_same_id(authority: TestAuthority, monkeypatch: pytest.MonkeyPatch) -> None:
    """The algorithm goes with the key's kind: an id that was EC and is RSA now opens for RSA, and for nothing else."""
    rsa = RSAKey.import_key(RSA.as_dict(private=True), {"kid": "ec"})
    with issuing(each_time(told(EC), told(rsa)), authority, monkeypatch) as (issuer, _):
        assert issuer.takes(EC)
        issuer.secs += JWKS_KEEP_SECS
        assert not issuer.takes(EC)
        assert issuer.takes(rsa, "RS256")
        assert issuer.takes(rsa, "PS256")


def changed(key: Any, **members: Any) -> dict[str, Any]:
    """A key as the issuer writes it, with other members."""
    return {**key.as_dict(private=False), **members}


@pytest.mark.parametrize(
    ("members", "takes"),
    [
        ({"alg": "RS256"}, {"RS256"}),
        ({"alg": "PS256", "use": "sig"}, {"PS256"}),
        ({"alg": "RSA-OAEP-256"}, set()),
        ({"alg": "none"}, set()),
        ({"alg": ["RS256"]}, set()),
        ({"use": "enc"}, set()),
        ({"use": ["sig"]}, set()),
        ({"key_ops": ["verify"]}, {"RS256", "PS256"}),
        ({"key_ops": ["encrypt"]}, set()),
        ({"key_ops": "verify"}, set()),
        ({"kid": None}, set()),
        ({"kid": ["rsa"]}, set()),
        ({"kty": "EC"}, set()),
        ({"kty": "oct", "k": "AAAA"}, set()),
        ({"x5u": "https://evil.example", "x5c": ["AAAA"]}, {"RS256", "PS256"}),
    ],
)
def test_a_key_is_for_what_it_says(members: dict[str, Any], takes: set[str]) -> None:
    """RFC 7517 sections 4.2 to 4.4: a key for encryption, for another algorithm or without an id verifies no token."""

    class Source:
        def read(self) -> bytes:
            return document(changed(RSA, **members))

    checks = BearerTokens(issuer=ISSUER, audience=AUDIENCE, jwks=Jwks(Source()), now=lambda: NOW)
    taken = set()
    for alg in ("RS256", "PS256"):
        try:
            checks.check(_token(RSA, alg))
        except Unauthenticated:
            continue
        taken.add(alg)
    assert taken == takes


def _rsa(bits: int, exponent: int = 65_537) -> dict[str, str]:
    return {"kty": "RSA", "kid": f"{bits}", "n": int_to_base64((1 << bits - 1) | 1), "e": int_to_base64(exponent)}


@pytest.mark.parametrize(
    ("key", "used"),
    [
        (_rsa(1_024), False),
        (_rsa(2_048), True),
        (_rsa(4_096), True),
        (_rsa(4_104), False),
        (_rsa(16_384), False),
        (_rsa(1_000_000), False),
        (_rsa(2_048, 3), True),
        (_rsa(2_048, 1), False),
        (_rsa(2_048, 2), False),
        (_rsa(2_048, (1 << 64) + 1), False),
        (_rsa(4_096, (1 << 4_000) + 1), False),
        ({"kty": "EC", "crv": "P-521", "kid": "a", "x": "AA", "y": "AA"}, False),
        ({"kty": "EC", "crv": "P-256", "kid": "a", "x": "AA", "y": "AA"}, False),
        ({"kty": "EC", "crv": "P-256", "kid": "a", "x": "A" * 100_000, "y": "A" * 100_000}, False),
        ({"kty": "RSA", "kid": "a", "n": "!", "e": "AQAB"}, False),
        ({"kty": "RSA", "kid": "a"}, False),
    ],
)
def test_giant_and_crooked_keys_are_left_out(key: dict[str, str], used: bool) -> None:
    """A modulus of a million bits, an exponent of four thousand, points that are on no curve: none costs a moment."""
    begun = time.process_time()
    assert bool(read_jwks(document(key))) is used
    assert time.process_time() - begun < 5


def test_as_many_keys_as_fit_are_read_in_a_moment() -> None:
    """A document at its limit holds some thousand keys."""
    x, y = (EC.as_dict(private=False)[name] for name in ("x", "y"))
    keys = [{"kty": "EC", "crv": "P-256", "kid": f"{number}", "x": x, "y": y} for number in range(1_700)]
    text = document(*keys)
    assert JWKS_MAX_BYTES * 0.8 < len(text) <= JWKS_MAX_BYTES
    begun = time.process_time()
    assert len(read_jwks(text)) == len(keys)
    assert time.process_time() - begun < 10


def mute(server: Server, conn: socket.socket) -> None:
    """Hear and say nothing."""
    read_request(conn)
    server.pause(30)


SWOLLEN = gzip.compress(b" " * 50_000_000 + document(EC), mtime=0)
SICK: dict[str, Script] = {
    "mute": mute,
    "drip": drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
    "drip in the head": drip(b"HTTP/1.1 200 OK\r\nX: "),
    "endless": answering(http("200 OK", b" " * (JWKS_MAX_BYTES + 1))),
    "zip bomb": answering(http("200 OK", SWOLLEN, Content_Encoding="gzip")),
    "redirect to a file": answering(http("302 Found", b"", Location="file:///etc/passwd")),
    "page": answering(http("200 OK", b"<html>log in</html>", Content_Type="text/html")),
    "error": answering(http("500 Oops", document(EC))),
    "deep": answering(http("200 OK", b'{"keys":' + b"[" * 100_000)),
    "no list": answering(http("200 OK", b'{"keys":{"kid":"ec"}}')),
    "a member twice": answering(http("200 OK", document(EC)[:-1] + b',"keys":[]}')),
    "cut": answering(http("200 OK", document(EC))[:-20] + b"\r\n\r\n"),
}


@pytest.mark.parametrize("kind", SICK)
def test_a_sick_issuer_costs_the_known_nothing(
    kind: str, authority: TestAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keys in force stay, the fetch ends by its deadline, and it is tried once in half a minute, whoever asks."""
    good = [True]

    def script(server: Server, conn: socket.socket) -> None:
        if good[0]:
            read_request(conn)
            conn.sendall(told(EC))
        else:
            SICK[kind](server, conn)

    with issuing(script, authority, monkeypatch) as (issuer, server):
        assert issuer.takes(EC)
        good[0] = False
        issuer.secs += JWKS_KEEP_SECS
        begun, before = time.monotonic(), server.connections
        for _ in range(5):
            assert issuer.takes(EC)
        assert time.monotonic() - begun < DEADLINE_SECS + 5
        assert server.connections - before <= 1


@pytest.mark.parametrize("kind", ["mute", "endless", "page", "cut"])
def test_without_a_first_answer_nobody_is_let_in(
    kind: str, authority: TestAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys that could never be read are no refusal of the caller: 503, and the issuer is not asked for each of them."""
    with issuing(SICK[kind], authority, monkeypatch) as (issuer, server):
        for _ in range(20):
            with pytest.raises(Unavailable):
                issuer.takes(EC)
        assert server.connections == 1


def test_who_is_known_does_not_wait_while_others_are_looked_up(
    authority: TestAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one call waits for a mute issuer, a caller whose key is known comes in at once."""
    asked = threading.Event()

    def script(server: Server, conn: socket.socket) -> None:
        read_request(conn)
        if server.connections == 1:
            conn.sendall(told(EC))
        else:
            asked.set()
            server.pause(30)

    stranger = ECKey.generate_key("P-256", {"kid": "stranger"})
    with issuing(script, authority, monkeypatch) as (issuer, _):
        assert issuer.takes(EC)
        monkeypatch.setattr(tokens, "FETCH_DEADLINE_SECS", 20.0)
        issuer.secs += JWKS_KEEP_SECS
        waiting = threading.Thread(target=issuer.takes, args=(stranger,), daemon=True)
        waiting.start()
        assert asked.wait(20)
        begun = time.monotonic()
        assert issuer.takes(EC)
        assert time.monotonic() - begun < 10
        assert waiting.is_alive()
    until(lambda: not waiting.is_alive(), seconds=30)


def test_an_issuer_that_nobody_vouches_for_gives_no_keys(
    authority: TestAuthority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another authority's certificate: nothing is asked of it."""
    with issuing(each_time(told(EC)), TestAuthority(tmp_path), monkeypatch) as (issuer, server):
        monkeypatch.setattr(tokens, "HttpPolicy", partial(HttpPolicy, allow_private=LOOPBACK, ca_file=authority.file))
        with pytest.raises(Unavailable):
            issuer.takes(EC)
        assert server.requests == []

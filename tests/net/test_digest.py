"""HTTP digest: the numbers of RFC 7616 and its erratum, odd challenges, stale nonces, streams, a real server."""

from __future__ import annotations

import hashlib
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.adapters import AdapterContext
from hub.adapters.rest.adapter import RestAdapter
from hub.net import auth
from hub.net.digest import Nonce, challenge_of
from hub.net.transport import PerCarrier
from hub.ports import Outcome, Prepared
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel
from hub.storage.attachments import MemoryAttachments
from hub.testing.contract import store_file
from hub.testing.samples import SECRET, appeal, parcel, secret_file
from tests.adapters.channels import rest_channel
from tests.adapters.servers import Server, http, read_request, serving
from tests.net.test_auth import headers_of
from tests.ports import free_port

MUFASA = (
    'realm="http-auth@example.org", qop="auth, auth-int", nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
DOE = (
    'Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, charset=UTF-8, '
    'nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS"'
)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "_NONCES", PerCarrier(auth._Nonces))


def proof(header: str, cnonce: str, user: str, password: str, target: str, body: bytes = b"") -> str:
    challenge = challenge_of(header)
    assert challenge is not None
    return Nonce(challenge, cnonce).proof(user, password, method="GET", target=target, body=lambda: [body])


def value(header: str, name: str) -> str:
    found = re.search(rf'[ ,]{name}="?([^",]*)', header)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_the_rfc(algorithm: str, response: str) -> None:
    """Section 3.9.1, with both algorithms."""
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    header = f"Digest {MUFASA}, algorithm={algorithm}"
    made = proof(header, cnonce, "Mufasa", "Circle of Life", "/dir/index.html")
    assert value(made, "response") == response
    assert (value(made, "nc"), value(made, "qop"), value(made, "uri")) == ("00000001", "auth", "/dir/index.html")
    assert "algorithm=" + algorithm in made


@pytest.mark.parametrize(
    ("more", "name"),
    [
        (", userhash=true", 'username="793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"'),
        ("", "username*=UTF-8''J%C3%A4s%C3%B8n%20Doe"),
    ],
)
def test_the_example_beyond_ascii(more: str, name: str) -> None:
    """Section 3.9.2 as erratum 4897 mends it: SHA-512/256, a name that is hashed or encoded; composed or not."""
    cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v"
    for user in ("Jäsøn Doe", "Ja\u0308søn Doe"):
        made = proof(DOE + more, cnonce, user, "Secret, or not?", "/doe.json")
        assert value(made, "response") == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"
        assert name in made


def test_a_body_is_bound_where_the_server_wants_that() -> None:
    """``auth-int`` alone: the body's hash goes in (numbers of httpbin)."""
    header = 'Digest realm="me@kennethreitz.com", nonce="7a5462bc2121c2e609e6f71c64d341c1", algorithm=MD5, qop=auth-int'
    cnonce = "MjhjOWI2ZDRmNmVkNjlmYzRmMTdjZjAxYmU4ZTNkM2U="
    made = proof(header, cnonce, "foo", "bar", "/digest-auth/auth-int/foo/bar")
    assert value(made, "response") == "a86955ec413135f7902c0bae37d75469"
    assert value(proof(header, cnonce, "foo", "bar", "/", b"x"), "response") != value(
        proof(header, cnonce, "foo", "bar", "/", b"y"), "response"
    )


def test_a_server_of_the_first_kind() -> None:
    """Without ``qop`` and ``algorithm`` it is RFC 2069: no counter, MD5; the numbers are those of its erratum 749."""
    header = 'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9"'
    made = proof(header, "c", "Mufasa", "CircleOfLife", "/dir/index.html")
    assert value(made, "response") == "1949323746fe6a43ef61f9606e7febea"
    assert "nc=" not in made
    assert "algorithm" not in made


def test_a_session_binds_the_password_to_the_nonce() -> None:
    """``-sess``: the password's hash is bound to nonce and our own, which stay while the counter runs."""
    challenge = challenge_of('Digest realm="r", nonce="n", algorithm=MD5-sess, qop="auth"')
    assert challenge is not None
    nonce = Nonce(challenge, "c")

    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    key = md5(f"{md5('u:r:p')}:n:c")
    for count in ("00000001", "00000002"):
        made = nonce.proof("u", "p", method="POST", target="/in?a=1", body=list)
        assert value(made, "response") == md5(f"{key}:n:{count}:c:auth:{md5('POST:/in?a=1')}")


@pytest.mark.parametrize(
    ("header", "algorithm", "realm"),
    [
        (
            f"Basic realm=x, Digest {MUFASA}, algorithm=MD5, Digest {MUFASA}, algorithm=SHA-256",
            "SHA-256",
            "http-auth@example.org",
        ),
        ('Negotiate, Digest realm="a, \\"b\\"", nonce=n', "MD5", 'a, "b"'),
        ("NTLM abc==, digest REALM=r , Nonce=n, qop=", "MD5", "r"),
    ],
)
def test_challenges_are_found_among_others(header: str, algorithm: str, realm: str) -> None:
    """The strongest that we can answer, whatever stands beside it and however it is written."""
    found = challenge_of(header)
    assert found is not None
    assert (found.algorithm, found.realm) == (algorithm, realm)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic realm=x",
        'Digest realm="r"',
        'Digest realm="r", nonce="n", algorithm=SHA-1',
        'Digest realm="r", nonce="n", qop="auth-conf"',
        'Digest realm="Доступ", nonce="n"',
        'Digest nonce="n"',
        "Digest " + ", ".join(f"a{n}=b" for n in range(9_000)) + ', realm="r", nonce="n"',
    ],
)
def test_what_cannot_be_answered_is_left(header: str) -> None:
    """No challenge of ours, one that is not whole, or one without an end: the 401 stays the answer."""
    assert challenge_of(header) is None


@given(st.text(st.characters(max_codepoint=255), max_size=80))
def test_no_challenge_puts_a_line_into_our_head(text: str) -> None:
    """Whatever a server writes, its challenge is read or left; a proof is one line of visible ASCII."""
    challenge = challenge_of(f'Digest realm="{text}", nonce="{text}", opaque={text}')
    if challenge is not None:
        made = Nonce(challenge).proof("u", "p", method="GET", target="/", body=list)
        assert re.fullmatch(r"[\x20-\x7e]+", made)


@dataclass
class Guarded:
    """A document system behind digest. ``lives``: calls that a nonce is good for; ``password``: the one it knows."""

    password: str = SECRET
    lives: int = 100
    following: bool = False
    nonces: list[int] = field(default_factory=list)
    heads: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)

    def script(self, server: Server, conn: socket.socket) -> None:
        while True:
            head, body = read_request(conn)
            if not head:
                return
            conn.sendall(self.say(head, body))

    def say(self, head: bytes, body: bytes) -> bytes:
        said = headers_of(head)
        self.heads.append(said)
        self.bodies.append(body)
        if not self.proved(said.get("authorization", ""), body):
            self.nonces.append(0)
            challenge = f'Digest realm="edms", nonce="n{len(self.nonces)}", algorithm=SHA-256, qop="auth-int"'
            return http("401 Unauthorized", b"{}", WWW_Authenticate=challenge)
        self.taken.append(body)
        acknowledged = b'{"message_id": "%s", "status": "accepted"}' % said["hub-message-id"].encode()
        more = {}
        if self.following:
            self.nonces.append(0)
            more["Authentication_Info"] = f'nextnonce="n{len(self.nonces)}"'
        return http("202 Accepted", acknowledged, Content_Type="application/json", **more)

    def proved(self, said: str, body: bytes) -> bool:
        """Verify as a server does, with its own hashes; a counter must go on, and the nonce be one in force."""
        if not said:
            return False
        at = int(value(said, "nonce")[1:]) - 1
        count = int(value(said, "nc"), 16)
        self.nonces[at], goes_on = count, count == self.nonces[at] + 1

        def h(*words: str | bytes) -> str:
            return hashlib.sha256(b":".join(w if isinstance(w, bytes) else w.encode() for w in words)).hexdigest()

        bound = (value(said, "nonce"), value(said, "nc"), value(said, "cnonce"), "auth-int")
        expected = h(h("hub", "edms", self.password), *bound, h("POST", value(said, "uri"), h(body)))
        return goes_on and count <= self.lives and value(said, "response") == expected


@contextmanager
def calling(peer: Guarded, folder: Path, **more: Any) -> Iterator[tuple[RestAdapter, Channel]]:
    files = MemoryAttachments()
    with serving(peer.script) as server:
        credentials = {"type": "digest", "user": "hub", "password": secret_file(folder)}
        yield RestAdapter(AdapterContext(attachments=files)), rest_channel(server.url(), auth=credentials, **more)


def send(adapter: RestAdapter, channel: Channel, prepared: Prepared | None = None) -> Outcome:
    with adapter.session(channel) as session:
        return session.send(prepared or adapter.prepare(parcel(appeal()), channel), 10)


def test_one_refusal_serves_many_conversations(tmp_path: Path) -> None:
    """The first call is refused and made again; later ones, also of other conversations, go with the nonce at once and
    a counter that goes on.
    """
    peer = Guarded()
    with calling(peer, tmp_path) as (adapter, channel):
        assert [send(adapter, channel).kind for _ in range(3)] == [OutcomeKind.DELIVERED] * 3
    assert [int(value(head["authorization"], "nc"), 16) for head in peer.heads[1:]] == [1, 2, 3]
    assert ("authorization" in peer.heads[0], len(peer.heads), len(peer.taken)) == (False, 4, 3)


@pytest.mark.parametrize("following", [False, True])
def test_a_nonce_that_ended_costs_no_attempt(tmp_path: Path, following: bool) -> None:
    """A stale nonce is answered with the next; a server that names the next one beforehand refuses nothing."""
    peer = Guarded(lives=1, following=following)
    with calling(peer, tmp_path) as (adapter, channel):
        assert [send(adapter, channel).kind for _ in range(3)] == [OutcomeKind.DELIVERED] * 3
    assert (len(peer.taken), len(peer.heads)) == (3, 4 if following else 6)


def test_a_wrong_password_is_tried_once_an_attempt(tmp_path: Path) -> None:
    """Two calls, one proof: no account is locked by our haste, and the outcome is that of any refused credential."""
    peer = Guarded(password="another")
    with calling(peer, tmp_path) as (adapter, channel):
        outcome = send(adapter, channel)
    assert (outcome.kind, outcome.code) == (OutcomeKind.TEMPORARY, "answer.unauthorized")
    assert ["authorization" in head for head in peer.heads] == [False, True]
    assert not peer.taken


def test_a_stream_is_hashed_and_sent_anew(tmp_path: Path) -> None:
    """With files the body is a stream: ``auth-int`` binds all of it, and it goes whole both times."""
    peer = Guarded()
    with calling(peer, tmp_path, attachments="multipart") as (adapter, channel):
        assert isinstance(adapter.attachments, MemoryAttachments)
        file = store_file(adapter.attachments, b"%PDF " * 30_000)
        prepared = adapter.prepare(parcel(appeal((file,))), channel)
        assert send(adapter, channel, prepared).kind is OutcomeKind.DELIVERED
    assert peer.bodies[0] == peer.bodies[1]
    assert b"%PDF " * 30_000 in peer.taken[0]


@pytest.mark.foreign("lighttpd")
@pytest.mark.parametrize(("algorithm", "function"), [("SHA-256", "sha256"), ("MD5", "md5")])
def test_lighttpd_believes_us(tmp_path: Path, algorithm: str, function: str) -> None:
    """A real server in front of a system takes the proof, the same nonce again, and a name that is hashed."""
    port, peer = free_port(), Guarded()
    peer.proved = lambda *_: True  # type: ignore[method-assign]
    known = [hashlib.new(function, text.encode()).hexdigest() for text in (f"hub:edms:{SECRET}", "hub:edms")]
    (tmp_path / "users").write_text(":".join(["hub", "edms", *known]))
    with serving(peer.script) as server:
        (tmp_path / "conf").write_text(
            f"""server.document-root = "{tmp_path}"
server.port = {port}
server.bind = "127.0.0.1"
server.modules = ("mod_auth", "mod_authn_file", "mod_proxy")
auth.backend = "htdigest"
auth.backend.htdigest.userfile = "{tmp_path}/users"
auth.require = ("" => ("method" => "digest", "realm" => "edms", "require" => "valid-user",
    "algorithm" => "{algorithm}", "userhash" => "enable"))
proxy.server = ("" => (("host" => "127.0.0.1", "port" => {server.port})))
"""
        )
        with lighttpd(tmp_path / "conf", port):
            credentials = {"type": "digest", "user": "hub", "password": secret_file(tmp_path)}
            channel = rest_channel(f"http://127.0.0.1:{port}/in?a=%20b", auth=credentials)
            adapter = RestAdapter(AdapterContext())
            assert [send(adapter, channel).kind for _ in range(2)] == [OutcomeKind.DELIVERED] * 2
    assert [value(head["authorization"], "nc") for head in peer.heads] == ["00000001", "00000002"]


@contextmanager
def lighttpd(conf: Path, port: int) -> Iterator[None]:
    """The server, until it takes connections."""
    program = shutil.which("lighttpd")
    assert program is not None
    modules = Path(program).resolve().parent.parent / "lib" / "lighttpd"
    running = subprocess.Popen([program, "-D", "-f", conf, "-m", modules], stderr=subprocess.DEVNULL)
    until = time.monotonic() + 30
    try:
        while not _listens(port):
            assert running.poll() is None
            assert time.monotonic() < until, "lighttpd does not listen"
            threading.Event().wait(0.01)
        yield
    finally:
        running.terminate()
        running.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0

"""Mail out: the contract, and every way a conversation over SMTP can go (faults F20, F22)."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from hub.adapters import AdapterContext, adapter
from hub.adapters.email.adapter import EmailAdapter
from hub.errors import ConfigurationError, TemporaryFailure
from hub.ports import Outcome, Prepared
from hub.schemas.delivery import OutcomeKind
from hub.schemas.directory import Channel, LegalClass
from hub.storage.attachments import MemoryAttachments
from hub.testing.contract import CALLS, AdapterContract, Feature, Harness, store_file
from hub.testing.samples import appeal, parcel, secret_file
from tests.adapters.certificates import TestAuthority, server_context
from tests.adapters.email.making import box_channel, out_channel, out_settings, reply
from tests.adapters.email.smtp_peer import SmtpPeer
from tests.adapters.email.test_replies import wire
from tests.adapters.servers import Server, serving
from tests.conftest import ROOT


class _Pickup:
    """A folder in which a reply lies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._channel = box_channel(pickup=str(folder))
        folder.mkdir()
        (folder / "1.eml").write_bytes(wire(reply(appeal(), "Так.")))

    def channel(self) -> Channel:
        return self._channel

    def waiting(self) -> int:
        return len(list(self._folder.glob("*.eml")))


class TestContract(AdapterContract):
    """The suite over SMTP on loopback."""

    features = (CALLS | {Feature.COLLECTS}) - {Feature.REFUSES, Feature.LOSES_ANSWER, Feature.ANSWERS_ANOTHER}
    proves = LegalClass.DELIVERED
    settings: ClassVar[dict[str, object]] = {}

    @pytest.fixture
    def harness(self, tmp_path: Path) -> Iterator[Harness]:
        ca = TestAuthority(tmp_path)
        pem, _ = ca.issue("mx", dns="localhost")
        login = {"user": "hub", "password": secret_file(tmp_path), "ca_file": str(ca.file)}
        safe = SmtpPeer(
            {"EHLO": b"250-mx.example.org\r\n250 AUTH PLAIN\r\n", "AUTH": b"235 2.7.0 ok\r\n"},
            {"smtp": {"host": "localhost", "security": "tls", **login}, **self.settings},
        )
        attachments = MemoryAttachments()
        with ExitStack() as stack, socket.create_server(("127.0.0.1", 0)) as closed:

            def peer(kind: str = "", **says: bytes | None) -> SmtpPeer:
                made = SmtpPeer(dict(says), self.settings, kind=kind)
                made.server = stack.enter_context(serving(made.script))
                return made

            safe.server = stack.enter_context(serving(safe.script, tls=server_context(pem)))
            port = closed.getsockname()[1]
            closed.close()
            yield Harness(
                adapter=EmailAdapter(AdapterContext(attachments=attachments)),
                attachments=attachments,
                accepts=peer(),
                wrong=out_channel(port, **{**self.settings, "to": ["nobody"]}),
                garbles=peer(DOT=b"\x1b[31mlogin\r\n"),
                busy=peer(RCPT=b"450 4.7.1 Greylisted, try again in 7 seconds\r\n"),
                absent=out_channel(port, **self.settings),
                carries_files=peer,
                refuses_files=out_channel(port, **{**self.settings, "attachments": "refuse"}),
                trickles=peer(kind="trickles"),
                floods=peer(kind="floods"),
                confides=safe,
                collects=_Pickup(tmp_path / "pickup"),
            )


class TestTemplateContract(TestContract):
    """The suite for documents in the authority's own form; what is collected lies in the same mailbox."""

    settings: ClassVar[dict[str, object]] = {
        "template": {
            "format": "json",
            "name": "{message_id}.json",
            "request": {"id": "$message_id", "sealed": "$sealed"},
        }
    }


@contextmanager
def peer(settings: dict[str, object] | None = None, **says: object) -> Iterator[SmtpPeer]:
    made = SmtpPeer(dict(says), settings or {})  # type: ignore[arg-type]
    with serving(made.script) as server:
        made.server = server
        yield made


def prepared(channel: Channel, attachments: MemoryAttachments | None = None, size: int = 0) -> Prepared:
    files = (store_file(attachments, b"x" * size),) if attachments is not None else ()
    return EmailAdapter(AdapterContext(attachments=attachments)).prepare(parcel(appeal(files)), channel)


def send(channel: Channel, times: int = 1, mail: Prepared | None = None) -> list[Outcome]:
    made = adapter("email")
    mail = mail or prepared(channel)
    with made.session(channel) as session:
        return [session.send(mail, 5.0) for _ in range(times)]


@pytest.mark.parametrize(
    ("verb", "answer", "kind", "code"),
    [
        ("GREETING", b"421 4.3.2 closing\r\n", "temporary", "smtp.greeting"),
        ("GREETING", b"554 no\r\n", "temporary", "smtp.greeting"),
        ("MAIL", b"451 4.3.0 later\r\n", "temporary", "smtp.sender"),
        ("MAIL", b"550 5.7.1 not you\r\n", "temporary", "smtp.sender"),
        ("MAIL", b"530 5.7.0 log in first\r\n", "temporary", "smtp.login"),
        ("MAIL", b"552 5.3.4 too big\r\n", "permanent", "smtp.too_large"),
        ("RCPT", b"450 4.2.0 Greylisted\r\n", "temporary", "smtp.greylisted"),
        ("RCPT", b"452 4.2.2 box full\r\n", "temporary", "smtp.recipient_later"),
        ("RCPT", b"550 5.1.1 no such user\r\n", "permanent", "smtp.recipient"),
        ("RCPT", b"421 4.7.0 closing\r\n", "temporary", "smtp.recipient_later"),
        ("DATA", b"451 4.3.0 later\r\n", "temporary", "smtp.data"),
        ("DATA", b"554 5.7.1 spam\r\n", "permanent", "smtp.data"),
        ("DOT", b"451 4.3.0 later\r\n", "temporary", "smtp.data"),
        ("DOT", b"554 5.6.0 refused\r\n", "permanent", "smtp.data"),
        ("DOT", None, "unknown", "smtp.unanswered"),
        ("RCPT", None, "temporary", "smtp.broken"),
        ("EHLO", None, "temporary", "smtp.broken"),
    ],
)
def test_every_answer_has_its_meaning(verb: str, answer: bytes | None, kind: str, code: str) -> None:
    """F22: 4xx and 5xx at each verb, and hanging up before and after the final dot, are told apart."""
    says: dict[str, object] = {verb: answer}
    with peer(None, **says) as made:
        (outcome,) = send(made.channel())
    assert (outcome.kind.value, outcome.code) == (kind, code)


def test_one_recipient_that_takes_it_is_enough() -> None:
    """A refused recipient beside one that accepts: delivered once, the refusal stands in the attempt's detail."""
    answers = iter([b"550 5.1.1 gone\r\n", b"250 ok\r\n"])
    with peer({"to": ["old@gromada.example.org", "new@gromada.example.org"]}, RCPT=lambda _: next(answers)) as made:
        (outcome,) = send(made.channel())
    assert (outcome.kind, outcome.code) == (OutcomeKind.DELIVERED, "smtp.partly_refused")
    assert "recipient 1: 550 5.1.1 gone" in str(outcome.detail)
    assert len(made.received) == 1


def test_a_mixture_of_refusals_is_tried_again() -> None:
    """If one recipient may still take it later, the message waits."""
    answers = iter([b"550 5.1.1 gone\r\n", b"450 4.2.1 busy\r\n"])
    with peer({"to": ["a@gromada.example.org", "b@gromada.example.org"]}, RCPT=lambda _: next(answers)) as made:
        (outcome,) = send(made.channel())
    assert outcome.kind is OutcomeKind.TEMPORARY


def test_a_lost_answer_sends_the_same_bytes_again() -> None:
    """F20: hung up after the final dot is unknown; the second try carries the same Message-ID and bytes."""
    answers = iter([None, b"250 ok\r\n"])
    with peer(DOT=lambda _: next(answers)) as made:
        first, second = send(made.channel(), times=2)
    assert (first.kind, second.kind) == (OutcomeKind.UNKNOWN, OutcomeKind.DELIVERED)
    assert made.received[0] == made.received[1]


def test_one_connection_carries_many() -> None:
    """Messages of one session go over one connection, with sender and recipient named for each."""
    with peer() as made:
        assert {outcome.kind for outcome in send(made.channel(), times=3)} == {OutcomeKind.DELIVERED}
        assert made.server is not None
        assert made.server.connections == 1
    assert [line.split(":")[0] for line in made.commands if line.startswith(("MAIL", "RCPT"))] == [
        "MAIL FROM",
        "RCPT TO",
    ] * 3


def test_after_421_a_new_connection_is_made() -> None:
    """A server that closes in mid-session costs one attempt, not the session."""
    answers = iter([b"421 4.3.2 closing\r\n", b"250 ok\r\n"])
    with peer(MAIL=lambda _: next(answers)) as made:
        first, second = send(made.channel(), times=2)
    assert (first.kind, second.kind) == (OutcomeKind.TEMPORARY, OutcomeKind.DELIVERED)


def test_reports_are_asked_for() -> None:
    """DSN (RFC 3461): all three notices, only headers back, our id as the envelope's; the sender carries the token."""
    with peer() as made:
        mail = prepared(made.channel())
        send(made.channel(), mail=mail)
    said = " ".join(made.commands)
    assert f"RET=HDRS ENVID={mail.message_id}" in said
    assert "NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;rada@gromada.example.org" in said
    assert f"SIZE={len(mail.body)}" in said


def test_tls_is_never_given_up() -> None:
    """F22: a server (or somebody before it) that takes STARTTLS out of its offer gets no mail and no password."""
    with peer({"smtp": {"security": "starttls", "user": "hub", "password": "env:TEST_MAIL_KEY"}}) as made:
        (outcome,) = send(made.channel())
    assert (outcome.kind, outcome.code) == (OutcomeKind.TEMPORARY, "smtp.no_tls")
    assert not [line for line in made.commands if line.startswith(("AUTH", "MAIL"))]


def test_what_is_said_in_clear_after_starttls_is_thrown_away(tmp_path: Path) -> None:
    """Words that somebody puts behind the answer to STARTTLS (CVE-2011-0411's kind) are not heard as the server's."""
    authority = TestAuthority(tmp_path)
    pem, _ = authority.issue("mx", dns="localhost")
    context = server_context(pem)
    heard: list[bytes] = []

    def script(server: Server, conn: socket.socket) -> None:
        conn.sendall(b"220 mx ESMTP\r\n")
        conn.recv(1_000)
        conn.sendall(b"250-mx\r\n250 STARTTLS\r\n")
        conn.recv(1_000)
        conn.sendall(b"220 go\r\n250-mx\r\n250 AUTH PLAIN\r\n235 ok\r\n")
        with context.wrap_socket(conn, server_side=True) as tls:
            for answer in (b"250-mx\r\n250 AUTH PLAIN\r\n", b"535 5.7.8 no\r\n", b"221 bye\r\n"):
                heard.append(tls.recv(1_000))
                tls.sendall(answer)

    with serving(script) as server:
        login = {"user": "hub", "password": "env:TEST_MAIL_KEY", "ca_file": str(authority.file)}
        channel = out_channel(server.port, smtp={"host": "localhost", "security": "starttls", **login})
        (outcome,) = send(channel)
    assert (outcome.kind, outcome.code) == (OutcomeKind.TEMPORARY, "smtp.login")
    assert heard[0].lower().startswith(b"ehlo")
    assert heard[1].startswith(b"AUTH PLAIN ")


def test_a_certificate_that_nobody_vouches_for_is_not_talked_to(tmp_path: Path) -> None:
    """TLS at once: an unknown issuer, or another host's name, ends it before a word is said."""
    authority = TestAuthority(tmp_path)
    for name, trusted in (("localhost", None), ("mail.example.org", str(authority.file))):
        pem, _ = authority.issue(name, dns=name)
        said: list[bytes] = []
        with serving(lambda _, conn, said=said: said.append(conn.recv(100)), tls=server_context(pem)) as server:  # type: ignore[misc]
            smtp = {"host": "localhost", "security": "tls", "ca_file": trusted}
            (outcome,) = send(out_channel(server.port, smtp=smtp))
        assert (outcome.kind, outcome.code) == (OutcomeKind.TEMPORARY, "smtp.certificate")
        assert not any(said)


@pytest.mark.slow
def test_a_large_file_is_streamed(tmp_path: Path) -> None:
    """F25: a signed mail with 45 MiB in it goes out with at most 15 MB more memory."""
    run = [sys.executable, "-m", "tests.adapters.email.memory_run", str(tmp_path)]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=100, check=True)
    assert int(done.stdout) <= 15


def test_only_crlf_goes_out_and_dots_are_stuffed() -> None:
    """A23 (SMTP smuggling): no bare CR or LF is ever on the wire, whatever the appeal says."""
    with peer() as made:
        form = appeal()
        evil = form.model_copy(update={"body": form.body.model_copy(update={"text": "a\n.\nMAIL FROM:<x@y>\n.. b"})})
        mail = EmailAdapter(AdapterContext()).prepare(parcel(evil), made.channel())
        send(made.channel(), mail=mail)
    bare = made.wire.replace(b"\r\n", b"")
    assert b"\r" not in bare
    assert b"\n" not in bare
    assert len([line for line in made.commands if line.startswith("MAIL FROM")]) == 1


def test_a_damaged_file_never_arrives_whole() -> None:
    """A file that is not what the manifest says: the connection is cut before the final dot."""
    attachments = MemoryAttachments()
    with peer() as made:
        mail = prepared(made.channel(), attachments, size=400_000)
        attachments.damage(mail.files[0].sha256)
        with EmailAdapter(AdapterContext(attachments=attachments)).session(made.channel()) as session:
            outcome = session.send(mail, 5.0)
    assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, "attachment.missing")
    assert not made.received


def test_a_limit_of_the_server_is_known_before_the_mail_goes() -> None:
    """SIZE (RFC 1870): a mail that the server would not take is not begun."""
    with peer(EHLO=b"250-mx\r\n250 SIZE 1000\r\n") as made:
        (outcome,) = send(made.channel())
    assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, "smtp.too_large")
    assert not [line for line in made.commands if line.startswith("MAIL")]


def test_a_drip_does_not_hold_the_lane() -> None:
    """A byte now and then does not renew the deadline."""

    def drip(server: object, conn: socket.socket) -> None:
        while not server.pause(0.05):  # type: ignore[attr-defined]
            conn.sendall(b"2")

    with serving(drip) as server:
        channel = out_channel(server.port)
        with adapter("email").session(channel) as session:
            outcome = session.send(prepared(channel), 0.4)
    assert (outcome.kind, outcome.code) == (OutcomeKind.TEMPORARY, "smtp.timeout")


def test_an_address_that_is_not_allowed_is_not_called() -> None:
    """A private address needs the channel's word for it."""
    channel = out_channel(25, smtp={"allow_private": []})
    (outcome,) = send(channel)
    assert (outcome.kind, outcome.code) == (OutcomeKind.PERMANENT, "smtp.address_refused")


@pytest.mark.parametrize(
    "change",
    [
        {"content": None},
        {"to": []},
        {"imap": {"host": "imap.example.org"}},
        {"smtp": {"user": "hub"}},
        {"smtp": {"user": "hub", "password": "env:X"}},
        {"smtp": {"host": "a b"}},
        {"smtp": {"host": "host/../x"}},
        {"address": "a-very-long-name-for-a-mailbox@hub.example.org"},
        {"to": ["x@y\r\nBcc: z@example.org"]},
        {"content": "notice", "encrypt_to": "/etc/hub/a.pem"},
    ],
)
def test_settings_that_cannot_hold_are_refused(change: dict[str, object]) -> None:
    """What can be checked without a network is."""
    with pytest.raises(ConfigurationError):
        adapter("email").rendering(out_channel(**change))  # type: ignore[arg-type]


def test_mail_never_reaches_registered() -> None:
    """CMU 55/2018 item 32: a channel that claims more than mail can prove is refused."""
    channel = Channel(id="a.mail", adapter="email", legal_class=LegalClass.REGISTERED, settings=out_settings(25))
    with pytest.raises(ConfigurationError, match="registered"):
        adapter("email").rendering(channel)


def test_probing_connects_and_says_no_mail() -> None:
    """A probe ends after the greeting; a server that is not there is a temporary failure."""
    with peer() as made:
        with adapter("email").session(made.channel()) as session:
            session.probe(5.0)
        assert made.commands[0].lower().startswith("ehlo")
        gone = made.channel()
    with adapter("email").session(gone) as session, pytest.raises(TemporaryFailure):
        session.probe(2.0)

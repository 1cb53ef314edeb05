"""The whole way by mail against programs that others wrote: Postfix takes and carries, Dovecot keeps (F22, F24)."""

from __future__ import annotations

import imaplib
import os
import random
import re
import shutil
import smtplib
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from hub.adapters import AdapterContext
from hub.adapters.email.adapter import EmailAdapter
from hub.adapters.email.imap import Box, WaitingMail
from hub.bootstrap import Ports, SilentDoorbell, use_cases
from hub.cases.submission import Accepted, Submission
from hub.errors import TemporaryFailure
from hub.inbound.sink import ChannelSink
from hub.ports import InboundFilter
from hub.schemas import json_rendering
from hub.schemas.delivery import Attempt, Delivery, Fact, FactKind
from hub.schemas.directory import Authority, AuthorityKind, Channel, Competence, LaneSettings, LegalClass
from hub.schemas.envelope import Party
from hub.schemas.journal import Door
from hub.seals import HubSeal, make_key_file
from hub.storage.attachments import MemoryAttachments
from hub.tracking import law
from registry import FixedRegistry, LoadedDirectory
from registry.territories import shipped
from tests.adapters.email.making import LOOPBACK, box_channel, out_settings, parsed, token
from tests.adapters.email.real import BODY_DOMAIN, PASSWORD, USER, MailHost, mail_host
from tests.adapters.email.smtp_peer import SmtpPeer
from tests.adapters.servers import serving
from tests.conftest import leave_out
from tests.delivery.origins import origin
from tests.lanes import run_lane
from tests.schemas.form_reading import form_from_json
from tests.schemas.test_renderings import MINIMAL
from tests.stores import fresh_store

HUB = Party(code="36521731", name="Контактний центр")
BODY = "00032106"
OUT, IN = f"{BODY}.mail", f"{HUB.code}.mailbox"

pytestmark = [pytest.mark.slow, pytest.mark.foreign("postfix"), pytest.mark.foreign("dovecot")]


@pytest.fixture(scope="module")
def running() -> Iterator[MailHost]:
    if os.geteuid() != 0:
        leave_out("Postfix needs root")
    folder = Path(tempfile.mkdtemp(prefix="hub-mail-"))  # not below pytest's folder, which others may not enter
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        refusing = SmtpPeer({"RCPT": b"550 5.1.1 <gone>: Recipient address rejected: User unknown\r\n"})
        server = stack.enter_context(serving(refusing.script))
        yield stack.enter_context(mail_host(folder, next_hop=server.port))


@pytest.fixture
def host(running: MailHost) -> MailHost:
    """The mail host with empty boxes."""
    running.clear()
    os.environ["TEST_MAIL_PASSWORD"] = PASSWORD
    return running


class HandClock:
    """The real time and what the test adds to it."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        now = datetime.now(UTC) + self.ahead
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def go(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


class Hub:
    """A hub with one authority that has mail, and a mailbox of its own."""

    def __init__(self, host: MailHost, folder: Path, **out: object) -> None:
        self.host = host
        self.store = fresh_store()
        self.clock = HandClock()
        self.attachments = MemoryAttachments()
        self.adapter = EmailAdapter(AdapterContext(attachments=self.attachments))
        login = {"user": USER, "password": "env:TEST_MAIL_PASSWORD", "ca_file": str(host.ca), "allow_private": LOOPBACK}
        smtp = {"host": "localhost", "port": host.smtp, "security": "starttls", **login}
        settings = {**out_settings(host.smtp), "smtp": smtp, "to": [f"rada@{BODY_DOMAIN}"], **out}
        imap = {"host": "localhost", "port": host.imaps, "security": "tls", **login}
        lane = LaneSettings(retry_secs=(10, 20), give_up_secs=3_600, deadline_secs=20, collect_secs=1)
        mail = Channel(id=OUT, adapter="email", legal_class=LegalClass.DELIVERED, settings=settings, lane=lane)
        self.mailbox = box_channel(imap=imap).model_copy(update={"lane": lane})
        body = Authority(
            code=BODY,
            name="Громада",
            kind=AuthorityKind.LOCAL_SELF_GOVERNMENT,
            territory="UA",
            competences=(Competence(topics=("*",)),),
            channels=(mail,),
        )
        centre = Authority(
            code=HUB.code,
            name="Центр",
            kind=AuthorityKind.CONTACT_CENTRE,
            territory="UA",
            channels=(self.mailbox,),
        )
        self.registry = FixedRegistry(LoadedDirectory(authorities=(body, centre), territories=shipped()))
        seal = HubSeal(make_key_file(folder / "hub.pem", common_name="hub", organization="Test"))
        self.cases = use_cases(
            Ports(
                store=self.store,
                registry=self.registry,
                clock=self.clock,
                doorbell=SilentDoorbell(),
                seal=seal,
                adapters={"email": self.adapter},
                party=HUB,
                law=law.shipped(),
                attachments=self.attachments,
                dice=random.Random(1),
            )
        )
        self.intake, self.receiver = self.cases.intake, self.cases.receiver

    def submit(self) -> Accepted:
        form = form_from_json(MINIMAL)
        (accepted,) = self.intake.submit_all([Submission(form=form, owner=HUB.code)])
        return accepted

    def send(self) -> None:
        run_lane(self.cases, OUT)

    def collect(self) -> int:
        self.clock.go(120)
        return run_lane(self.cases, IN).retrieved

    def delivery(self, accepted: Accepted) -> Delivery:
        found = self.store.delivery_of(accepted.message_id)
        assert found is not None
        return found

    def attempts(self, accepted: Accepted) -> tuple[Attempt, ...]:
        return self.store.attempts(self.delivery(accepted).id)

    def facts(self, accepted: Accepted, kind: FactKind) -> list[Fact]:
        return [fact for fact in self.store.facts(accepted.case_id) if fact.kind is kind]

    def state(self, accepted: Accepted) -> str:
        row = self.store.case(accepted.case_id)
        assert row is not None
        return row.state

    def reply(self, text: str, **headers: str) -> None:
        """The authority answers the last mail that it got, over its own server."""
        got = parsed(self.host.wait("rada", 1)[-1])
        mail = EmailMessage()
        mail["From"] = f"Секретар <rada@{BODY_DOMAIN}>"
        mail["To"] = str(got["Reply-To"])
        mail["In-Reply-To"] = str(got["Message-ID"])
        mail["Subject"] = "Re: звернення"
        mail["Message-ID"] = f"<{random.getrandbits(60):x}@{BODY_DOMAIN}>"
        for name, value in headers.items():
            mail[name.replace("_", "-")] = value
        mail.set_content(text)
        with smtplib.SMTP("127.0.0.1", self.host.smtp) as smtp:
            smtp.sendmail(f"rada@{BODY_DOMAIN}", ["".join(re.findall(r"zvernennia\S+", mail["To"]))], mail.as_bytes())


def hub_of(host: MailHost, tmp_path: Path, **out: object) -> Hub:
    return Hub(host, tmp_path, **out)


def test_the_whole_way(host: MailHost, tmp_path: Path, umask: None) -> None:
    """Appeal out over STARTTLS and login; the report proves delivery; form and words come back over IMAPS."""
    hub = hub_of(host, tmp_path)
    accepted = hub.submit()
    hub.send()
    (sent,) = host.wait("rada", 1)
    mail = parsed(sent)
    assert not any(part.defects for part in mail.walk())
    assert str(accepted.message_id) == mail["Hub-Message-Id"]
    assert hub.state(accepted) == "sent"
    host.wait("hub", 1)
    assert hub.collect() == 1
    assert hub.state(accepted) == "delivered"
    hub.reply("Стан: зареєстровано\nНомер: К-5/26\nДата: 25.11.2026\n")
    host.wait("hub", 1)
    assert hub.collect() == 1
    assert hub.state(accepted) == "received"  # claimed by mail, never registered (CMU 55/2018 items 32 and 45)
    (claimed,) = hub.facts(accepted, FactKind.ACCEPTED)
    assert (claimed.data["number"], claimed.data["date"]) == ("К-5/26", "2026-11-25")
    assert not hub.facts(accepted, FactKind.REGISTERED)
    hub.reply("Воду подано.\n\nWed, 25 Nov 2026, Центр пише:\n> Немає води.\n", Auto_Submitted="no")
    host.wait("hub", 1)
    assert hub.collect() == 1
    assert hub.state(accepted) == "answered_interim"
    message = next(m for m in hub.store.messages(accepted.case_id) if m.kind == "answer")
    assert json_rendering.from_json(message.body).body.text == "Воду подано."  # type: ignore[union-attr]
    assert not host.box("hub")
    assert len(list((host.folder / "boxes" / "hub" / ".Done").glob("*/*:2,*"))) == 3


def test_greylisting_only_delays(host: MailHost, tmp_path: Path, umask: None) -> None:
    """Put off at the first try: temporary with the time they asked for; the second try goes through."""
    hub = hub_of(host, tmp_path)
    accepted = hub.submit()
    host.greylist.wanted.add(f"zvernennia+{token(accepted.message_id)}@hub.example.org")
    hub.send()
    (first,) = hub.attempts(accepted)
    assert (first.code, hub.delivery(accepted).state) == ("smtp.greylisted", "waiting")
    assert not host.box("rada")
    hub.clock.go(30)
    hub.send()
    assert hub.delivery(accepted).state == "delivered"
    host.wait("rada", 1)


def test_a_box_that_does_not_exist_goes_to_the_operators(host: MailHost, tmp_path: Path, umask: None) -> None:
    """5xx at RCPT: permanent, with the server's words."""
    hub = hub_of(host, tmp_path, to=[f"nobody@{BODY_DOMAIN}"])
    accepted = hub.submit()
    hub.send()
    (only,) = hub.attempts(accepted)
    assert (only.code, hub.delivery(accepted).state) == ("smtp.recipient", "dead")
    assert "5.1.1" in str(only.detail)
    assert [item.reason for item in hub.store.items(open_only=True, after=None, limit=9)] == ["smtp.recipient"]


def test_a_bounce_goes_to_the_operators(host: MailHost, tmp_path: Path, umask: None) -> None:
    """Taken over by Postfix and refused behind it: its report comes back hard, and is no answer and no refusal."""
    hub = hub_of(host, tmp_path, to=[f"gone@{BODY_DOMAIN}"])
    accepted = hub.submit()
    hub.send()
    assert hub.delivery(accepted).state == "delivered"  # the next server has it
    host.wait("hub", 1)
    assert hub.collect() == 1
    (item,) = hub.store.items(open_only=True, after=None, limit=9)
    assert item.reason == "returned.permanent"
    assert "User unknown" in item.detail
    row = hub.store.case(accepted.case_id)
    assert row is not None
    assert (row.state, row.needs_operator) == ("sent", True)
    assert hub.store.inbound(InboundFilter(channel_id=IN), limit=1)[0].verdict == "mail.returned_userunknown"


@contextmanager
def cutting(port: int) -> Iterator[int]:
    """A way to the server that breaks off after the final dot of the first mail, when the server has it."""
    listener = socket.create_server(("127.0.0.1", 0))
    cut: list[bool] = []

    def forward(client: socket.socket, server: socket.socket) -> None:
        seen = b""
        while data := _recv(client):
            seen = (seen + data)[-5:]
            server.sendall(data)
            if seen == b"\r\n.\r\n" and not cut:
                cut.append(True)

    def back(server: socket.socket, client: socket.socket) -> None:
        while data := _recv(server):
            if len(cut) == 1 and b"queued as" in data:
                cut.append(True)
                break
            client.sendall(data)
        for each in (client, server):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def relay(client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", port)) as server:
            other = threading.Thread(target=back, args=(server, client), daemon=True)
            other.start()
            forward(client, server)
            with suppress(OSError):
                server.shutdown(socket.SHUT_WR)
            other.join(10)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=relay, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _recv(sock: socket.socket) -> bytes:
    try:
        return sock.recv(65_536)
    except OSError:
        return b""


def test_cut_off_after_the_final_dot(host: MailHost, tmp_path: Path, umask: None) -> None:
    """F20: Postfix has it and its answer is lost: unknown; the same mail with the same Message-ID goes again."""
    with cutting(host.smtp) as port:
        smtp = {"host": "127.0.0.1", "port": port, "security": "none", "allow_private": LOOPBACK}
        hub = hub_of(host, tmp_path, smtp=smtp)
        accepted = hub.submit()
        hub.send()
        assert hub.delivery(accepted).state == "unknown"
        hub.clock.go(30)
        hub.send()
    assert hub.delivery(accepted).state == "delivered"
    assert [attempt.code for attempt in hub.attempts(accepted)] == ["smtp.unanswered", None]
    one, two = (mail.partition(b"From: ")[2] for mail in host.wait("rada", 2))
    assert one == two
    assert b"Message-ID: <" in one


def test_a_new_uidvalidity_repeats_nothing_and_loses_nothing(host: MailHost, tmp_path: Path, umask: None) -> None:
    """F24: the box is restored under a new UIDVALIDITY, with a mail that was taken and one that was not."""
    hub = hub_of(host, tmp_path, dsn=False)
    accepted = hub.submit()
    hub.send()
    hub.reply("Перша відповідь.")
    host.wait("hub", 1)
    hub.collect()
    before = uidvalidity(host)
    box = host.folder / "boxes" / "hub"
    for mail in (box / ".Done").glob("*/*:2,*"):
        shutil.copy(mail, box / "new" / mail.name.partition(":")[0])
    known = (box / "dovecot-uidlist").read_text()
    for index in box.glob("dovecot*"):
        index.unlink()
    (box / "dovecot-uidlist").write_text(re.sub(r"V\d+", "V1234567890", known.splitlines()[0]) + "\n")
    for path in (box / "dovecot-uidlist", *box.glob("new/*")):
        shutil.chown(path, "mail", "mail")
    hub.reply("Друга відповідь.")
    host.wait("hub", 2)
    assert uidvalidity(host) != before
    assert hub.collect() == 2
    assert len([m for m in hub.store.messages(accepted.case_id) if m.kind == "answer"]) == 2
    assert not host.box("hub")


def uidvalidity(host: MailHost) -> str:
    with imaplib.IMAP4("127.0.0.1", host.imap) as imap:
        imap.login(USER, PASSWORD)
        imap.select("INBOX")
        return str(imap.response("UIDVALIDITY")[1])


def test_two_workers_make_one_answer(
    host: MailHost, tmp_path: Path, umask: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F24: both read the same mails before either moves them: each answer is there once, and the box is empty."""
    hub = hub_of(host, tmp_path, dsn=False)
    accepted = hub.submit()
    hub.send()
    for number in range(3):
        hub.reply(f"Відповідь {number}.")
    host.wait("hub", 3)
    together = threading.Barrier(2, timeout=60)
    begun = threading.local()
    real = Box.done

    def side_by_side(self: Box, mail: WaitingMail) -> None:
        """Both have taken the first mail in before either acknowledges it."""
        if not hasattr(begun, "first"):
            begun.first = True
            together.wait()
        real(self, mail)

    def work() -> None:
        sink = ChannelSink(
            store=hub.store,
            receiver=hub.receiver,
            attachments=hub.attachments,
            clock=hub.clock,
            origin=origin(IN, None, Door.COLLECT),
        )
        with suppress(TemporaryFailure), hub.adapter.session(hub.mailbox) as session:
            session.collect(sink, 15.0)

    monkeypatch.setattr(Box, "done", side_by_side)
    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert not together.broken
    monkeypatch.undo()
    hub.collect()
    assert len([m for m in hub.store.messages(accepted.case_id) if m.kind == "answer"]) == 3
    assert not host.box("hub")


def test_a_crash_before_the_acknowledgement(
    host: MailHost, tmp_path: Path, umask: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F24: taken in, and dead before the mail was moved: the next visit takes it again and nothing changes."""
    hub = hub_of(host, tmp_path, dsn=False)
    accepted = hub.submit()
    hub.send()
    hub.reply("Відповідь.")
    host.wait("hub", 1)

    def dies(self: Box, mail: WaitingMail) -> None:
        raise TemporaryFailure("the machine went off")

    monkeypatch.setattr(Box, "done", dies)
    hub.collect()
    assert len(hub.facts(accepted, FactKind.ANSWERED)) == 1
    assert len(host.box("hub")) == 1
    monkeypatch.undo()
    assert hub.collect() == 1
    assert len(hub.facts(accepted, FactKind.ANSWERED)) == 1
    assert not host.box("hub")


def refused(host: MailHost) -> list[bytes]:
    """Mails in the folder Refused that were moved there for a forged token; other tests leave some too."""
    with imaplib.IMAP4("127.0.0.1", host.imap) as imap:
        imap.login(USER, PASSWORD)
        if imap.select("Refused")[0] != "OK":
            return []
        found: list[bytes] = imap.search(None, "KEYWORD", "mail.forged_token")[1][0].split()
        return found


def test_what_is_refused_is_moved_aside_with_its_reason(host: MailHost, tmp_path: Path, umask: None) -> None:
    """A forged token: journalled, in the folder Refused with the code as keyword, and no fact."""
    before = refused(host)
    hub = hub_of(host, tmp_path, dsn=False)
    accepted = hub.submit()
    hub.send()
    with smtplib.SMTP("127.0.0.1", host.smtp) as smtp:
        smtp.sendmail("x@example.org", [f"zvernennia+{'a' * 42}@hub.example.org"], b"Subject: x\r\n\r\nhi")
    host.wait("hub", 1)
    assert hub.collect() == 0
    assert not hub.facts(accepted, FactKind.ANSWERED)
    assert hub.store.inbound(InboundFilter(channel_id=IN), limit=1)[0].verdict == "mail.forged_token"
    assert len(refused(host)) == len(before) + 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_the_mailbox_is_opened_as_the_channel_says(
    security: str, host: MailHost, tmp_path: Path, umask: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS at once or STARTTLS; a wrong password and a certificate of nobody known are named."""
    adapter = EmailAdapter(AdapterContext())
    server = {"host": "localhost", "port": host.imaps if security == "tls" else host.imap, "security": security}
    server |= {"allow_private": LOOPBACK}
    login = {"user": USER, "password": "env:TEST_MAIL_PASSWORD", "ca_file": str(host.ca)}
    with adapter.session(box_channel(imap={**server, **login})) as session:
        session.probe(10.0)
    monkeypatch.setenv("TEST_MAIL_PASSWORD", "wrong")
    with adapter.session(box_channel(imap={**server, **login})) as session, pytest.raises(TemporaryFailure) as caught:
        session.probe(10.0)
    assert caught.value.stable_code == "imap.login"
    unknown = {**server, "user": USER, "password": "env:TEST_MAIL_PASSWORD"}
    with adapter.session(box_channel(imap=unknown)) as session, pytest.raises(TemporaryFailure) as caught:
        session.probe(10.0)
    assert caught.value.stable_code == "imap.certificate"

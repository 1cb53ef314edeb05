"""Messages on the wire: a mail over the hub's own SMTP conversation, a webhook signed as all others are."""

from __future__ import annotations

import json
import socket
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from hub.alarms import wording
from hub.alarms.rules import shipped
from hub.alarms.values import Alarm, AlarmMessage, MessageKind, Severity
from hub.net.webhook_signing import verify
from hub.upkeep.alarm_file import read
from hub.upkeep.telling import AlarmTeller
from tests.adapters.email.smtp_peer import SmtpPeer
from tests.adapters.servers import Server
from tests.alarms.world import START
from tests.following.test_webhooks import SECRET, Receiver, receiver  # noqa: F401  # a fixture

RULES = {rule.code: rule for rule in shipped()}


class _Clock:
    """A clock that stands."""

    def now(self) -> datetime:
        """The start."""
        return START


@pytest.fixture
def peer() -> Iterator[SmtpPeer]:
    """A mail server on loopback."""
    made = SmtpPeer()

    def serve(conn: socket.socket) -> None:
        made.script(server, conn)

    server = made.server = Server(serve)
    yield made
    server.close()


def _alarm(code: str, subject: str, **more: Any) -> Alarm:
    return Alarm(
        id=str(uuid.uuid4()),
        rule=code,
        subject=subject,
        severity=RULES[code].severity,
        value=7,
        words="7 deliveries wait",
        since=START,
        opened_at=START,
        **more,
    )


def _message(to: str, **lists: list[Alarm]) -> AlarmMessage:
    body = wording.as_text(wording.document(lists, RULES))
    return AlarmMessage(
        id="01a22e2e-33ca-73c1-8739-322ada9ff583",
        receiver=to,
        kind=MessageKind.CHANGES,
        body=body,
        made_at=START,
        next_at=START,
    )


def _teller(folder: Path, *receivers: dict[str, Any]) -> AlarmTeller:
    path = folder / "alarms.yaml"
    path.write_text(json.dumps({"receivers": list(receivers)}))
    found = read(path)
    return AlarmTeller(lambda: found, base_url="https://hub.example.org", clock=_Clock())


def _mail(peer: SmtpPeer) -> dict[str, Any]:
    assert peer.server is not None
    smtp = {"host": "127.0.0.1", "port": peer.server.port, "security": "none", "allow_private": ["127.0.0.0/8"]}
    to = ["duty@example.org", "chief@example.org"]
    return {"name": "duty", "kind": "mail", "address": "hub@example.org", "to": to, "smtp": smtp}


def _hook(folder: Path, url: str) -> dict[str, Any]:
    secret = folder / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    open_ = {"allow_http": True, "allow_private": ["127.0.0.0/8"]}
    return {"name": "pager", "kind": "webhook", "url": url, "secrets": [f"file:{secret}"], **open_}


def test_a_mail_says_what_where_and_what_to_do(peer: SmtpPeer, tmp_path: Path) -> None:
    """Subject, severity, figure, the door and the page; the sender is the address as it is, without a token."""
    message = _message("duty", opened=[_alarm("lanes.many", ""), _alarm("lanes.failing", "00032106.rest")])
    assert _teller(tmp_path, _mail(peer)).tell("duty", message) is None
    sent = message_from_bytes(peer.received[0], policy=default)
    assert sent["Subject"] == "[hub] CRITICAL 2 opened: lanes.failing, lanes.many"
    assert sent["Auto-Submitted"] == "auto-generated"
    text = sent.get_content()
    assert "WARNING lanes.failing 00032106.rest: 7 (7 deliveries wait), since 2026-11-24 14:00 Kyiv" in text
    assert "https://hub.example.org/v1/ops/lanes" in text
    assert "docs/operations/alarms.md" in text
    said = [line for line in peer.commands if line.startswith(("MAIL", "RCPT"))]
    assert said[0].startswith("MAIL FROM:<hub@example.org> SIZE=")
    assert said[1:] == ["RCPT TO:<duty@example.org>", "RCPT TO:<chief@example.org>"]


def test_the_same_message_is_the_same_mail_at_each_attempt(peer: SmtpPeer, tmp_path: Path) -> None:
    """A repeat after a lost answer carries the same Message-ID, so that mail systems show it once."""
    teller, message = (
        _teller(tmp_path, _mail(peer)),
        _message("duty", closed=[_alarm("pen.waiting", "", closed_at=START)]),
    )
    peer.says = {"DOT": b"451 4.3.0 try later\r\n"}
    assert teller.tell("duty", message) == "smtp.data"
    peer.says = {}
    assert teller.tell("duty", message) is None
    ids = {message_from_bytes(mail)["Message-ID"] for mail in peer.received}
    assert (len(peer.received), len(ids)) == (2, 1)


def test_a_server_that_refuses_is_a_code_and_no_exception(peer: SmtpPeer, tmp_path: Path) -> None:
    """What the other side does is an outcome; a receiver that is in no file any more is one too."""
    teller = _teller(tmp_path, _mail(peer))
    peer.says = {"RCPT": b"550 5.1.1 unknown\r\n"}
    assert teller.tell("duty", _message("duty")) == "smtp.recipient"
    peer.says = {"GREETING": None}
    assert teller.tell("duty", _message("duty")) == "smtp.broken"
    assert teller.tell("gone", _message("gone")) == "receiver.gone"


def test_a_webhook_is_signed_and_holds_the_same(receiver: Receiver, tmp_path: Path) -> None:  # noqa: F811
    """Type, timestamp, data after Standard Webhooks, with an id that repeats carry too."""
    teller = _teller(tmp_path, _hook(tmp_path, receiver.url))
    message = _message("pager", opened=[_alarm("webhooks.off", "front")])
    receiver.answers = [(503, {})]
    assert teller.tell("pager", message) == "answer.http_503"
    assert teller.tell("pager", message) is None
    ids = [verify([SECRET], head, body, datetime.now(UTC)) for head, body in receiver.got]
    assert ids == [f"alm_{message.id}"] * 2
    document = json.loads(receiver.got[0][1])
    assert (document["type"], document["data"]["counts"]) == ("alarms.changes", {"opened": 1})
    (entry,) = document["data"]["opened"]
    assert (entry["rule"], entry["subject"], entry["severity"]) == ("webhooks.off", "front", "critical")


def test_a_test_message_says_that_it_is_one(receiver: Receiver, peer: SmtpPeer, tmp_path: Path) -> None:  # noqa: F811
    """Both kinds of receivers get one that alarms nobody."""
    teller = _teller(tmp_path, _mail(peer), _hook(tmp_path, receiver.url))
    assert (teller.test("duty"), teller.test("pager")) == (None, None)
    sent = message_from_bytes(peer.received[0], policy=default)
    assert sent["Subject"] == "[hub] test of alarms"
    assert "Nothing is wrong" in sent.get_content()
    assert json.loads(receiver.got[0][1])["type"] == "alarms.test"


def test_severities_are_those_of_the_rules() -> None:
    """What stops the hub or loses words is critical, what waits for a shift is a warning."""
    critical = {rule.code for rule in shipped() if rule.severity is Severity.CRITICAL}
    assert {"disk.low", "cases.nobody", "deliveries.waiting", "alarms.blind"} <= critical
    assert "pen.waiting" not in critical

"""An authority that has nothing but a mailbox: a mail server on loopback, and a clerk who answers by the form.

Mails come in over SMTP (aiosmtpd, in this process); replies are laid into the hub's pickup folder, as a delivery agent
of a real mail system would do. The clerk's words are those of the other simulated authorities, put into the form.
"""

from __future__ import annotations

import itertools
import json
import os
import secrets
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from hub.adapters.email import words
from hub.errors import HubError
from hub.ports import RawInbound
from hub.schemas.directory import LaneSettings
from hub.schemas.envelope import Party
from hub.schemas.keys import VerificationKey
from hub.schemas.terms import AnswerResult, RefusalGround
from hub.seals import SigningKey, make_key_file
from hub.simulator.authority import PlayedAuthority, SimulatedReport, digest_of
from hub.simulator.characters import Character

HUB_ADDRESS = "zvernennia@hub.example"
CLERK = Character(register_hours=4, answer_hours=48)
_RESULTS = {result: word for word, result in words.RESULTS.items()}
_GROUNDS = {ground: word for word, ground in words.GROUNDS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailPlace:
    """Where a mail authority and the hub's mailbox are.

    ``hub_keys``: with which it verifies what comes. ``overlay``: what the hub's registry must know.
    """

    party: Party
    address: str
    port: int
    pickup: Path
    key: SigningKey
    hub_keys: tuple[VerificationKey, ...]
    overlay: Path


def set_up_mail(
    folder: Path,
    party: Party,
    *,
    hub_code: str,
    hub_keys: Sequence[VerificationKey],
    lane: LaneSettings | None = None,
) -> MailPlace:
    """Make a folder with the authority's key, the hub's pickup folder and reply key, and the registry's overlay."""
    folder = folder.resolve()
    pickup = folder / "pickup"
    pickup.mkdir(mode=0o700, parents=True)
    descriptor = os.open(folder / "reply.key", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{secrets.token_hex(32)}\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    key = make_key_file(folder / f"{party.code}.pem", common_name=party.code, organization="Simulated authority")
    address = f"rada@{party.code}.example"
    ours = {"address": HUB_ADDRESS, "reply_key": f"file:{folder}/reply.key"}
    server = {"host": "127.0.0.1", "port": port, "security": "none", "relay": False, "allow_private": ["127.0.0.1/32"]}
    out: dict[str, Any] = {
        "id": f"{party.code}.mail",
        "adapter": "email",
        "legal_class": "delivered",
        "settings": {**ours, "smtp": server, "to": [address], "content": "full"},
    }
    box: dict[str, Any] = {
        "id": f"{hub_code}.mailbox",
        "adapter": "email",
        "dialect": "mailbox",
        "settings": {**ours, "pickup": str(pickup)},
    }
    for channel in (out, box):
        if lane is not None:
            channel["lane"] = lane.model_dump(mode="json")
    channels = [{"authority": party.code, "channel": out}, {"authority": hub_code, "channel": box}]
    overlay = folder / "mail.yaml"
    # JSON is YAML too, and every text stands in quotes: digits that begin with a zero stay what they are.
    overlay.write_text(json.dumps({"channels": channels}, ensure_ascii=False, indent=2), encoding="utf-8")
    return MailPlace(
        party=party,
        address=address,
        port=port,
        pickup=pickup,
        key=key,
        hub_keys=tuple(hub_keys),
        overlay=overlay,
    )


class MailOffice:
    """One such authority. Use as a context manager."""

    def __init__(self, place: MailPlace, *, seed: int = 1, hours_per_sec: int = 1) -> None:
        self._place = place
        self.authority = PlayedAuthority(
            party=place.party,
            character=CLERK,
            key=place.key,
            hub_keys=place.hub_keys,
            seed=seed,
            hours_per_sec=hours_per_sec,
        )
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._timers: list[threading.Timer] = []
        self._controller = Controller(self, hostname="127.0.0.1", port=place.port)

    def __enter__(self) -> MailOffice:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()
        with self._lock:
            timers = list(self._timers)
        for timer in timers:
            timer.cancel()
            timer.join()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802
        """A mail has come; aiosmtpd's name for it."""
        content = envelope.content
        raw = content if isinstance(content, bytes) else str(content).encode()
        mail = message_from_bytes(raw, policy=default)
        try:
            found = self.authority.open(RawInbound(content_type="application/json", body=_envelope(mail)))
        except HubError as failure:
            self.authority.count("malformed")
            return f"554 5.6.0 {failure.stable_code}"
        verdict = self.authority.receive(found, digest_of(raw))
        for report in verdict.reports:
            timer = threading.Timer(report.after_secs, self._say, (report, str(mail["Reply-To"]), mail["Message-ID"]))
            timer.daemon = True
            with self._lock:
                self._timers.append(timer)
            timer.start()
        return f"250 2.0.0 Ok: queued as {next(self._numbers)}"

    def _say(self, report: SimulatedReport, to: str, about: object) -> None:
        """Write the reply and lay it down: whole first, then by rename."""
        mail = EmailMessage()
        number = next(self._numbers)
        mail["From"] = f"Загальний відділ <{self._place.address}>"
        mail["To"] = to
        mail["Subject"] = "Re: Звернення"
        mail["Date"] = datetime.now(UTC)
        mail["Message-ID"] = f"<{number}.{secrets.token_hex(8)}@{self._place.party.code}.example>"
        mail["In-Reply-To"] = str(about)
        mail.set_content(_form(report.kind, json.loads(report.make())["envelope"]["body"]))
        path = self._place.pickup / f"{number:06}.eml"
        half = path.with_suffix(".tmp")
        half.write_bytes(mail.as_bytes())
        half.rename(path)
        self.authority.count(report.kind)


def _envelope(mail: Any) -> bytes:
    """The sealed envelope (JSON) that is attached; empty if there is none."""
    for part in mail.walk():
        if part.get_filename() == "envelope.json":
            return bytes(part.get_payload(decode=True))
    return b""


def _form(kind: str, body: dict[str, str]) -> str:
    """Text that the clerk writes: a word of courtesy or the answer, and the form."""
    match kind:
        case "registered":
            fields = {words.STATUS: words.REGISTERED, words.NUMBER: body["number"], words.DATE: body["date"]}
            text = "Доброго дня! Звернення отримано."
        case "refused":
            ground = _GROUNDS[RefusalGround(body["ground"])]
            fields, text = {words.STATUS: words.REFUSED, words.GROUND: ground}, "Доброго дня!"
        case _:
            result = _RESULTS[AnswerResult(body["result"])]
            fields = {words.STATUS: words.ANSWERED, words.NUMBER: body["number"], words.DATE: body["date"]}
            fields[words.RESULT] = result
            text = f"{body['text']}\n\n{body.get('signatory', '')}"
    lines = [f"{name}: {fields.get(name, '')}" for name in words.FIELDS]
    return "\n".join([text, "", words.FORM_BEGINS, *lines, words.FORM_ENDS, ""])

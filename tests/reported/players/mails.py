"""Mails that come into the hub's mailbox: what the cases, the operators and the journal get of each.

The tokens in a case's ``*.eml`` were made with the reply key of the tests, for two messages that do not exist; they are
exchanged for those of two fresh cases.
"""

from __future__ import annotations

import base64
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from hub.adapters import AdapterContext
from hub.adapters.email.adapter import EmailAdapter
from hub.cases.submission import Accepted
from hub.schemas.directory import Channel, LaneSettings, LegalClass
from hub.storage.attachments import MemoryAttachments
from tests.adapters.email.making import box_channel, out_settings, token
from tests.adapters.email.smtp_peer import SmtpPeer
from tests.adapters.servers import serving
from tests.reported.players.house import BODY, CENTRE, HandClock, House, house
from tests.reported.players.text import settled
from tests.schemas.form_reading import form_from_json
from tests.schemas.test_renderings import MINIMAL

Settings: TypeAlias = Mapping[str, object]
START = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
"""Later than what the mails say of themselves."""
STAND_INS = [uuid.UUID(f"01920000-0000-7000-8000-0000000000a{number}") for number in (1, 2)]
VISIT_SECS = 120
LANE = LaneSettings(retry_secs=(10, 20), give_up_secs=3600, deadline_secs=20, collect_secs=1)


@dataclass
class Post:
    """A hub with two cases that went out by mail, and its mailbox."""

    at: House
    mailbox: Channel
    pickup: Path
    adapter: EmailAdapter
    cases: list[Accepted]

    @property
    def tokens(self) -> list[str]:
        """The tokens of the two messages."""
        return [token(each.message_id) for each in self.cases]

    def filled(self, raw: bytes) -> bytes:
        """A mail of a case with the tokens of now, in the form that mail has on the way."""
        for old, new in zip(STAND_INS, self.tokens, strict=True):
            raw = raw.replace(token(old).encode(), new.encode())
        return raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")

    def lay(self, name: str, raw: bytes) -> None:
        """Put a mail into the pickup folder."""
        path = self.pickup / name
        path.write_bytes(raw)
        os.utime(path, (START.timestamp(), START.timestamp()))

    def collect(self) -> int:
        """One visit, later; how many mails were taken."""
        self.at.clock.go(VISIT_SECS)
        return self.at.run(self.mailbox)

    def told(self) -> list[str]:
        """Both cases, the operators' items, the journal, and where the mails are now."""
        lines = []
        for number, accepted in enumerate(self.cases, start=1):
            first, *more = self.at.told(accepted)
            lines += [f"case {number}: {first}", *more]
        lines += [*self.at.items(), *self.at.journal(self.mailbox)]
        for where in ("done", "refused", "."):
            for file in sorted(self.pickup.glob(f"{where}/*")):
                reason = f": {file.read_text('utf-8').strip()}" if file.suffix == ".reason" else ""
                lines += [f"folder {where}: {file.name}{reason}"] if file.is_file() else []
        return lines

    def text(self, lines: list[str]) -> str:
        """What a player tells."""
        known = {f"TOKEN{number}": each for number, each in enumerate(self.tokens, start=1)}
        return settled(lines, self.pickup, **known)


@contextmanager
def post(
    box: Settings | None = None, *, clock: HandClock | None = None, plain_answer: str = "interim"
) -> Iterator[Post]:
    """A hub that has sent two appeals by mail. ``box``: settings of its mailbox, else a pickup folder."""
    attachments = MemoryAttachments()
    adapter = EmailAdapter(AdapterContext(attachments=attachments))
    with TemporaryDirectory() as name, serving(SmtpPeer().script) as server:
        folder = Path(name)
        pickup = folder / "pickup"
        pickup.mkdir()
        mail = Channel(
            id=f"{BODY}.mail",
            adapter="email",
            legal_class=LegalClass.DELIVERED,
            settings=out_settings(server.port),
            lane=LANE,
        )
        settings = {"plain_answer": plain_answer, **(box or {"pickup": str(pickup)})}
        mailbox = box_channel(**settings).model_copy(update={"lane": LANE, "id": f"{CENTRE.code}.mailbox"})
        hands = clock or HandClock(START)
        with house(("email", adapter), mail, attachments=attachments, box=mailbox, clock=hands) as at:
            cases = [at.submit(form_from_json(MINIMAL)) for _ in STAND_INS]
            at.run(mail)
            yield Post(at=at, mailbox=mailbox, pickup=pickup, adapter=adapter, cases=cases)


def _visit(title: str, files: Sequence[Path], plain_answer: str = "interim") -> str:
    with post(plain_answer=plain_answer) as at:
        for file in files:
            at.lay(file.name, at.filled(file.read_bytes()))
        return at.text([f"{title}: taken {at.collect()}", *at.told()])


def play(case: Path) -> str:
    """Each mail alone, in a hub of its own."""
    return "".join(_visit(file.name, [file]) for file in sorted(case.glob("*.eml")))


def play_together(case: Path) -> str:
    """All mails in one visit, then each alone."""
    return _visit("all", sorted(case.glob("*.eml"))) + play(case)


def play_final(case: Path) -> str:
    """Each mail alone, then the same with ``plain_answer: final``."""
    final = (_visit(f"{file.name}, final", [file], plain_answer="final") for file in sorted(case.glob("*.eml")))
    return play(case) + "".join(final)


def many_files(case: Path) -> str:
    """An answer with 130 files."""
    with post() as at:
        files = "".join(
            f"--=_x\nContent-Type: image/jpeg\nContent-Transfer-Encoding: base64\n"
            f"Content-Disposition: attachment; filename=page-{number:03d}.jpg\n\n"
            f"{base64.b64encode(bytes([255, 216, number])).decode()}\n"
            for number in range(130)
        )
        text = "--=_x\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nДодатки.\n"
        raw = f'{head(at.tokens[0])}Content-Type: multipart/mixed; boundary="=_x"\n\n{text}{files}--=_x--\n'
        at.lay("many.eml", at.filled(raw.encode()))
        lines = [f"taken {at.collect()}", *at.told()]
        names = [line for line in lines if line.startswith("    file ")]
        rest = [line for line in lines if line not in names]
        return at.text([*rest, f"files: {len(names)}, from {names[0].split()[1]} to {names[-1].split()[1]}"])


def capitals(case: Path) -> str:
    """The same mail under names with other endings."""
    with post() as at:
        for number, name in enumerate(("ANSWER.EML", "b.Eml", "c.eml", "d.msg", "e")):
            at.lay(name, at.filled(answer(at.tokens[0], number)))
        return at.text([f"taken {at.collect()}", *at.told()])


def head(to: str, number: int = 1) -> str:
    """The head of a clerk's answer to one of our messages."""
    return (
        "Return-Path: <rada@gromada.example.org>\n"
        "From: rada@gromada.example.org\n"
        f"To: zvernennia+{to}@hub.example.org\n"
        "Subject: Re: Zvernennia\n"
        "Date: Mon, 30 Nov 2026 11:03:39 -0000\n"
        f"Message-ID: <m-{number}@gromada.example.org>\n"
        "MIME-Version: 1.0\n"
        f"In-Reply-To: <{to}@hub.example.org>\n"
    )


def answer(to: str, number: int = 1, more: str = "") -> bytes:
    """A clerk's answer to one of our messages."""
    kind = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
    return f"{head(to, number)}{kind}Відповідь {number}.\n{more}".encode()

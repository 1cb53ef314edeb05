"""What the hub fetches or is answered: responses to sendings, polls, mails in its mailbox, files in an outbox."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

from hub.adapters.email import tokens
from hub.cases.submission import Accepted
from hub.net.http import HttpPolicy
from hub.schemas.journal import Door
from tests.acceptance.accounting import hostile
from tests.acceptance.accounting.ground import FILER, MAILER, NCC, POLLED, RESPONDER
from tests.acceptance.accounting.speaker import JSON, Said, Speaker
from tests.adapters.email.making import BODY_ADDRESS, KEY
from tests.adapters.servers import http
from tests.lanes import run_lane

FILES = 8
"""So many files are fetched in one visit."""
MAILS = ("good", "form", "no token", "forged", "automatic", "raw", "broken head", "attached", "deep", "huge")


class Fetched(Speaker):
    """Other sides that wait to be asked."""

    laid = 0

    def response(self) -> Said:
        """The answer to a sending of its own."""
        kind = hostile.kinds(self.dice)
        status = self.dice.choice(["200 OK"] * 6 + ["422 No", "500 Sick"])

        def said() -> None:
            accepted = self.ground.submit(RESPONDER)
            document = hostile.statement(RESPONDER, str(accepted.case_id), str(accepted.message_id), self.dice)
            body = hostile.SPOILT[kind](document, self.dice)
            self.ground.peer.says = http(status, body, Content_Type=JSON)
            self.ledger.note("response", Door.RESPONSE, kind, body, delivery=self.ground.delivery(accepted).id)
            run_lane(self.ground.hub, f"{RESPONDER}.rest")

        return said

    def poll(self) -> Said:
        """The answer to a question; one without a byte says nothing."""
        kind, body, accepted = self.spoilt(POLLED)
        if not body:
            return self.poll()
        encoded = {"Content_Encoding": "gzip"} if kind == "zip bomb" else {}
        status, media = "200 OK", JSON
        if kind != "good" and self.dice.random() < 0.2:
            status, media = self.dice.choice([("500 Sick", JSON), ("200 OK", "text/html"), ("302 Login", "text/html")])

        def said() -> None:
            self.ground.settle(accepted)
            self.ground.peer.says = http(status, body, Content_Type=media, **encoded)
            heard = body[: HttpPolicy().max_response_bytes]
            self.ledger.note("poll", Door.POLL, kind, heard)
            run_lane(self.ground.hub, f"{POLLED}.rest")
            self.ground.settle(accepted, asked=False)

        return said

    def mail(self) -> Said:
        """A mail in the hub's mailbox."""
        kind, body = self._mail()

        def said() -> None:
            self.ledger.note("mail", Door.COLLECT, kind, body)
            (self.ground.mails / f"{uuid.uuid4().hex}.eml").write_bytes(body)
            self.collect(f"{NCC}.mailbox")

        return said

    def _mail(self) -> tuple[str, bytes]:
        inner_kind, inner, accepted = self.spoilt(MAILER)
        kind = self.dice.choices(MAILS, [1] * 9 + [0.2])[0]
        if kind == "raw":
            return f"raw {inner_kind}", inner
        mail = self._letter(kind, accepted)
        if kind == "attached":
            mail.add_attachment(inner, maintype="application", subtype="json", filename="envelope.json")
        data = mail.as_bytes()
        if kind == "broken head":
            data = data.replace(b"Subject:", b"Subject\0:", 1).replace(b"utf-8", b"\xff\xfe", 1)
        if kind == "deep":
            head, _, _ = data.partition(b"\n\n")
            data = head.replace(b"Content-Type: text/plain", b"X-Was: text") + b"\n" + _nest(300)
        return kind, data

    def _letter(self, kind: str, about: Accepted) -> EmailMessage:
        token = "a" * 42 if kind == "forged" else tokens.mint(KEY.encode(), about.message_id)
        mail = EmailMessage()
        mail["From"] = f"Секретар <{BODY_ADDRESS}>"
        mail["To"] = "zvernennia@hub.example.org" if kind == "no token" else f"zvernennia+{token}@hub.example.org"
        mail["Subject"], mail["Date"] = "Re: Звернення", format_datetime(datetime.now(UTC))
        mail["Message-ID"] = f"<{self.mark()}@gromada.example.org>"
        if kind == "automatic":
            mail["Auto-Submitted"] = "auto-replied"
        text = f"Доброго дня. Яму засипано {self.mark()}."
        if kind == "form":
            text = f"Статус: зареєстровано\nНомер: {self.mark()}\nДата: 24.11.2026\n"
        mail.set_content(text + " слово" * (500_000 if kind == "huge" else 0))
        return mail

    def file(self) -> Said:
        """A file in the outbox of an authority."""
        kind, body, _ = self.spoilt(FILER)
        ending = self.dice.choice(["json", "json", "jws", "xml", "zip", "asice", "bin"])
        inner = b""
        if body and ending in ("zip", "asice") and self.dice.random() < 0.7:
            inner, body = body, hostile.zipped(body, self.dice)

        def said() -> None:
            self.ledger.note("file", Door.COLLECT, f"{kind} .{ending}", body, *([inner] if inner else []))
            name = f"{uuid.uuid4().hex}.{ending}"
            (self.ground.files / name).write_bytes(body)
            (self.ground.files / f"{name}.done").touch()
            self.laid += 1
            if self.laid % FILES == 0:
                self.collect(f"{FILER}.sftp")

        return said

    def collect(self, channel: str) -> None:
        """Visit a mailbox or an outbox."""
        self.ground.clock.go(2)
        self.ground.hub.retriever.retrieve(channel)


def _nest(depth: int) -> bytes:
    """Parts within parts."""
    begin = b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n'
    return b"".join(begin % (level, level) for level in range(depth))

"""Channels, keys and mails for the tests of the adapter ``email``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default
from pathlib import Path
from typing import BinaryIO

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from hub.adapters.email import tokens
from hub.adapters.email.replies import Letterbox
from hub.errors import HubError
from hub.ports import Original, RawInbound, ReportedStatus, Returned
from hub.schemas.delivery import Delivery
from hub.schemas.directory import Channel, LegalClass
from hub.schemas.envelope import AppealEnvelope, Attachment
from hub.schemas.ids import CaseId, MessageId
from hub.schemas.keys import SealAlgorithm, VerificationKey
from hub.schemas.terms import AnswerStage
from hub.storage.attachments import MemoryAttachments
from hub.testing.desk import NoDesk
from hub.testing.samples import NOW, appeal, delivery

KEY = "0123456789abcdef" * 4
HUB_ADDRESS = "zvernennia@hub.example.org"
BODY_ADDRESS = "rada@gromada.example.org"
os.environ["TEST_MAIL_KEY"] = KEY
LOOPBACK = ["127.0.0.0/8", "::1/128"]


def out_settings(port: int, **more: object) -> dict[str, object]:
    """Settings of a channel that sends to a server on loopback."""
    server = {"host": "127.0.0.1", "port": port, "security": "none", "relay": False, "allow_private": LOOPBACK}
    changes = more.pop("smtp", {})
    assert isinstance(changes, dict)
    return {
        "address": HUB_ADDRESS,
        "reply_key": "env:TEST_MAIL_KEY",
        "smtp": {**server, **changes},
        "to": [BODY_ADDRESS],
        "content": "full",
        **more,
    }


def out_channel(port: int = 25, **more: object) -> Channel:
    """A channel that sends."""
    return Channel(
        id="00032106.mail",
        adapter="email",
        dialect="template" if "template" in more else "envelope",
        legal_class=LegalClass.DELIVERED,
        settings=out_settings(port, **more),
    )


def box_channel(**more: object) -> Channel:
    """The hub's mailbox."""
    settings = {"address": HUB_ADDRESS, "reply_key": "env:TEST_MAIL_KEY", **more}
    return Channel(id="36521731.mailbox", adapter="email", dialect="mailbox", settings=settings)


def box(plain_stage: AnswerStage = AnswerStage.INTERIM) -> Letterbox:
    """How the mailbox reads in tests of the pure parts."""
    return Letterbox(keys=(KEY.encode(),), limit=1 << 26, plain_stage=plain_stage)


def token(message_id: object) -> str:
    """The token of a message."""
    return tokens.mint(KEY.encode(), message_id)  # type: ignore[arg-type]


def parsed(raw: bytes) -> Message:
    """A mail read by Python's modern parser, which notes defects."""
    return message_from_bytes(raw, policy=default)


@dataclass
class PaperSink(NoDesk):
    """A desk that notes everything. Knows the deliveries it is given; ``registry``: keys by party;
    ``channel``: the one that carried what it sent."""

    deliveries: dict[MessageId, Delivery] = field(default_factory=dict)
    registry: dict[str, tuple[VerificationKey, ...]] = field(default_factory=dict)
    attachments: MemoryAttachments = field(default_factory=MemoryAttachments)
    saids: list[ReportedStatus] = field(default_factory=list)
    envelopes: list[RawInbound] = field(default_factory=list)
    returns: list[Returned] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    noted_bytes: list[RawInbound] = field(default_factory=list)
    holds: list[str] = field(default_factory=list)
    holds_about: list[MessageId | None] = field(default_factory=list)
    held_bytes: list[RawInbound] = field(default_factory=list)
    files: list[Attachment] = field(default_factory=list)
    fails: HubError | None = None
    envelopes_sent: dict[MessageId, AppealEnvelope] = field(default_factory=dict)
    channel: Channel | None = None

    def sent(self, envelope: AppealEnvelope | None = None) -> AppealEnvelope:
        """An appeal that this desk knows as sent."""
        made = envelope or appeal()
        self.deliveries[MessageId(made.header.message_id)] = delivery(made, out_channel())
        self.envelopes_sent[MessageId(made.header.message_id)] = made
        return made

    def _may(self) -> None:
        if self.fails is not None:
            raise self.fails

    def envelope(self, raw: RawInbound, *, party: str | None = None) -> None:
        self._may()
        self.envelopes.append(raw)

    def reported(self, spoken: ReportedStatus) -> None:
        self._may()
        self.saids.append(spoken)

    def find(
        self,
        *,
        message_id: MessageId | None = None,
        external_id: str | None = None,
        case_id: CaseId | None = None,
        authority: str | None = None,
    ) -> Delivery | None:
        return self.deliveries.get(message_id) if message_id else None

    def keep(self, source: BinaryIO | Iterator[bytes], *, media_type: str, name: str, party: str) -> Attachment:
        sha256, size = self.attachments.put(source, limit=1 << 30)
        entry = Attachment(sha256=sha256, size=size, media_type=media_type, name=name)
        self.files.append(entry)
        return entry

    def keys(self, party: str) -> tuple[VerificationKey, ...]:
        return self.registry.get(party, ())

    def original(self, message_id: MessageId) -> Original | None:
        envelope = self.envelopes_sent.get(message_id)
        return Original(envelope=envelope, channel=self.channel) if envelope else None

    def undelivered(self, returned: Returned) -> None:
        self._may()
        self.returns.append(returned)

    def noted(self, raw: RawInbound, *, verdict: str, about: MessageId | None = None) -> None:
        self._may()
        self.notes.append(verdict)
        self.noted_bytes.append(raw)

    def held(
        self,
        raw: RawInbound,
        *,
        verdict: str,
        about: MessageId | None = None,
        party: str | None = None,
        detail: str = "",
    ) -> None:
        self._may()
        self.holds.append(verdict)
        self.holds_about.append(about)
        self.held_bytes.append(raw)

    @property
    def statements(self) -> int:
        """What would change a case."""
        return len(self.saids) + len(self.envelopes) + len(self.returns)


def reply(about: AppealEnvelope, text: str, **headers: str) -> EmailMessage:
    """A person's reply to our mail."""
    mail = EmailMessage()
    mail["From"] = f"Секретар ради <{BODY_ADDRESS}>"
    mail["To"] = f"zvernennia+{token(MessageId(about.header.message_id))}@hub.example.org"
    mail["Subject"] = "Re: Звернення"
    mail["Date"] = NOW + timedelta(hours=2)
    mail["Message-ID"] = "<reply-1@gromada.example.org>"
    for name, value in headers.items():
        del mail[name.replace("_", "-")]
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail


RECEIVED = NOW + timedelta(hours=3)


def certified(
    folder: Path, name: str, *, kind: str = "ec", encrypting: bool = False
) -> tuple[Path, Path, VerificationKey]:
    """A self-signed certificate and its key as files (the key closed to others), and the registry's entry."""
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    key = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65_537, 2_048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = x509.KeyUsage(True, True, encrypting, False, False, False, False, False, False)
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=3_000))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / f"{name}.crt", folder / f"{name}.key"
    cert_file.write_bytes(certificate.public_bytes(Encoding.PEM))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key_file.chmod(0o600)
    entry = VerificationKey(
        kid=name,
        algorithm=SealAlgorithm.ES256 if kind == "ec" else SealAlgorithm.RS256,
        pem=cert_file.read_text("ascii"),
        valid_from=begin,
    )
    return cert_file, key_file, entry

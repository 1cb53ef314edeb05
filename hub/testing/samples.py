"""Appeals, receipts, parcels and files for the tests of adapters."""

from __future__ import annotations

import base64
import uuid
from datetime import UTC, date, datetime
from pathlib import Path

from hub.ports import Parcel, Rendering
from hub.schemas import json_rendering, xml_rendering
from hub.schemas.delivery import Delivery, TransportState
from hub.schemas.directory import Channel
from hub.schemas.envelope import AppealEnvelope, AppealForm, Attachment, Header, Party, ReceiptBody, ReceiptEnvelope
from hub.schemas.ids import CaseId, DeliveryId, MessageId, new_id
from hub.schemas.people import Address, Applicant, PersonName
from hub.schemas.terms import (
    AppealChannel,
    AppealKind,
    ApplicantType,
    ReceiptStatus,
    RefusalGround,
    Role,
)
from hub.sealed import wrap

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
CENTRE = Party(code="36521731")
AUTHORITY = Party(code="00032106")


SECRET = "Kanarkenko-7-secret"  # noqa: S105 - a canary
"""A secret that must show up nowhere but in what the other side is shown."""


def secret_file(folder: Path) -> str:
    """The reference to a file that holds ``SECRET``."""
    path = folder / "secret"
    path.touch(mode=0o600)
    path.write_text(SECRET + "\n", "utf-8")
    return f"file:{path}"


def appeal(files: tuple[Attachment, ...] = ()) -> AppealEnvelope:
    """A small appeal; the applicant's name is a canary that must show up nowhere but in the bytes."""
    return AppealEnvelope(
        header=Header(message_id=new_id(), case_id=new_id(), created_at=NOW, sender=CENTRE, recipient=AUTHORITY),
        body=AppealForm(
            channel=AppealChannel.WEB,
            kind=AppealKind.COMPLAINT,
            received_at=NOW,
            applicant=Applicant(
                type=ApplicantType.INDIVIDUAL,
                name=PersonName(surname="Канаркенко", given="Олена"),
                address=Address(text="вул. Садова, 1"),
            ),
            topics=("utilities.water",),
            text="Немає води.",
        ),
        attachments=files,
    )


def fake_seal(canonical: bytes) -> bytes:
    """A compact JWS with a signature that nobody checks here."""
    payload = base64.urlsafe_b64encode(canonical).rstrip(b"=")
    return b"eyJhbGciOiJFUzI1NiJ9." + payload + b".c2ln"


def render(envelope: AppealEnvelope | ReceiptEnvelope, rendering: Rendering) -> bytes:
    """The envelope in one of the three forms, with a seal that is none."""
    canonical = json_rendering.to_json(envelope)
    if rendering is Rendering.JSON:
        return wrap(canonical, fake_seal(canonical))
    if rendering is Rendering.JWS:
        return fake_seal(canonical)
    return xml_rendering.to_xml(envelope)


def parcel(envelope: AppealEnvelope, rendering: Rendering = Rendering.JSON) -> Parcel:
    """The parcel that an adapter is given."""
    both = rendering is Rendering.BOTH
    return Parcel(
        message_id=MessageId(envelope.header.message_id),
        envelope=envelope,
        sealed=render(envelope, Rendering.JSON if both else rendering),
        sealed_xml=render(envelope, Rendering.XML) if both else None,
        reply_url=None,
    )


def receipt(about: AppealEnvelope, status: ReceiptStatus = ReceiptStatus.REGISTERED) -> ReceiptEnvelope:
    """An authority's receipt on an appeal."""
    refused = status is ReceiptStatus.REFUSED
    return ReceiptEnvelope(
        header=Header(
            message_id=new_id(),
            case_id=about.header.case_id,
            in_reply_to=about.header.message_id,
            created_at=NOW,
            sender=AUTHORITY,
            recipient=CENTRE,
        ),
        body=ReceiptBody(
            status=status,
            at=NOW,
            number=None if refused else "К-1",
            date=None if refused else date(2026, 3, 2),
            ground=RefusalGround.WRONG_ADDRESSEE if refused else None,
        ),
    )


def delivery(
    envelope: AppealEnvelope,
    channel: Channel,
    external_id: str | None = None,
    message_id: MessageId | None = None,
) -> Delivery:
    """A delivery that was made and may be asked for."""
    return Delivery(
        id=DeliveryId(uuid.uuid4()),
        case_id=CaseId(envelope.header.case_id),
        message_id=message_id or MessageId(envelope.header.message_id),
        authority=AUTHORITY.code,
        channel_id=channel.id,
        role=Role.MAIN,
        priority=0,
        state=TransportState.DELIVERED,
        created_at=NOW,
        next_at=None,
        external_id=external_id,
    )

"""Test messages: appeals that go out over a channel as real ones do and can be taken for none.

Each says in its first line, and in its subject, that it is a test. Its ids are new and belong to no case of the hub, so
that whatever is answered to it, now or later, changes none. Where the contact centre gave no number, it bears a case's
number as a real one does, one that no case ever gets.
"""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Final

from hub.cases.minimisation import minimised
from hub.ports import Parcel, Rendering, Seal
from hub.schemas import json_rendering, xml_rendering
from hub.schemas.case_number import case_number
from hub.schemas.envelope import AppealEnvelope, AppealForm, Attachment, Header, Party
from hub.schemas.ids import MessageId, new_id
from hub.schemas.kyiv import kyiv_day
from hub.sealed import seal_parcel, wrap

MARK: Final = "ТЕСТ: перевірка каналу, не звернення."
_SUBJECT_MARK: Final = "ТЕСТ: "
_SUBJECT_CHARS: Final = 500
_TEXT_CHARS: Final = 100_000
_NO_CASE: Final = 0
"""Numbers of cases begin with 1."""


def marked(form: AppealForm) -> AppealForm:
    """The form as a test, without what is the contact centre's own. Of a text that has no room for the mark, the end
    is cut.
    """
    subject = None if form.subject is None else (_SUBJECT_MARK + form.subject)[:_SUBJECT_CHARS]
    text = f"{MARK}\n\n{form.text}"[:_TEXT_CHARS]
    return minimised(form).model_copy(update={"text": text, "subject": subject})


def detached(form: AppealForm) -> AppealForm:
    """The form without what ties it to a case: numbers and earlier appeals."""
    return form.model_copy(update={"reference": None, "earlier": ()})


def message(
    form: AppealForm, *, sender: Party, recipient: Party, now: datetime, attachments: tuple[Attachment, ...] = ()
) -> AppealEnvelope:
    """The envelope of a test with ids of its own."""
    number = form.reference or case_number(kyiv_day(form.received_at).year, _NO_CASE)
    body = marked(form).model_copy(update={"reference": number})
    header = Header(message_id=new_id(), case_id=new_id(), created_at=now, sender=sender, recipient=recipient)
    return AppealEnvelope(header=header, body=body, attachments=attachments)


def parcel(envelope: AppealEnvelope, rendering: Rendering, seal: Seal, reply_url: str | None) -> Parcel:
    """The parcel that an adapter is given, sealed as a real one is."""
    return seal_parcel(
        envelope,
        json_rendering.to_json(envelope),
        rendering,
        seal,
        message_id=MessageId(envelope.header.message_id),
        reply_url=reply_url,
    )


def unsealed(envelope: AppealEnvelope, rendering: Rendering) -> Parcel:
    """The same with a seal that is none, for tries in which nobody gets the bytes."""
    canonical = json_rendering.to_json(envelope)
    token = b"e30." + base64.urlsafe_b64encode(canonical).rstrip(b"=") + b".e30"
    forms = {
        Rendering.JWS: lambda: token,
        Rendering.XML: lambda: xml_rendering.to_xml(envelope),
    }
    return Parcel(
        message_id=MessageId(envelope.header.message_id),
        envelope=envelope,
        sealed=forms.get(rendering, lambda: wrap(canonical, token))(),
        sealed_xml=xml_rendering.to_xml(envelope) if rendering is Rendering.BOTH else None,
        reply_url=None,
    )

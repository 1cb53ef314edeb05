"""Another system's words as an envelope of the hub's own making. Pure."""

from __future__ import annotations

from pydantic import ValidationError

from hub.errors import InvalidInput
from hub.ports import ReportedStatus
from hub.schemas import json_rendering
from hub.schemas.delivery import Delivery, Message
from hub.schemas.directory import LegalClass
from hub.schemas.envelope import (
    AnswerBody,
    AnswerEnvelope,
    AnyEnvelope,
    AuthorityBody,
    ClarificationBody,
    ClarificationEnvelope,
    ExtensionBody,
    ExtensionEnvelope,
    Header,
    Party,
    PublicationBody,
    PublicationEnvelope,
    ReceiptBody,
    ReceiptEnvelope,
    RedirectBody,
    RedirectEnvelope,
)
from hub.schemas.ids import MessageId, named_id
from hub.schemas.terms import ReceiptStatus

_ENVELOPES: dict[type[AuthorityBody], type[AnyEnvelope]] = {
    ReceiptBody: ReceiptEnvelope,
    AnswerBody: AnswerEnvelope,
    RedirectBody: RedirectEnvelope,
    ExtensionBody: ExtensionEnvelope,
    ClarificationBody: ClarificationEnvelope,
    PublicationBody: PublicationEnvelope,
}


def provable(body: AuthorityBody, reaches: LegalClass) -> AuthorityBody:
    """The part of a receipt that may be believed if it came by a way that reaches only so far (CMU 55/2018 items 28,
    32): what cannot be proved is said one rank lower.
    """
    if not isinstance(body, ReceiptBody) or body.status is not ReceiptStatus.REGISTERED:
        return body
    return body if reaches is LegalClass.REGISTERED else body.model_copy(update={"status": ReceiptStatus.ACCEPTED})


def message_id_of(reported: ReportedStatus, channel_id: str) -> MessageId:
    """The id of the envelope for a reported status: derived from theirs, so that a repeat is known."""
    return MessageId(named_id(reported.at, f"{channel_id}\n{reported.said_id}".encode()))


def envelope_of(reported: ReportedStatus, delivery: Delivery, original: Message, channel_id: str) -> AnyEnvelope:
    """The envelope for a reported status. ``original``: the message that it answers. ``InvalidInput``
    (``inbound.words``) for words that no envelope can hold.
    """
    asked = json_rendering.from_trusted(original.body).header
    header = Header(
        message_id=message_id_of(reported, channel_id),
        case_id=delivery.case_id,
        in_reply_to=delivery.message_id,
        created_at=reported.at,
        sender=Party(code=delivery.authority, name=asked.recipient.name),
        recipient=asked.sender,
        role=asked.role,
    )
    body = provable(reported.body, reported.reaches)
    try:
        return _ENVELOPES[type(body)].model_validate(
            {"header": header, "body": body, "attachments": reported.attachments}
        )
    except ValidationError:
        raise InvalidInput("The statement cannot be put into an envelope.", code="inbound.words") from None

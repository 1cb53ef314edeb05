"""Dialect ``envelope``: the hub's own sealed envelope, opaque, in our own WSDL (docs/adapters/soap.md).

One DeliverEnvelope per message. Success is a DeliverEnvelopeResponse that names our message, never the status code.
"""

from __future__ import annotations

import base64
from functools import partial
from typing import Final

from hub.adapters.soap.dialect import OneCallSession
from hub.adapters.soap.settings import EnvelopeSection, SoapSettings
from hub.errors import InvalidInput, OutcomeUnknown, UnsupportedFeature
from hub.net.http import HttpSession, StreamedBody
from hub.ports import Attachments, Outcome, Parcel, Prepared, RawInbound, Rendering, Session
from hub.protocols.soap import mime, own
from hub.protocols.soap.client import SoapClient, SoapReply, SoapRequest
from hub.protocols.soap.wire import FaultElement, content_type, write_envelope
from hub.schemas.delivery import Delivery, OutcomeKind
from hub.schemas.envelope import Attachment
from hub.schemas.terms import RefusalGround
from hub.sealed import CONTENT_TYPES

DELIVER: Final = f"{own.NAMESPACE}/DeliverEnvelope"
GET_RECEIPTS: Final = f"{own.NAMESPACE}/GetReceipts"


class SoapEnvelopeDialect:
    """The dialect, bound to one channel's settings."""

    def __init__(self, settings: SoapSettings) -> None:
        self._s = settings
        self._e = settings.envelope or EnvelopeSection()

    @property
    def url(self) -> str:
        """The setting ``url``."""
        return self._s.url

    def rendering(self) -> Rendering:
        """As the setting ``format`` says."""
        return Rendering(self._e.format)

    def polls(self) -> bool:
        """True if the channel is asked for receipts."""
        return self._e.receipt == "poll"

    def collects(self) -> bool:
        """Never."""
        return False

    def session(self, client: SoapClient, http: HttpSession, attachments: Attachments | None) -> Session:
        """A call per message."""
        return OneCallSession(self, client, http, attachments)

    def prepare(self, parcel: Parcel) -> Prepared:
        """The SOAP envelope; with ``content: mtom`` the SOAP part and the part with the sealed envelope."""
        files = carried(parcel.attachments, self._e.attachments)
        mtom = self._e.content == "mtom"
        kind = CONTENT_TYPES[self.rendering()]
        sealed = own.include(mime.ENVELOPE_ID) if mtom else None
        content = own.element("content", sealed, text=None if mtom else base64.b64encode(parcel.sealed).decode())
        body = own.element(
            "DeliverEnvelope",
            own.element("messageId", text=str(parcel.message_id)),
            own.element("contentType", text=kind),
            content,
            *(own.file_entry(file, mtom=self._e.attachments == "mtom") for file in files),
        )
        soap = write_envelope(self._s.soap, body)
        if not mtom:
            return Prepared(
                message_id=parcel.message_id,
                content_type=content_type(self._s.soap, DELIVER),
                body=soap,
                files=files,
            )
        related = self._related(str(parcel.message_id), mtom=True)
        whole = related.soap_part(soap) + related.part(kind, mime.ENVELOPE_ID, "binary", parcel.sealed)
        return Prepared(message_id=parcel.message_id, content_type=related.content_type, body=whole, files=files)

    def _related(self, message_id: str, *, mtom: bool) -> mime.Related:
        return mime.Related(
            boundary=f"hub-{message_id.replace('-', '')}", version=self._s.soap, mtom=mtom, action=DELIVER
        )

    def request(self, prepared: Prepared, attachments: Attachments | None) -> SoapRequest:
        """The call; with parts it is streamed."""
        files = carried(prepared.files, self._e.attachments)
        parts = self._e.content == "mtom" or bool(files)
        return SoapRequest(
            url=self._s.url,
            version=self._s.soap,
            action=DELIVER,
            envelope=prepared.body,
            message_id=str(prepared.message_id),
            related=partial(self._stream, prepared, files, attachments) if parts else None,
        )

    def _stream(
        self, prepared: Prepared, files: tuple[Attachment, ...], attachments: Attachments | None, soap: bytes
    ) -> tuple[str, StreamedBody]:
        whole = self._e.content == "mtom"
        related = self._related(str(prepared.message_id), mtom=whole or self._e.attachments == "mtom")
        prefix = soap if whole else related.soap_part(soap)
        return related.content_type, related.upload(prefix, files, attachments)

    def judge(self, reply: SoapReply, prepared: Prepared) -> Outcome:
        """Meaning of the answer; the table stands in docs/adapters/soap.md."""
        try:
            said = own.acknowledgement(reply.envelope.content, reply.parts)
        except InvalidInput as error:
            raise unread(error, reply) from None
        return judged(said, prepared, reply, needs_receipt=self._e.receipt == "response")

    def knows(self, fault: FaultElement) -> bool:  # noqa: ARG002 - the protocol's signature
        """Never."""
        return False

    def status_request(self, delivery: Delivery) -> SoapRequest:
        """GetReceipts with the ids."""
        body = own.element("GetReceipts", own.element("messageId", text=str(delivery.message_id)))
        if delivery.external_id:
            body.append(own.element("id", text=delivery.external_id))
        return SoapRequest(
            url=self._s.url,
            version=self._s.soap,
            action=GET_RECEIPTS,
            envelope=write_envelope(self._s.soap, body),
            message_id=str(delivery.message_id),
        )

    def judge_status(self, reply: SoapReply, delivery: Delivery) -> Outcome:
        """Receipts, or nothing yet; anything else is asked again later."""
        raw = RawInbound(content_type="text/xml", body=reply.soap)
        told = _receipts(reply)
        if told is None:
            return Outcome(
                kind=OutcomeKind.TEMPORARY, code="soap.unreadable", http_status=reply.http_status, unread=(raw,)
            )
        about, found, unreadable = told
        if about != str(delivery.message_id):
            return Outcome(
                kind=OutcomeKind.TEMPORARY, code="soap.foreign", http_status=reply.http_status, unread=(raw,)
            )
        return Outcome(
            kind=OutcomeKind.DELIVERED,
            code="soap.unreadable" if unreadable else None,
            http_status=reply.http_status,
            receipts=found,
            unread=unreadable,
        )


def carried(files: tuple[Attachment, ...], setting: str) -> tuple[Attachment, ...]:
    """The files that go along. ``UnsupportedFeature`` (``channel.attachments``) if the channel refuses files."""
    if files and setting == "refuse":
        raise UnsupportedFeature(
            "The message has attachments, and this channel is set to refuse them.", code="channel.attachments"
        )
    return files if setting in ("mtom", "swa") else ()


def _receipts(reply: SoapReply) -> tuple[str | None, tuple[RawInbound, ...], tuple[RawInbound, ...]] | None:
    """Message that GetReceiptsResponse is about, its receipts, and those that are none; None if it is none."""
    try:
        node = own.expected(reply.envelope.content, "GetReceiptsResponse")
        return own.text(node, "messageId", 100), *own.receipts(node, reply.parts)
    except InvalidInput:
        return None


def unread(error: InvalidInput, reply: SoapReply) -> OutcomeUnknown:
    """The error for an answer that means nothing: the same bytes again later."""
    rules = "; ".join(fault.message for fault in error.faults) or error.message
    return OutcomeUnknown(f"Not read: {rules}.", code="soap.no_receipt", http_status=reply.http_status)


def judged(said: own.SoapAcknowledgement, prepared: Prepared, reply: SoapReply, *, needs_receipt: bool) -> Outcome:
    """Meaning of an acknowledgement for the message that was sent."""
    if said.message_id != str(prepared.message_id):
        return Outcome(
            kind=OutcomeKind.UNKNOWN,
            code="soap.foreign",
            http_status=reply.http_status,
            detail="They speak about another message.",
        )
    if said.status == "refused":
        ground = said.ground if said.ground in frozenset(RefusalGround) else None
        return Outcome(
            kind=OutcomeKind.REFUSED,
            code="soap.refused",
            http_status=reply.http_status,
            ground=ground,
            external_id=said.external_id,
            receipts=said.receipts,
            unread=said.unread,
        )
    if said.status == "accepted" and needs_receipt and not said.receipts:
        return Outcome(
            kind=OutcomeKind.UNKNOWN,
            code="soap.no_receipt",
            http_status=reply.http_status,
            detail="They accepted without the receipt that the channel promises, or with one that cannot be read.",
            unread=said.unread,
        )
    return Outcome(
        kind=OutcomeKind.DUPLICATE if said.status == "duplicate" else OutcomeKind.DELIVERED,
        http_status=reply.http_status,
        external_id=said.external_id,
        receipts=said.receipts,
        unread=said.unread,
    )

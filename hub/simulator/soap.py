"""The SOAP side of a simulation: the same authorities with the same characters, in the words of ``authority.wsdl``.

    POST /{code}/soap    DeliverEnvelope, GetReceipts

They report over the hub's own SOAP door, and those that pull use it too.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from lxml import etree

from hub.errors import HubError, InvalidInput
from hub.net.http import HttpSession
from hub.ports import RawInbound
from hub.protocols.soap import own
from hub.protocols.soap.client import unpack
from hub.protocols.soap.mime import MimePart
from hub.protocols.soap.wire import SoapVersion, content_type, read_envelope, write_envelope, write_fault
from hub.schemas.envelope import AnyEnvelope
from hub.simulator.authority import SimulatedVerdict, digest_of
from hub.simulator.pulling import CALL_SECS, PAGE, Puller

_MAX_BYTES: Final = 10_485_760
_REPORTS: Final = SoapVersion.V12
"""Here a fault that blames the sender is HTTP 400 and one that blames the hub 500, as the outbox expects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the hub."""

    version: SoapVersion
    node: etree._Element
    parts: tuple[MimePart, ...]

    @property
    def kind(self) -> str:
        """Content type of the answer."""
        return content_type(self.version, "")

    def asks(self) -> bool:
        """True if it asks for receipts."""
        return str(self.node.tag) == own.tag("GetReceipts")

    def message_id(self) -> uuid.UUID:
        """The message that it names. ``InvalidInput`` if it names none."""
        try:
            return uuid.UUID(own.text(self.node, "messageId", 36) or "")
        except ValueError:
            raise InvalidInput("The call names no message.", code="soap.content") from None

    def envelope(self) -> RawInbound:
        """The sealed envelope. ``InvalidInput`` if the call is no DeliverEnvelope."""
        return own.document(own.expected(self.node, "DeliverEnvelope"), self.parts)

    def check_files(self, envelope: AnyEnvelope) -> bool:
        """True if files came along. ``InvalidInput`` if they are not those of the manifest."""
        entries = self.node.findall(own.tag("file"))
        if not entries:
            return False
        came = {self._file(entry) for entry in entries}
        if came != {(file.sha256, file.size) for file in envelope.attachments}:
            raise InvalidInput("The files are not those of the manifest.", code="attachment.differs")
        return True

    def _file(self, entry: etree._Element) -> tuple[str, int]:
        content, reference = entry.find(own.tag("content")), own.text(entry, "reference", 200)
        if content is not None:
            data = own.binary(content, self.parts)
        else:
            data = b"".join(part.data for part in self.parts if f"cid:{part.content_id}" == reference)
        return hashlib.sha256(data).hexdigest(), len(data)

    def delivered(self, verdict: SimulatedVerdict, ground: str) -> bytes:
        """DeliverEnvelopeResponse with what the authority decided."""
        answer = own.element(
            "DeliverEnvelopeResponse",
            own.element("messageId", text=str(verdict.message_id)),
            own.element("status", text=verdict.status),
            own.element("id", text=verdict.number) if verdict.number is not None else None,
            own.element("ground", text=ground) if verdict.status == "refused" else None,
            _receipt(verdict.receipt) if verdict.receipt is not None else None,
        )
        return write_envelope(self.version, answer)

    def told(self, message_id: uuid.UUID, reports: Iterable[bytes]) -> bytes:
        """GetReceiptsResponse with what there is to tell."""
        answer = own.element("GetReceiptsResponse", own.element("messageId", text=str(message_id)))
        answer.extend([_receipt(report) for report in reports])
        return write_envelope(self.version, answer)

    def fault(self, code: str, reason: str) -> bytes:
        """A fault: ``Client`` or ``Server``."""
        return write_fault(self.version, code, reason)


def _receipt(data: bytes) -> etree._Element:
    return own.element("receipt", *_document(data))


def _document(data: bytes) -> tuple[etree._Element, etree._Element]:
    return (
        own.element("contentType", text="application/json"),
        own.element("content", text=base64.b64encode(data).decode()),
    )


def read(kind: str, body: bytes) -> Call:
    """A call. ``InvalidInput`` if it is no SOAP."""
    soap, charset, parts = unpack(body, kind)
    envelope = read_envelope(soap, charset=charset, max_bytes=_MAX_BYTES)
    if envelope.content is None:
        raise InvalidInput("The Body is empty.", code="soap.content")
    return Call(version=envelope.version, node=envelope.content, parts=parts)


def report(data: bytes) -> tuple[str, bytes]:
    """A report for the hub's SOAP door: content type and body."""
    body = write_envelope(_REPORTS, own.element("SubmitEnvelope", *_document(data)))
    return content_type(_REPORTS, f"{own.NAMESPACE}/SubmitEnvelope"), body


class SoapPuller(Puller):
    """Pulls over ``/soap/hub``: ListInbox and FetchMessage."""

    def _say(self, session: HttpSession, name: str, *children: etree._Element | None) -> etree._Element:
        body = write_envelope(_REPORTS, own.element(name, *children))
        headers = {**self._headers, "Content-Type": content_type(_REPORTS, f"{own.NAMESPACE}/{name}")}
        answer = session.call("POST", f"{self._hub_url}/soap/hub", headers=headers, body=body, deadline_secs=CALL_SECS)
        if answer.status != 200:
            raise InvalidInput(f"{name} was refused.", code=f"soap.http_{answer.status}")
        return own.expected(read_envelope(answer.body, max_bytes=_MAX_BYTES).content, f"{name}Response")

    def _unknown(self, session: HttpSession) -> Iterator[uuid.UUID]:
        after = None
        while True:
            page = self._say(
                session,
                "ListInbox",
                own.element("after", text=after) if after else None,
                own.element("limit", text=str(PAGE)),
            )
            for entry in page.findall(own.tag("message")):
                message_id = uuid.UUID(own.text(entry, "messageId", 36) or "")
                if not self._authority.knows(message_id):
                    yield message_id
            after = own.text(page, "cursor", 36)
            if after is None:
                return

    def _fetch(self, session: HttpSession, message_id: uuid.UUID) -> None:
        try:
            raw = own.document(self._say(session, "FetchMessage", own.element("messageId", text=str(message_id))))
            envelope = self._authority.open(raw)
        except HubError:
            self._authority.count("malformed")
            return
        self._taken(self._authority, self._authority.receive(envelope, digest_of(raw.body)))

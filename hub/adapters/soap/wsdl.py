"""Dialect ``wsdl``: any WSDL, one operation of it, and a mapping (docs/adapters/soap.md).

The description with its ``mapping.yaml`` lies in a pinned folder. zeep makes the body; the receipt is taken from the
answer as the mapping says.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from lxml import etree

from hub.adapters.mapping_check import tree_of, unsaid
from hub.adapters.mapping_tests import notes_of, told
from hub.adapters.outcomes import KINDS, Heard, read_outcome, read_poll_outcome, unreadable
from hub.adapters.soap import mapping as maps
from hub.adapters.soap.dialect import OneCallSession
from hub.adapters.soap.envelope import carried
from hub.adapters.soap.settings import SoapSettings, WsdlSection
from hub.errors import ConfigurationError, UnsupportedFeature
from hub.net import secret_marks
from hub.net.http import HttpSession, StreamedBody
from hub.net.secret_marks import Secrets
from hub.ports import Attachments, Outcome, Parcel, Prepared, RawInbound, Rendering, Session
from hub.protocols.soap import mime
from hub.protocols.soap.client import SoapClient, SoapReply, SoapRequest, request_of
from hub.protocols.soap.description import WsdlOperation, from_folder
from hub.protocols.soap.files import pinned_file
from hub.protocols.soap.wire import FaultElement, content_type, serialise
from hub.schemas import strict_xml
from hub.schemas.delivery import Delivery, OutcomeKind
from hub.schemas.envelope import Attachment
from hub.schemas.terms import RefusalGround


class Described:
    """One operation of a pinned description with its mapping. ``ConfigurationError`` if they do not fit together."""

    def __init__(self, section: WsdlSection) -> None:
        folder = Path(section.folder)
        self.mapping = maps.load(pinned_file(folder, section.sha256, maps.FILE))
        description = from_folder(folder, section.sha256)

        def operation(said: maps.MappedOperation) -> WsdlOperation:
            found = description.operation(said.operation, service=said.service, port=said.port)
            if not found.answers:
                raise ConfigurationError(
                    f"The operation {said.operation} is one-way: it has no answer, so it can never confirm a message.",
                    code="wsdl.one_way",
                    action="Name an operation that answers, or connect this authority another way.",
                )
            return found

        self.operation = operation(self.mapping)
        self.poll = operation(self.mapping.poll) if self.mapping.poll else None
        asked = self.mapping.poll.request if self.mapping.poll else {}
        self.secrets = Secrets(secret_marks.references([self.mapping.request, asked]), secret_marks.in_xml)

    def envelope(self, parcel: Parcel) -> etree._Element:
        """The envelope. ``UnsupportedFeature`` for what the operation or the mapping cannot say."""
        try:
            return self.operation.request(maps.request_values(self.mapping, parcel))
        except ConfigurationError as error:
            # It may be this message only (a member that the schema demands and that this appeal does not have).
            raise UnsupportedFeature(error.message, code=error.stable_code, action=error.next_step) from None

    def judge(self, reply: SoapReply, prepared: Prepared) -> Outcome:
        """Meaning of the answer by the mapping."""
        if reply.fault is not None:
            return self._judged_fault(reply, reply.fault)
        node = reply.envelope.content
        if node is None:
            return Outcome(
                kind=OutcomeKind.UNKNOWN, code="soap.no_receipt", http_status=reply.http_status, detail="Empty Body."
            )
        said = maps.meaning(self.mapping.answer, node)
        return read_outcome(said, self.mapping.answer, _heard(reply), prepared)

    def knows(self, fault: FaultElement) -> bool:
        """True if the mapping says what this fault means."""
        return maps.fault_verdict(self.mapping.fault, fault.node) is not None

    def _judged_fault(self, reply: SoapReply, fault: FaultElement) -> Outcome:
        verdict = maps.fault_verdict(self.mapping.fault, fault.node) or "unknown"
        return Outcome(
            kind=KINDS.get(verdict, OutcomeKind.UNKNOWN),
            code=None if verdict == "duplicate" else f"{maps.CODES.verdict}{verdict}",
            http_status=reply.http_status,
            detail=reply.said,
            ground=RefusalGround.OTHER if verdict == "refused" else None,
        )

    def status_request(self, delivery: Delivery, url: str) -> SoapRequest:
        """The operation that asks. ``PermanentFailure`` if it needs an id of theirs that is not there."""
        asks, operation = self.mapping.poll, self.poll
        if asks is None or operation is None:
            raise ConfigurationError("The mapping has no poll.")
        request = request_of(operation, maps.poll_values(asks, delivery), url=url)
        return replace(request, message_id=str(delivery.message_id), secrets=self.secrets)

    def judge_status(self, reply: SoapReply, delivery: Delivery) -> Outcome:
        """Meaning of the answer to ``status_request`` by the mapping."""
        asks, node = self.mapping.poll, reply.envelope.content
        if asks is None or node is None:
            return unreadable(maps.CODES.unreadable, _heard(reply))
        return read_poll_outcome(maps.meaning(asks.answer, node), asks.answer, _heard(reply), delivery)


def _heard(reply: SoapReply) -> Heard:
    raw = RawInbound(content_type="text/xml", body=reply.soap)
    return Heard(raw=raw, http_status=reply.http_status, codes=maps.CODES)


class WsdlDialect:
    """The dialect, bound to one channel's settings."""

    def __init__(self, settings: SoapSettings) -> None:
        if settings.wsdl is None:
            raise ConfigurationError("Dialect wsdl needs the section wsdl.")
        self._s, self._w = settings, settings.wsdl
        self._described = Described(settings.wsdl)

    @property
    def url(self) -> str:
        """The setting ``url``; the WSDL's own address is never used."""
        return self._s.url

    def rendering(self) -> Rendering:
        """As the setting ``format`` says: what ``$sealed`` stands for."""
        return Rendering(self._w.format)

    def polls(self) -> bool:
        """True if the mapping says how to ask."""
        return self._described.poll is not None

    def collects(self) -> bool:
        """Never."""
        return False

    def session(self, client: SoapClient, http: HttpSession, attachments: Attachments | None) -> Session:
        """A call per message."""
        return OneCallSession(self, client, http, attachments)

    def notes(self) -> tuple[str, ...]:
        """Notes on the mapping for a check."""
        mapping = self._described.mapping
        lost = unsaid(mapping.request, tree_of(mapping.kinds, ("cid",)), mapping.leaves_out)
        return notes_of(lost, mapping.tests, maps.CODES.left_out)

    def understood(self, body: bytes, *, poll: bool) -> dict[str, str] | None:
        """Meaning of an answer: of a SOAP envelope, or of the element in its body."""
        asks = self._described.mapping.poll if poll else self._described.mapping
        if asks is None:
            return None
        root = strict_xml.parse(body, foreign=True)
        if etree.QName(root).localname == "Envelope":
            root = next((each for part in root if etree.QName(part).localname == "Body" for each in part), root)
        return told(maps.meaning(asks.answer, root))

    def prepare(self, parcel: Parcel) -> Prepared:
        """The envelope that the WSDL and the mapping make."""
        files = carried(parcel.attachments, self._w.attachments)
        operation = self._described.operation
        return Prepared(
            message_id=parcel.message_id,
            content_type=content_type(operation.version, operation.action),
            body=serialise(self._described.envelope(parcel)),
            files=files,
        )

    def request(self, prepared: Prepared, attachments: Attachments | None) -> SoapRequest:
        """The call; files go along as SwA parts."""
        operation = self._described.operation
        files = carried(prepared.files, self._w.attachments)
        return SoapRequest(
            url=self._s.url,
            version=operation.version,
            action=operation.action,
            envelope=prepared.body,
            message_id=str(prepared.message_id),
            related=partial(self._stream, prepared, files, attachments) if files else None,
            secrets=self._described.secrets,
        )

    def _stream(
        self, prepared: Prepared, files: tuple[Attachment, ...], attachments: Attachments | None, soap: bytes
    ) -> tuple[str, StreamedBody]:
        operation = self._described.operation
        related = mime.Related(
            boundary=f"hub-{prepared.message_id.hex}", version=operation.version, mtom=False, action=operation.action
        )
        return related.content_type, related.upload(related.soap_part(soap), files, attachments)

    def judge(self, reply: SoapReply, prepared: Prepared) -> Outcome:
        """Meaning of the answer by the mapping."""
        return self._described.judge(reply, prepared)

    def knows(self, fault: FaultElement) -> bool:
        """True if the mapping says what this fault means."""
        return self._described.knows(fault)

    def status_request(self, delivery: Delivery) -> SoapRequest:
        """How to ask what became of a delivery, by the mapping's ``poll``."""
        return self._described.status_request(delivery, self._s.url)

    def judge_status(self, reply: SoapReply, delivery: Delivery) -> Outcome:
        """Meaning of an answer to ``status_request`` by the mapping."""
        return self._described.judge_status(reply, delivery)

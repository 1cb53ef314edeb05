"""Dialect ``wsdl``: any WSDL, one operation of it, and a mapping (docs/adapters/soap.md).

The description with its ``mapping.yaml`` lies in a pinned folder. zeep makes the body; the receipt is taken from the
answer as the mapping says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from lxml import etree

from hub.adapters import xml_places
from hub.adapters.answer_files import inside
from hub.adapters.mapping import SaidFile
from hub.adapters.mapping_check import CONTENT, tree_of, unsaid
from hub.adapters.mapping_tests import notes_of, told
from hub.adapters.outcomes import KINDS, Heard, read_outcome, read_poll_outcome, unreadable
from hub.adapters.soap import mapping as maps
from hub.adapters.soap.collecting import Calls, Collection
from hub.adapters.soap.content import mark, put, upload
from hub.adapters.soap.dialect import OneCallSession
from hub.adapters.soap.enclosures import with_parts
from hub.adapters.soap.envelope import carried
from hub.adapters.soap.settings import SoapSettings, WsdlSection
from hub.errors import ConfigurationError, UnsupportedFeature
from hub.net import secret_marks
from hub.net.files import store_of
from hub.net.http import HttpSession, StreamedBody
from hub.net.secret_marks import Secrets
from hub.ports import Attachments, InboundSink, Outcome, Parcel, Prepared, RawInbound, Rendering, Session
from hub.protocols.soap import mime
from hub.protocols.soap.client import SoapClient, SoapReply, SoapRequest, request_of
from hub.protocols.soap.description import WsdlOperation, from_folder
from hub.protocols.soap.files import pinned_file
from hub.protocols.soap.wire import FaultElement, content_type, serialise
from hub.schemas import strict_xml
from hub.schemas.delivery import Delivery, OutcomeKind
from hub.schemas.envelope import MAX_ATTACHMENT_BYTES, Attachment
from hub.schemas.terms import RefusalGround

_NEVER: Final = frozenset({"wsdl.schema", "wsdl.member"})
"""Faults of a mapping, whatever the appeal is."""


class Described:
    """One operation of a pinned description with its mapping. ``ConfigurationError`` if they do not fit together."""

    def __init__(self, section: WsdlSection) -> None:
        folder = Path(section.folder)
        self.mapping = maps.load(pinned_file(folder, section.sha256, maps.FILE))
        self._places_files, self._mtom = section.places_files, section.attachments == "mtom"
        if self.mapping.sends_files and not self._places_files:
            raise ConfigurationError(
                "The mapping gives files a place ($item.content), and the channel does not send them there.",
                code="wsdl.mapping",
                action="Set attachments: inline or mtom in the section wsdl.",
            )

        def operation(said: maps.CalledOperation) -> WsdlOperation:
            description = from_folder(folder, section.sha256, said.wsdl)
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
        self.secrets = Secrets(secret_marks.references(list(self.mapping.all_said())), secret_marks.in_xml)
        self.collect = None if self.mapping.collect is None else self._calls(self.mapping.collect, operation)

    def _calls(self, waits: maps.CollectMapping, operation: Callable[[maps.CalledOperation], WsdlOperation]) -> Calls:
        return Calls(
            mapping=waits,
            list=operation(waits.list),
            fetch=operation(waits.fetch),
            done=operation(waits.done) if waits.done else None,
            secrets=self.secrets,
        )

    def envelope(self, parcel: Parcel) -> tuple[etree._Element, tuple[Attachment, ...]]:
        """The envelope, and the files that have a place in it. ``UnsupportedFeature`` for what the operation or the
        mapping cannot say.
        """
        said = maps.said_values(self.mapping, parcel, partial(mark, parcel) if self._places_files else None)
        try:
            root = self.operation.request(said.request, said.header)
        except ConfigurationError as error:
            # It may be this message only (a member that the schema demands and that this appeal does not have).
            raise UnsupportedFeature(error.message, code=error.stable_code, action=error.next_step) from None
        marks = {str(mark(parcel, file)): file for file in parcel.attachments} if self._places_files else {}
        return root, put(root, marks, mtom=self._mtom)

    def rehearse(self, parcel: Parcel) -> None:
        """Make the envelope of a made-up appeal, whatever of it has no place. ``ConfigurationError`` if the operation
        cannot be said so by any; what this one lacks, another may have.
        """
        content = partial(mark, parcel) if self._places_files else None
        try:
            said = maps.said_values(self.mapping, parcel, content, rehearsed=True)
            self.operation.request(said.request, said.header)
            if self.poll is not None and self.mapping.poll is not None:
                asked = maps.rehearsed_poll_values(self.mapping.poll, parcel)
                self.poll.request(asked.request, asked.header)
        except ConfigurationError as error:
            if error.stable_code in _NEVER:
                raise

    def judge(self, reply: SoapReply, prepared: Prepared) -> Outcome:
        """Meaning of the answer by the mapping."""
        if reply.fault is not None:
            return self._judged_fault(reply, reply.fault)
        node = reply.envelope.content
        if node is None:
            return Outcome(
                kind=OutcomeKind.UNKNOWN, code="soap.no_receipt", http_status=reply.http_status, detail="Empty Body."
            )
        said = maps.meaning(self.mapping.answer, with_parts(node, reply.parts))
        return read_outcome(said, self.mapping.answer, _heard(reply), prepared)

    def files(self, reply: SoapReply, *, poll: bool) -> tuple[SaidFile, ...]:
        """The files that an answer brought."""
        asks, node = self.mapping.poll if poll else self.mapping, reply.envelope.content
        if asks is None or node is None or asks.answer.files is None:
            return ()
        return maps.meaning(asks.answer, with_parts(node, reply.parts)).files

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
        said = maps.poll_values(asks, delivery)
        request = request_of(operation, said.request, url=url, declared=said.header)
        return replace(request, message_id=str(delivery.message_id), secrets=self.secrets)

    def judge_status(self, reply: SoapReply, delivery: Delivery) -> Outcome:
        """Meaning of the answer to ``status_request`` by the mapping."""
        asks, node = self.mapping.poll, reply.envelope.content
        if asks is None or node is None:
            return unreadable(maps.CODES.unreadable, _heard(reply))
        said = maps.meaning(asks.answer, with_parts(node, reply.parts))
        return read_poll_outcome(said, asks.answer, _heard(reply), delivery)


def _heard(reply: SoapReply) -> Heard:
    raw = RawInbound(content_type="text/xml", body=reply.soap)
    return Heard(raw=raw, http_status=reply.http_status, codes=maps.CODES)


class MappedSession(OneCallSession):
    """A conversation by a mapping: files of answers are kept, and what waits is fetched."""

    def __init__(
        self,
        dialect: WsdlDialect,
        described: Described,
        client: SoapClient,
        http: HttpSession,
        store: Attachments | None,
    ) -> None:
        super().__init__(dialect, client, http, store)
        self._url, self._described = dialect.url, described

    def enclose(self, outcome: Outcome, reply: SoapReply, *, poll: bool) -> Outcome:
        """The outcome with the files of the answer, which are in the store then."""
        said = self._described.files(reply, poll=poll) if outcome.reported else ()
        if not said:
            return outcome
        store = store_of(self._attachments)

        def keep(source: Iterator[bytes], *, media_type: str, name: str) -> Attachment:
            sha256, size = store.put(source, limit=MAX_ATTACHMENT_BYTES)
            return Attachment(sha256=sha256, size=size, media_type=media_type, name=name)

        files = inside(said, keep)
        told = tuple(map(files.along, outcome.reported))
        return replace(outcome, reported=tuple(replace(each, fetched=each.attachments) for each in told))

    def collect(self, sink: InboundSink, deadline_secs: float) -> int:
        """Fetch what waits, by the mapping's ``collect``."""
        calls = self._described.collect
        if calls is None:
            return super().collect(sink, deadline_secs)
        return Collection(calls, self._client, self._http, self._url, sink, deadline_secs).run()


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
        """True if the mapping says how to fetch what waits."""
        return self._described.collect is not None

    def session(self, client: SoapClient, http: HttpSession, attachments: Attachments | None) -> Session:
        """A call per message; a few per message that is fetched."""
        return MappedSession(self, self._described, client, http, attachments)

    def notes(self) -> tuple[str, ...]:
        """Notes on the mapping for a check."""
        mapping = self._described.mapping
        members = ("cid", CONTENT) if self._w.places_files else ("cid",)
        lost = unsaid(mapping.said, tree_of(mapping.kinds, members), mapping.leaves_out)
        return notes_of(lost, mapping.tests, maps.CODES.left_out, maps.unshown_of(mapping))

    def rehearse(self, parcel: Parcel) -> None:
        """As the description does."""
        self._described.rehearse(parcel)

    def understood(self, body: bytes, *, poll: bool) -> dict[str, str] | None:
        """Meaning of an answer: of a SOAP envelope, or of the element in its body."""
        asks = self._described.mapping.poll if poll else self._described.mapping
        if asks is None:
            return None
        node = maps.body_element(strict_xml.parse(body, foreign=True))
        return told(asks.answer, partial(xml_places.find, node), maps.rows(node))

    def prepare(self, parcel: Parcel) -> Prepared:
        """The envelope that the WSDL and the mapping make."""
        carried_files = carried(parcel.attachments, self._w.attachments)
        operation = self._described.operation
        root, placed = self._described.envelope(parcel)
        return Prepared(
            message_id=parcel.message_id,
            content_type=content_type(operation.version, operation.action),
            body=serialise(root),
            files=placed if self._w.places_files else carried_files,
        )

    def request(self, prepared: Prepared, attachments: Attachments | None) -> SoapRequest:
        """The call; files go along as parts, or in their places."""
        operation = self._described.operation
        files = prepared.files
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
        if self._w.attachments == "inline":
            return prepared.content_type, upload(soap, files, attachments)
        related = mime.Related(
            boundary=f"hub-{prepared.message_id.hex}",
            version=operation.version,
            mtom=self._w.attachments == "mtom",
            action=operation.action,
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
        return self._described.status_request(delivery, self._w.poll_url or self._s.url)

    def judge_status(self, reply: SoapReply, delivery: Delivery) -> Outcome:
        """Meaning of an answer to ``status_request`` by the mapping."""
        return self._described.judge_status(reply, delivery)

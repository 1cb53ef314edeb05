"""Dialect ``trembita``: SOAP through the secure exchange gateway, with X-Road 4.0 headers (docs/adapters/trembita.md).

The sealed envelope travels as opaque base64 in a wrapper named after the service, or as readable elements by a WSDL
and a mapping. ``issue`` carries the appeal's number, ``id`` the message id. An answer counts if its headers are those
of the request, in any order, and its body says what was done.
"""

from __future__ import annotations

import base64

from lxml import etree

from hub.adapters.soap.dialect import OneCallSession
from hub.adapters.soap.envelope import judged, unread
from hub.adapters.soap.settings import SoapSettings
from hub.adapters.soap.wsdl import Described
from hub.errors import ConfigurationError, InvalidInput
from hub.net.http import HttpSession
from hub.net.secret_marks import NO_SECRETS
from hub.ports import Attachments, Outcome, Parcel, Prepared, Rendering, Session
from hub.protocols.soap import own, xroad
from hub.protocols.soap.client import SoapClient, SoapReply, SoapRequest, add_headers
from hub.protocols.soap.security_settings import NoSecurity
from hub.protocols.soap.wire import FaultElement, content_type, read_envelope, serialise
from hub.schemas.delivery import Delivery, OutcomeKind
from hub.schemas.envelope import AppealEnvelope


class SoapTrembitaDialect:
    """The dialect, bound to one channel's settings."""

    def __init__(self, settings: SoapSettings) -> None:
        if settings.trembita is None:
            raise ConfigurationError("Dialect trembita needs the section trembita.")
        self._s, self._t = settings, settings.trembita
        self._client = xroad.parse_identifier(self._t.client)
        self._service = xroad.parse_identifier(self._t.service)
        self._described = Described(self._t.description) if self._t.description else None
        self._secrets = self._described.secrets if self._described else NO_SECRETS
        if self._described is not None and self._described.poll is not None:
            raise ConfigurationError(
                "Over Trembita nobody is asked: leave poll out of the mapping.", code="wsdl.mapping"
            )
        self._version = self._described.operation.version if self._described else settings.soap

    @property
    def url(self) -> str:
        """The inner address of our own gateway."""
        return self._s.url

    def rendering(self) -> Rendering:
        """As the setting ``format`` says."""
        return Rendering(self._t.format)

    def polls(self) -> bool:
        """Never: receipts come in the answer, or as calls of ours."""
        return False

    def collects(self) -> bool:
        """Never."""
        return False

    def session(self, client: SoapClient, http: HttpSession, attachments: Attachments | None) -> Session:
        """A call per message."""
        return OneCallSession(self, client, http, attachments)

    def prepare(self, parcel: Parcel) -> Prepared:
        """The envelope with its headers; files travel as links in the sealed manifest."""
        root = self._described.envelope(parcel)[0] if self._described else self._opaque(parcel)
        for declared in root.findall(f"{{{self._version.namespace}}}Header"):
            root.remove(declared)  # what the WSDL declares as headers are X-Road's own, and empty
        add_headers(root, xroad.write_headers(self._headers(parcel)))
        return Prepared(
            message_id=parcel.message_id,
            content_type=content_type(self._version, ""),
            body=serialise(root),
        )

    def _headers(self, parcel: Parcel) -> xroad.XRoadHeaders:
        envelope = parcel.envelope
        number = envelope.body.reference if isinstance(envelope, AppealEnvelope) else None
        return xroad.XRoadHeaders(
            client=self._client,
            service=self._service,
            id=str(parcel.message_id),
            protocol_version=xroad.VERSION,
            user_id=self._t.user_id,
            issue=number or str(envelope.header.case_id),
        )

    def rehearse(self, parcel: Parcel) -> None:
        """As the description does, where there is one."""
        if self._described is not None:
            self._described.rehearse(parcel)

    def _opaque(self, parcel: Parcel) -> etree._Element:
        space, soap = self._t.namespace, self._s.soap.namespace
        root = etree.Element(f"{{{soap}}}Envelope", nsmap={"soap": soap})
        body = etree.SubElement(root, f"{{{soap}}}Body")
        name = self._t.wrapper or self._service.service_code
        wrapper = etree.SubElement(body, f"{{{space}}}{name}", nsmap={"a": space})
        content = etree.SubElement(wrapper, f"{{{space}}}{self._t.element}")
        content.text = base64.b64encode(parcel.sealed).decode()
        return root

    def request(self, prepared: Prepared, attachments: Attachments | None) -> SoapRequest:  # noqa: ARG002 - the protocol's
        """The call. SOAPAction is the described operation's, else empty."""
        action = self._described.operation.action if self._described else ""
        return SoapRequest(
            url=self._s.url,
            version=self._version,
            action=action,
            envelope=prepared.body,
            message_id=str(prepared.message_id),
            secrets=self._secrets,
        )

    def judge(self, reply: SoapReply, prepared: Prepared) -> Outcome:
        """Headers first: an answer that is not to our request, or whose hash is another's, is not believed.

        An answer without headers is believed if its body names our message: it was taken in, and must not go again.
        """
        if self._described and reply.fault is not None:
            return self._described.judge(reply, prepared)  # faults come without headers
        try:
            xroad.check_body(reply.envelope)
            if reply.envelope.header or not self._names_message():
                wrong = self._not_ours(reply, prepared)
                if wrong is not None:
                    return wrong
        except InvalidInput as error:
            raise unread(error, reply) from None
        if self._described:
            return self._described.judge(reply, prepared)
        try:
            said = own.statement(_renamed(reply.envelope.content), reply.parts)
        except InvalidInput as error:
            raise unread(error, reply) from None
        return judged(said, prepared, reply, needs_receipt=False)

    def _names_message(self) -> bool:
        """True if an answer's body counts only when it names our message."""
        return self._described is None or self._described.mapping.answer.echo is not None

    def _not_ours(self, reply: SoapReply, prepared: Prepared) -> Outcome | None:
        """Outcome of an answer whose headers are not those of the request; None if they are. ``InvalidInput``."""
        sent = xroad.read_headers(read_envelope(prepared.body))
        received = xroad.read_headers(reply.envelope, copied=True)
        if not xroad.same_exchange(sent, received):
            return _unknown("xroad.headers", "The answer's headers are not those of the request.", reply)
        # With a security header of ours other bytes went out than were prepared, so there is nothing to compare.
        sent_body = self._secrets.fill(prepared.body)
        if isinstance(self._s.security, NoSecurity) and not xroad.hash_agrees(received, sent_body):
            return _unknown("xroad.request_hash", "The answer is to another request than was sent.", reply)
        return None

    def knows(self, fault: FaultElement) -> bool:
        """True if there is a mapping that knows it."""
        return self._described is not None and self._described.knows(fault)

    def status_request(self, delivery: Delivery) -> SoapRequest:  # noqa: ARG002 - the protocol's signature
        """Raises ``ConfigurationError``: nobody is asked."""
        raise ConfigurationError("Receipts are not asked for in this dialect.")

    def judge_status(self, reply: SoapReply, delivery: Delivery) -> Outcome:  # noqa: ARG002 - the protocol's signature
        """Raises ``ConfigurationError``: nobody is asked."""
        raise ConfigurationError("Receipts are not asked for in this dialect.")


def _unknown(code: str, detail: str, reply: SoapReply) -> Outcome:
    return Outcome(kind=OutcomeKind.UNKNOWN, code=code, http_status=reply.http_status, detail=detail)


def _renamed(node: etree._Element | None) -> etree._Element:
    """The answer with our namespace: each service has one of its own, the local names are ours."""
    made = etree.Element(own.tag("answer"))
    for child in () if node is None else node.iterchildren(etree.Element):
        made.append(_copy(child, 0))
    return made


def _copy(node: etree._Element, depth: int) -> etree._Element:
    if etree.QName(node).namespace == own.XOP or depth > 4:
        return etree.Element(str(node.tag), {str(name): str(value) for name, value in node.items()})
    made = etree.Element(own.tag(etree.QName(node).localname))
    made.text = node.text
    made.extend([_copy(child, depth + 1) for child in node.iterchildren(etree.Element)])
    return made

"""Calls over SOAP: one request, one answer, read strictly; every way it can end is an error of ours or a reply.

    SoapReply                 a well-made envelope without a fault, over HTTP 2xx
    SoapFault             soap.fault_retry, soap.fault_operator, soap.fault_permanent     they answered with a fault
    TemporaryFailure      soap.try_later, soap.unauthorized                               surely not taken in
    PermanentFailure      soap.http_4xx                                                   refused without a word of SOAP
    OutcomeUnknown        soap.redirect, soap.server_error, soap.no_answer, wsse.*        it may have been taken in
    and all that ``hub.net.http`` raises

A client belongs to one thread; the ``Description`` it uses is shared. No redirect is followed, wherever it points.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from lxml import etree

from hub.errors import InvalidInput, OutcomeUnknown, PermanentFailure, SealRefused, TemporaryFailure, about
from hub.net import looking
from hub.net.auth import NOBODY, Credential, PlannedCall, authorised, connect
from hub.net.http import CREDENTIAL_REFUSED, NOT_TAKEN_IN, HttpAnswer, HttpSession, StreamedBody, retry_after
from hub.net.secret_marks import NO_SECRETS, Secrets
from hub.protocols.soap import mime
from hub.protocols.soap.faults import SoapFault, told
from hub.protocols.soap.wire import (
    FaultElement,
    SoapEnvelope,
    SoapVersion,
    content_type,
    fault_of,
    read_envelope,
    refuse,
    serialise,
)
from hub.schemas import strict_xml
from hub.schemas.mime_rules import parameters

if TYPE_CHECKING:  # zeep comes with it; dialects that need no WSDL do without
    from hub.protocols.soap.description import WsdlOperation

_LOOKED_AT: Final = 8_192
_ENVELOPE: Final = re.compile(rb"<(?:[\w.-]+:)?Envelope[\s/>]")
_BOUNDARY: Final = re.compile(rb"--([0-9A-Za-z'()+_,./:=?-]{1,70})[ \t]*\r?\nContent-", re.IGNORECASE)
_NOBODYS: Final = str(uuid.UUID(int=0))
SOAP_TYPES: Final = frozenset({"text/xml", "application/xml", "application/soap+xml", "application/xop+xml"})


class Guard(Protocol):
    """WS-Security of a channel. ``secure`` is called for each attempt; ``check`` gives the only bytes to read on."""

    def secure(self, envelope: bytes) -> bytes:
        """The envelope with a security header. Raises ``ConfigurationError``."""
        ...

    def check(self, envelope: bytes) -> bytes:
        """The verified envelope. Raises ``SealRefused`` (``wsse.*``)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SoapReply:
    """An answer without a fault. ``parts``: attachments that came along; ``soap``: the bytes of the SOAP part.

    ``fault`` and ``said``: a fault that whoever asked knows how to take, and what an operator may read of it.
    """

    envelope: SoapEnvelope
    parts: tuple[mime.MimePart, ...]
    soap: bytes
    http_status: int
    fault: FaultElement | None = None
    said: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SoapRequest:
    """Request to send. ``related`` makes a content type and a stream of the (secured) envelope, if files go along.

    ``message_id``: of our message, for credentials that are made for it; ``secrets``: of the marks in the envelope.
    """

    url: str
    version: SoapVersion
    action: str
    envelope: bytes
    message_id: str = ""
    related: Callable[[bytes], tuple[str, StreamedBody]] | None = None
    secrets: Secrets = NO_SECRETS


class SoapClient:
    """Makes calls over one ``HttpSession``. ``credential``: who we are to the service."""

    def __init__(
        self,
        http: HttpSession,
        *,
        credential: Credential = NOBODY,
        guard: Guard | None = None,
        max_bytes: int = 10_485_760,
    ) -> None:
        self._http = http
        self._credential = credential
        self._guard = guard
        self._max_bytes = max_bytes

    def connect(self, url: str, *, deadline_secs: float) -> None:
        """Get a token, where one is needed, and connect (and shake hands) without saying anything."""
        connect(self._http, self._credential, url, deadline_secs=deadline_secs)

    def credential(self) -> str | None:
        """The token that was asked for, for people."""
        return self._credential.told()

    def call(
        self,
        operation: WsdlOperation,
        values: Mapping[str, Any],
        *,
        url: str,
        headers: Iterable[etree._Element] = (),
        deadline_secs: float,
    ) -> Any:
        """Say an operation with values; the answer's values. ``ConfigurationError`` (``wsdl.values``) before anything
        goes out; ``OutcomeUnknown`` (``soap.no_answer``) if the answer is not that of the operation.
        """
        reply = self.exchange(request_of(operation, values, url=url, headers=headers), deadline_secs=deadline_secs)
        try:
            return operation.read_answer(reply.envelope)
        except InvalidInput as error:
            raise _no_answer(error, reply.http_status) from None

    def look(self, url: str, *, deadline_secs: float) -> tuple[str, ...]:
        """Notes on what the address answers to HEAD, which nothing is taken in by."""
        call = PlannedCall(method="HEAD", url=url, message_id=_NOBODYS)
        return looking.look(self._http, self._credential, call, deadline_secs)

    def exchange(
        self,
        request: SoapRequest,
        *,
        deadline_secs: float,
        knows: Callable[[FaultElement], bool] = lambda _: False,
    ) -> SoapReply:
        """Send an envelope and read what comes back. ``knows``: faults that are answers. Errors: see the module."""
        envelope = request.secrets.fill(request.envelope)
        envelope = envelope if self._guard is None else self._guard.secure(envelope)
        kind, body = (
            (content_type(request.version, request.action), envelope)
            if request.related is None
            else request.related(envelope)
        )
        fixed = {"Content-Type": kind, "Accept": "text/xml, application/soap+xml, multipart/related"}
        if request.version is SoapVersion.V11:
            fixed["SOAPAction"] = f'"{request.action}"'
        call = PlannedCall(
            method="POST",
            url=request.url,
            headers=fixed,
            body=body,
            message_id=request.message_id,
            signed=envelope,
        )
        with about("url"):
            answer = authorised(self._http, self._credential, call, deadline_secs=deadline_secs)
        return self._read(answer, request.envelope, knows)

    def _read(self, answer: HttpAnswer, sent: bytes, knows: Callable[[FaultElement], bool]) -> SoapReply:
        if 300 <= answer.status < 400:
            raise OutcomeUnknown(
                "They redirect, which is never followed.",
                code="soap.redirect",
                http_status=answer.status,
                remedy="Write the address that they redirect to into url, if it is theirs.",
            )
        try:
            soap, charset, parts = unpack(answer.body, answer.content_type)
            envelope = read_envelope(soap, charset=charset, max_bytes=self._max_bytes)
        except InvalidInput as error:
            raise _without_soap(answer, error) from None
        fault = fault_of(envelope)
        if answer.status in NOT_TAKEN_IN or answer.status in CREDENTIAL_REFUSED:
            raise _without_soap(answer, None)  # the status says more than the fault beside it
        if fault is not None and not knows(fault):
            raise SoapFault(fault, sent=sent, http_status=answer.status)
        if fault is None and not 200 <= answer.status < 300:
            raise _without_soap(answer, None)
        if self._guard is not None:
            soap, envelope = self._verified(strict_xml.utf8(soap, charset), answer.status)
            fault = fault_of(envelope)
        said = None if fault is None else told(fault, sent)
        return SoapReply(envelope=envelope, parts=parts, soap=soap, http_status=answer.status, fault=fault, said=said)

    def _verified(self, soap: bytes, status: int) -> tuple[bytes, SoapEnvelope]:
        assert self._guard is not None
        try:
            verified = self._guard.check(soap)
            return verified, read_envelope(verified, max_bytes=self._max_bytes)
        except (SealRefused, InvalidInput) as error:
            raise OutcomeUnknown(
                f"Their answer cannot be believed: {error.message}", code=error.stable_code, http_status=status
            ) from None


def request_of(
    operation: WsdlOperation,
    values: Mapping[str, Any],
    *,
    url: str,
    declared: Mapping[str, Any] | None = None,
    headers: Iterable[etree._Element] = (),
) -> SoapRequest:
    """The request of an operation with these values, of the header blocks that it declares too, and further blocks."""
    root = operation.request(values, declared)
    add_headers(root, headers)
    return SoapRequest(url=url, version=operation.version, action=operation.action, envelope=serialise(root))


def add_headers(root: etree._Element, headers: Iterable[etree._Element]) -> None:
    """Put blocks into an envelope's Header, which is made if it is not there."""
    space = etree.QName(root).namespace
    for block in headers:
        header = root.find(f"{{{space}}}Header")
        if header is None:
            header = etree.Element(f"{{{space}}}Header")
            root.insert(0, header)
        header.append(block)


def unpack(body: bytes, kind: str) -> tuple[bytes, str | None, tuple[mime.MimePart, ...]]:
    """The SOAP part, its charset, and the other parts. ``InvalidInput`` (``soap.*``) if there is no SOAP.

    The bytes decide what is SOAP: hand-made services send it as text/plain, text/html or without a type.
    """
    kind = _told_by_bytes(body, kind)
    media, options = parameters(kind)
    if media.startswith("multipart/"):
        root, *others = mime.root_first(mime.split(body, kind), options.get("start"))
        media, inner = parameters(root.content_type)
        if not _may_be_soap(media, root.data):
            raise refuse("no_soap_part", "the root part is not SOAP")
        return root.data, inner.get("charset"), tuple(others)
    if not _may_be_soap(media, body):
        raise refuse("media_type", "the content type is not one of SOAP")
    return body, options.get("charset"), ()


def _told_by_bytes(body: bytes, kind: str) -> str:
    """The content type, corrected where the bytes show parts, or show none."""
    parts, begins = kind.lower().lstrip().startswith("multipart/"), body.lstrip()[:_LOOKED_AT]
    if parts and begins.startswith(b"<") and _ENVELOPE.search(begins):
        return "text/xml"
    line = _BOUNDARY.match(begins)
    return kind if parts or line is None else f'multipart/related; boundary="{line[1].decode("ascii")}"'


def _may_be_soap(media: str, data: bytes) -> bool:
    """True if the type is one of SOAP, or the bytes name an Envelope of SOAP near their beginning."""
    return media in SOAP_TYPES or _ENVELOPE.search(data[:_LOOKED_AT].replace(b"\x00", b"")) is not None


def _no_answer(error: InvalidInput, status: int) -> OutcomeUnknown:
    rules = "; ".join(fault.message for fault in error.faults[:3]) or error.message
    return OutcomeUnknown(
        f"Their answer cannot be read: {rules}.",
        code="soap.no_answer",
        http_status=status,
        remedy="Look at the answer below the head `answer`: is it the service at this address that speaks SOAP?",
    )


def _without_soap(
    answer: HttpAnswer, error: InvalidInput | None
) -> TemporaryFailure | PermanentFailure | OutcomeUnknown:
    """An answer that is no SOAP: its status says what there is to know."""
    status = answer.status
    wait = retry_after(answer.headers.get("Retry-After"), datetime.now(UTC))
    if status in NOT_TAKEN_IN:
        return TemporaryFailure("They ask to come later.", code="soap.try_later", http_status=status, retry_after=wait)
    if status in CREDENTIAL_REFUSED:
        return TemporaryFailure(
            "They do not accept our credentials.",
            code="soap.unauthorized",
            action="Renew the credentials that the channel's settings name.",
            http_status=status,
            setting="auth",
        )
    if 400 <= status < 500:
        remedy = "Look at the path in url: nothing is there." if status in (404, 410) else None
        return PermanentFailure(
            f"They refused with HTTP {status}.", code=f"soap.http_{status}", http_status=status, remedy=remedy
        )
    if status >= 500:
        return OutcomeUnknown(
            f"Their server failed with HTTP {status}.", code="soap.server_error", http_status=status, retry_after=wait
        )
    return _no_answer(error or refuse("status", f"HTTP {status} with an answer"), status)

"""The hub's own SOAP door, ``/soap/hub``: for systems that can only call out and only speak SOAP.

The same rights, rules and limits as the HTTP doors, with their code behind it; only the words are other ones
(``hub/protocols/soap/schemas/hub.xsd``). Who calls is settled from the HTTP headers before a byte of the body is read:
``Authorization: Bearer KEY``, or Basic with the key as password. Every error is a fault whose detail names code, places
and next step.
"""

from __future__ import annotations

import base64
import binascii
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from fastapi import APIRouter, Request
from lxml import etree
from starlette.responses import Response

from hub.api import multipart
from hub.api.access import ACCESS, SOAP
from hub.api.auth import CallerRole, Principal
from hub.api.bodies import check_announced, read
from hub.api.cases import look
from hub.api.dependencies import Dependencies, TheDependencies, case_id, message_id
from hub.api.envelopes import accept_appeal
from hub.api.files import checked_type, find, keep
from hub.api.inbox import reply_to
from hub.api.listing import views
from hub.api.problems import ProblemResponse, problem_of
from hub.api.receiving import kept, origin, own_channel
from hub.api.threads import parse_in_thread, run_in_thread
from hub.errors import Forbidden, HubError, InvalidInput, NotFound, Unauthenticated
from hub.ports import RawInbound
from hub.protocols.faults import shown
from hub.protocols.soap import mime, own
from hub.protocols.soap.files import shipped
from hub.protocols.soap.wire import SoapVersion, not_understood, read_envelope, refuse, write_envelope, write_fault
from hub.schemas import mime_rules
from hub.schemas.base import format_datetime
from hub.schemas.ids import MessageId
from hub.schemas.journal import Door
from hub.sealed import media_type

router = APIRouter(tags=["soap"])

DESCRIPTIONS: Final = ("hub.wsdl", "authority.wsdl", "hub.xsd", "xmlmime.xsd", "swaref.xsd")
_PLACE: Final = {"hub.wsdl": b"http://hub.example/soap/hub"}
_KINDS: Final = {"text/xml": SoapVersion.V11, "application/soap+xml": SoapVersion.V12}
_RELATED: Final = "multipart/related"
_MEDIA: Final = {SoapVersion.V11: "text/xml; charset=utf-8", SoapVersion.V12: "application/soap+xml; charset=utf-8"}
_KEPT_STATUSES: Final = frozenset({401, 403, 408, 413, 415, 429, 503})
"""Told as they are, for proxies and clients that look at them; all else is 500, or 400 for a Sender in SOAP 1.2."""
MAX_PIECE: Final = 1_048_576
"""Largest piece of a file in one answer, in bytes before base64."""
_UNKNOWN: Final = "No message with this id waits for you."


@router.get("/soap/hub")
async def describe(request: Request, deps: TheDependencies) -> Response:
    """The WSDL, for ``?wsdl``."""
    if [name.lower() for name in request.query_params] != ["wsdl"]:
        raise NotFound("Ask for the WSDL with ?wsdl, or call with POST.", code="soap.route")
    return _document("hub.wsdl", request, deps)


@router.get("/soap/{name}")
async def document(name: str, request: Request, deps: TheDependencies) -> Response:
    """A schema that the WSDL imports; ``authority.wsdl`` is what a system offers that the hub calls."""
    if name not in DESCRIPTIONS:
        raise NotFound("There is no such document.", code="soap.route")
    return _document(name, request, deps)


def _document(name: str, request: Request, deps: Dependencies) -> Response:
    data = shipped(name)
    if name in _PLACE:
        data = data.replace(_PLACE[name], f"{_own_url(request, deps)}/soap/hub".encode())
    return Response(data, media_type="text/xml")


def _own_url(request: Request, deps: Dependencies) -> str:
    """``public_url``, or the socket that this call came to; never what the caller says in ``Host``."""
    server = request.scope.get("server")
    if deps.hub.settings.public_url or not server or not server[1]:
        return deps.hub.settings.base_url
    host = f"[{server[0]}]" if ":" in server[0] else server[0]
    return f"{request.scope['scheme']}://{host}:{server[1]}"


class NotUnderstoodError(InvalidInput):
    """A header block for us must be understood, and the door knows none. ``block``: its name with namespace."""

    def __init__(self, block: etree._Element) -> None:
        name = etree.QName(block)
        self.block = (name.namespace or "", name.localname)
        said = shown(f"{{{self.block[0]}}}{self.block[1]}")
        super().__init__(f"The header block {said} must be understood, and is not.", code="soap.must_understand")


@dataclass(slots=True)
class _Call:
    """One call on its way. ``version`` is that of the content type until the envelope says it."""

    deps: Dependencies
    principal: Principal
    version: SoapVersion
    rest: Iterator[multipart.FormPart]

    def answer(self, soap: bytes, charset: str | None) -> bytes:
        """Do what the envelope asks for; the envelope of the answer."""
        envelope = read_envelope(soap, charset=charset, max_bytes=self.deps.body_limit)
        self.version = envelope.version
        for block in envelope.demanded():
            raise NotUnderstoodError(block)
        node = envelope.content
        name = "" if node is None or etree.QName(node).namespace != own.NAMESPACE else etree.QName(node).localname
        if node is None or name not in OPERATIONS:
            raise refuse("operation", f"the Body holds one of: {', '.join(OPERATIONS)}", "/Body")
        if self.principal.role not in ACCESS[SOAP, name].reach:
            raise Forbidden("This call is for other roles.")
        own.check_members(own.qualify(node), name)
        return write_envelope(self.version, OPERATIONS[name](self, node))


@router.post("/soap/hub")
async def call(request: Request, deps: TheDependencies) -> Response:
    """One call. Faults carry the element Refusal."""
    kind = media_type(request.headers.get("content-type", ""))
    version = _KINDS.get(kind, SoapVersion.V11)
    if kind == _RELATED and b"soap+xml" in request.headers["content-type"].encode():
        version = SoapVersion.V12
    made: list[_Call] = []
    try:
        principal = await _caller(request, deps)
        made.append(_Call(deps, principal, version, iter(())))
        if principal.role is CallerRole.AUTHORITY:
            way = origin(principal, Door.SOAP, own_channel(deps, principal.party))
            async with kept(request, deps, way) as heard:
                body = await _answered(heard, made[0], kind)
        else:
            body = await _answered(request, made[0], kind)
    except HubError as error:
        return _fault(error, made[0].version if made else version)
    return Response(body, headers={"Content-Type": _MEDIA[made[0].version]})


async def _caller(request: Request, deps: Dependencies) -> Principal:
    credential = deps.auth.credential(_bearer(request.headers.get("authorization")))
    if deps.auth.blocks(credential):
        principal = await run_in_thread(deps.auth.check, credential)
    else:
        principal = deps.auth.check(credential)
    request.scope["hub.principal"] = principal.id
    deps.threads.for_calls_of(principal, request.scope)
    return principal


def _bearer(header: str | None) -> str | None:
    """Basic's password as a bearer credential: many SOAP clients can say nothing else."""
    scheme, _, value = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return header
    try:
        _, _, password = base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise Unauthenticated("The Basic credential cannot be read.") from None
    return f"Bearer {password}"


async def _answered(request: Request, one: _Call, kind: str) -> bytes:
    limit = one.deps.body_limit
    content_type = request.headers.get("content-type", "")
    if kind in _KINDS:
        body = await read(request, limit)
        charset = mime_rules.parameters(content_type)[1].get("charset")
        return await parse_in_thread(len(body), one.answer, body, charset)
    if kind != _RELATED:
        raise InvalidInput("The body must be SOAP: text/xml or application/soap+xml.", code="input.media_type")
    boundary = multipart.boundary(content_type)
    most = limit + one.deps.attachment_limit
    check_announced(request, most)

    def work(chunks: Iterator[bytes]) -> bytes:
        root, one.rest = _root_first(multipart.parts(chunks, boundary, multipart.related), content_type, limit)
        if root is None or root.media_type not in {*_KINDS, "application/xop+xml"}:
            raise refuse("no_soap_part", "the root part is not SOAP")
        return one.answer(multipart.small(root, limit), root.charset)

    return await one.deps.uploads.run(request, one.principal, most, work)


def _root_first(
    parts: Iterator[multipart.FormPart], content_type: str, limit: int
) -> tuple[multipart.FormPart | None, Iterator[multipart.FormPart]]:
    """The part that ``start`` names, else the first; and all others. What stands before it is held in memory."""
    wanted = mime_rules.bare_id(mime_rules.parameters(content_type)[1].get("start", ""))
    before: list[multipart.FormPart] = []
    for part in parts:
        if not wanted or mime_rules.naming([wanted], part.name):
            return part, itertools.chain(before, parts)
        whole = multipart.small(part, limit - sum(each.size for each in before))
        before.append(replace(part, data=iter([whole]), size=len(whole)))
    return (before[0], iter(before[1:])) if before else (None, iter(()))


def _fault(error: HubError, version: SoapVersion) -> Response:
    problem = problem_of(error)
    status, wait = problem["status"], problem.get("retry_after")
    detail = own.element(
        "Refusal",
        own.element("code", text=problem["code"]),
        own.element("action", text=problem["action"]),
        own.element("repeatable", text=str(problem["repeatable"]).lower()),
        own.element("retryAfter", text=str(wait)) if wait is not None else None,
        own.element("incident", text=problem["incident"]) if "incident" in problem else None,
        *(
            own.element("fault", *(own.element(name, text=fault[name]) for name in ("pointer", "code", "message")))
            for fault in problem.get("faults", ())
        ),
    )
    code = "Client" if status < 500 else "Server"
    headers: list[etree._Element] = []
    if isinstance(error, NotUnderstoodError):
        code = "MustUnderstand"
        headers = [not_understood(*error.block)] if version is SoapVersion.V12 else []
    body = write_fault(version, code, problem["detail"], detail, headers)
    if status not in _KEPT_STATUSES:
        status = 400 if version is SoapVersion.V12 and code == "Client" else 500
    told = {"WWW-Authenticate": 'Basic realm="appeal-hub"'} if status == 401 else {}
    return ProblemResponse({**problem, "status": status}, told, body=body, media=_MEDIA[version])


def _submit(one: _Call, node: etree._Element) -> etree._Element:
    """SubmitEnvelope: what POST /v1/envelopes does."""
    raw = _bring(one, node)
    deps, principal = one.deps, one.principal
    if principal.role is CallerRole.NCC:
        accepted = accept_appeal(deps, principal, raw)
        return _received("SubmitEnvelope", str(accepted.message_id), str(accepted.case_id), repeat=accepted.repeat)
    taken = deps.hub.receiver.receive(raw, origin(principal, Door.SOAP, own_channel(deps, principal.party)))
    return _received("SubmitEnvelope", str(taken.message_id), str(taken.case_id), repeat=taken.repeat)


def _acknowledge(one: _Call, node: etree._Element) -> etree._Element:
    """Acknowledge: what POST /v1/inbox/{id}/receipt does."""
    receive = reply_to(one.deps, one.principal, _message_id(node))
    taken = receive(_bring(one, node))
    return _received("Acknowledge", str(taken.message_id), str(taken.case_id), repeat=taken.repeat)


def _list(one: _Call, node: etree._Element) -> etree._Element:
    """ListInbox: what GET /v1/inbox does."""
    after = own.text(node, "after", 36)
    limit = _number(node, "limit", default=50, least=1, most=200)
    if after is not None:
        message_id(after, NotFound("There is no such cursor.", code="inbox.cursor"))
    waiting = one.deps.hub.inbox.waiting(one.principal.party, after=after, limit=limit)
    entries = [
        own.element(
            "message",
            own.element("messageId", text=str(each.message_id)),
            own.element("caseId", text=str(each.case_id)),
            own.element("createdAt", text=format_datetime(each.created_at)),
            own.element("priority", text=str(each.priority)),
        )
        for each in waiting
    ]
    cursor = own.element("cursor", text=str(waiting[-1].id)) if len(waiting) == limit else None
    return own.element("ListInboxResponse", *entries, cursor)


def _fetch(one: _Call, node: etree._Element) -> etree._Element:
    """FetchMessage: what GET /v1/inbox/{id} does."""
    parcel = one.deps.hub.inbox.fetch(one.principal.party, _message_id(node))
    return own.element(
        "FetchMessageResponse",
        own.element("messageId", text=str(parcel.message_id)),
        own.element("contentType", text=parcel.content_type),
        own.element("content", text=base64.b64encode(parcel.body).decode()),
    )


def _file(one: _Call, node: etree._Element) -> etree._Element:
    """FetchFile: a piece of what GET /v1/attachments/{sha256} gives; whoever speaks only SOAP gets files by it."""
    stored, file = find(one.deps, one.principal, own.text(node, "sha256", 64) or "")
    with file:
        start = _number(node, "from", default=0, least=0, most=stored.size)
        count = _number(node, "count", default=MAX_PIECE, least=1, most=MAX_PIECE)
        file.seek(start)
        piece = file.read(count)
    return own.element(
        "FetchFileResponse",
        own.element("sha256", text=stored.sha256),
        own.element("mediaType", text=stored.media_type),
        own.element("size", text=str(stored.size)),
        own.element("from", text=str(start)),
        own.element("content", text=base64.b64encode(piece).decode()),
    )


def _number(node: etree._Element, name: str, *, default: int, least: int, most: int) -> int:
    said = own.text(node, name, 12)
    if said is None:
        return default
    if not said.isascii() or not said.isdigit() or not least <= int(said) <= most:
        raise refuse("limit", f"{name} is {least} to {most}", f"/Body/*/{name}")
    return int(said)


def _status(one: _Call, node: etree._Element) -> etree._Element:
    """GetStatus: what GET /v1/cases/{id} does, without the messages."""
    seen = look(one.deps, one.principal, case_id(own.text(node, "caseId", 36) or ""))
    (view,) = views(one.deps, [seen.row], one.principal)
    shown: dict[str, str | None] = {
        "caseId": view.id,
        "state": view.state,
        "authority": view.authority,
        "number": view.number,
        "answerDue": view.answer_due,
        "updatedAt": view.updated_at,
    }
    deliveries = [
        own.element(
            "delivery",
            own.element("messageId", text=str(each.message_id)),
            own.element("authority", text=each.authority),
            own.element("state", text=each.state),
        )
        for each in seen.deliveries
    ]
    fields = [own.element(name, text=value) for name, value in shown.items() if value is not None]
    return own.element("GetStatusResponse", *fields, *deliveries)


def _message_id(node: etree._Element) -> MessageId:
    return message_id(own.text(node, "messageId", 36) or "", NotFound(_UNKNOWN, code="inbox.unknown"))


def _received(operation: str, message: str, case: str, *, repeat: bool) -> etree._Element:
    return own.element(
        f"{operation}Response",
        own.element("messageId", text=message),
        own.element("caseId", text=case),
        own.element("repeat", text="true" if repeat else "false"),
    )


def _bring(one: _Call, node: etree._Element) -> RawInbound:
    """The envelope, after all files that came along are stored and are what was announced."""
    content = node.find(own.tag("content"))
    include = None if content is None else next(content.iterchildren(etree.Element), None)
    wanted = [] if include is None else [_cid(include.get("href", ""))]
    announced = [_announced(entry) for entry in node.findall(own.tag("file"))]
    by_part = {file.part: file for file in announced if file.part}
    envelope: list[mime.MimePart] = []

    def files() -> Iterator[multipart.FormPart]:
        for part in one.rest:
            if mime_rules.naming(wanted, part.name):
                data = multipart.small(part, one.deps.body_limit)
                envelope.append(
                    mime.MimePart(content_type=part.media_type, content_id=part.name, headers={}, data=data)
                )
            elif (name := mime_rules.naming(by_part, part.name)) is not None:
                yield multipart.FormPart(part.name, None, by_part[name].media_type, part.data)
            else:
                raise refuse("part", "a part is neither the content nor a file that is announced")
        for file in announced:
            if file.inline is not None:
                yield multipart.FormPart(file.sha256, None, file.media_type, iter([file.inline]))

    stored = {file.sha256 for file in keep(one.deps, one.principal, files())}
    if stored != {file.sha256 for file in announced}:
        raise InvalidInput("A file is not the one that was announced.", code="attachment.digest")
    return own.document(node, tuple(envelope))


@dataclass(frozen=True, slots=True)
class _Announced:
    sha256: str
    media_type: str
    part: str | None
    inline: bytes | None


def _announced(entry: etree._Element) -> _Announced:
    sha256, kind = own.text(entry, "sha256", 64), own.text(entry, "mediaType", 129)
    reference, content = own.text(entry, "reference", 200), entry.find(own.tag("content"))
    if sha256 is None or kind is None or (reference is None) == (content is None):
        raise refuse("file", "a file has sha256, mediaType, and either content or reference", "/Body/*/file")
    kind = checked_type(media_type(kind))
    if content is None:
        return _Announced(sha256, kind, _cid(reference or ""), None)
    include = next(content.iterchildren(etree.Element), None)
    if include is not None:
        return _Announced(sha256, kind, _cid(include.get("href", "")), None)
    return _Announced(sha256, kind, None, own.binary(content))


def _cid(reference: str) -> str:
    name = mime_rules.referred(reference)
    if name is None:
        raise refuse("reference", "a part is referred to as cid:…", "/Body")
    return name


_Work = Callable[[_Call, etree._Element], etree._Element]
OPERATIONS: Final[dict[str, _Work]] = {
    "SubmitEnvelope": _submit,
    "ListInbox": _list,
    "FetchMessage": _fetch,
    "FetchFile": _file,
    "Acknowledge": _acknowledge,
    "GetStatus": _status,
}

"""Envelopes come in: pushed by authorities, fetched and receipted by authorities that pull, sealed by the centre."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from hub.api import multipart
from hub.api.auth import CallerRole, Principal
from hub.api.bodies import content_type, read
from hub.api.dependencies import (
    AuthorityCaller,
    Dependencies,
    NccOrAuthority,
    TheDependencies,
    message_id,
    problems,
    raw_json,
    show,
)
from hub.api.files import keep
from hub.api.listing import UUID_PATTERN
from hub.api.views import AcceptedView, DeliveryView, InboxView, TakenView
from hub.cases.idempotency import IdempotencyKey
from hub.cases.submission import Accepted, Submission
from hub.errors import Conflict, Fault, InvalidInput, NotFound, SealRefused
from hub.inbound.statement import Received
from hub.ports import RawInbound
from hub.schemas import json_rendering
from hub.schemas.delivery import Direction, Message
from hub.schemas.envelope import AppealEnvelope
from hub.schemas.ids import CaseId, MessageId
from hub.schemas.terms import Kind
from hub.sealed import open_envelope

router = APIRouter()

ENVELOPE_TYPES = ("application/json", "application/jose", "application/xml", "text/xml")
MULTIPART = "multipart/form-data"
_SEALED = {"$ref": "#/components/schemas/SealedEnvelope"}
_CONTENT: dict[str, Any] = {
    "application/json": {"schema": {"anyOf": [_SEALED, {"$ref": "#/components/schemas/Envelope"}]}},
    "application/jose": {"schema": {"type": "string", "description": "Compact JWS over the RFC 8785 bytes."}},
    "application/xml": {"schema": {"type": "string", "description": "The XML rendering, signed (XAdES-B)."}},
}
_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": _CONTENT}}
_BODY_WITH_FILES: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            **_CONTENT,
            MULTIPART: {
                "schema": {
                    "type": "object",
                    "required": ["envelope"],
                    "properties": {
                        "envelope": {"type": "string"},
                        "files": {"type": "array", "items": {"type": "string", "contentMediaType": "*/*"}},
                    },
                },
            },
        },
    }
}
Receive = Callable[[RawInbound], Received]


async def _raw(request: Request, deps: Dependencies) -> RawInbound:
    return RawInbound(content_type=request.headers["content-type"], body=await read(request, deps.body_limit))


async def _received(request: Request, deps: Dependencies, principal: Principal, receive: Receive) -> Response:
    """Read an envelope, alone or with files beside it, and take it in."""
    if content_type(request, *ENVELOPE_TYPES, MULTIPART) == MULTIPART:
        boundary = multipart.boundary(request.headers["content-type"])
        taken = await deps.uploads.run(
            request,
            deps.body_limit + deps.attachment_limit,
            lambda chunks: receive(_with_files(deps, principal, multipart.parts(chunks, boundary))),
        )
    else:
        taken = await run_in_threadpool(receive, await _raw(request, deps))
    return show(TakenView.of(taken), 202)


def _with_files(deps: Dependencies, principal: Principal, parts: Any) -> RawInbound:
    first = next(parts, None)
    if first is None or first.name != "envelope":
        fault = Fault(pointer="", code="multipart.envelope", message="the first part must be named «envelope»")
        raise InvalidInput("The multipart body does not begin with the envelope.", code=fault.code, faults=[fault])
    raw = RawInbound(content_type=first.media_type, body=multipart.small(first, deps.body_limit))
    keep(deps, principal, parts)
    return raw


def own_channel(deps: Dependencies, party: str) -> str:
    """Under which channel the journal keeps what came through no channel's own door: the authority's first one."""
    authority = deps.hub.registry.current().authority(party)
    return authority.channels[0].id if authority and authority.channels else ""


@router.post(
    "/v1/envelopes",
    status_code=202,
    response_model=AcceptedView | TakenView,
    responses=problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 500, 503),
    openapi_extra=_BODY,
    summary="Hand over a sealed envelope",
    tags=["envelopes"],
)
async def post_envelope(request: Request, principal: NccOrAuthority, deps: TheDependencies) -> Response:
    """From an authority: a receipt, an answer and the rest of what answers an appeal. From the contact centre: an
    appeal, sealed with the key that the registry has for it. The message id makes it repeatable.
    """
    content_type(request, *ENVELOPE_TYPES)
    raw = await _raw(request, deps)
    if principal.role is CallerRole.AUTHORITY:
        channel = own_channel(deps, principal.party)
        taken = await run_in_threadpool(deps.hub.receiver.receive, raw, channel_id=channel, party=principal.party)
        return show(TakenView.of(taken), 202)
    accepted = await run_in_threadpool(accept_appeal, deps, principal, raw)
    headers = {"Location": f"/v1/cases/{accepted.case_id}"}
    if accepted.repeat:
        headers["Idempotent-Replayed"] = "true"
    return raw_json(accepted.answer, 202, headers)


def _open_appeal(deps: Dependencies, principal: Principal, raw: RawInbound) -> AppealEnvelope:
    keys = deps.hub.registry.current().keys(principal.party)
    envelope, _ = open_envelope(raw, seal=deps.hub.seal, keys=keys, at=deps.hub.clock.now(), seal_required=True)
    if envelope.header.sender.code != principal.party:
        raise SealRefused("The envelope names another sender than the caller.", code="seal.party")
    if not isinstance(envelope, AppealEnvelope):
        fault = Fault(pointer="/kind", code="envelope.kind", message="must be appeal")
        raise InvalidInput("The contact centre hands over appeals here.", code=fault.code, faults=[fault])
    return envelope


def accept_appeal(deps: Dependencies, principal: Principal, raw: RawInbound) -> Accepted:
    """Take in an appeal that the contact centre sealed. The message id makes it repeatable."""
    envelope = _open_appeal(deps, principal, raw)
    header = envelope.header
    canonical = json_rendering.to_json(envelope)
    digest = hashlib.sha256(canonical).hexdigest()
    # The digest is that of the content: a second seal over the same content has other bytes and is the same message.
    key = IdempotencyKey(principal=f"envelope:{principal.party}", key=str(header.message_id), request_sha256=digest)
    case = CaseId(header.case_id)
    if deps.hub.store.case(case) is not None and deps.hub.store.answer(key.principal, key.key) is None:
        raise Conflict("This case_id stands for another appeal already.", code="case.exists")
    inbound = Message(
        id=MessageId(header.message_id),
        case_id=case,
        kind=Kind(envelope.kind),
        direction=Direction.IN,
        sender=principal.party,
        recipient=header.recipient.code,
        in_reply_to=None,
        created_at=header.created_at,
        body=canonical,
        sha256=digest,
        raw=raw.body,
        raw_type=raw.content_type[:200],
    )
    return deps.hub.intake.submit(
        Submission(
            form=envelope.body,
            owner=principal.party,
            attachments=envelope.attachments,
            priority=header.priority,
            repeatable=key,
            case_id=case,
            inbound=inbound,
        )
    )


@router.get(
    "/v1/inbox",
    response_model=InboxView,
    responses=problems(401, 403, 422, 500, 503),
    summary="What waits for you",
    tags=["inbox"],
)
async def get_inbox(
    principal: AuthorityCaller,
    deps: TheDependencies,
    after: Annotated[str | None, Query(pattern=UUID_PATTERN, description="The cursor of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="How many at most.")] = 50,
) -> Response:
    """Messages that wait for an authority that pulls, oldest first. A message leaves the list with its receipt."""
    waiting = await run_in_threadpool(deps.hub.inbox.waiting, principal.party, after=after, limit=limit)
    cursor = str(waiting[-1].id) if len(waiting) == limit else None
    return show(InboxView(messages=tuple(DeliveryView.of(d) for d in waiting), cursor=cursor))


_UNKNOWN = "No message with this id waits for you."


@router.get(
    "/v1/inbox/{id}",
    response_class=Response,
    responses={
        200: {"description": "The exact sealed bytes.", "content": {kind: {} for kind in ENVELOPE_TYPES[:3]}},
        **problems(401, 403, 404, 422, 500, 503),
    },
    summary="Fetch one message",
    tags=["inbox"],
)
async def fetch(id: str, principal: AuthorityCaller, deps: TheDependencies) -> Response:  # noqa: A002  # the path's own word
    """The sealed envelope, byte by byte the same however often it is fetched."""
    wanted = message_id(id, NotFound(_UNKNOWN, code="inbox.unknown"))
    parcel = await run_in_threadpool(deps.hub.inbox.fetch, principal.party, wanted)
    return Response(parcel.body, headers={"Content-Type": parcel.content_type})


@router.post(
    "/v1/inbox/{id}/receipt",
    status_code=202,
    response_model=TakenView,
    responses=problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 500, 503),
    openapi_extra=_BODY_WITH_FILES,
    summary="Say what became of a message",
    tags=["inbox"],
)
async def receipt(request: Request, id: str, principal: AuthorityCaller, deps: TheDependencies) -> Response:  # noqa: A002
    """A receipt (or an answer) whose `in_reply_to` is the id of the address."""
    unknown = NotFound(_UNKNOWN, code="inbox.unknown")
    wanted = message_id(id, unknown)
    receive = await run_in_threadpool(reply_to, deps, principal, wanted)
    return await _received(request, deps, principal, receive)


def reply_to(deps: Dependencies, principal: Principal, wanted: MessageId) -> Receive:
    """How to take in what answers one message of the caller's inbox. ``NotFound`` if it is not the caller's."""
    delivery = deps.hub.store.delivery_of(wanted)
    if delivery is None or delivery.authority != principal.party:
        raise NotFound(_UNKNOWN, code="inbox.unknown")
    channel = delivery.channel_id

    def receive(raw: RawInbound) -> Received:
        return deps.hub.receiver.receive(raw, channel_id=channel, party=principal.party, answers=wanted)

    return receive


@router.post(
    "/v1/callbacks/{channel_id}",
    status_code=202,
    response_model=TakenView,
    responses=problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 500, 503),
    openapi_extra=_BODY_WITH_FILES,
    summary="Push a receipt or an answer",
    tags=["callbacks"],
)
async def callback(request: Request, channel_id: str, principal: AuthorityCaller, deps: TheDependencies) -> Response:
    """What an authority's system sends by itself. As multipart: the part `envelope` first, then its files.

    A repeat with the same message id changes nothing and gets the same answer with `repeat` true.
    """
    found = deps.hub.registry.current().channel(channel_id)
    if found is None or found[0].code != principal.party:
        raise NotFound("You have no channel with this name.", code="channel.unknown")
    own = found[1].id

    def receive(raw: RawInbound) -> Received:
        return deps.hub.receiver.receive(raw, channel_id=own, party=principal.party)

    return await _received(request, deps, principal, receive)

"""Envelopes handed over sealed: by the contact centre an appeal, by an authority what answers one."""

from __future__ import annotations

import hashlib

from fastapi import APIRouter, Request
from starlette.responses import Response

from hub.api.auth import CallerRole, Principal
from hub.api.bodies import content_type
from hub.api.dependencies import (
    Dependencies,
    SpeakingCaller,
    TheDependencies,
    known_parameters,
    problems,
    raw_json,
    show,
)
from hub.api.receiving import BODY, ENVELOPE_TYPES, kept, origin, own_channel, raw_inbound
from hub.api.threads import parse_in_thread
from hub.api.views import AcceptedView, TakenView
from hub.cases.idempotency import IdempotencyKey
from hub.cases.submission import Accepted, Submission
from hub.errors import Conflict, Fault, InvalidInput, SealRefused
from hub.ports import RawInbound
from hub.schemas import json_rendering
from hub.schemas.delivery import Direction, Message
from hub.schemas.envelope import AppealEnvelope
from hub.schemas.ids import CaseId, MessageId
from hub.schemas.journal import Door
from hub.schemas.terms import Kind
from hub.sealed import open_envelope

router = APIRouter()


@router.post(
    "/v1/envelopes",
    status_code=202,
    response_model=AcceptedView | TakenView,
    responses=problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 500, 503),
    openapi_extra=BODY,
    summary="Hand over a sealed envelope",
    tags=["envelopes"],
)
async def post_envelope(request: Request, principal: SpeakingCaller, deps: TheDependencies) -> Response:
    """From an authority: a receipt, an answer and the rest of what answers an appeal. From the contact centre: an
    appeal, sealed with the key that the registry has for it. The message id makes it repeatable.
    """
    if principal.role is CallerRole.AUTHORITY:
        way = origin(principal, Door.ENVELOPES, own_channel(deps, principal.party))
        async with kept(request, deps, way) as heard:
            content_type(heard, *ENVELOPE_TYPES)
            raw = await raw_inbound(heard, deps)
            taken = await parse_in_thread(len(raw.body), deps.hub.receiver.receive, raw, way)
            return show(TakenView.of(taken), 202)
    if request.scope["query_string"]:
        known_parameters(request)
    content_type(request, *ENVELOPE_TYPES)
    raw = await raw_inbound(request, deps)
    accepted = await parse_in_thread(len(raw.body), accept_appeal, deps, principal, raw)
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

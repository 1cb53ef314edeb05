"""Envelopes in the body of a request, alone or with files beside them: read, and handed to who takes them in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from typing import Any

from fastapi import Request
from starlette.responses import Response

from hub.api import multipart
from hub.api.auth import Principal
from hub.api.bodies import content_type, read
from hub.api.dependencies import BINARY, Dependencies, known_parameters, show
from hub.api.files import keep
from hub.api.heard import HeardBody
from hub.api.threads import parse_in_thread
from hub.api.views import TakenView
from hub.contained import contained
from hub.delivery.journal import Origin
from hub.errors import Fault, HubError, InvalidInput, Unavailable
from hub.inbound.statement import Received
from hub.ports import RawInbound
from hub.schemas.journal import Door

ENVELOPE_TYPES = ("application/json", "application/jose", "application/xml", "text/xml")
MULTIPART = "multipart/form-data"
_SEALED = {"$ref": "#/components/schemas/SealedEnvelope"}
_CONTENT: dict[str, Any] = {
    "application/json": {"schema": {"anyOf": [_SEALED, {"$ref": "#/components/schemas/Envelope"}]}},
    "application/jose": {"schema": {**BINARY, "description": "Compact JWS over the RFC 8785 bytes."}},
    "application/xml": {"schema": {**BINARY, "description": "The XML rendering, signed (XAdES-B)."}},
}
BODY: dict[str, Any] = {"requestBody": {"required": True, "content": _CONTENT}}
BODY_WITH_FILES: dict[str, Any] = {
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
                        "files": {"type": "array", "items": BINARY},
                    },
                },
            },
        },
    }
}
Receive = Callable[[RawInbound], Received]


def origin(principal: Principal, door: Door, channel_id: str) -> Origin:
    """Origin of what a caller brings by itself: its own word, proved by its key or token."""
    return Origin(door=door, channel_id=channel_id, party=principal.party, proof=principal.id)


def own_channel(deps: Dependencies, party: str) -> str:
    """Under which channel the journal keeps what came through no channel's own door: the authority's first one."""
    authority = deps.hub.registry.current().authority(party)
    return authority.channels[0].id if authority and authority.channels else ""


async def raw_inbound(request: Request, deps: Dependencies) -> RawInbound:
    body = await read(request, deps.body_limit)
    return RawInbound(content_type=request.headers["content-type"], body=body)


@asynccontextmanager
async def kept(request: Request, deps: Dependencies, origin: Origin) -> AsyncIterator[Request]:
    """Hold for a person, too, all that a known caller brings and a door refuses before it is taken in.

    The body is to be read from the request that is given: it is kept as it came, and heard to its end.
    """
    with closing(HeardBody(request)) as heard:
        try:
            with contained("call"):
                if request.scope["query_string"]:
                    known_parameters(request)
                yield Request(request.scope, heard)
        except Unavailable:
            raise  # nothing was decided, and the caller is told to come again
        except HubError as refusal:
            if not refusal.journalled:
                await heard.rest()
                await parse_in_thread(heard.size, _hold, heard, deps, origin, refusal)
            raise


def _hold(heard: HeardBody, deps: Dependencies, origin: Origin, refusal: HubError) -> None:
    deps.hub.receiver.hold(heard.raw(), origin, verdict=refusal.stable_code, detail=refusal.message)
    refusal.journalled = True


async def received(
    request: Request, deps: Dependencies, principal: Principal, origin: Origin, receive: Receive
) -> Response:
    """Read an envelope, alone or with files beside it, and take it in. ``receive`` may refuse whatever it is about."""
    async with kept(request, deps, origin) as heard:
        return await _received(heard, deps, principal, receive)


async def _received(request: Request, deps: Dependencies, principal: Principal, receive: Receive) -> Response:
    if content_type(request, *ENVELOPE_TYPES, MULTIPART) == MULTIPART:
        boundary = multipart.boundary(request.headers["content-type"])
        taken = await deps.uploads.run(
            request,
            principal,
            deps.body_limit + deps.attachment_limit,
            lambda chunks: receive(_with_files(deps, principal, multipart.parts(chunks, boundary))),
        )
    else:
        raw = await raw_inbound(request, deps)
        taken = await parse_in_thread(len(raw.body), receive, raw)
    return show(TakenView.of(taken), 202)


def _with_files(deps: Dependencies, principal: Principal, parts: Any) -> RawInbound:
    first = next(parts, None)
    if first is None or first.name != "envelope":
        fault = Fault(pointer="", code="multipart.envelope", message="the first part must be named «envelope»")
        raise InvalidInput("The multipart body does not begin with the envelope.", code=fault.code, faults=[fault])
    raw = RawInbound(content_type=first.media_type, body=multipart.small(first, deps.body_limit))
    keep(deps, principal, parts)
    return raw

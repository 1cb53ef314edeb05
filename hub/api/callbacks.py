"""Callbacks: what the system of an authority sends by itself."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from hub.api.dependencies import (
    SpeakingCaller,
    TheDependencies,
    problems,
)
from hub.api.receiving import BODY_WITH_FILES, origin, own_channel, received
from hub.api.views import TakenView
from hub.errors import NotFound
from hub.inbound.statement import Received
from hub.ports import RawInbound
from hub.schemas.journal import Door

router = APIRouter()


@router.post(
    "/v1/callbacks/{channel_id}",
    status_code=202,
    response_model=TakenView,
    responses=problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 500, 503),
    openapi_extra=BODY_WITH_FILES,
    summary="Push a receipt or an answer",
    tags=["callbacks"],
)
async def callback(request: Request, channel_id: str, principal: SpeakingCaller, deps: TheDependencies) -> Response:
    """Take what an authority's system sends by itself. As multipart: the part `envelope` first, then its files.

    A repeat with the same message id changes nothing and gets the same answer with `repeat` true.
    """
    found = deps.hub.registry.current().channel(channel_id)
    mine = found is not None and found[0].code == principal.party
    way = origin(principal, Door.CALLBACK, channel_id if mine else own_channel(deps, principal.party))

    def receive(raw: RawInbound) -> Received:
        if not mine:
            raise NotFound("You have no channel with this name.", code="channel.unknown")
        return deps.hub.receiver.receive(raw, way)

    return await received(request, deps, principal, way, receive)

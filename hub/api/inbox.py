"""The inbox of an authority that fetches its messages, and the receipts that it gives for them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from hub.api.auth import Principal
from hub.api.dependencies import (
    Dependencies,
    SpeakingCaller,
    TheCaller,
    TheDependencies,
    message_id,
    problems,
    show,
)
from hub.api.listing import UUID_PATTERN
from hub.api.receiving import BODY_WITH_FILES, ENVELOPE_TYPES, Receive, origin, own_channel, received
from hub.api.threads import run_in_thread
from hub.api.views import DeliveryView, InboxView, TakenView
from hub.errors import NotFound
from hub.inbound.statement import Received
from hub.ports import RawInbound
from hub.schemas.ids import MessageId
from hub.schemas.journal import Door

router = APIRouter()


@router.get(
    "/v1/inbox",
    response_model=InboxView,
    responses=problems(401, 403, 422, 500, 503),
    summary="What waits for you",
    tags=["inbox"],
)
async def get_inbox(
    principal: TheCaller,
    deps: TheDependencies,
    after: Annotated[str | None, Query(pattern=UUID_PATTERN, description="The cursor of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="How many at most.")] = 50,
) -> Response:
    """Messages that wait for an authority that pulls, oldest first. A message leaves the list with its receipt."""
    waiting = await run_in_thread(deps.hub.inbox.waiting, principal.party, after=after, limit=limit)
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
async def fetch(id: str, principal: TheCaller, deps: TheDependencies) -> Response:  # noqa: A002  # the path's own word
    """The sealed envelope, byte by byte the same however often it is fetched."""
    wanted = message_id(id, NotFound(_UNKNOWN, code="inbox.unknown"))
    parcel = await run_in_thread(deps.hub.inbox.fetch, principal.party, wanted)
    return Response(parcel.body, headers={"Content-Type": parcel.content_type})


@router.post(
    "/v1/inbox/{id}/receipt",
    status_code=202,
    response_model=TakenView,
    responses=problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 500, 503),
    openapi_extra=BODY_WITH_FILES,
    summary="Say what became of a message",
    tags=["inbox"],
)
async def receipt(request: Request, id: str, principal: SpeakingCaller, deps: TheDependencies) -> Response:  # noqa: A002
    """A receipt (or an answer) whose `in_reply_to` is the id of the address."""

    def receive(raw: RawInbound) -> Received:
        wanted = message_id(id, NotFound(_UNKNOWN, code="inbox.unknown"))
        return reply_to(deps, principal, wanted)(raw)

    way = origin(principal, Door.INBOX, own_channel(deps, principal.party))
    return await received(request, deps, principal, way, receive)


def reply_to(deps: Dependencies, principal: Principal, wanted: MessageId) -> Receive:
    """How to take in what answers one message of the caller's inbox. ``NotFound`` if it is not the caller's."""
    delivery = deps.hub.store.delivery_of(wanted)
    if delivery is None or delivery.authority != principal.party:
        raise NotFound(_UNKNOWN, code="inbox.unknown")
    channel = delivery.channel_id

    def receive(raw: RawInbound) -> Received:
        return deps.hub.receiver.receive(raw, origin(principal, Door.INBOX, channel), answers=wanted)

    return receive

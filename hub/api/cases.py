"""Cases and their timelines, as far as they concern the caller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from hub.api import law_views
from hub.api.auth import CallerRole, Principal
from hub.api.dependencies import (
    Dependencies,
    TheCaller,
    TheDependencies,
    case_id,
    message_id,
    problems,
    raw_json,
    show,
    unknown_case,
)
from hub.api.listing import UUID_PATTERN
from hub.api.threads import run_in_thread
from hub.api.views import (
    CaseDetailView,
    CaseView,
    ChainView,
    DeliveryView,
    EntryView,
    MessageView,
    NoteView,
    TimelineView,
)
from hub.cases.forwarding import name_in
from hub.cases.timeline import timeline
from hub.errors import NotFound
from hub.schemas.delivery import ARRIVED, CaseRow, Delivery, Direction, Fact, Message, Note
from hub.schemas.ids import CaseId
from hub.tracking import chain
from hub.tracking.share import own_part
from hub.tracking.story import read
from hub.tracking.terms import case_facts

router = APIRouter(tags=["cases"])

AfterId = Annotated[str | None, Query(pattern=UUID_PATTERN, description="The cursor of the page before.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A case with what the caller may see of it."""

    row: CaseRow
    deliveries: tuple[Delivery, ...]
    messages: tuple[Message, ...]
    notes: tuple[Note, ...]


def look(deps: Dependencies, principal: Principal, case: CaseId) -> Seen:
    """The case, if it concerns the caller. ``NotFound`` for unknown and foreign cases alike.

    The contact centre sees cases that it submitted; an authority sees a case that was sent to it, with its own
    deliveries and messages only; an operator sees all, texts included: without them nobody could decide by hand.
    """
    row = deps.hub.store.case(case)
    deliveries = deps.hub.store.deliveries(case)
    messages = deps.hub.store.messages(case)
    if principal.role is CallerRole.NCC and (row is None or row.case.owner != principal.party):
        raise unknown_case()
    if principal.role is CallerRole.AUTHORITY:
        deliveries = tuple(d for d in deliveries if d.authority == principal.party)
        messages = tuple(m for m in messages if principal.party == _other_party(m))
        # One that is being sent at this moment may be there already: whoever knows its id has it.
        if not any(delivery.state in ARRIVED or delivery.attempts for delivery in deliveries):
            raise unknown_case()
    if row is None:
        raise unknown_case()
    notes = () if principal.role is CallerRole.AUTHORITY else deps.hub.store.notes(case)
    return Seen(row=row, deliveries=deliveries, messages=messages, notes=notes)


def _other_party(message: Message) -> str | None:
    """The body that a message went out to, or that it came in from. Whom an envelope that came in names as its
    recipient does not matter: the appeal as the contact centre submitted it is for no authority.
    """
    return message.recipient if message.direction is Direction.OUT else message.sender


@router.get(
    "/v1/cases/{id}",
    response_model=CaseDetailView,
    responses=problems(401, 403, 404, 422, 500, 503),
    summary="One case",
)
async def get_case(id: str, principal: TheCaller, deps: TheDependencies) -> Response:  # noqa: A002  # the path's own word
    """A case with its deliveries and messages, executors and terms. An authority sees its own only."""
    return show(await run_in_thread(_detail, deps, principal, case_id(id)))


def _detail(deps: Dependencies, principal: Principal, case: CaseId) -> CaseDetailView:
    seen = look(deps, principal, case)
    facts = deps.hub.store.facts(case)
    if principal.role is CallerRole.AUTHORITY:
        return _own_detail(deps, principal.party, seen, facts)
    story, law = read(facts), deps.hub.law
    return CaseDetailView(
        case=CaseView.of(seen.row),
        deliveries=tuple(DeliveryView.of(d) for d in seen.deliveries),
        messages=tuple(MessageView.of(m) for m in seen.messages),
        executors=law_views.executors(story, seen.deliveries),
        terms=law_views.terms_of(case_facts(seen.row.case.channel, story, law), deps.hub.clock.now(), law),
        notes=tuple(NoteView.of(note) for note in seen.notes),
    )


def _own_detail(deps: Dependencies, body: str, seen: Seen, facts: tuple[Fact, ...]) -> CaseDetailView:
    """A body's own part: all of it is read from its own facts."""
    part = own_part(seen.row.case.channel, facts, body, deps.hub.law)
    own = [term for term in law_views.terms_of(part.case, deps.hub.clock.now(), deps.hub.law) if term.authority == body]
    return CaseDetailView(
        case=CaseView.of(seen.row).for_authority(body, part),
        deliveries=tuple(DeliveryView.of(d) for d in seen.deliveries),
        messages=tuple(MessageView.of(m) for m in seen.messages),
        executors=law_views.executors(part.story, seen.deliveries),
        terms=tuple(own),
        notes=(),
    )


def _chain(deps: Dependencies, principal: Principal, case: CaseId) -> ChainView:
    seen = look(deps, principal, case)
    story = read(deps.hub.store.facts(case))
    directory = deps.hub.registry.current()
    return ChainView(
        case_id=str(case),
        hops=law_views.hops(seen.row, story, seen.messages, deps.hub.law),
        told=chain.told(chain.hops(story), lambda code: name_in(directory, code)),
    )


@router.get(
    "/v1/cases/{id}/chain",
    response_model=ChainView,
    responses=problems(401, 403, 404, 422, 500, 503),
    summary="The chain of redirects of a case",
)
async def get_chain(id: str, principal: TheCaller, deps: TheDependencies) -> Response:  # noqa: A002
    """Tell who had the appeal, who sent it on to whom, when and why; in steps and in words."""
    return show(await run_in_thread(_chain, deps, principal, case_id(id)))


def _timeline(deps: Dependencies, principal: Principal, case: CaseId) -> TimelineView:
    seen = look(deps, principal, case)
    body = principal.body
    entries = timeline(deps.hub.store, deps.hub.registry.current(), case, body)
    return TimelineView(
        case_id=str(case),
        case_number=None if body is not None else seen.row.case.case_number,
        entries=tuple(EntryView.of(entry) for entry in entries),
    )


@router.get(
    "/v1/cases/{id}/timeline",
    response_model=TimelineView,
    responses=problems(401, 403, 404, 422, 500, 503),
    summary="What happened to a case",
)
async def get_timeline(id: str, principal: TheCaller, deps: TheDependencies) -> Response:  # noqa: A002
    """Messages, attempts and facts on one line of time, told in words without personal data."""
    return show(await run_in_thread(_timeline, deps, principal, case_id(id)))


@router.get(
    "/v1/cases/{id}/messages/{message}",
    response_class=Response,
    responses={
        200: {
            "description": "The envelope.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Envelope"}}},
        },
        **problems(401, 403, 404, 422, 500, 503),
    },
    summary="The content of one message",
)
async def get_message(
    id: str,  # noqa: A002
    message: str,
    principal: TheCaller,
    deps: TheDependencies,
) -> Response:
    """An envelope of the case as RFC 8785 JSON: the appeal as sent, a receipt, the answer with its text."""
    seen = await run_in_thread(look, deps, principal, case_id(id))
    unknown = NotFound("There is no such message in this case.", code="message.unknown")
    wanted = message_id(message, unknown)
    found = next((m for m in seen.messages if m.id == wanted), None)
    if found is None:
        raise unknown
    return raw_json(found.body)

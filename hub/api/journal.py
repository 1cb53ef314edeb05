"""Doors of the journal of everything that came in: seen, read, and decided by people."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from hub.api.auth import Principal
from hub.api.dependencies import Dependencies, TheCaller, TheDependencies, case_id, problems, show
from hub.api.journal_views import (
    Attach,
    Decide,
    DecidedView,
    Dismiss,
    ExcerptView,
    GuessView,
    InboundEntryView,
    InboundsView,
    InboundView,
    Tell,
    order_of,
)
from hub.api.listing import CASE_CURSOR, UUID_PATTERN, DayFrom, DayTo, Limit, day, midnight
from hub.api.ops import body_of, read_body
from hub.api.threads import run_in_thread
from hub.errors import NotFound
from hub.inbound.decisions import About, Decided
from hub.ports import Excerpt, InboundFilter
from hub.schemas.base import format_datetime
from hub.schemas.envelope import AuthorityBody
from hub.schemas.given import GivenStatement
from hub.schemas.ids import CaseId
from hub.schemas.journal import Custody, Door, InboundRecord

log = logging.getLogger(__name__)
router = APIRouter(tags=["ops"])

AfterEntry = Annotated[str | None, Query(pattern=CASE_CURSOR, description="The cursor of the page before.")]


def _page(deps: Dependencies, where: InboundFilter, after: str | None, limit: int) -> InboundsView:
    found = deps.hub.store.inbound(where, after=after, limit=limit)
    cursor = found[-1].cursor if len(found) == limit else None
    return InboundsView(entries=tuple(InboundView.of(each, deps.hub.law) for each in found), cursor=cursor)


@router.get(
    "/v1/ops/inbound",
    response_model=InboundsView,
    responses=problems(401, 403, 422, 500, 503),
    summary="Everything that came in",
)
async def list_inbound(
    _: TheCaller,
    deps: TheDependencies,
    channel: Annotated[str | None, Query(pattern=r"^[0-9A-Za-z._-]{1,64}$", description="Came over this.")] = None,
    authority: Annotated[str | None, Query(pattern=r"^[0-9]{8,10}$", description="This body's word.")] = None,
    case: Annotated[str | None, Query(pattern=UUID_PATTERN, description="Went to this case.")] = None,
    custody: Annotated[Custody | None, Query(description="What became of it.")] = None,
    door: Annotated[Door | None, Query(description="By which way it came.")] = None,
    code: Annotated[str | None, Query(pattern=r"^[a-z0-9_.]{1,64}$", description="Stands in the verdict.")] = None,
    sha256: Annotated[str | None, Query(pattern=r"^[0-9a-f]{64}$", description="Of the whole input.")] = None,
    day_from: DayFrom = None,
    day_to: DayTo = None,
    after: AfterEntry = None,
    limit: Limit = 50,
) -> Response:
    """The journal, the newest first: accepted and refused, noise and words alike."""
    first, last = day(day_from, "from"), day(day_to, "to")
    where = InboundFilter(
        channel_id=channel,
        authority=authority,
        case_id=CaseId(uuid.UUID(case)) if case else None,
        custody=custody,
        door=door,
        code=code,
        sha256=sha256,
        received_from=midnight(first) if first else None,
        received_to=midnight(last + timedelta(days=1)) if last else None,
    )
    return show(await run_in_thread(_page, deps, where, after, limit))


@router.get(
    "/v1/ops/pen",
    response_model=InboundsView,
    responses=problems(401, 403, 422, 500, 503),
    summary="What waits for a person to say what it is",
)
async def list_pen(_: TheCaller, deps: TheDependencies, after: AfterEntry = None, limit: Limit = 50) -> Response:
    """The holding pen: what may be an authority's word and could not be taken in, the newest first."""
    where = InboundFilter(custody=Custody.HELD)
    return show(await run_in_thread(_page, deps, where, after, limit))


def _entry(deps: Dependencies, record_id: str) -> InboundRecord:
    record = deps.hub.store.inbound_record(record_id) if len(record_id) <= 64 else None
    if record is None:
        raise NotFound("There is no entry with this id.", code="inbound.unknown")
    return record


def _shown(deps: Dependencies, record_id: str) -> InboundEntryView:
    record = _entry(deps, record_id)
    excerpt = deps.hub.decisions.excerpt(record)
    guesses = deps.hub.guesser.guess(record, excerpt)
    return InboundEntryView(
        entry=InboundView.of(record, deps.hub.law),
        excerpt=ExcerptView.of(excerpt),
        guesses=tuple(map(GuessView.of, guesses)),
    )


@router.get(
    "/v1/ops/inbound/{id}",
    response_model=InboundEntryView,
    responses=problems(401, 403, 404, 422, 500, 503),
    summary="One entry, with guesses",
)
async def get_entry(id: str, _: TheCaller, deps: TheDependencies) -> Response:  # noqa: A002
    """Its readable part, and cases to which it may belong: by our ids, numbers, the applicant, the sender."""
    shown = await run_in_thread(_shown, deps, id)
    return show(shown)


@router.get(
    "/v1/ops/inbound/{id}/raw",
    response_class=Response,
    responses={
        200: {"description": "The kept bytes.", "content": {"application/octet-stream": {}}},
        **problems(401, 403, 404, 422, 500, 503),
    },
    summary="The bytes of an entry",
)
async def get_raw(id: str, _: TheCaller, deps: TheDependencies) -> Response:  # noqa: A002
    """The bytes as they came, without credentials, up to the cap; to save, never to show."""
    record = await run_in_thread(_entry, deps, id)
    body = await run_in_thread(deps.hub.store.inbound_body, record)
    if body is None:
        raise NotFound("Nothing is kept of this entry.", code="inbound.not_kept")
    headers = {"Content-Disposition": f'attachment; filename="{record.sha256[:16]}"'}
    return Response(body, media_type="application/octet-stream", headers=headers)


# Decisions


def _said(statement: GivenStatement | None, excerpt: Excerpt, at: datetime) -> AuthorityBody | None:
    return None if statement is None else statement.body(at=format_datetime(at), text=excerpt.text)


async def _answer(deps: Dependencies, work: Callable[[], Decided]) -> Response:
    return show(DecidedView.of(await run_in_thread(work), deps.hub.law))


def _attach(deps: Dependencies, principal: Principal, record_id: str, given: Attach) -> Decided:
    record = _entry(deps, record_id)
    body = _said(given.statement, deps.hub.decisions.excerpt(record), record.received_at)
    return deps.hub.decisions.attach(record_id, given.to, order_of(given, principal.id, body))


_DECISION = problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 500, 503)


@router.post(
    "/v1/ops/inbound/{id}/attach",
    response_model=DecidedView,
    responses=_DECISION,
    openapi_extra=body_of("Attach"),
    summary="Put an entry to its case",
)
async def attach(request: Request, id: str, principal: TheCaller, deps: TheDependencies) -> Response:  # noqa: A002
    """One call puts it to one case or several and says what it means there; what it had said elsewhere is corrected.
    409 `inbound.decided` if somebody decided meanwhile.
    """
    given = await read_body(request, Attach)
    return await _answer(deps, lambda: _attach(deps, principal, id, given))


def _decide(deps: Dependencies, principal: Principal, record_id: str, given: Decide) -> Decided:
    record = _entry(deps, record_id)
    body = _said(given.statement, deps.hub.decisions.excerpt(record), record.received_at)
    return deps.hub.decisions.decide(record_id, order_of(given, principal.id, body))


@router.post(
    "/v1/ops/inbound/{id}/decide",
    response_model=DecidedView,
    responses=_DECISION,
    openapi_extra=body_of("Decide"),
    summary="Say what an entry means",
)
async def decide(request: Request, id: str, principal: TheCaller, deps: TheDependencies) -> Response:  # noqa: A002
    """For an entry whose case is known: a receipt, an answer, a refusal, a redirect, or nothing."""
    given = await read_body(request, Decide)
    return await _answer(deps, lambda: _decide(deps, principal, id, given))


@router.post(
    "/v1/ops/inbound/{id}/dismiss",
    response_model=DecidedView,
    responses=_DECISION,
    openapi_extra=body_of("Dismiss"),
    summary="Say that an entry is nobody's word",
)
async def dismiss(request: Request, id: str, principal: TheCaller, deps: TheDependencies) -> Response:  # noqa: A002
    """It leaves the pen; the bytes stay as long as the journal keeps them."""
    given = await read_body(request, Dismiss)
    return await _answer(deps, lambda: deps.hub.decisions.dismiss(id, order_of(given, principal.id, None)))


def _tell(deps: Dependencies, principal: Principal, case: CaseId, given: Tell) -> Decided:
    body = _said(given.statement, Excerpt(text=given.rests_on), deps.hub.clock.now())
    order = order_of(Decide(reason=given.reason), principal.id, body)
    about = About(case_id=case, authority=given.authority)
    return deps.hub.decisions.state(about, order, rests_on=given.rests_on, files=given.attachments)


@router.post(
    "/v1/ops/cases/{id}/statements",
    response_model=DecidedView,
    responses=_DECISION,
    openapi_extra=body_of("Tell"),
    summary="Record what a body said by phone or on paper",
)
async def tell(request: Request, id: str, principal: TheCaller, deps: TheDependencies) -> Response:  # noqa: A002
    """State, terms, events and evidence follow as if the body had said it; it is marked as a person's word."""
    given = await read_body(request, Tell)
    return await _answer(deps, lambda: _tell(deps, principal, case_id(id), given))

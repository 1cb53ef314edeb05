"""The door of the audit trail: what people did and saw."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from hub.api.dependencies import TheCaller, TheDependencies, problems, show
from hub.api.listing import UUID_PATTERN, DayFrom, DayTo, Limit, day, midnight
from hub.api.threads import run_in_thread
from hub.api.views import View
from hub.ports import AuditFilter
from hub.schemas.audit import AuditEntry
from hub.schemas.base import format_datetime

router = APIRouter(tags=["ops"])


class AuditEntryView(View):
    """One act or view of a person. `actor`: id of the key or the token's subject; `holder`: whose key it is; `act`: the
    door or the command; `subject`: what it was about; `why`: the reason given; `detail`: by which members a search was
    made, or the second id of the address; `status`: of the answer, null for a command.
    """

    id: str
    at: str
    actor: str
    holder: str | None
    role: str
    act: str
    subject: str | None
    why: str | None
    detail: str | None
    status: int | None

    @classmethod
    def of(cls, entry: AuditEntry) -> AuditEntryView:
        """The view of an entry."""
        return cls(
            id=str(entry.id),
            at=format_datetime(entry.at),
            actor=entry.actor,
            holder=entry.holder,
            role=entry.role,
            act=entry.act,
            subject=entry.subject,
            why=entry.why,
            detail=entry.detail,
            status=entry.status,
        )


class AuditView(View):
    """A page of the trail."""

    entries: tuple[AuditEntryView, ...]
    cursor: str | None


@router.get(
    "/v1/ops/audit",
    response_model=AuditView,
    responses=problems(401, 403, 422, 500, 503),
    summary="What people did and saw",
)
async def list_audit(
    _: TheCaller,
    deps: TheDependencies,
    actor: Annotated[str | None, Query(min_length=1, max_length=300, description="By this key or subject.")] = None,
    act: Annotated[str | None, Query(min_length=1, max_length=100, description="This door or command.")] = None,
    subject: Annotated[str | None, Query(min_length=1, max_length=200, description="About this id.")] = None,
    day_from: DayFrom = None,
    day_to: DayTo = None,
    after: Annotated[str | None, Query(pattern=UUID_PATTERN, description="The cursor of the page before.")] = None,
    limit: Limit = 50,
) -> Response:
    """The trail, the newest first: each act of operators, engineers and auditors, and each view of personal data."""
    first, last = day(day_from, "from"), day(day_to, "to")
    where = AuditFilter(
        actor=actor,
        act=act,
        subject=subject,
        at_from=midnight(first) if first else None,
        at_to=midnight(last + timedelta(days=1)) if last else None,
    )
    found = await run_in_thread(lambda: deps.hub.audit.entries(where, after=after, limit=limit))
    cursor = found[-1].cursor if len(found) == limit else None
    return show(AuditView(entries=tuple(map(AuditEntryView.of, found)), cursor=cursor))

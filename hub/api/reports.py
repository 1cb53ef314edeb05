"""Reports over HTTP: JSON, or CSV for a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from hub.api.auth import CallerRole, Principal
from hub.api.dependencies import (
    Dependencies,
    TheCaller,
    TheDependencies,
    problems,
    refuse_filters_of_others,
    show,
)
from hub.api.following_views import ReportLineView, ReportView, SurgesView, SurgeView
from hub.api.listing import (
    CSV_ANSWER,
    DAY,
    Authority,
    DayFrom,
    DayTo,
    Territory,
    Topic,
    cell,
    day,
    download,
    line,
)
from hub.api.threads import run_in_thread
from hub.errors import Forbidden
from hub.following.follower import NAME
from hub.following.reports import COLUMNS, Report, ReportLine, report, surges
from hub.following.values import ReportBy, ReportFilter
from hub.ports import Directory
from hub.schemas.base import format_datetime
from hub.schemas.kyiv import kyiv_day

router = APIRouter(tags=["reports"])


def name_of(directory: Directory, by: ReportBy, key: str) -> str | None:
    """Name by which people call the value of a line; None if there is none."""
    if by is ReportBy.AUTHORITY:
        found = directory.authority(key)
        return (found.short_name or found.name) if found else None
    if by is ReportBy.TOPIC:
        topic = directory.topic(key)
        return topic.name if topic else None
    if by is ReportBy.TERRITORY:
        return oblast_name(directory, key)
    return None


def oblast_name(directory: Directory, prefix: str) -> str | None:
    """Name of an oblast or city with special status by the first four characters of its code."""
    found = directory.oblast(prefix)
    return found.name if found else None


def _behind(deps: Dependencies) -> str | None:
    """Since when the figures lag behind; null = they are complete."""
    moment = deps.hub.following.pruning.behind(NAME)
    return format_datetime(moment) if moment else None


def _where(
    principal: Principal,
    first: date | None,
    last: date | None,
    authority: str | None,
    topic: str | None,
    territory: str | None,
) -> ReportFilter:
    return ReportFilter(
        owner=principal.owner,
        share_of=principal.body,
        day_from=first.isoformat() if first else None,
        day_to=last.isoformat() if last else None,
        authority=authority,
        topic=topic,
        territory=territory,
    )


def _csv(kind: Report, by: ReportBy, lines: Sequence[ReportLine], directory: Directory) -> Iterator[bytes]:
    names = [name for name, _ in COLUMNS[kind]]
    yield b"\xef\xbb\xbf" + line([by.value, "name", *names])
    for one in lines:
        yield line([cell(one.key), cell(name_of(directory, by, one.key)), *(str(one.values[n]) for n in names)])


@router.get(
    "/v1/reports/surges",
    response_model=SurgesView,
    responses=problems(401, 403, 422, 500, 503),
    summary="What suddenly rose",
)
async def get_surges(
    principal: TheCaller,
    deps: TheDependencies,
    on: Annotated[str | None, Query(pattern=DAY, description="Kyiv day; absent = yesterday.")] = None,
    topic: Topic = None,
    territory: Territory = None,
) -> Response:
    """Topics and territories with more appeals on a day than the four weeks before let expect, the strongest first:
    EARS C2 and C3 with working days and days off apart. docs/api/events.md tells the method and how often it errs.
    """
    wanted = day(on, "on") or kyiv_day(deps.hub.clock.now()) - timedelta(days=1)
    where = _where(principal, None, None, None, topic, territory)
    found = await run_in_thread(surges, deps.hub.following.insights, where, wanted, deps.hub.law.calendar.is_off)
    directory = deps.hub.registry.current()
    return show(
        SurgesView(
            day=wanted.isoformat(),
            behind_since=await run_in_thread(_behind, deps),
            surges=tuple(
                SurgeView(
                    topic=surge.topic or None,
                    topic_name=name_of(directory, ReportBy.TOPIC, surge.topic),
                    territory=surge.territory or None,
                    territory_name=oblast_name(directory, surge.territory),
                    count=surge.signal.count,
                    expected=f"{surge.signal.expected:.1f}",
                    excess=f"{surge.signal.excess:.1f}",
                    c2=f"{surge.signal.c2:.1f}",
                    c3=f"{surge.signal.c3:.1f}",
                )
                for surge in found
            ),
        )
    )


@router.get(
    "/v1/reports/{kind}",
    response_model=ReportView,
    responses={200: CSV_ANSWER[200], **problems(401, 403, 422, 500, 503)},
    summary="A report",
)
async def get_report(
    kind: Report,
    request: Request,
    principal: TheCaller,
    deps: TheDependencies,
    by: Annotated[ReportBy, Query(description="What it is split by.")] = ReportBy.AUTHORITY,
    day_from: DayFrom = None,
    day_to: DayTo = None,
    authority: Authority = None,
    topic: Topic = None,
    territory: Territory = None,
    form: Annotated[Literal["json", "csv"], Query(alias="format", description="In which form.")] = "json",
) -> Response:
    """Volumes, terms kept, redirects or flags of formal answers of the cases that arrived on some days, by body, topic,
    oblast or week. `behind_since`: since when the figures lag behind; null = they are complete. A body gets the figures
    of its own part of cases, by the days on which they were sent to it; flags of formal answers and the filter
    `authority` are not for bodies (`parameter.role`).
    """
    refuse_filters_of_others(request, principal, frozenset({"authority"}))
    if principal.role is CallerRole.AUTHORITY and kind is Report.FORMAL_ANSWERS:
        raise Forbidden("Flags of formal answers are the contact centre's, for a person to look.")
    where = _where(principal, day(day_from, "from"), day(day_to, "to"), authority, topic, territory)
    now = deps.hub.clock.now()
    lines = await run_in_thread(report, deps.hub.following.insights, kind, by, where, now)
    directory = deps.hub.registry.current()
    if form == "csv":
        return download(_csv(kind, by, lines, directory), f"{kind}.csv")
    return show(
        ReportView(
            report=kind,
            by=by,
            day_from=where.day_from,
            day_to=where.day_to,
            made_at=format_datetime(now),
            behind_since=await run_in_thread(_behind, deps),
            lines=tuple(
                ReportLineView(key=one.key, name=name_of(directory, by, one.key), values=one.values) for one in lines
            ),
        )
    )
